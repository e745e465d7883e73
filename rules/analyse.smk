"""Analyse: the paper's tables and figures, the paper's numbers beside ours, the account of items.

Needs the metrics of evaluate, detect and trace, and the data set; makes results/tables and
results/figures, each file with its provenance beside it. Which tables and figures there are stands
in scripts/analyse/registry.py, what is accounted for in scripts/analyse/declared_steps.py.
"""

from scripts.analyse.closing import STAGES
from scripts.analyse.graph import AnalyseGraph

analyse = AnalyseGraph(
    study,
    annotate,
    evaluate,
    detect,
    curate_steps=account_of_curate,
    trace=trace,
)


include: "analyse_tables.smk"
include: "analyse_figures.smk"


rule account_stage:
    """Follow every item through the steps of a stage: read = kept + rejected, with reasons."""
    input:
        analyse.step_files,
    output:
        account="results/analysis/account/{stage}.parquet",
    log:
        "logs/account_stage/{stage}.log",
    wildcard_constraints:
        stage="|".join(STAGES),
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(8000),
        runtime=more(60),
    params:
        code=code_of("scripts/analyse/account_stage.py"),
        steps=analyse.steps,
    script:
        "../scripts/analyse/account_stage.py"


rule account:
    """Put the accounts of all stages together, and check each sum once more."""
    input:
        accounts=analyse.accounts,
    output:
        **reported("account"),
    log:
        "logs/account.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/account.py"),
    script:
        "../scripts/analyse/account.py"
