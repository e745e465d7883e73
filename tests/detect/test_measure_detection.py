"""Metrics of detectors and classifiers on balanced test sets."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from scripts.common.errors import UserError
from scripts.common.identity import item_uuid
from scripts.common.schemas.detect import CLASS_SCORES, CLASSES, FRAME_SCORES, METRICS
from scripts.common.seen import write_seen
from scripts.common.tables import read_frame, write_table
from scripts.detect.measure_detection import balanced, measure_detection
from scripts.detect.metrics import binary_measures, class_measures


def frame_rows(source, scores, detector="a"):
    """Return rows of ``FRAME_SCORES``; a score of None is of a rejected video."""
    return [
        {
            "uuid": item_uuid(source, str(number)),
            "source": source,
            "detector": detector,
            "score": score,
            "status": "rejected" if score is None else "ok",
            "reason": "undecodable" if score is None else None,
        }
        for number, score in enumerate(scores)
    ]


def write_frames(folder, detectors, **scores):
    """Write score tables of several sources, and return where they are."""
    paths = []
    for source, values in scores.items():
        rows = [row for name in detectors for row in frame_rows(source, values, name)]
        paths.append(folder / f"{source}.parquet")
        write_table(rows, paths[-1], FRAME_SCORES)
    return paths


def write_classes(path, sizes, seed=0, rejected=0, setting="same_domain", generator="pika"):
    """Write a table of random class scores with so many videos of each class."""
    rng = np.random.default_rng(seed)
    rows = []
    for name, size in zip(CLASSES, sizes, strict=True):
        for number in range(size + rejected):
            row = {"uuid": item_uuid(name, str(number)), "source": f"from_{name}", "label": name}
            row |= {"setting": setting, "generator": generator, "status": "ok", "reason": None}
            row |= {f"p_{k}": p for k, p in zip(CLASSES, rng.dirichlet((1, 1, 1)), strict=True)}
            if number >= size:
                row |= {f"p_{k}": None for k in CLASSES}
                row |= {"status": "rejected", "reason": "no_frames"}
            rows.append(row)
    write_table(rows, path, CLASS_SCORES, sort_by=["source", "uuid"])
    return path


def write_checkpoint(folder, setting, saw=None, uuids=()):
    """Write the weights of a training for pika, with what it saw."""
    path = folder / "checkpoints" / setting / "pika.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"weight": np.ones(2)}, path)
    saw = saw or ["pika" if setting == "same_domain" else "svd"]
    write_seen(path, sources=dict.fromkeys(saw, 9), classes={"real": 9}, uuids=uuids)
    return path


def measure(
    tmp_path,
    frames,
    classes,
    detectors=(),
    settings=(),
    real=("camera",),
    most=100,
    checkpoints=None,
    counting="video",
):
    """Run the rule's function and return its table."""
    if checkpoints is None:
        checkpoints = [write_checkpoint(tmp_path, setting) for setting in settings]
    counts = measure_detection(
        frames,
        classes,
        checkpoints,
        tmp_path / "metrics.parquet",
        detectors=detectors,
        settings=settings,
        generators=["pika"],
        real_sources=real,
        max_per_class=most,
        seed=5,
        counting=counting,
    )
    return read_frame(tmp_path / "metrics.parquet", METRICS), counts


def value(metrics, **keys):
    """Return the one row of a table with these keys."""
    rows = metrics.query(" and ".join(f"{key} == {wanted!r}" for key, wanted in keys.items()))
    assert len(rows) == 1
    return rows.iloc[0]


def test_all_scores_count_where_the_classes_are_of_one_size(tmp_path):
    real, fake = [0.1, 0.7, 0.4, 0.2], [0.9, 0.3, 0.6, 0.8]
    frames = write_frames(tmp_path, ["spectrum"], camera=real, pika=fake)
    table, counts = measure(tmp_path, frames, [], ["spectrum"])
    expected = binary_measures(real, fake)
    accuracy = value(table, setting="spectrum", generator="pika", metric="accuracy")
    assert accuracy["value"] == expected["accuracy"] == 0.75
    assert accuracy["items"] == 8 and accuracy["rejected"] == 0
    precision = value(table, table="table3", metric="mAP")["value"]
    assert precision == pytest.approx(expected["mAP"])
    assert counts.sentence() == "read 8 = kept 8 + rejected 0"


def test_the_larger_class_is_sampled_down_and_rejected_videos_are_told(tmp_path):
    real = [0.1] * 50 + [0.9] * 50
    frames = write_frames(tmp_path, ["a"], camera=real, phone=real, pika=[0.8] * 6 + [None] * 2)
    table, counts = measure(tmp_path, frames, [], ["a"], real=("camera", "phone"))
    accuracy = value(table, metric="accuracy")
    assert accuracy["items"] == 12 and accuracy["rejected"] == 2
    assert counts.rejected == {"undecodable": 2}
    table, _ = measure(tmp_path, frames, [], ["a"], real=("camera", "phone"), most=3)
    assert set(table["items"]) == {6}


def test_a_generator_without_scores_has_no_value(tmp_path):
    frames = write_frames(tmp_path, ["a"], camera=[0.3], pika=[None])
    table, _ = measure(tmp_path, frames, [], ["a"])
    assert table["value"].isna().all() and set(table["items"]) == {0}


def test_classes_are_measured_as_the_metrics_say(tmp_path):
    path = write_classes(tmp_path / "pika.parquet", (5, 5, 5))
    table, _ = measure(tmp_path, [], [path], settings=["same_domain"])
    rows = read_frame(path, CLASS_SCORES)
    outputs = rows[[f"p_{name}" for name in CLASSES]].to_numpy()
    expected = class_measures(outputs, rows["label"].map(CLASSES.index).to_numpy())
    accuracy = value(table, table="table4", setting="same_domain", metric="accuracy")
    assert accuracy["value"] == pytest.approx(expected["accuracy"])
    assert accuracy["items"] == 15
    precision = value(table, metric="mAP")["value"]
    assert precision == pytest.approx(expected["mAP"])


@pytest.mark.parametrize(
    ("setting", "saw", "uuids", "message"),
    [
        ("cross_domain", ["pika", "svd"], [], "saw 9 items of pika, and 'cross_domain' tests it"),
        ("same_domain", ["svd"], [], "saw nothing of pika, and 'same_domain' tests it"),
        ("cross_domain", ["svd"], [item_uuid("real", "2")], "saw 1 of the 15 items of pika on"),
    ],
)
def test_a_classifier_that_saw_what_it_is_tested_on_is_refused(
    tmp_path, setting, saw, uuids, message
):
    path = write_classes(tmp_path / "pika.parquet", (5, 5, 5), setting=setting)
    weights = write_checkpoint(tmp_path, setting, saw, uuids)
    with pytest.raises(UserError, match=message):
        measure(tmp_path, [], [path], settings=[setting], checkpoints=[weights])


def test_classes_are_balanced_by_the_smallest(tmp_path):
    path = write_classes(tmp_path / "pika.parquet", (9, 4, 12), rejected=1, setting="cross_domain")
    table, counts = measure(tmp_path, [], [path], settings=["cross_domain"])
    assert set(table["items"]) == {12} and set(table["rejected"]) == {3}
    assert counts.read == 28


def test_each_detector_and_training_is_measured_by_its_own_rows(tmp_path):
    frames = write_frames(tmp_path, ["b", "a"], camera=[0.1, 0.2], pika=[0.9, 0.3])
    same = write_classes(tmp_path / "same.parquet", (5, 5, 5))
    cross = write_classes(tmp_path / "x.parquet", (5, 5, 5), seed=3, setting="cross_domain")
    other = write_classes(tmp_path / "o.parquet", (9, 9, 9), seed=4, generator="svd")
    settings = ["same_domain", "cross_domain"]
    table, counts = measure(tmp_path, frames, [same, cross, other], ["b", "a"], settings)
    assert list(table["setting"].unique()) == ["b", "a", *settings]
    alone, _ = measure(tmp_path, [], [cross], settings=["cross_domain"])
    found = [list(table[table["setting"] == one]["value"]) for one in settings]
    assert found[1] == list(alone["value"]) != found[0]
    assert set(table["items"][10:]) == {15} and counts.read == 8 + 15 + 15 + 27


def test_the_choice_depends_on_the_item_alone():
    rows = pd.DataFrame(frame_rows("camera", np.linspace(0, 1, 40)))
    few = pd.DataFrame(frame_rows("pika", [0.5] * 6))
    shuffled = rows.sample(frac=1, random_state=1)
    one, other = (balanced([table, few], 100, seed=3)[0] for table in (rows, shuffled))
    assert list(one["uuid"]) == list(other["uuid"]) and len(one) == 6
    fewer = balanced([rows.drop(rows.index[rows["uuid"] == one["uuid"].iloc[0]]), few], 100, 3)[0]
    assert set(one["uuid"][1:]) < set(fewer["uuid"])
    assert list(balanced([rows, few], 100, seed=4)[0]["uuid"]) != list(one["uuid"])


def test_a_class_of_which_nothing_is_left_is_named_with_what_took_it(tmp_path):
    frames = write_frames(tmp_path, ["a"], camera=[None, None], pika=[0.7])
    with pytest.raises(
        UserError, match=r"a: all 2 test .* class real were rejected \(undecodable 2"
    ):
        measure(tmp_path, frames, [], ["a"])
    with pytest.raises(
        UserError, match=r"no test video of the class real; raise split.tip_id.test"
    ):
        measure(tmp_path, frames, [], ["a"], real=("phone",))


def test_table_4_counts_videos_by_their_mean_or_every_clip(tmp_path):
    """A video of two clips is right by its mean, one of its clips is not; classes have as many."""
    rows = []
    for number, name in enumerate(CLASSES):
        right, wrong = np.eye(3)[number] * 0.8 + 0.0667, np.eye(3)[(number + 1) % 3] * 0.4 + 0.2
        clips = [right, wrong] if name != "real" else [right, wrong, right]
        row = {"uuid": item_uuid(name, "1"), "source": f"from_{name}", "label": name}
        row |= {"setting": "same_domain", "generator": "pika", "status": "ok", "reason": None}
        row |= dict(zip([f"p_{each}" for each in CLASSES], np.mean(clips, axis=0), strict=True))
        rows.append(row | {"clips": np.ravel(clips).tolist()})
    write_table(rows, tmp_path / "classes.parquet", CLASS_SCORES, sort_by=["source", "uuid"])
    given = {"frames": [], "classes": [tmp_path / "classes.parquet"], "settings": ["same_domain"]}
    by_video, _ = measure(tmp_path, **given)
    by_clip, _ = measure(tmp_path, **given, counting="clip")
    assert value(by_video, metric="accuracy").value == 1.0
    assert value(by_clip, metric="accuracy").value == 0.5
    assert value(by_clip, metric="real_as_real").value == 0.5, "of two clips, as in each class"
    assert value(by_clip, metric="accuracy")["items"] == 3, "videos"
