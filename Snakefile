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
include: "rules/release.smk" if config["source"] == "release" else "rules/curate.smk"
include: "rules/annotate.smk"
include: "rules/generate.smk"
include: "rules/sources.smk"
include: "rules/split.smk"
include: "rules/evaluate.smk"
include: "rules/detect.smk"
include: "rules/detect_bias.smk"
include: "rules/trace.smk"
include: "rules/trace_rerank.smk"
include: "rules/analyse_prompts.smk"
include: "rules/analyse.smk"
include: "rules/publish.smk"
include: "rules/publish_gallery.smk"
include: "rules/collect.smk"


if config["source"] == "demo":

    include: "rules/demo.smk"


# On a cluster these run where Snakemake does: each reads a few kilobytes, and is done in seconds.
localrules:
    account,
    build_paper_comparison,
    build_table3,
    build_table4,
    build_table5,
    build_table7,
    build_tip_id,
    link_export,
    plot_detector_training,
    plot_figure4,
    plot_figure5,
    plot_figure6,
    plot_funnel,
    plot_tracer_training,
    summarise_evaluation,


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
