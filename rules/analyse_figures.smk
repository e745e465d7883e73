"""Analyse, continued: the figures. They only draw; what they draw is computed elsewhere."""


rule plot_figure4:
    """Figure 4: the subjects and directions that users ask for most (Section 5.1)."""
    input:
        popularity="results/analysis/popularity.parquet",
    output:
        png=reported("results/figures/figure4.png"),
        pdf=reported("results/figures/figure4.pdf"),
        provenance="results/figures/figure4.provenance.json",
    log:
        "logs/plot_figure4.log",
    conda:
        "../envs/plots.yaml"
    params:
        annotators=popularity_annotators(),
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
        png=reported("results/figures/figure5.png"),
        pdf=reported("results/figures/figure5.pdf"),
        provenance="results/figures/figure5.provenance.json",
    log:
        "logs/plot_figure5.log",
    conda:
        "../envs/plots.yaml"
    params:
        annotators=popularity_annotators(),
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
        png=reported("results/figures/figure6.png"),
        pdf=reported("results/figures/figure6.pdf"),
        provenance="results/figures/figure6.provenance.json",
    log:
        "logs/plot_figure6.log",
    conda:
        "../envs/plots.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_figure6.py"),
        dimensions=shown_entries("dimensions", DIMENSIONS),
        generators=shown_entries("generators", GENERATORS),
        seed=config["seed"],
        style=lookup("analyse/figures/figure6", within=config),
    script:
        "../scripts/analyse/plot_figure6.py"


rule plot_tracer_training:
    """Curves of the trained tracers: loss, accuracy and learning rate (Supplement 16)."""
    input:
        tables=expand("results/trace/training/{model}.csv", model=tracer_trainings()),
    output:
        png=reported("results/figures/tracer_training.png"),
        pdf=reported("results/figures/tracer_training.pdf"),
        provenance="results/figures/tracer_training.provenance.json",
    log:
        "logs/plot_tracer_training.log",
    conda:
        "../envs/plots.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_tracer_training.py"),
        network=shown_entry("tracers", config["trace"]["cosface"]),
        runs=list(tracer_trainings().values()),
        seed=config["seed"],
        style=lookup("analyse/figures/tracer_training", within=config),
    script:
        "../scripts/analyse/plot_tracer_training.py"


rule plot_gallery:
    """The gallery: what each generator makes of the same prompts of TIP-Eval."""
    input:
        prompts="results/splits/tip_eval/prompts.parquet",
        tars=[tar for name in GENERATORS for tar in video_tars(name)],
        indexes=[index for name in GENERATORS for index in video_indexes(name)],
    output:
        png=reported("results/figures/gallery.png"),
        pdf=reported("results/figures/gallery.pdf"),
        provenance="results/figures/gallery.provenance.json",
    log:
        "logs/plot_gallery.log",
    conda:
        "../envs/plots.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_gallery.py"),
        generators=shown_entries("generators", GENERATORS),
        seed=config["seed"],
        style=lookup("analyse/figures/gallery", within=config),
        videos=generator_files(),
    script:
        "../scripts/analyse/plot_gallery.py"


rule plot_watermark:
    """The watermark check: what image prompts of each size have in common, and their scores."""
    input:
        overlays="results/watermark/overlays.parquet",
        watermarks=watermark_scores(),
    output:
        png=reported("results/figures/watermark.png"),
        pdf=reported("results/figures/watermark.pdf"),
        provenance="results/figures/watermark.provenance.json",
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
