"""Analyse, continued: the figures. They only draw; what they draw is computed elsewhere."""


rule plot_figure4:
    """Figure 4: the subjects and directions that users ask for most (Section 5.1)."""
    input:
        popularity="results/analysis/popularity.parquet",
    output:
        **reported("plot_figure4"),
    log:
        "logs/plot_figure4.log",
    conda:
        "../envs/plots.yaml"
    params:
        annotators=analyse.annotators,
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_figure4.py"),
        style=lookup("analyse/figures/figure4", within=config),
        top=lookup("analyse/popularity/top", within=config),
    script:
        "../scripts/analyse/plot_figure4.py"


rule plot_figure5:
    """Figure 5: the share that the most popular subjects and directions have (Section 5.1)."""
    input:
        popularity="results/analysis/popularity.parquet",
    output:
        **reported("plot_figure5"),
    log:
        "logs/plot_figure5.log",
    conda:
        "../envs/plots.yaml"
    params:
        annotators=analyse.annotators,
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_figure5.py"),
        style=lookup("analyse/figures/figure5", within=config),
    script:
        "../scripts/analyse/plot_figure5.py"


rule plot_figure6:
    """Figure 6: the generators on TIP-Eval as a radar chart (Section 5.2)."""
    input:
        summary="results/evaluation/summary.parquet",
    output:
        **reported("plot_figure6"),
    log:
        "logs/plot_figure6.log",
    conda:
        "../envs/plots.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_figure6.py"),
        dimensions=analyse.dimensions,
        generators=analyse.generators,
        seed=config["seed"],
        style=lookup("analyse/figures/figure6", within=config),
    script:
        "../scripts/analyse/plot_figure6.py"


rule plot_tracer_training:
    """Curves of the trained tracers: loss, accuracy and learning rate (Supplement 16)."""
    input:
        tables=analyse.training_tables,
    output:
        **reported("plot_tracer_training"),
    log:
        "logs/plot_tracer_training.log",
    conda:
        "../envs/plots.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_tracer_training.py"),
        network=analyse.shown("tracers", config["trace"]["cosface"]),
        runs=list(analyse.trainings.values()),
        seed=config["seed"],
        style=lookup("analyse/figures/tracer_training", within=config),
    script:
        "../scripts/analyse/plot_tracer_training.py"


rule plot_gallery:
    """The gallery: what each generator makes of the same prompts of TIP-Eval."""
    input:
        prompts="results/splits/tip_eval/prompts.parquet",
        tars=[tar for files in analyse.videos.values() for tar in files["tars"]],
        indexes=[index for files in analyse.videos.values() for index in files["indexes"]],
    output:
        **reported("plot_gallery"),
    log:
        "logs/plot_gallery.log",
    conda:
        "../envs/plots.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_gallery.py"),
        generators=analyse.generators,
        seed=config["seed"],
        style=lookup("analyse/figures/gallery", within=config),
        videos=analyse.videos,
    script:
        "../scripts/analyse/plot_gallery.py"


rule plot_watermark:
    """The watermark check: what image prompts of each size have in common, and their scores."""
    input:
        overlays="results/watermark/overlays.parquet",
        watermarks=study.watermark_scores,
    output:
        **reported("plot_watermark"),
    log:
        "logs/plot_watermark.log",
    conda:
        "../envs/plots.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_watermark.py"),
        style=lookup("analyse/figures/watermark", within=config),
    script:
        "../scripts/analyse/plot_watermark.py"


rule plot_funnel:
    """The funnel: which share of its items each step keeps, and why not the others."""
    input:
        funnel="results/tables/funnel.csv",
    output:
        **reported("plot_funnel"),
    log:
        "logs/plot_funnel.log",
    conda:
        "../envs/plots.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_funnel.py"),
        style=lookup("analyse/figures/funnel", within=config),
    script:
        "../scripts/analyse/plot_funnel.py"
