"""Curves of trainings: what is drawn, what is missing, and the same bytes for the same tables."""

import matplotlib.pyplot as plt
import pytest

from scripts.analyse import figure_style
from scripts.analyse.plot_tracer_training import plot_tracer_training
from scripts.common.errors import UserError
from tests.analyse.tidy_metrics import BANNER

HEADER = "epoch,iteration,learning_rate,loss,accuracy\n"
STYLE = {"colours": ["#112233", "#D55E00"], "width_in": 6.0}


@pytest.fixture
def tables(tmp_path):
    """Two runs of the same schedule; the second one learns faster."""
    rows = {
        "same": "0,20,1e-05,15.5,0.01\n1,40,0.002,9.25,0.5\n2,60,0.001,4,0.875\n",
        "cross": "0,20,1e-05,15,0.02\n1,40,0.002,8.5,0.625\n2,60,0.001,3,1\n",
    }
    paths = []
    for name, text in rows.items():
        paths.append(tmp_path / f"{name}.csv")
        paths[-1].write_text(HEADER + text)
    return paths


def draw(tables, figures, **changes):
    settings = {
        "networks": [{"label": "Tiny ViT"}],
        "runs": ["all generators", "without Pika"],
        "style": STYLE,
        "banner": BANNER,
    }
    return plot_tracer_training(tables, faces=figures, **(settings | changes))


def test_each_run_is_a_line_of_its_colour(tables, drawn):
    counts = draw(tables, [])
    assert counts.kept == 6
    loss, accuracy, rate = drawn[0].axes
    assert [line.get_label() for line in loss.lines] == ["all generators", "without Pika"]
    assert [line.get_color() for line in loss.lines] == STYLE["colours"]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == [
        "all generators",
        "without Pika",
    ]
    assert loss.lines[0].get_xdata().tolist() == [20, 40, 60]
    assert loss.lines[0].get_ydata().tolist() == [15.5, 9.25, 4]
    assert accuracy.lines[1].get_ydata().tolist() == [0.02, 0.625, 1]
    # All runs have one schedule: one line says so.
    assert [line.get_ydata().tolist() for line in rate.lines] == [[1e-5, 0.002, 0.001]]
    assert "every run" in rate.get_title(loc="left")


def test_runs_of_different_schedules_have_a_line_each(tables, drawn):
    tables[1].write_text(tables[1].read_text().replace("0.002", "0.004"))
    draw(tables, [])
    assert len(drawn[0].axes[2].lines) == 2


def test_networks_stand_side_by_side_each_with_its_runs(tables, drawn):
    tables[1].write_text(tables[1].read_text().replace("0.002", "0.004"))
    networks = [{"label": "Tiny ViT"}, {"label": "Tiny map"}]
    counts = draw([*tables, *reversed(tables)], [], networks=networks)
    assert counts.kept == 12
    columns = drawn[0].axes[0::2], drawn[0].axes[1::2]
    for (loss, _, rate), network, losses in zip(columns, networks, (15.5, 15), strict=True):
        assert loss.get_title(loc="left") == f"{network['label']}: loss"
        assert [line.get_label() for line in loss.lines] == ["all generators", "without Pika"]
        assert loss.lines[0].get_ydata()[0] == losses
        assert len(rate.lines) == 2


def test_what_is_missing_is_said(tables):
    with pytest.raises(UserError, match=r"tracer_training.colours has 1 colours for 2 trainings"):
        draw(tables, [], style=STYLE | {"colours": ["#112233"]})
    tables[1].write_text("epoch,iteration\n1,2\n")
    with pytest.raises(UserError, match=r"cross.csv has no column 'learning_rate'"):
        draw(tables, [])


def test_the_same_tables_give_the_same_bytes_with_the_banner_inside(tables, tmp_path, monkeypatch):
    monkeypatch.setitem(figure_style.STYLE, "savefig.dpi", 50)
    figures = {turn: [tmp_path / turn / f"t{form}" for form in (".png", ".pdf")] for turn in "ab"}
    for paths in figures.values():
        draw(tables, paths)
    for first, second in zip(*figures.values(), strict=True):
        assert first.read_bytes() == second.read_bytes()
    pixels = plt.imread(figures["a"][0])[..., :3]
    for edge in (pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]):
        assert (edge == 1).all()
