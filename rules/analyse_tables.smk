"""Analyse, continued: what tables and figures are made from, the tables, the paper's numbers."""


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
    resources:
        mem_mb=more(2000),
        runtime=more(20),
    params:
        code=code_of("scripts/analyse/count_popularity.py"),
    script:
        "../scripts/analyse/count_popularity.py"


rule build_table3:
    """Table 3: existing detectors of generated images on videos generated from images."""
    input:
        metrics="results/detect/metrics.parquet",
    output:
        **reported("build_table3"),
    log:
        "logs/build_table3.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/build_table3.py"),
        detectors=analyse.detectors,
        generators=analyse.generators,
        protocol=lookup("split/tip_id", within=config),
        seed=config["seed"],
    script:
        "../scripts/analyse/build_table3.py"


rule build_table4:
    """Table 4: the trained detector on real, text-generated and image-generated videos."""
    input:
        metrics="results/detect/metrics.parquet",
    output:
        **reported("build_table4"),
    log:
        "logs/build_table4.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/build_table4.py"),
        videomae=analyse.shown("detectors", config["detect"]["videomae"]),
        generators=analyse.generators,
        protocol=lookup("split/tip_id", within=config),
        seed=config["seed"],
    script:
        "../scripts/analyse/build_table4.py"


rule build_table5:
    """Table 5: tracing generated frames to their source images."""
    input:
        metrics="results/trace/metrics.parquet",
        paper=analyse.paper_beside("5"),
    output:
        **reported("build_table5"),
    log:
        "logs/build_table5.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/build_table5.py"),
        cosface=analyse.shown("tracers", config["trace"]["cosface"]),
        tracers=analyse.tracers,
        generators=analyse.generators,
        protocol=lookup("split/tip_trace", within=config),
        seed=config["seed"],
    script:
        "../scripts/analyse/build_table5.py"


rule build_table7:
    """Table 7: the generators on TIP-Eval, dimension by dimension."""
    input:
        summary="results/evaluation/summary.parquet",
        paper=analyse.paper_beside("7"),
    output:
        **reported("build_table7"),
    log:
        "logs/build_table7.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/build_table7.py"),
        dimensions=analyse.dimensions,
        generators=analyse.generators,
        protocol=lookup("split/tip_eval", within=config),
        seed=config["seed"],
    script:
        "../scripts/analyse/build_table7.py"


rule build_paper_comparison:
    """The paper's numbers beside ours, with the difference where the data is the paper's."""
    input:
        tables=analyse.measured_tables,
        paper_tables=analyse.paper_tables,
    output:
        **reported("build_paper_comparison"),
    log:
        "logs/build_paper_comparison.log",
    conda:
        "../envs/tabular.yaml"
    params:
        absent_rows=analyse.absent_rows,
        banner=config["banner"],
        code=code_of("scripts/analyse/build_paper_comparison.py"),
        comparable=analyse.is_comparable,
        paper_columns=analyse.paper_columns,
        paper_rows=analyse.paper_rows,
    script:
        "../scripts/analyse/build_paper_comparison.py"
