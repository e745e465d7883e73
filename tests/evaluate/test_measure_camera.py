"""TIP-Camera: what is asked for, who does it, and how strongly."""

import pytest

from scripts.common.schemas.evaluate import CAMERA, MOTION_STRENGTH, SCORES
from scripts.common.schemas.prompts import PARAMETERS
from scripts.common.tables import read_table, write_table
from scripts.evaluate.camera_requests import asked_by_parameter, asked_in_text
from scripts.evaluate.measure_camera import measure_camera

COMPONENTS = {name: f"camera_{name}" for name in ("pan", "tilt", "zoom", "rotation", "strength")}
STILL = dict.fromkeys(COMPONENTS, 0.0)


@pytest.mark.parametrize("text, moves", [
    ("camera pans left over the lake", {"pan_left"}),
    ("Slow pan to the right, 4k", {"pan_right"}),
    ("the camera slowly moves up", {"tilt_up"}),
    ("tilt down", {"tilt_down"}),
    ("zoom in on a temple", {"zoom_in"}),
    ("zooming out, camera moves to the left", {"zoom_out", "pan_left"}),
    ("dolly in", {"zoom_in"}), ("pull back", {"zoom_out"}),
    ("static camera", {"static"}), ("a lake, camera static", {"static"}),
    ("the camera rotates around her", {"rotate"}),
    ("a frying pan left on the stove", {"pan_left"}),  # words, not sense: a known fault
    ("a man walks to the left", set()), ("she looks up at the camera", set()),
    ("camera man. He moves left", set()), ("company leaders", set()), ("zoom meeting", set()),
])  # fmt: skip
def test_words_that_ask_for_a_move(text, moves):
    assert asked_in_text(text) == moves


@pytest.mark.parametrize("typed, moves", [
    (["pan up", "pan left"], {"tilt_up", "pan_left"}), (["zoom out"], {"zoom_out"}),
    (["rotate ccw"], {"rotate"}), (["rotate anticlockwise"], {"rotate"}),
    (["zoom sideways"], set()), (["pan"], set()), ([], set()), (None, set()),
])  # fmt: skip
def test_parameters_that_ask_for_a_move(typed, moves):
    assert asked_by_parameter(typed) == moves


def measure(tmp_path, videos, prompts, typed=None):
    """Measure videos ((generator, uuid) -> components) of prompts (uuid -> text)."""
    rows = [
        {"generator": generator, "item": uuid, "metric": COMPONENTS[name], "value": value,
         "status": "ok" if value is not None else "rejected",
         "reason": None if value is not None else "too_few_frames", "remark": None}
        for (generator, uuid), parts in videos.items()
        for name, value in (STILL | parts).items()
    ]  # fmt: skip
    write_table(rows, tmp_path / "scores.parquet", SCORES)
    texts = [{"uuid": uuid, "prompt": text} for uuid, text in prompts.items()]
    import pandas as pd

    pd.DataFrame(texts).to_parquet(tmp_path / "prompts.parquet")
    if typed is not None:
        blank = dict.fromkeys(PARAMETERS.names)
        write_table([blank | row for row in typed], tmp_path / "parameters.parquet", PARAMETERS)
    counts = measure_camera(
        [tmp_path / "scores.parquet"],
        tmp_path / "prompts.parquet",
        tmp_path / "camera.parquet",
        tmp_path / "strength.parquet",
        components=COMPONENTS,
        step=0.02,
        generators=["pika", "other"],
        parameters=tmp_path / "parameters.parquet" if typed is not None else None,
    )
    camera = read_table(tmp_path / "camera.parquet", CAMERA).to_pylist()
    return counts, camera, read_table(tmp_path / "strength.parquet", MOTION_STRENGTH).to_pylist()


def test_adherence_by_generator_and_source(tmp_path):
    videos = {
        ("pika", "a"): {"pan": -0.2}, ("pika", "b"): {"pan": -0.1, "zoom": 0.3},
        ("pika", "c"): {"tilt": 0.1}, ("other", "a"): {}, ("other", "b"): {"rotation": 5.0},
        ("other", "c"): {"zoom": None},
    }  # fmt: skip
    prompts = {"a": "camera pans left", "b": "pan left", "c": "pan left, slowly"}
    typed = [{"UUID": "a", "camera": ["pan left"]}, {"UUID": "b", "camera": ["zoom in"]},
             {"UUID": "elsewhere", "camera": ["zoom out"]}]  # fmt: skip
    counts, rows, _ = measure(tmp_path, videos, prompts, typed)
    found = {(row["source"], row["generator"], row["asked"]): row for row in rows}
    assert set(found) == {
        ("parameter", "pika", "pan_left"), ("parameter", "pika", "zoom_in"),
        ("parameter", "other", "pan_left"), ("parameter", "other", "zoom_in"),
        ("text", "pika", "pan_left"), ("text", "other", "pan_left"),
    }  # fmt: skip
    pika = found["text", "pika", "pan_left"]
    assert (pika["items"], pika["followed"], pika["adherence"]) == (3, 2, pytest.approx(2 / 3))
    # Wilson's interval of 2 of 3.
    assert (pika["low"], pika["high"]) == (pytest.approx(0.2077, abs=1e-4), pytest.approx(0.9385, abs=1e-4))  # fmt: skip
    measured = {move: share for move, share in pika["measured"] if share}
    assert measured == {"pan_left": 1.5, "zoom_in": 0.5, "tilt_up": 1.0}
    other = {move: share for move, share in found["text", "other", "pan_left"]["measured"] if share}
    assert other == {"static": 1.0, "rotate": 1.0}
    assert found["parameter", "pika", "zoom_in"]["followed"] == 1
    assert (counts.kept, dict(counts.rejected), counts.declared) == (5, {"not_measured": 1}, 6)


@pytest.mark.parametrize(
    "degrees, seen", [(2.2, "static"), (-2.2, "static"), (2.4, "rotate"), (-2.4, "rotate")]
)
def test_a_rotation_counts_from_where_it_moves_the_edges_by_a_step(tmp_path, degrees, seen):
    """They lie half a shorter side from the middle: 0.04 of a radian, which is 2.29 degrees."""
    _, rows, _ = measure(tmp_path, {("pika", "a"): {"rotation": degrees}}, {"a": "static camera"})
    assert [move for move, share in rows[0]["measured"] if share] == [seen]


def test_a_release_has_no_parameters(tmp_path):
    _, rows, strength = measure(tmp_path, {("pika", "a"): {"pan": 0.1}}, {"a": "pan right"})
    assert [(row["source"], row["followed"]) for row in rows] == [("text", 1)]
    assert [(row["motion"], row["items"]) for row in strength] == [(None, 1)]


def test_strength_by_the_number_typed(tmp_path):
    videos = {("pika", each): {"strength": size}
              for each, size in {"a": 0.1, "b": 0.3, "c": 0.5, "d": 0.7}.items()}  # fmt: skip
    typed = [{"UUID": "a", "motion": 1}, {"UUID": "b", "motion": 1}, {"UUID": "c", "motion": 4}]
    _, _, rows = measure(tmp_path, videos, dict.fromkeys("abcd", "x"), typed)
    assert [(row["motion"], row["items"], row["strength"]) for row in rows] == [
        (1, 2, pytest.approx(0.2)), (4, 1, 0.5), (None, 1, 0.7),
    ]  # fmt: skip
    assert rows[0]["error"] == pytest.approx(0.1) and rows[1]["error"] is None
