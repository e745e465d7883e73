"""Analyse: where its rules find their inputs, settings and code."""

import os

TABLES = ["3", "4", "5", "7"]
STAGES = ["curate", "annotate", "generate", "split", "evaluate", "detect", "trace"]
TIP_ID_SOURCES = GENERATORS + REAL_SOURCES + TEXT_SOURCES
TITLES = {
    "table3": "Table 3",
    "table4": "Table 4",
    "table5": "Table 5",
    "table7": "Table 7",
    "paper_comparison": "The paper's numbers",
    "figure4": "Figure 4",
    "figure5": "Figure 5",
    "figure6": "Figure 6",
    "tracer_training": "Training of the tracers",
    "funnel": "Account of items",
    "gallery": "Gallery",
    "watermark": "Watermark check",
}
FORMS = {
    ".csv": "CSV",
    ".html": "page",
    ".md": "Markdown",
    ".pdf": "vector (PDF)",
    ".png": "PNG",
    ".tex": "LaTeX",
}


def table_targets():
    """Return every table, in the form that programs read, and the paper's numbers beside them."""
    return [
        *expand("results/tables/table{number}.csv", number=TABLES),
        "results/tables/paper_comparison.csv",
        "results/tables/funnel.csv",
    ]


def figure_targets():
    """Return every figure."""
    names = [
        "figure4",
        "figure5",
        "figure6",
        "tracer_training",
        "funnel",
        "gallery",
        "watermark",
    ]
    return expand("results/figures/{name}.png", name=names)


def analyse_targets():
    """Return the last files of the stage."""
    return table_targets() + figure_targets()


def reported(path):
    """Mark a table or figure for the report, with the caption of its name in rules/report/."""
    file = Path(path)
    return report(
        path,
        caption=f"report/{file.stem}.rst",
        category=file.parent.name.capitalize(),
        labels={"result": TITLES[file.stem], "form": FORMS[file.suffix]},
    )


def shown_entry(sheet, name):
    """Return what tables, figures and their provenance say of an entry of a sheet."""
    entry = SHEETS[sheet][name]
    return {
        "entry": name,
        "label": label_of(sheet, name),
        "group": entry.get("group", ""),
        "embedded": entry.get("embedded", False),
        "paper": entry.get("paper", ""),
        "unavailable": entry.get("unavailable", ""),
        "weights": entry.get("weights", {}),
        "settings": entry.get("settings", {}),
        "training": entry.get("training", {}),
    }


def shown_entries(sheet, names):
    """Return ``shown_entry`` of each name, in order."""
    return [shown_entry(sheet, name) for name in names]


def paper_names(sheet, names):
    """Return entry -> its row or column in the paper, for the entries that have one."""
    entries = {name: SHEETS[sheet][name] for name in names}
    return {name: entry["paper"] for name, entry in entries.items() if "paper" in entry}


def paper_rows():
    """Return entry -> the row that it has in one of the paper's tables."""
    return (
        paper_names("detectors", DETECTORS)
        | paper_names("tracers", TRACERS)
        | paper_names("dimensions", DIMENSIONS)
    )


def paper_table_file(number):
    """Return the paper's numbers of one table, which lie with the configuration."""
    folder = os.path.relpath(Path(workflow.basedir, "config/paper"))
    return f"{folder}/table{number}.csv"


def paper_table_files():
    """Return the paper's numbers of all tables."""
    return [paper_table_file(number) for number in TABLES]


def popularity_annotators():
    """Return the annotators that named the subjects and directions."""
    return [shown_annotator(annotation) for annotation in ("subject", "direction")]


def shown_annotator(annotation):
    """Return ``shown_entry`` of what made an annotation: an annotator, or the release's authors."""
    if annotation in RELEASED_ANNOTATIONS:
        unknown = {"weights": {}, "settings": {}, "training": {}}
        names = {"entry": "released", "label": "as released", "group": "", "embedded": False}
        return names | unknown
    return shown_entry("annotators", ANNOTATORS[annotation])


def outside_pictures():
    """Return the index of the outside pictures of each role in TIP-Trace."""
    names = {key: config["split"]["tip_trace"][f"{key}s"] for key in ("reference", "distractor")}
    return {role: SHEETS["sources"][name]["index"] for role, name in names.items()}


def tracer_trainings():
    """Return trained tracer -> what figures call its run; those on whose features Table 5 stands."""
    names = {"": "all generators"} | {
        name: f"without {label_of('generators', name)}" for name in GENERATORS
    }
    return {model: names[trace.held_out(model)] for model in trace.trained}
