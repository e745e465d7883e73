"""Detect: tell videos generated from images from real ones (Section 5.3, Supplements 13 and 14).

Needs the splits of TIP-ID and the videos behind them; makes results/detect/metrics.parquet, from
which Tables 3 and 4 are set, the scores of every detector, and the trained classifiers.
"""


include: "inputs/detect.smk"


rule score_frames:
    """Score the middle frame of a source's test videos with a detector of single pictures."""
    input:
        split=get_scored_split,
        tars=get_scored_tars,
        indexes=get_scored_indexes,
    output:
        scores="results/detect/scores/{detector}/{source}.parquet",
    log:
        "logs/score_frames/{detector}/{source}.log",
    benchmark:
        "benchmarks/score_frames/{detector}/{source}.jsonl"
    wildcard_constraints:
        source="|".join(GENERATORS + REAL_SOURCES),
    conda:
        "../envs/models.yaml"
    resources:
        gpu=config["detect"]["gpu"],
        mem_mb=8000,
        runtime=240,
    params:
        batch_size=lookup("detect/batch_size", within=config),
        code=get_detector_code,
        device=DETECT_DEVICE,
        entry=get_detector_entry,
    script:
        "../scripts/detect/score_frames.py"


rule train_videomae:
    """Fine-tune VideoMAE to tell real, text-generated and image-generated videos apart."""
    input:
        files=get_training_files,
    output:
        weights="results/detect/checkpoints/{setting}/{generator}.safetensors",
        curve="results/detect/training/{setting}/{generator}.csv",
    log:
        "logs/train_videomae/{setting}/{generator}.log",
    benchmark:
        "benchmarks/train_videomae/{setting}/{generator}.jsonl"
    conda:
        "../envs/models.yaml"
    threads: get_training_threads
    resources:
        gpu=config["detect"]["training_gpu"],
        mem_mb=32000 * max(1, config["detect"]["training_gpu"]),
        runtime=1440,
    params:
        code=code_of("scripts/detect/train_videomae.py", VIDEOMAE["backend"]),
        entry=get_videomae_entry,
        seed=config["seed"],
        sources=get_training_sources,
    script:
        "../scripts/detect/train_videomae.py"


rule classify_videos:
    """Classify the test videos of a generator, and of the other two classes."""
    input:
        weights="results/detect/checkpoints/{setting}/{generator}.safetensors",
        files=get_test_files,
    output:
        scores="results/detect/scores/videomae/{setting}/{generator}.parquet",
    log:
        "logs/classify_videos/{setting}/{generator}.log",
    benchmark:
        "benchmarks/classify_videos/{setting}/{generator}.jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        gpu=config["detect"]["gpu"],
        mem_mb=16000,
        runtime=480,
    params:
        batch_size=lookup("detect/batch_size", within=config),
        code=code_of("scripts/detect/classify_videos.py", VIDEOMAE["backend"]),
        device=DETECT_DEVICE,
        entry=get_videomae_entry,
        sources=get_test_sources,
    script:
        "../scripts/detect/classify_videos.py"


rule measure_detection:
    """Measure accuracy and mAP of every detector and training, on balanced test sets."""
    input:
        frame_scores=expand(
            "results/detect/scores/{detector}/{source}.parquet",
            detector=DETECTORS,
            source=GENERATORS + REAL_SOURCES,
        ),
        class_scores=expand(
            "results/detect/scores/videomae/{setting}/{generator}.parquet",
            setting=SETTINGS,
            generator=GENERATORS,
        ),
    output:
        metrics="results/detect/metrics.parquet",
    log:
        "logs/measure_detection.log",
    benchmark:
        "benchmarks/measure_detection.jsonl"
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code_of("scripts/detect/measure_detection.py"),
        generators=GENERATORS,
        max_per_class=lookup("detect/max_per_class", within=config),
        real_sources=REAL_SOURCES,
        seed=config["seed"],
    script:
        "../scripts/detect/measure_detection.py"
