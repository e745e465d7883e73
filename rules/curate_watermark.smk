"""Curate, continued: a fixed overlay, such as a generator's logo, in image prompts of any source.

Makes results/watermark/overlays.parquet and results/watermark/scores/{shard}.parquet.
"""


rule find_watermark:
    """Find fixed overlays that many image prompts have in common, such as a generator's logo."""
    input:
        tars=by_index(study.image_tars),
        indexes=study.image_indexes,
    output:
        overlays="results/watermark/overlays.parquet",
    log:
        "logs/find_watermark.log",
    benchmark:
        "benchmarks/find_watermark.jsonl"
    conda:
        "../envs/video.yaml"
    resources:
        mem_mb=more(4000),
        runtime=more(120),
    params:
        code=code_of("scripts/curate/watermark/find_watermark.py"),
        seed=config["seed"],
        settings=lookup("curate/watermark", within=config),
    script:
        "../scripts/curate/watermark/find_watermark.py"


rule score_watermarks:
    """Score how well each image prompt fits the overlays that were found."""
    input:
        tar=by_index("results/images/{shard}.tar"),
        index="results/images/{shard}.parquet",
        overlays="results/watermark/overlays.parquet",
    output:
        watermarks="results/watermark/scores/{shard}.parquet",
    log:
        "logs/score_watermarks/{shard}.log",
    benchmark:
        "benchmarks/score_watermarks/{shard}.jsonl"
    conda:
        "../envs/video.yaml"
    resources:
        mem_mb=more(2000),
        runtime=more(240),
    params:
        code=code_of("scripts/curate/watermark/score_watermarks.py"),
    script:
        "../scripts/curate/watermark/score_watermarks.py"
