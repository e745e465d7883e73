"""Detect: tell videos generated from images from real ones (Section 5.3, Supplements 13 and 14).

Needs the splits of TIP-ID and the videos behind them; makes results/detect/metrics.parquet, from
which Tables 3 and 4 are set, the scores of every detector, and the trained classifiers.
"""

from scripts.detect.graph import DetectGraph

detect = DetectGraph(study)


rule score_frames:
    """Score the middle frame of a source's test videos with every detector of single pictures."""
    input:
        unpack(detect.source_files),
    output:
        scores="results/detect/scores/{source}.parquet",
    log:
        "logs/score_frames/{source}.log",
    benchmark:
        "benchmarks/score_frames/{source}.jsonl"
    wildcard_constraints:
        source="|".join(detect.scored_sources),
    conda:
        "../envs/models.yaml"
    threads: 2
    resources:
        gpu=config["detect"]["gpu"],
        mem_mb=more(8000),
        runtime=more(480),
    params:
        batch_size=lookup("detect/batch_size", within=config),
        code=detect.detectors_code,
        device=detect.device,
        entries=detect.entries,
    script:
        "../scripts/detect/score_frames.py"


rule train_videomae:
    """Fine-tune VideoMAE to tell real, text-generated and image-generated videos apart."""
    input:
        files=detect.training_files,
    output:
        weights="results/detect/checkpoints/{setting}/{generator}.safetensors",
        curve="results/detect/training/{setting}/{generator}.csv",
    log:
        "logs/train_videomae/{setting}/{generator}.log",
    benchmark:
        "benchmarks/train_videomae/{setting}/{generator}.jsonl"
    conda:
        "../envs/models.yaml"
    threads: detect.training_threads
    resources:
        gpu=config["detect"]["training_gpu"],
        mem_mb=more(32000 * max(1, config["detect"]["training_gpu"])),
        runtime=more(1440),
    params:
        code=code_of("scripts/detect/train_videomae.py", detect.videomae_backend),
        entry=detect.videomae_entry,
        seed=config["seed"],
        sources=detect.training_sources,
    script:
        "../scripts/detect/train_videomae.py"


rule classify_videos:
    """Classify a source's test videos with every classifier that is tested on them."""
    input:
        unpack(detect.source_files),
        weights=detect.tested_on,
    output:
        scores="results/detect/classes/{source}.parquet",
    log:
        "logs/classify_videos/{source}.log",
    benchmark:
        "benchmarks/classify_videos/{source}.jsonl"
    wildcard_constraints:
        source="|".join(detect.sources),
    conda:
        "../envs/models.yaml"
    threads: 2
    resources:
        gpu=config["detect"]["gpu"],
        mem_mb=more(16000),
        runtime=more(1440),
    params:
        batch_size=lookup("detect/batch_size", within=config),
        code=code_of("scripts/detect/classify_videos.py", detect.videomae_backend),
        device=detect.device,
        entry=detect.videomae_entry,
    script:
        "../scripts/detect/classify_videos.py"


rule measure_detection:
    """Measure accuracy and mAP of every detector and training, on balanced test sets."""
    input:
        frame_scores=detect.frame_scores,
        class_scores=detect.class_scores,
    output:
        metrics="results/detect/metrics.parquet",
    log:
        "logs/measure_detection.log",
    benchmark:
        "benchmarks/measure_detection.jsonl"
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=more(4000),
        runtime=more(30),
    params:
        code=code_of("scripts/detect/measure_detection.py"),
        detectors=detect.detectors,
        generators=study.generators,
        max_per_class=lookup("detect/max_per_class", within=config),
        real_sources=study.real_sources,
        seed=config["seed"],
        settings=detect.settings,
    script:
        "../scripts/detect/measure_detection.py"
