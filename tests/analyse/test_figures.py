"""Figures: what they draw, that nothing is cut off, and that the same data gives the same bytes."""

from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import get_type_hints

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from scripts.analyse import figure_style
from scripts.analyse.count_popularity import rank_names
from scripts.analyse.funnel import in_words
from scripts.analyse.plot_figure4 import plot_figure4
from scripts.analyse.plot_figure5 import plot_figure5
from scripts.analyse.plot_figure6 import normalise_for_radar, plot_figure6
from scripts.analyse.plot_funnel import plot_funnel
from scripts.common.errors import UserError
from scripts.common.schemas.analyse import POPULARITY
from scripts.common.tables import write_table
from tests.analyse.tidy_metrics import (
    BANNER,
    GENERATORS,
    entry,
    paper_table,
    slug,
    write_summary,
)

TWO_COLOURS = {"subject_colour": "#0072B2", "direction_colour": "#D55E00", "width_in": 6.0}
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"]
DIMENSIONS = [entry(slug(row["dimension"]), row["dimension"]) for row in paper_table("7")]
FUNNEL_STYLE = {"kept_colour": "#0072B2", "rejected_colour": "#D9D9D9", "width_in": 6.0}
FUNNEL = """# made up
stage,step,part,unit,read,kept,rejected,reason,count
curate,extract_messages,a,messages,10,6,4,not_a_bot,3
curate,extract_messages,a,messages,10,6,4,no_video,1
curate,extract_messages,b,messages,5,5,0,,0
curate,fetch_videos,,videos,11,9,2,undecodable,2
trace,match_queries,sscd pika,queries,0,0,0,,0
"""


@pytest.fixture
def popularity(tmp_path):
    """Two subjects that would be formulas and tags elsewhere, among others; few directions."""
    subjects = ["$x^2$"] * 9 + ["<b>bold</b>"] * 7 + [f"subject {i}" for i in range(30)]
    directions = ["move"] * 5 + ["zoom"] * 3 + ["walk"]
    parts = [
        rank_names(pd.Series(subjects)).assign(kind="subject"),
        rank_names(pd.Series(directions)).assign(kind="direction"),
    ]
    path = tmp_path / "popularity.parquet"
    write_table(pd.concat(parts)[POPULARITY.names], path, POPULARITY)
    return path


def test_a_rule_s_function_takes_what_is_drawn_its_files_and_the_banner():
    """By name, which is how a rule hands them over, and as paths."""
    assert list(signature(plot_figure4).parameters) == [
        "popularity", "top", "style", "faces", "banner"
    ]  # fmt: skip
    kinds = get_type_hints(plot_figure4)
    assert (kinds["popularity"], kinds["faces"]) == (Path, Sequence[Path])


def test_the_radar_s_scale_is_that_of_the_reference():
    rows = [
        row
        for row in paper_table("7")
        if row["dimension"] in ("Subject Consistency", "Dynamic Degree")
    ]
    values = np.array(
        [[float(row[name]) for name in ("Pika", "SVD", "OpS", "IXL", "Cog")] for row in rows]
    )
    expected = [[0.8, 0.7188, 0.3313, 0.3, 0.7156], [0.3, 0.7247, 0.4869, 0.8, 0.4360]]
    np.testing.assert_allclose(normalise_for_radar(values), expected, atol=5e-5)


def test_equal_values_lie_in_the_middle_and_missing_ones_stay_missing():
    values = np.array([[0.5, 0.5, 0.5], [0.1, np.nan, 0.2], [np.nan] * 3])
    scaled = normalise_for_radar(values)
    np.testing.assert_array_equal(scaled, [[0.55] * 3, [0.3, np.nan, 0.8], [np.nan] * 3])


def test_figure_4_draws_the_top_as_bars(popularity, tmp_path, drawn):
    counts = plot_figure4(
        popularity, faces=[tmp_path / "f.png"], top=25, style=TWO_COLOURS, banner=BANNER
    )
    above, below = drawn[0].axes
    assert [bar.get_height() for bar in above.patches][:3] == [9, 7, 1]
    assert [bar.get_height() for bar in below.patches] == [5, 3, 1]
    assert len(above.patches) == 25 and above.patches[0].get_facecolor()[:3] == pytest.approx(
        (0, 0x72 / 255, 0xB2 / 255)
    )
    assert [label.get_text() for label in above.get_xticklabels()][:2] == ["$x^2$", "<b>bold</b>"]
    assert BANNER in [text.get_text() for text in drawn[0].texts]
    assert (counts.kept, counts.rejected["beyond_the_top"]) == (28, 7)


def test_figure_5_marks_where_a_half_is_reached(popularity, tmp_path, drawn):
    plot_figure5(popularity, faces=[tmp_path / "f.png"], style=TWO_COLOURS, banner="")
    above, below = drawn[0].axes
    assert above.lines[0].get_ydata()[-1] == 1.0
    assert [text.get_text() for text in below.texts] == ["1 of 3: 56%", "2 of 3: 89%"]


def test_figure_6_draws_one_closed_line_for_each_generator(tmp_path, drawn):
    summary = write_summary(tmp_path / "summary.parquet")
    plot_figure6(
        summary,
        faces=[tmp_path / "f.png"],
        generators=GENERATORS,
        dimensions=DIMENSIONS,
        style={"colours": COLOURS, "width_in": 6.0},
        banner=BANNER,
    )
    chart = drawn[0].axes[0]
    assert [line.get_label() for line in chart.lines] == [g["label"] for g in GENERATORS]
    pika = chart.lines[0].get_ydata()
    assert len(pika) == 11 and pika[0] == pika[-1] == pytest.approx(0.8)
    assert {text.get_text().replace("\n", " ") for text in chart.texts} == {
        dimension["label"] for dimension in DIMENSIONS
    }


def test_figure_6_has_no_axis_for_what_nobody_can_measure(tmp_path, drawn):
    absent = [entry("moods", "Moods & co", unavailable="nobody has it")]
    counts = plot_figure6(
        write_summary(tmp_path / "summary.parquet"),
        faces=[tmp_path / "f.png"],
        generators=GENERATORS,
        dimensions=[*DIMENSIONS[:4], *absent],
        style={"colours": COLOURS, "width_in": 6.0},
        banner="",
    )
    assert len(drawn[0].axes[0].lines[0].get_ydata()) == 4 + 1
    assert "Without an axis" in drawn[0].texts[0].get_text()
    assert drawn[0].texts[0].get_text().endswith("Moods & co.")
    assert counts.declared == 4 * len(GENERATORS)
    with pytest.raises(UserError, match=r"three dimensions or more .* not 2"):
        plot_figure6(
            tmp_path / "summary.parquet", faces=[], generators=GENERATORS,
            dimensions=[*DIMENSIONS[:2], *absent],
            style={"colours": COLOURS, "width_in": 6.0}, banner="",
        )  # fmt: skip


def test_figure_6_says_what_it_needs(tmp_path):
    summary = write_summary(tmp_path / "summary.parquet")
    style = {"colours": COLOURS[:4], "width_in": 6.0}
    with pytest.raises(UserError, match=r"figure6.colours has 4 colours for 5 generators"):
        plot_figure6(
            summary, faces=[], generators=GENERATORS, dimensions=DIMENSIONS, style=style, banner=""
        )
    with pytest.raises(UserError, match=r"three dimensions or more .* not 2"):
        plot_figure6(
            summary,
            faces=[],
            generators=GENERATORS,
            dimensions=DIMENSIONS[:2],
            style=style,
            banner="",
        )


def test_the_funnel_sums_up_the_parts_of_a_step(tmp_path, drawn):
    (tmp_path / "funnel.csv").write_text(FUNNEL)
    counts = plot_funnel(
        tmp_path / "funnel.csv", faces=[tmp_path / "f.png"], style=FUNNEL_STYLE, banner=""
    )
    texts = [text.get_text() for text in drawn[0].axes[0].texts]
    assert "11 of 15 messages" in texts and "not a bot 3, no video 1" in texts
    assert "0 of 0 queries" in texts
    assert counts.kept == 3


def test_letters_that_the_font_lacks_are_named(tmp_path, recwarn):
    """Never boxes: a missing glyph would be a warning."""
    assert figure_style.drawable("häß \u0436\u03b1\n$x^2$ <b>") == "häß \u0436\u03b1\n$x^2$ <b>"
    assert (
        figure_style.drawable("\u732b\u732b \U0001f9ea\u200d\U0001f9ea \uc548!")
        == "[cjk] [emoji] [hangul]!"
    )
    with figure_style.figure_style():
        figure, axis = plt.subplots()
        axis.set_title("\u0e41\u0e21\u0e27 \u732b \U0001f9ea \u0928\u092e")
        figure_style.save_figure(figure, [tmp_path / "f.png"], "\U0001f9ea")
    assert [str(each.message) for each in recwarn if "missing" in str(each.message)] == []


def test_reasons_beyond_the_third_are_summed_up():
    assert (
        in_words({"a_b": 4_000, "c": 3, "d": 2, "e": 1, "f": 1}) == "a b 4,000, c 3, d 2, others 2"
    )


def test_nothing_is_cut_off_and_bytes_repeat(popularity, tmp_path, monkeypatch):
    """All texts lie within what is saved; a second drawing gives the same PNG and PDF."""
    monkeypatch.setitem(figure_style.STYLE, "savefig.dpi", 50)
    summary = write_summary(tmp_path / "summary.parquet")
    (tmp_path / "funnel.csv").write_text(FUNNEL)
    for turn in ("a", "b"):
        files = {
            name: [tmp_path / turn / f"{name}{form}" for form in (".png", ".pdf")]
            for name in ("figure4", "figure5", "figure6", "funnel")
        }
        plot_figure4(popularity, faces=files["figure4"], top=25, style=TWO_COLOURS, banner=BANNER)
        plot_figure5(popularity, faces=files["figure5"], style=TWO_COLOURS, banner=BANNER)
        plot_figure6(
            summary,
            faces=files["figure6"],
            generators=GENERATORS,
            dimensions=DIMENSIONS,
            style={"colours": COLOURS, "width_in": 6.0},
            banner=BANNER,
        )
        plot_funnel(
            tmp_path / "funnel.csv", faces=files["funnel"], style=FUNNEL_STYLE, banner=BANNER
        )
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    for path in (tmp_path / "a").glob("*.png"):
        pixels = plt.imread(path)[..., :3]
        edge = np.concatenate(
            [
                pixels[:4].reshape(-1, 3),
                pixels[-4:].reshape(-1, 3),
                pixels[:, :4].reshape(-1, 3),
                pixels[:, -4:].reshape(-1, 3),
            ]
        )
        assert (edge == 1).all(), f"something touches the edge of {path.name}"
