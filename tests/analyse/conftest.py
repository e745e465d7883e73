"""What tests of figures share."""

import matplotlib.pyplot as plt
import pytest

from scripts.analyse import figure_style


@pytest.fixture
def drawn(monkeypatch):
    """Keep figures open, so that a test can look at them."""
    figures = []
    save = figure_style.save_figure

    def keep(figure, paths, banner):
        figures.append(figure)
        save(figure, paths, banner)

    monkeypatch.setattr(figure_style, "save_figure", keep)
    yield figures
    plt.close("all")
