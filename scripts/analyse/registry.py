"""The register of tables and figures: how each is called, in which forms, and which rule makes it.

Targets, the report's captions and labels, and the last lines of ``make demo`` all come from here.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

TABLES, FIGURES = "tables", "figures"
FORMS = {
    "csv": "CSV",
    "md": "Markdown",
    "tex": "LaTeX",
    "html": "page",
    "png": "PNG",
    "pdf": "vector (PDF)",
}
"""Suffix -> how the report calls it."""

FACES = ("csv", "md", "tex", "html")
PAGES = ("csv", "md", "html")
PICTURES = ("png", "pdf")


@dataclass(frozen=True)
class Result:
    """A table or a figure.

    Attributes:
        name: of its files.
        title: how the report calls it.
        rule: makes it.
        forms: suffixes, the one that is a target first.
        shared: the script of its rule, if that makes others as well.
        switch: the section of ``detect`` whose ``enabled`` asks for it; always made if empty.
    """

    name: str
    title: str
    rule: str
    forms: tuple[str, ...]
    shared: str = ""
    switch: str = ""

    @property
    def kind(self) -> str:
        """Whether it is a table or a figure: the folder in which it lies."""
        return FIGURES if self.forms == PICTURES else TABLES

    @property
    def number(self) -> str:
        """The paper's number of a table in the paper's layout; empty for any other result."""
        return self.name.removeprefix("table") if self.forms == FACES else ""

    @property
    def files(self) -> dict[str, str]:
        """Form -> file."""
        return {form: f"results/{self.kind}/{self.name}.{form}" for form in self.forms}

    @property
    def target(self) -> str:
        """The file for which one asks."""
        return self.files[self.forms[0]]

    @property
    def provenance(self) -> str:
        """The file beside it that says what it was made from."""
        return f"results/{self.kind}/{self.name}.provenance.json"

    @property
    def caption(self) -> str:
        """What the report says of it: a file of ``rules/``."""
        return f"report/{self.name}.rst"

    @property
    def script(self) -> str:
        """The script of its rule."""
        return self.shared or self.rule

    @property
    def environment(self) -> str:
        """The software of its rule, a file of ``envs/``."""
        return "plots.yaml" if self.kind == FIGURES else "tabular.yaml"


RESULTS = {
    result.rule: result
    for result in (
        Result("table1", "Table 1", "build_table1", FACES, "build_overview"),
        Result("table2", "Table 2", "build_table2", FACES, "build_overview"),
        Result("table3", "Table 3", "build_table3", FACES, "build_table"),
        Result("table4", "Table 4", "build_table4", FACES, "build_table"),
        Result("table5", "Table 5", "build_table5", FACES, "build_table"),
        Result("table7", "Table 7", "build_table7", FACES, "build_table"),
        Result("tip_id", "TIP-ID", "build_tip_id", PAGES),
        Result("leaderboard", "Leaderboard", "build_leaderboard", PAGES),
        Result("topics", "Subjects and directions", "build_topics", PAGES),
        Result("camera", "Camera moves", "build_camera", PAGES),
        Result("bias_ledger", "Bias ledger", "build_bias_ledger", PAGES, switch="bias_ledger"),
        Result("paper_comparison", "The paper's numbers", "build_paper_comparison", ("csv",)),
        Result("funnel", "Account of items", "account", ("csv",)),
        Result("figure1", "Figure 1", "plot_figure1", PICTURES),
        Result("figure2", "Figure 2", "plot_figure2", PICTURES),
        Result("figure3", "Figure 3", "plot_figure3", PICTURES),
        Result("figure4", "Figure 4", "plot_figure4", PICTURES),
        Result("figure5", "Figure 5", "plot_figure5", PICTURES),
        Result("figure6", "Figure 6", "plot_figure6", PICTURES),
        Result("figure7", "Figure 7", "plot_figure7", PICTURES, "plot_figure1"),
        Result("figure8", "Figure 8", "plot_figure8", PICTURES, "plot_figure3"),
        Result("figure9", "Figure 9", "plot_figure9", PICTURES, "plot_figure4"),
        Result("figure10", "Figure 10", "plot_figure10", PICTURES),
        Result("figure11", "Figure 11", "plot_figure11", PICTURES, "plot_figure10"),
        Result("figure12", "Figure 12", "plot_figure12", PICTURES),
        Result("topics", "Subjects and directions", "plot_topics", PICTURES),
        Result("camera", "Camera moves", "plot_camera", PICTURES),
        Result("tracing_along", "Tracing along the video", "plot_tracing_along", PICTURES),
        Result("tracer_training", "Training of the tracers", "plot_tracer_training", PICTURES),
        Result("detector_training", "Training of the detector", "plot_detector_training", PICTURES),
        Result("bias_ledger", "Bias ledger", "plot_bias_ledger", PICTURES, switch="bias_ledger"),
        Result("funnel", "Account of items", "plot_funnel", PICTURES),
        Result("watermark", "Watermark check", "plot_watermark", PICTURES),
    )
}
"""Rule -> what it makes, in the order in which tables and figures are listed."""

SMALL = {
    "account", "build_paper_comparison", "build_table3", "build_table4", "build_table5", "build_table7",
    "build_tip_id", "plot_detector_training", "plot_figure4", "plot_figure5", "plot_figure6",
    "plot_funnel", "plot_tracer_training",
}  # fmt: skip
"""Rules that read a few kilobytes and are done in seconds: on a cluster they run where Snakemake does."""


def results_of(kind: str, switched_on: Container[str] = ()) -> list[Result]:
    """Return the tables, or the figures, that are always made, and those that are switched on."""
    return [
        result
        for result in RESULTS.values()
        if result.kind == kind and (not result.switch or result.switch in switched_on)
    ]


def closing_lines(results: Path | str) -> Iterator[str]:
    """Yield where the tables and figures of a run lie, which there are, and in which forms.

    Args:
        results: the run's folder of results.
    """
    for kind in (TABLES, FIGURES):
        listed = results_of(kind)
        names = ", ".join(result.name for result in listed)
        forms = " ".join(dict.fromkeys(f".{form}" for result in listed for form in result.forms))
        yield f"{kind + ':':8} {results}/{kind}/  ({names}; {forms})"
