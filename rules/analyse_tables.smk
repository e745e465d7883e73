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
        mem_mb=2000,
        runtime=20,
    params:
        code=code_of("scripts/analyse/count_popularity.py"),
    script:
        "../scripts/analyse/count_popularity.py"


rule build_table3:
    """Table 3: existing detectors of generated images on videos generated from images."""
    input:
        metrics="results/detect/metrics.parquet",
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
        code=code_of("scripts/analyse/build_table3.py"),
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
        code=code_of("scripts/analyse/build_table4.py"),
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
        paper=paper_table_file("5"),
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
        code=code_of("scripts/analyse/build_table5.py"),
        comparable=config["source"] != "demo",
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
        code=code_of("scripts/analyse/build_table7.py"),
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
    output:
        comparison=reported("results/tables/paper_comparison.csv"),
        provenance="results/tables/paper_comparison.provenance.json",
    log:
        "logs/build_paper_comparison.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/build_paper_comparison.py"),
        comparable=config["source"] != "demo",
        paper_columns=paper_names("generators", GENERATORS),
        paper_rows=paper_rows(),
    script:
        "../scripts/analyse/build_paper_comparison.py"
