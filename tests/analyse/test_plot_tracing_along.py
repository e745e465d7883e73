"""The figure of tracing along the video: which numbers it draws, and where."""

import pytest

from scripts.analyse.plot_tracing_along import plot_tracing_along
from scripts.common.schemas.trace import METRICS, MUAP, MUAP_AT, MUAP_VIDEO
from scripts.common.tables import write_table
from tests.analyse.tidy_metrics import GENERATORS, entry

NAMES = [generator["entry"] for generator in GENERATORS]
PLACES = [f"{MUAP_AT}1", f"{MUAP_AT}2", f"{MUAP_AT}3", MUAP_VIDEO]


@pytest.fixture
def figure(tmp_path, drawn):
    counted = dict.fromkeys(("queries", "references", "positives", "rejected"), 1)
    rows = [
        {"tracer": tracer, "generator": name, "metric": metric, "value": value} | counted
        for tracer, base in (("sscd", 0.8), ("cosface_same_domain", 0.9))
        for name in NAMES
        for metric, value in zip([MUAP, *PLACES], (0.01, base, base - 0.1, None, 0.95), strict=True)
    ]
    write_table(rows, tmp_path / "metrics.parquet", METRICS)
    counts = plot_tracing_along(
        tmp_path / "metrics.parquet",
        faces=[],
        rows=[
            entry("sscd", "SSCD"),
            entry("asl", "ASL") | {"unavailable": "no weights"},
            entry("vit_base", "Same Domain") | {"key": "cosface_same_domain"},
        ],
        generators=GENERATORS,
        frames=3,
        style={"colour_map": "viridis", "width_in": 8.0},
        banner="",
    )
    return drawn[0], counts


def test_a_row_of_each_tracer_and_a_panel_of_each_generator(figure):
    shown, counts = figure
    panels = shown.axes[: len(GENERATORS)]
    assert [panel.get_title(loc="left") for panel in panels] == [
        each["label"] for each in GENERATORS
    ]
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["SSCD", "Same Domain"]
    shown = [text.get_text() for text in panels[0].get_xticklabels()]
    assert shown == ["0%", "50%", "100%", "video"]
    assert (counts.kept, counts.rejected) == (6 * len(NAMES), {"no_value": 2 * len(NAMES)})


def test_numbers_stand_at_their_places_the_video_apart(figure):
    texts = figure[0].axes[0].texts
    found = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in texts}
    assert found == {
        (0, 0): "80", (0, 1): "70", (0, 3): "95", (1, 0): "90", (1, 1): "80", (1, 3): "95"
    }  # fmt: skip
