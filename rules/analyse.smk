"""Analyse: the paper's tables and figures, the paper's numbers beside ours, the account of items.

Needs the metrics of evaluate, detect and trace, and the data set; makes results/tables and
results/figures, each file with its provenance beside it. Which tables and figures there are stands
in scripts/analyse/registry.py, what is accounted for in scripts/analyse/declared_steps.py.
"""

from scripts.analyse.closing import ACCOUNTED


rule count_popularity:
    """Count how often each subject and each direction is asked for (Section 5.1)."""
    input:
        dataset="results/dataset.parquet",
    output:
        popularity="results/analysis/popularity.parquet",
    log:
        "logs/count_popularity.log",
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/analyse/count_popularity.py"),
    script:
        "../scripts/analyse/count_popularity.py"


rule account_stage:
    """Follow every item through the steps of a stage: read = kept + rejected, with reasons."""
    input:
        analyse.stages.reads,
    output:
        **analyse.stages.outputs,
    log:
        analyse.stages.log("logs/account_stage") + ".log",
    wildcard_constraints:
        stage="|".join(ACCOUNTED),
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(8000),
        runtime=more(60),
    params:
        code=code_of("scripts/analyse/account_stage.py"),
        lots=analyse.stages.arguments,
    script:
        "../scripts/analyse/account_stage.py"


for result in RESULTS.values():
    made_from, shown_by = analyse.recipe(result.rule)

    # A table or a figure of the registry; it only lays out what is computed elsewhere.
    rule:
        name:
            result.rule
        input:
            **by_index(made_from),
        output:
            **reported(result),
        log:
            f"logs/{result.rule}.log",
        localrule: result.rule in SMALL
        conda:
            f"../envs/{result.environment}"
        params:
            **shown_by,
            banner=config["banner"],
            code=code_of(f"scripts/analyse/{result.script}.py"),
            script=result.script,
        script:
            "../scripts/analyse/{params.script}.py"
