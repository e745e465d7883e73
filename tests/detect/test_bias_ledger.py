"""The bias ledger on made-up videos, from the controls to the table and the figure."""

import csv
from pathlib import Path

import pytest

from scripts.analyse.build_bias_ledger import build_bias_ledger
from scripts.analyse.plot_bias_ledger import plot_bias_ledger
from scripts.common.errors import UserError
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.schemas.detect import BIAS, CLASSES, SHORTCUT_TESTS
from scripts.common.schemas.split import TIP_ID
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import read_frame, read_table
from scripts.detect.classify_videos import classify_videos
from scripts.detect.describe_formats import describe_formats
from scripts.detect.make_controls import make_controls
from scripts.detect.measure_bias import explained, measure_bias
from scripts.detect.score_frames import score_frames
from tests.analyse.tidy_metrics import BEYOND
from tests.detect.made_up_sources import LABELS, made_up_frames, make_source, tiny_entry, train

CONTROLS = {
    "as_is": {"trained": True},
    "one_format": {
        "trained": True, "fps": 4, "seconds": 1, "width": 32, "height": 32, "crf": 23,
    },
    "compressed": {"crf": 45},
    "moves": {"animator": "camera_move"},
}  # fmt: skip
ANIMATOR = {
    "backend": "scripts.generate.camera_motion:CameraMove",
    "settings": {"size": 48, "frames": 3, "fps": 8},
}
SPECTRUM = {"backend": "scripts.detect.spectrum:Spectrum", "settings": {"bands": 6}}
TEST = 8


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    """A forest that is planted in no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scripts.detect.shortcuts.TREES", 8)
        yield


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """Run the ledger as its rules do; pika's rate is another than that of all others."""
    return run_ledger(tmp_path_factory.mktemp("ledger"))


def run_ledger(folder: Path) -> Path:
    rates = {"camera": 8, "dreamer": 8, "pika": 12}
    files = {
        name: make_source(folder, name, train=3, test=TEST, fps=fps) for name, fps in rates.items()
    }
    splits = [each["split"] for each in files.values()]
    images = write_images(folder, splits)
    root = folder / "results/detect/controls"
    kept = folder / "kept"
    for control, settings in CONTROLS.items():
        of_control = {}
        for name, source in files.items():
            if control == "moves" and LABELS[name] != "image_generated":
                continue
            videos = root / control / "videos" / f"{name}.tar"
            chosen = root / control / "tip_id" / f"{name}.parquet"
            pictures = images if control == "moves" else ([], [])
            make_controls(
                source["split"], source["tars"], source["indexes"], splits, *pictures, videos,
                videos.with_suffix(".parquet"), chosen, settings=settings,
                animator=ANIMATOR if control == "moves" else None, test=TEST, train=2, seed=1,
                ledger_root=kept,
            )  # fmt: skip
            of_control[name] = {
                "split": chosen, "tars": [videos], "indexes": [videos.with_suffix(".parquet")],
            }  # fmt: skip
        if settings.get("trained"):
            weights = root / control / "checkpoints/same_domain"
            train(of_control, weights, kept, tiny_entry(iterations=3), list(rates))
            (weights / "weights.safetensors").rename(weights / "pika.safetensors")
        learnt = control if settings.get("trained") else "as_is"
        for name, source in of_control.items():
            named = {f"{control}-{name}": source}
            weights = [root / learnt / "checkpoints/same_domain/pika.safetensors"]
            common = {
                "splits": [], "max_per_class": 9, "seed": 1, "batch_size": 4, "ledger_root": kept,
            }  # fmt: skip
            classes = root / control / "classes" / f"{name}.parquet"
            classify_videos(weights, [classes], sources=named, entry=tiny_entry(), **common)
            if LABELS[name] != "text_generated":
                scores = root / control / "scores" / f"{name}.parquet"
                score_frames([scores], sources=named, entries={"spectrum": SPECTRUM}, **common)
            if control != "moves":
                formats = root / control / "formats" / f"{name}.parquet"
                describe_formats(formats, sources=named, ledger_root=kept)
    measure(root, root)
    return root


def measure(root: Path, target: Path) -> None:
    """Measure what lies in the folders of the controls."""
    tables = {
        "formats": sorted(root.glob("*/formats/*.parquet")),
        "frame_scores": sorted(root.glob("*/scores/*.parquet")),
        "class_scores": sorted(root.glob("*/classes/*.parquet")),
        "splits": sorted(root.glob("*/tip_id/*.parquet")),
        "checkpoints": sorted(root.glob("*/checkpoints/*/*.safetensors")),
    }
    settings = {"detectors": ["spectrum"], "settings": ["same_domain"], "most": TEST, "seed": 1}
    settings |= {"generators": ["pika"], "animated": ["moves"]}
    measure_bias(
        **tables, bias=target / "bias.parquet", shortcuts=target / "shortcuts.parquet", **settings
    )


def write_images(folder: Path, splits: list[Path]) -> tuple[list[Path], list[Path]]:
    """Write an image prompt for each video of a generator."""
    tar, index = folder / "images.tar", folder / "images.parquet"
    items = {}
    for row in (row for path in splits for row in read_table(path).to_pylist()):
        picture = made_up_frames("image_generated", len(items))[0]
        items[row["uuid"]] = ShardItem(
            row["uuid"], encode_png(picture), picture_properties(picture)
        )
    write_shard(tar, index, [items[uuid] for uuid in sorted(items)], "png")
    return [tar], [index]


def numbers(root: Path, **where) -> dict:
    table = read_frame(root / "bias.parquet", BIAS)
    for column, value in where.items():
        table = table[table[column] == value]
    return dict(zip(table["metric"], table["value"], strict=True))


def test_the_container_tells_by_the_rate_until_all_have_one_format(ledger):
    as_is = numbers(ledger, table="table3", setting="container", control="as_is")
    alike = numbers(ledger, table="table3", setting="container", control="one_format")
    assert as_is["accuracy"] == 1.0
    assert alike["accuracy_low"] <= 0.5
    three = numbers(ledger, table="table4", setting="container", control="as_is")
    assert 1 / 3 < three["accuracy"] < 1.0, "rates are alike but for one class"
    tests = read_frame(ledger / "shortcuts.parquet", SHORTCUT_TESTS)
    found = {
        (row.control, row.against) for row in tests[tests["shortcut"] == "rate"].itertuples()
        if row.is_found
    }  # fmt: skip
    before = {(control, kind) for control in ("as_is", "compressed") for kind in CLASSES[:2]}
    assert found == before


def test_each_model_is_measured_under_each_control(ledger):
    table = read_frame(ledger / "bias.parquet", BIAS)
    for setting, name in (("spectrum", "table3"), ("same_domain", "table4")):
        own = table[(table["setting"] == setting) & (table["metric"] == "accuracy")]
        assert set(own["table"]) == {name} and sorted(own["control"]) == sorted(CONTROLS)
        items = dict(zip(own["control"], own["items"], strict=True))
        classes = 2 if name == "table3" else 3
        assert items.pop("moves") == TEST and set(items.values()) == {classes * TEST}


def test_what_a_procedure_made_is_right_if_it_is_not_taken_for_generated(ledger):
    """By the colour of its class, which the image prompts have, the classifier takes all."""
    made = numbers(ledger, setting="same_domain", control="moves")
    scores = read_frame(ledger / "moves/classes/pika.parquet")
    columns = [f"p_{name}" for name in CLASSES]
    taken = (scores[columns].to_numpy().argmax(axis=1) == 2).mean()
    assert made["taken_for_generated"] == taken
    assert made["accuracy"] == 1 - taken
    frames = read_frame(ledger / "moves/scores/pika.parquet")
    made = numbers(ledger, setting="spectrum", control="moves")
    assert made["taken_for_generated"] == (frames["score"] > 0.5).mean()


@pytest.mark.parametrize(
    ("before", "low", "after", "expected"),
    [
        (0.9, 0.8, 0.7, 0.5),
        (0.9, 0.8, 0.9, 0.0),
        (0.9, 0.8, 0.95, 0.0),
        (0.9, 0.8, 0.3, 1.0),
        (0.9, 0.5, 0.6, None),
    ],
)
def test_the_share_explained_is_of_what_is_above_a_guess(before, low, after, expected):
    measures = {"accuracy": before, "accuracy_low": low}
    found = explained(measures, {"accuracy": after}, 0.5)
    assert found == (None if expected is None else pytest.approx(expected))


def test_controls_that_leave_too_little_are_named(ledger, tmp_path, monkeypatch):
    monkeypatch.setattr("scripts.detect.measure_bias.FOLDS", 9)
    with pytest.raises(
        UserError, match=r"detect.bias_ledger leave 8 test videos.*and 9 are needed"
    ):
        measure(ledger, tmp_path)


def test_a_model_that_saw_a_test_video_is_refused(ledger, tmp_path, monkeypatch):
    asked = []

    def refuse(path, setting, generator, uuids, *, same_domain):
        asked.append((path.parents[2].name, setting, generator, same_domain, set(uuids)))
        if len(asked) == 2:
            raise UserError("saw it")

    monkeypatch.setattr("scripts.detect.measure_bias.refuse_seen", refuse)
    with pytest.raises(UserError, match="saw it"):
        measure(ledger, tmp_path)
    tables = ledger.glob("as_is/classes/*.parquet")
    uuids = {row["uuid"] for path in tables for row in read_table(path).to_pylist()}
    trained = [("as_is", "same_domain", "pika", True), ("one_format", "same_domain", "pika", True)]
    assert [call[:4] for call in asked] == trained
    assert all(call[4] == uuids for call in asked)


def test_training_videos_never_test(ledger):
    for path in ledger.glob("*/tip_id/*.parquet"):
        rows = read_table(path, TIP_ID).to_pylist()
        original = read_table(ledger.parents[2] / "tip_id" / path.name).to_pylist()
        sides = {row["uuid"]: row["split"] for row in original}
        assert all(row["split"] == sides[row["uuid"]] for row in rows)
        trained = [row for row in rows if row["split"] == "train"]
        assert len(trained) == (2 if CONTROLS[path.parents[1].name].get("trained") else 0)


def test_the_table_and_the_figure_show_all_of_it(ledger, tmp_path):
    models = {
        "table3": [{"entry": "spectrum", "label": "Spectrum", "embedded": True}],
        "table4": [
            {"entry": "tiny", "key": "same_domain", "label": "Same Domain", "embedded": True}
        ],
    }
    generators = [{"entry": "pika", "label": "Pika", "embedded": False}]
    controls = {name: name.replace("_", " ") for name in CONTROLS}
    files = ledger / "bias.parquet", ledger / "shortcuts.parquet"
    faces = [tmp_path / f"ledger.{form}" for form in ("csv", "md", "html")]
    build_bias_ledger(
        *files,
        faces=faces,
        layout=BEYOND["bias_ledger"],
        rows=models,
        controls=controls,
        generators=generators,
        banner="",
    )
    lines = [line for line in faces[0].read_text().splitlines() if not line.startswith("#")]
    rows = {tuple(row[:4]): row for row in csv.reader(lines[1:])}
    assert rows["table3", "accuracy", "Container alone", "as is"][4] == "100.0"
    assert ("table4", "explained", "Same Domain", "one format") in rows
    assert ("table4", "accuracy", "Same Domain", "moves") in rows
    assert ("shortcut", "real", "rate", "as they are") in rows
    assert len(rows) == 2 * 3 + 2 * 4 + 2 * 2 + 2 * 10
    assert "rate | as they are | 100.0 \\* |" in faces[1].read_text()
    colours = ["#000000", "#0072B2", "#009E73", "#D55E00"]
    figure = tmp_path / "ledger.png"
    style = {"colours": colours, "width_in": 9.0}
    plot_bias_ledger(
        files[0], faces=[figure], rows=models, controls=controls, style=style, banner=""
    )
    assert figure.stat().st_size > 10_000
    with pytest.raises(UserError, match=r"bias_ledger\.colours has 3 colours for 4"):
        plot_bias_ledger(
            files[0], faces=[figure], rows=models, controls=controls,
            style=style | {"colours": colours[:3]}, banner="",
        )  # fmt: skip


def test_the_figure_tells_its_marks_and_why_a_row_is_empty(ledger, tmp_path, monkeypatch):
    """Of a model that is no better than a guess nothing can be lost."""
    drawn = []
    monkeypatch.setattr(
        "scripts.analyse.figure_style.save_figure", lambda figure, *_: drawn.append(figure)
    )
    rows = {"table3": [{"entry": "spectrum", "label": "Spectrum"}, {"entry": "x", "label": "X"}]}
    plot_bias_ledger(
        ledger / "bias.parquet", faces=[], rows=rows, controls=dict.fromkeys(CONTROLS, "c"),
        style={"colours": ["#000000"] * 4, "width_in": 9.0}, banner="",
    )  # fmt: skip
    figure = drawn[0]
    told = [text.get_text() for text in figure.axes[1].texts]
    assert told[0] == "it sees nothing but the format" and told[-1] == "no better than a guess"
    [legend] = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named[-2:] == ["a guess", "each generator, faint"]
    figure.draw_without_rendering()
    # The foot is the banner's.
    assert legend.get_window_extent().y0 > figure.axes[0].get_window_extent().y1
