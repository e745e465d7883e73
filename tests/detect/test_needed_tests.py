"""Only what balanced test sets use is scored, and that gives the numbers that all would give."""

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.schemas.split import IMAGE_GENERATED, REAL, TEXT_GENERATED, TIP_ID
from scripts.common.tables import write_table
from scripts.detect.measure_detection import balanced
from scripts.detect.score_frames import score_frames
from scripts.detect.tip_id import needed_tests
from tests.detect.made_up_sources import make_source

LABELS = {"film": REAL, "phone": REAL, "dreamer": TEXT_GENERATED, "pika": IMAGE_GENERATED,
          "svd": IMAGE_GENERATED}  # fmt: skip


def write_splits(folder, sizes):
    """Write the tables of TIP-ID of sources with so many test videos, and one to train on."""
    paths = []
    for name, size in sizes.items():
        place = {"tar": "a.tar", "offset": 0, "size_bytes": 1}
        rows = [
            {"uuid": f"{name[0]}{number:03}", "group": "g", "label": LABELS[name], "source": name}
            | {"split": "train" if number == size else "test", **place}
            for number in range(size + 1)
        ]
        paths.append(folder / f"{name}.parquet")
        write_table(rows, paths[-1], TIP_ID)
    return paths


def scored(sizes, names, needed=None):
    """Return the rows of a class: those of its sources that are needed."""
    uuids = [
        (name, uuid)
        for name in names
        for uuid in (f"{name[0]}{number:03}" for number in range(sizes[name]))
        if needed is None or uuid in needed[name]
    ]
    rows = pd.DataFrame(uuids, columns=["source", "uuid"])
    return rows.assign(status="ok")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 70), min_size=5, max_size=5), st.integers(1, 80))
def test_test_sets_are_those_of_all_videos(tmp_path_factory, numbers, most):
    sizes = dict(zip(LABELS, numbers, strict=True))
    folder = tmp_path_factory.mktemp("splits")
    paths = write_splits(folder, sizes)
    for labels in ([REAL], [REAL, TEXT_GENERATED]):
        needed = needed_tests(paths, labels, most, seed=3)
        pools = [[name for name in LABELS if LABELS[name] == label] for label in labels]
        for generator in ("pika", "svd"):
            classes = [*pools, [generator]]
            few = balanced([scored(sizes, names, needed) for names in classes], most, 3)
            every = balanced([scored(sizes, names) for names in classes], most, 3)
            assert [list(one["uuid"]) for one in few] == [list(one["uuid"]) for one in every]
        assert bool(needed["dreamer"]) == (TEXT_GENERATED in labels)


def test_a_fiftieth_is_spare(tmp_path):
    paths = write_splits(tmp_path, {"film": 900, "dreamer": 3, "pika": 120, "svd": 400})
    needed = needed_tests(paths, [REAL], 250, seed=3)
    assert {name: len(uuids) for name, uuids in needed.items()} == {
        "film": 250 + 5, "dreamer": 0, "pika": 120, "svd": 250 + 5
    }  # fmt: skip


def test_no_other_video_is_scored(tmp_path):
    files = {name: make_source(tmp_path, name, 1, size) for name, size in
             {"camera": 6, "pika": 3}.items()}  # fmt: skip
    spectrum = {"backend": "scripts.detect.spectrum:Spectrum"}
    counts = score_frames(
        [tmp_path / "camera.parquet"],
        sources={"camera": files["camera"]},
        entries={"spectrum": spectrum},
        splits=[one["split"] for one in files.values()],
        max_per_class=99,
        seed=5,
        batch_size=4,
        ledger_root=tmp_path / "ledger",
    )
    assert counts.sentence() == "read 4 = kept 4 + rejected 0"
