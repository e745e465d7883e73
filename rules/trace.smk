"""Trace: find the source image of a frame among many (Section 5.4, Supplements 15 and 16).

Needs the splits of TIP-Trace and the videos and images behind them; makes
results/trace/metrics.parquet, from which Table 5 is set: the frames, every tracer's features and
matches, and the trained tracers. A tracer is one entry of config/tracers.yaml and its name in
trace.tracers.
"""


include: "inputs/trace.smk"


wildcard_constraints:
    model="|".join(TRACING_MODELS),
    set="|".join([*GENERATORS, *PICTURE_SETS, "background"]),


rule decode_frames:
    """Decode the frames that TIP-Trace wants of a shard of videos, each video once."""
    input:
        wanted="results/splits/tip_trace/{generator}.parquet",
        videos="results/videos/{generator}/{shard}.tar",
        video_index="results/videos/{generator}/{shard}.parquet",
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
        code=code_of("scripts/trace/decode_frames.py"),
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
        code=code_of("scripts/trace/train_cosface.py"),
        entry=get_cosface_entry,
        seed=lookup("seed", within=config),
    script:
        "../scripts/trace/train_cosface.py"


rule extract_features:
    """Describe a shard of queries, distractors or references by a tracer."""
    input:
        unpack(get_pictures),
        checkpoint=get_checkpoint,
    output:
        features="results/trace/features/{model}/{set}/{shard}.parquet",
    log:
        "logs/extract_features/{model}/{set}/{shard}.log",
    benchmark:
        "benchmarks/extract_features/{model}/{set}/{shard}.jsonl"
    conda:
        "../envs/models.yaml"
    threads: TRACE_THREADS
    resources:
        gpu=config["trace"]["gpu"],
        mem_mb=16000 if config["trace"]["gpu"] else 2000,
        runtime=1440,
    params:
        batch_size=lookup("trace/batch_size", within=config),
        code=get_model_code,
        entry=get_model_entry,
        precision=lookup("trace/precision", within=config),
        shards=get_picture_shards,
    script:
        "../scripts/trace/extract_features.py"


rule collect_background:
    """Collect what scores are normalised by: source images that no query has (Section 5.4)."""
    input:
        training_images="results/splits/tip_trace/training_images.parquet",
    output:
        background="results/trace/background.parquet",
    log:
        "logs/collect_background.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code_of("scripts/trace/collect_background.py"),
        max_images=lookup("trace/score_normalisation/max_images", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/trace/collect_background.py"


rule match_queries:
    """Find the references nearest to each query that a model describes, and to each distractor."""
    input:
        queries=get_query_features,
        references=get_reference_features,
        background=get_background_features,
    output:
        matches="results/trace/matches/{model}.parquet",
    log:
        "logs/match_queries/{model}.log",
    benchmark:
        "benchmarks/match_queries/{model}.jsonl"
    conda:
        "../envs/models.yaml"
    threads: TRACE_THREADS
    resources:
        gpu=config["trace"]["gpu"],
        mem_mb=2000 + 4 * config["trace"]["search_block_mb"],
        runtime=240,
    params:
        block_mb=lookup("trace/search_block_mb", within=config),
        code=code_of("scripts/trace/match_queries.py"),
        gpu=config["trace"]["gpu"] > 0,
        normalisation={
            key: config["trace"]["score_normalisation"][key] for key in ("neighbours", "weight")
        },
        top_k=lookup("trace/top_k", within=config),
    script:
        "../scripts/trace/match_queries.py"


rule measure_tracing:
    """Measure how well each tracer finds the source images of each generator's frames."""
    input:
        matches=expand("results/trace/matches/{model}.parquet", model=TRACING_MODELS),
        references=[shard for model in TRACING_MODELS for shard in features_of(model, "references")],
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
        code=code_of("scripts/trace/measure_tracing.py"),
        resamples=lookup("trace/resamples", within=config),
        rows=[[row, name, model_of(row, name)] for row in TRACING_ROWS for name in GENERATORS],
        seed=lookup("seed", within=config),
    script:
        "../scripts/trace/measure_tracing.py"
