"""Analyse: the paper's tables and figures, the paper's numbers beside ours, the account of items.

Needs the metrics of evaluate, detect and trace, and the data set; makes results/tables and
results/figures, each file with its provenance beside it.
"""

TABLES = ["3", "4", "5", "7"]
TITLES = {
    "table3": "Table 3",
    "table4": "Table 4",
    "table5": "Table 5",
    "table7": "Table 7",
    "paper_comparison": "The paper's numbers",
    "figure4": "Figure 4",
    "figure5": "Figure 5",
    "figure6": "Figure 6",
    "funnel": "Account of items",
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
    return expand("results/figures/{name}.png", name=["figure4", "figure5", "figure6", "funnel"])


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


def paper_table_files():
    """Return the paper's numbers, which lie with the configuration."""
    return [str(Path(workflow.basedir, f"config/paper/table{number}.csv")) for number in TABLES]


rule count_popularity:
    """Count how often each subject and each direction is asked for (Section 5.1)."""
    input:
        dataset="results/dataset.parquet",
        code=code_of("scripts/analyse/count_popularity.py"),
    output:
        popularity="results/analysis/popularity.parquet",
    log:
        "logs/count_popularity.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    script:
        "../scripts/analyse/count_popularity.py"


rule build_table3:
    """Table 3: existing detectors of generated images on videos generated from images."""
    input:
        metrics="results/detect/metrics.parquet",
        code=code_of("scripts/analyse/build_table3.py"),
    output:
        csv=reported("results/tables/table3.csv"),
        md=reported("results/tables/table3.md"),
        tex=reported("results/tables/table3.tex"),
        html=reported("results/tables/table3.html"),
        provenance="results/tables/table3.provenance.json",
    log:
        "logs/build_table3.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        detectors=shown_entries("detectors", DETECTORS),
        generators=shown_entries("generators", GENERATORS),
        protocol=lookup("split/tip_id", within=config),
        seed=config["seed"],
    script:
        "../scripts/analyse/build_table3.py"


rule build_table4:
    """Table 4: the trained detector on real, text-generated and image-generated videos."""
    input:
        metrics="results/detect/metrics.parquet",
        code=code_of("scripts/analyse/build_table4.py"),
    output:
        csv=reported("results/tables/table4.csv"),
        md=reported("results/tables/table4.md"),
        tex=reported("results/tables/table4.tex"),
        html=reported("results/tables/table4.html"),
        provenance="results/tables/table4.provenance.json",
    log:
        "logs/build_table4.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        videomae=shown_entry("detectors", config["detect"]["videomae"]),
        generators=shown_entries("generators", GENERATORS),
        protocol=lookup("split/tip_id", within=config),
        seed=config["seed"],
    script:
        "../scripts/analyse/build_table4.py"


rule build_table5:
    """Table 5: tracing generated frames to their source images."""
    input:
        metrics="results/trace/metrics.parquet",
        code=code_of("scripts/analyse/build_table5.py"),
    output:
        csv=reported("results/tables/table5.csv"),
        md=reported("results/tables/table5.md"),
        tex=reported("results/tables/table5.tex"),
        html=reported("results/tables/table5.html"),
        provenance="results/tables/table5.provenance.json",
    log:
        "logs/build_table5.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        cosface=shown_entry("tracers", config["trace"]["cosface"]),
        tracers=shown_entries("tracers", TRACERS),
        generators=shown_entries("generators", GENERATORS),
        protocol=lookup("split/tip_trace", within=config),
        seed=config["seed"],
    script:
        "../scripts/analyse/build_table5.py"


rule build_table7:
    """Table 7: the generators on TIP-Eval, dimension by dimension."""
    input:
        summary="results/evaluation/summary.parquet",
        code=code_of("scripts/analyse/build_table7.py"),
    output:
        csv=reported("results/tables/table7.csv"),
        md=reported("results/tables/table7.md"),
        tex=reported("results/tables/table7.tex"),
        html=reported("results/tables/table7.html"),
        provenance="results/tables/table7.provenance.json",
    log:
        "logs/build_table7.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        dimensions=shown_entries("dimensions", DIMENSIONS),
        generators=shown_entries("generators", GENERATORS),
        protocol=lookup("split/tip_eval", within=config),
        seed=config["seed"],
    script:
        "../scripts/analyse/build_table7.py"


rule build_paper_comparison:
    """The paper's numbers beside ours, with the difference where the data is the paper's."""
    input:
        tables=expand("results/tables/table{number}.csv", number=TABLES),
        paper_tables=paper_table_files(),
        code=code_of("scripts/analyse/build_paper_comparison.py"),
    output:
        comparison=reported("results/tables/paper_comparison.csv"),
        provenance="results/tables/paper_comparison.provenance.json",
    log:
        "logs/build_paper_comparison.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        comparable=config["source"] != "demo",
        paper_columns=paper_names("generators", GENERATORS),
        paper_rows=paper_rows(),
    script:
        "../scripts/analyse/build_paper_comparison.py"


include: "analyse_figures.smk"
include: "analyse_account.smk"
