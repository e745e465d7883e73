"""Detect: tell videos generated from images from real ones (Section 5.3, Supplements 13 and 14).

Needs the splits of TIP-ID and the videos behind them; makes results/detect/metrics.parquet, from
which Tables 3 and 4 are set, the scores of every detector, and the trained classifiers.
"""

from scripts.detect.graph import every_file

if detect.clip_detectors:

    rule fit_detectors:
        """Fit the detectors that see a clip, on real and text-generated training videos."""
        input:
            files=by_index(every_file(detect.fitted_on)),
            checked=ancient("results/splits/leakage.csv"),
        output:
            fitted=detect.fitted,
        log:
            "logs/fit_detectors.log",
        benchmark:
            "benchmarks/fit_detectors.jsonl"
        conda:
            "../envs/models.yaml"
        threads: 2
        resources:
            gpu=config["detect"]["gpu"],
            mem_mb=more(16000),
            runtime=more(480),
        params:
            batch_size=lookup("detect/batch_size", within=config),
            code=code_of("scripts/detect/fit_detectors.py", *detect.backends),
            entries=detect.clip_entries,
            per_class=lookup("detect/fit_videos", within=config),
            seed=config["seed"],
            sources=detect.fitted_on,
        script:
            "../scripts/detect/fit_detectors.py"


rule score_frames:
    """Score a source's test videos with every detector: the middle frame of each, or a clip."""
    input:
        files=by_index(every_file(detect.scored)),
        fitted=detect.fitted,
        splits=detect.splits,
    output:
        scores=detect.outputs(
            "results/detect/scores/{source}.parquet", source=detect.scored_sources
        ),
    log:
        detect.log("logs/score_frames", "source") + ".log",
    benchmark:
        detect.log("benchmarks/score_frames", "source") + ".jsonl"
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
        code=code_of("scripts/detect/score_frames.py", *detect.backends),
        entries=detect.entries,
        max_per_class=lookup("detect/max_per_class", within=config),
        seed=config["seed"],
        sources=detect.scored,
    script:
        "../scripts/detect/score_frames.py"


rule train_videomae:
    """Fine-tune VideoMAE to tell real, text-generated and image-generated videos apart."""
    input:
        files=by_index(every_file(detect.training_sources)),
        checked=ancient("results/splits/leakage.csv"),
    output:
        weights=detect.outputs(
            "results/detect/checkpoints/{setting}/{generator}.safetensors",
            generator=study.generators,
        ),
        curves=detect.outputs(
            "results/detect/training/{setting}/{generator}.csv", generator=study.generators
        ),
    log:
        detect.log("logs/train_videomae/{setting}", "generator") + ".log",
    benchmark:
        detect.log("benchmarks/train_videomae/{setting}", "generator") + ".jsonl"
    priority: TRAINED_ON
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
        trainings=detect.trainings,
    script:
        "../scripts/detect/train_videomae.py"


rule classify_videos:
    """Classify a source's test videos with every classifier that is tested on them."""
    input:
        files=by_index(every_file(detect.classified)),
        splits=detect.splits,
        weights=detect.tested_on,
    output:
        scores=detect.outputs("results/detect/classes/{source}.parquet", source=detect.sources),
    log:
        detect.log("logs/classify_videos", "source") + ".log",
    benchmark:
        detect.log("benchmarks/classify_videos", "source") + ".jsonl"
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
        entry=detect.videomae_entry,
        max_per_class=lookup("detect/max_per_class", within=config),
        seed=config["seed"],
        sources=detect.classified,
    script:
        "../scripts/detect/classify_videos.py"


rule measure_detection:
    """Measure accuracy and mAP of every detector and training, on balanced test sets."""
    input:
        frame_scores=detect.frame_scores,
        class_scores=detect.class_scores,
        checkpoints=detect.checkpoints,
        fitted=detect.fitted,
        checked=ancient("results/splits/leakage.csv"),
    output:
        metrics="results/detect/metrics.parquet",
    log:
        "logs/measure_detection.log",
    benchmark:
        "benchmarks/measure_detection.jsonl"
    conda:
        "../envs/evaluation.yaml"
    params:
        code=code_of("scripts/detect/measure_detection.py"),
        counting=lookup("detect/counting", within=config),
        detectors=detect.detectors,
        generators=study.generators,
        max_per_class=lookup("detect/max_per_class", within=config),
        real_sources=study.real_sources,
        seed=config["seed"],
        settings=detect.settings,
    script:
        "../scripts/detect/measure_detection.py"
