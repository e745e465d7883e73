"""Trace: find the source image of a frame among many (Section 5.4, Supplements 15 and 16).

Needs the splits of TIP-Trace and the videos and images behind them; makes
results/trace/metrics.parquet, from which Table 5 is set: the frames, every tracer's features and
matches, and the trained tracers. A tracer is one entry of config/tracers.yaml and its name in
trace.tracers.
"""


wildcard_constraints:
    model="|".join(trace.models),


rule decode_frames:
    """Decode the frames that TIP-Trace wants of a shard of videos, each video once."""
    input:
        files=by_index(trace.decoding.reads),
    output:
        **trace.decoding.outputs,
    log:
        trace.decoding.log("logs/decode_frames") + ".log",
    benchmark:
        trace.decoding.log("benchmarks/decode_frames") + ".jsonl"
    priority: TRAINED_ON
    conda:
        "../envs/video.yaml"
    threads: 2
    resources:
        mem_mb=more(2000),
        runtime=more(120),
    params:
        **trace.training_frame,
        code=code_of("scripts/trace/decode_frames.py"),
        lots=trace.decoding.arguments,
    script:
        "../scripts/trace/decode_frames.py"


rule train_cosface:
    """Train a network to trace frames, on all generators or all but one."""
    input:
        files=by_index(trace.training.reads),
        images="results/splits/tip_trace/training_images.parquet",
        tars=by_index(study.image_tars),
        checked=ancient("results/splits/leakage.csv"),
    output:
        **trace.training.outputs,
    log:
        trace.training.log("logs/train_cosface") + ".log",
    benchmark:
        trace.training.log("benchmarks/train_cosface") + ".jsonl"
    wildcard_constraints:
        model="|".join(trace.trained),
    priority: TRAINED_ON
    conda:
        "../envs/models.yaml"
    threads: trace.training_threads
    resources:
        gpu=config["trace"]["training_gpu"],
        mem_mb=more(64000 * trace.processes if config["trace"]["training_gpu"] else 2000),
        runtime=more(2880),
    params:
        code=code_of("scripts/trace/train_cosface.py"),
        lots=trace.training.arguments,
        seed=lookup("seed", within=config),
    script:
        "../scripts/trace/train_cosface.py"


rule extract_features:
    """Describe all queries by a tracer: frames of every generator, and distractors."""
    input:
        files=by_index(trace.picture_files(trace.query_sets)),
    output:
        features=trace.query_tables(trace.described),
    log:
        f"logs/extract_features/{trace.job}/queries.log",
    benchmark:
        f"benchmarks/extract_features/{trace.job}/queries.jsonl"
    wildcard_constraints:
        model="|".join(trace.public) or "none",
    conda:
        "../envs/models.yaml"
    threads: trace.threads
    resources:
        gpu=config["trace"]["gpu"],
        mem_mb=more(16000 if config["trace"]["gpu"] else 2000),
        runtime=more(1440),
    params:
        batch_size=lookup("trace/batch_size", within=config),
        code=trace.public_code,
        entries=trace.public_entry,
        pictures=trace.pictures(trace.query_sets),
        precision=lookup("trace/precision", within=config),
        shards=1,
    script:
        "../scripts/trace/extract_features.py"


use rule extract_features as extract_reference_features with:
    input:
        files=by_index(trace.picture_files(["references"])),
    output:
        features=trace.reference_tables(trace.described),
    log:
        f"logs/extract_features/{trace.job}/references/{{shard}}.log",
    benchmark:
        f"benchmarks/extract_features/{trace.job}/references/{{shard}}.jsonl"
    params:
        pictures=trace.pictures(["references"]),
        shards=len(trace.reference_shards),


use rule extract_features as extract_trained_features with:
    input:
        files=by_index(trace.picture_files(trace.query_sets)),
        checkpoints=trace.checkpoints,
    output:
        features=trace.query_tables(trace.trained),
    log:
        "logs/extract_features/cosface/queries.log",
    benchmark:
        "benchmarks/extract_features/cosface/queries.jsonl"
    params:
        code=code_of("scripts/trace/extract_features.py", *trace.trained_backends),
        entries=trace.trained_entries,


use rule extract_reference_features as extract_trained_reference_features with:
    input:
        files=by_index(trace.picture_files(["references"])),
        checkpoints=trace.checkpoints,
    output:
        features=trace.reference_tables(trace.trained),
    log:
        "logs/extract_features/cosface/references/{shard}.log",
    benchmark:
        "benchmarks/extract_features/cosface/references/{shard}.jsonl"
    params:
        code=code_of("scripts/trace/extract_features.py", *trace.trained_backends),
        entries=trace.trained_entries,


use rule extract_features as describe_image_prompts with:
    input:
        files=by_index(trace.picture_files(trace.shown)),
    output:
        features=list(trace.shown.values()),
    log:
        "logs/describe_image_prompts.log",
    benchmark:
        "benchmarks/describe_image_prompts.jsonl"
    params:
        code=code_of("scripts/trace/extract_features.py", trace.duplicates_backend),
        entries=trace.duplicates_entry,
        pictures=trace.pictures(trace.shown),


rule find_near_duplicates:
    """Report training images that look like a query's source image, though their bytes differ."""
    input:
        **trace.shown,
    output:
        report="results/trace/near_duplicates.csv",
    log:
        "logs/find_near_duplicates.log",
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=more(6000),
        runtime=more(60),
    params:
        code=code_of("scripts/trace/find_near_duplicates.py"),
        cosine=lookup("trace/near_duplicates/cosine", within=config),
    script:
        "../scripts/trace/find_near_duplicates.py"


rule match_queries:
    """Find the references nearest to each query that a model describes, and to each distractor."""
    input:
        files=trace.searching.reads,
    output:
        **trace.searching.outputs,
    log:
        trace.searching.log("logs/match_queries") + ".log",
    benchmark:
        trace.searching.log("benchmarks/match_queries") + ".jsonl"
    conda:
        "../envs/models.yaml"
    threads: trace.threads
    resources:
        gpu=config["trace"]["gpu"],
        mem_mb=more(2000 + 4 * config["trace"]["search_block_mb"]),
        runtime=more(240),
    params:
        block_mb=lookup("trace/search_block_mb", within=config),
        candidates=lookup("trace/candidates", within=config),
        code=code_of("scripts/trace/match_queries.py"),
        gpu=config["trace"]["gpu"] > 0,
        library=lookup("trace/search", within=config),
        lots=trace.searching.arguments,
        normalisation={
            key: config["trace"]["score_normalisation"][key] for key in ("neighbours", "weight")
        },
        top_k=lookup("trace/top_k", within=config),
    script:
        "../scripts/trace/match_queries.py"


rule measure_tracing:
    """Measure how well each tracer finds the source images of each generator's frames."""
    input:
        matches=expand("results/trace/matches/{model}.parquet", model=trace.models),
        reranked=trace.reranked,
        references=trace.references,
        checkpoints=trace.checkpoints,
        checked=ancient("results/splits/leakage.csv"),
    output:
        metrics="results/trace/metrics.parquet",
    log:
        "logs/measure_tracing.log",
    benchmark:
        "benchmarks/measure_tracing.jsonl"
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(4000),
        runtime=more(120),
    params:
        candidates=lookup("trace/candidates", within=config),
        code=code_of("scripts/trace/measure_tracing.py"),
        resamples=lookup("trace/resamples", within=config),
        rows=trace.rows,
        seed=lookup("seed", within=config),
        top_k=lookup("trace/top_k", within=config),
    script:
        "../scripts/trace/measure_tracing.py"
