"""Trace: find the source image of a frame among many (Section 5.4, Supplements 15 and 16).

Needs the splits of TIP-Trace and the videos and images behind them; makes
results/trace/metrics.parquet, from which Table 5 is set: the frames, every tracer's features and
matches, and the trained tracers. A tracer is one entry of config/tracers.yaml and its name in
trace.tracers.
"""


include: "inputs/trace.smk"


wildcard_constraints:
    tracer="|".join(TRACING_ROWS),
    model="|".join([*TRACERS, *TRAINED_MODELS]),
    set="|".join([*GENERATORS, *PICTURE_SETS]),


rule decode_frames:
    """Decode the frames that TIP-Trace wants of a shard of videos, each video once."""
    input:
        wanted="results/splits/tip_trace/{generator}.parquet",
        videos="results/videos/{generator}/{shard}.tar",
        video_index="results/videos/{generator}/{shard}.parquet",
        code=code_of("scripts/trace/decode_frames.py"),
    output:
        frames="results/trace/frames/{generator}/{shard}.tar",
        frame_index="results/trace/frames/{generator}/{shard}.parquet",
    log:
        "logs/decode_frames/{generator}/{shard}.log",
    benchmark:
        "benchmarks/decode_frames/{generator}/{shard}.jsonl"
    conda:
        "../envs/video.yaml"
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        shards=get_frame_shards,
        training_side=COSFACE["settings"]["image_size"],
    script:
        "../scripts/trace/decode_frames.py"


rule train_cosface:
    """Train a Vision Transformer to trace frames, on all generators or all but one."""
    input:
        unpack(get_training_frames),
        images=image_tars(),
        image_indexes=image_indexes(),
        code=code_of("scripts/trace/train_cosface.py"),
    output:
        weights="results/trace/checkpoints/{model}.safetensors",
        training="results/trace/training/{model}.csv",
    log:
        "logs/train_cosface/{model}.log",
    benchmark:
        "benchmarks/train_cosface/{model}.jsonl"
    wildcard_constraints:
        model="|".join(TRAINED_MODELS),
    conda:
        "../envs/models.yaml"
    threads: COSFACE_THREADS
    resources:
        gpu=config["trace"]["training_gpu"],
        mem_mb=64000 * TRAINING_PROCESSES if config["trace"]["training_gpu"] else 2000,
        runtime=2880,
    params:
        entry=get_cosface_entry,
        seed=lookup("seed", within=config),
    script:
        "../scripts/trace/train_cosface.py"


rule extract_features:
    """Describe the queries of a generator, the distractors or the references by a tracer."""
    input:
        unpack(get_pictures),
        checkpoint=get_checkpoint,
        code=get_model_code,
    output:
        features="results/trace/features/{model}/{set}.parquet",
    log:
        "logs/extract_features/{model}/{set}.log",
    benchmark:
        "benchmarks/extract_features/{model}/{set}.jsonl"
    conda:
        "../envs/models.yaml"
    threads: TRACE_THREADS
    resources:
        gpu=config["trace"]["gpu"],
        mem_mb=32000 if config["trace"]["gpu"] else 2000,
        runtime=1440,
    params:
        batch_size=lookup("trace/batch_size", within=config),
        entry=get_model_entry,
    script:
        "../scripts/trace/extract_features.py"


rule match_queries:
    """Find the references nearest to each query of a generator, and to each distractor."""
    input:
        unpack(get_features),
        code=code_of("scripts/trace/match_queries.py"),
    output:
        matches="results/trace/matches/{tracer}/{generator}.parquet",
    log:
        "logs/match_queries/{tracer}/{generator}.log",
    benchmark:
        "benchmarks/match_queries/{tracer}/{generator}.jsonl"
    conda:
        "../envs/models.yaml"
    threads: TRACE_THREADS
    resources:
        mem_mb=2000 + 4 * config["trace"]["search_block_mb"],
        runtime=240,
    params:
        block_mb=lookup("trace/search_block_mb", within=config),
        top_k=lookup("trace/top_k", within=config),
    script:
        "../scripts/trace/match_queries.py"


rule measure_tracing:
    """Measure how well each tracer finds the source images of each generator's frames."""
    input:
        matches=expand(
            "results/trace/matches/{tracer}/{generator}.parquet",
            tracer=TRACING_ROWS,
            generator=GENERATORS,
        ),
        references=[
            features_of(tracer, generator, "references")
            for tracer in TRACING_ROWS
            for generator in GENERATORS
        ],
        code=code_of("scripts/trace/measure_tracing.py"),
    output:
        metrics="results/trace/metrics.parquet",
    log:
        "logs/measure_tracing.log",
    benchmark:
        "benchmarks/measure_tracing.jsonl"
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        pairs=[[tracer, generator] for tracer in TRACING_ROWS for generator in GENERATORS],
        resamples=lookup("trace/resamples", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/trace/measure_tracing.py"
