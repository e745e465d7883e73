"""The leaderboard and TIP-Camera as readers see them."""

import pandas as pd
import pytest

from scripts.analyse.build_camera import build_camera
from scripts.analyse.build_leaderboard import build_leaderboard
from scripts.analyse.plot_camera import confusion_of, plot_camera
from scripts.common.schemas.evaluate import CAMERA, LEADERBOARD, MOTION_STRENGTH
from scripts.common.tables import write_table
from scripts.evaluate.camera_requests import ASKED
from tests.analyse.tidy_metrics import BEYOND, entry, read

GENERATORS = [entry("pika", "Pika"), entry("svd", "SVD")]


def place(generator, mean, rank, ranks, **more):
    return {"dimension": "dover", "generator": generator, "items": 40, "mean": mean,
            "low": mean - 0.1, "high": mean + 0.1, "rank": rank, "rank_low": ranks[0],
            "rank_high": ranks[1], "smallest_difference": 0.0512} | more  # fmt: skip


def test_a_leaderboard_shows_mean_interval_and_ranks(tmp_path):
    rows = [place("pika", 0.7, 1, (1, 1)), place("svd", 0.6, 2, (1, 2))]
    write_table(rows, tmp_path / "l.parquet", LEADERBOARD)
    counts = build_leaderboard(
        tmp_path / "l.parquet",
        layout=BEYOND["leaderboard"],
        faces=[tmp_path / f"l.{face}" for face in ("csv", "md", "html")],
        dimensions=[entry("dover", "DOVER"), entry("smooth", "Smooth")],
        generators=GENERATORS,
        banner="",
    )
    text = (tmp_path / "l.md").read_text()
    assert text.startswith("**Leaderboard.**")
    assert (
        r"| DOVER | 0.0512 | 0.700 \[0.600, 0.800\] · 1 | 0.600 \[0.500, 0.700\] · 1–2 | 40 |"
        in text
    )
    assert "| Smooth | – | – | – | – |" in text
    table = read(tmp_path / "l.csv").set_index("entry")
    assert table.loc["dover", ["pika", "rank_svd", "low_pika", "smallest_difference"]].tolist() == [
        "0.700", "2", "0.600", "0.0512",
    ]  # fmt: skip
    page = (tmp_path / "l.html").read_text()
    assert (
        "<title>Leaderboard</title>" in page
        and "0.700 [0.600,\N{NO-BREAK SPACE}0.800] ·\N{NO-BREAK SPACE}1" in page
    )
    assert counts.kept == 2 and dict(counts.rejected) == {"no_value": 2}


def asked(generator, source, move, measured, **more):
    shares = dict.fromkeys((*ASKED, "none"), 0.0) | measured
    return {"generator": generator, "source": source, "asked": move, "items": 4, "followed": 3,
            "adherence": 0.75, "low": 0.3, "high": 0.954,
            "measured": list(shares.items())} | more  # fmt: skip


@pytest.fixture
def camera(tmp_path):
    rows = [
        asked("pika", "text", "zoom_in", {"zoom_in": 3.0, "static": 1.0}),
        asked("pika", "parameter", "zoom_in", {"zoom_in": 1.0, "none": 3.0}),
        asked("svd", "text", "pan_left", {"static": 4.0}),
    ]
    write_table(rows, tmp_path / "camera.parquet", CAMERA)
    return tmp_path / "camera.parquet"


def test_who_does_what_was_asked_for(tmp_path, camera):
    build_camera(
        camera,
        layout=BEYOND["camera"],
        faces=[tmp_path / "c.csv", tmp_path / "c.md"],
        generators=GENERATORS,
        banner="x",
    )
    text = (tmp_path / "c.md").read_text()
    assert r"| Typed as -camera | zoom in | 75.0 \[30, 95\] | – | 4 |" in text
    assert r"| Words of the prompt | zoom in |" in text and r"|  | pan left | – | 75.0" in text
    assert text.startswith("> **x**") and "Only Pika reads what is typed as -camera" in text
    table = read(tmp_path / "c.csv")
    assert table["source"].tolist() == ["Typed as -camera", *["Words of the prompt"] * 2]
    assert table["low_pika"].tolist() == ["30.0", "30.0", ""]


def test_both_ways_of_asking_are_one_confusion(camera):
    table = pd.read_parquet(camera)
    shares = confusion_of(table[table["generator"] == "pika"])
    assert shares.index.tolist() == ["zoom_in"]
    assert shares.loc["zoom_in", ["zoom_in", "static", "none", "pan_left"]].tolist() == [
        0.5, 0.125, 0.375, 0,
    ]  # fmt: skip
    assert confusion_of(table[table["generator"] == "nobody"]).empty


def test_the_figure_has_a_panel_for_each_generator(tmp_path, camera):
    rows = [
        {"generator": "pika", "motion": motion, "items": 2, "strength": 0.1, "error": error}
        for motion, error in ((1, 0.01), (4, None), (None, 0.02))
    ]
    write_table(rows, tmp_path / "strength.parquet", MOTION_STRENGTH)
    made = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in made:
        counts = plot_camera(
            camera,
            tmp_path / "strength.parquet",
            faces=[path],
            generators=[*GENERATORS, entry("none", "No videos")],
            style={"colour_map": "cividis", "width_in": 6.0},
            banner="made up",
        )
    assert counts.kept == 3 and made[0].read_bytes() == made[1].read_bytes()
