"""The TIP-I2V workflow: from Discord exports to the annotated data set, to tables and figures.

Stages, each with its rules in rules/<stage>.smk and its scripts in scripts/<stage>/:
curate, annotate, generate, split, evaluate, detect, trace, analyse, publish.
"""

from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config/config.yaml"


report: "rules/report/workflow.rst"


# With --sdm apptainer alone; envs/apptainer.def says how it is built.
container: f"{workflow.basedir}/envs/tip-i2v.sif"


include: "rules/common.smk"
include: "rules/graphs.smk"


RULES = {
    "curate": ["release" if study.is_release else "curate"],
    "split": ["sources", "split"] + ["demo"] * (config["source"] == "demo"),
    "detect": ["detect", "detect_bias"],
    "trace": ["trace", "trace_rerank"],
    "analyse": ["analyse_prompts", "analyse"],
    "publish": ["publish", "publish_gallery", "collect"],
}

# What stages before the first make is given, and has no rules.
for stage in study.stages:
    for name in RULES.get(stage, [stage]):

        include: f"rules/{name}.smk"


onstart:
    wait_for_jobs_alone()
    refuse_missing_weights(workflow.dag.needrun_jobs())
    recall_removals()


onsuccess:
    tell_what_came_of_it()


onerror:
    tell_what_came_of_it()


rule all:
    """Make every table, every figure, the data set and the account of where items went."""
    default_target: True
    input:
        annotate.targets,
        publish.release,
        split.targets,
        analyse.targets,
        rules.build_gallery.output,
        maps.targets,
