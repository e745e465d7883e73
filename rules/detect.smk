"""Detect: tell videos generated from images from real ones (Section 5.3, Supplements 13 and 14).

Needs the splits of TIP-ID and the videos behind them; makes results/detect/metrics.parquet, from
which Tables 3 and 4 are set, the scores of every detector, and the trained classifiers.
"""

SETTINGS = ["same_domain", "cross_domain"] if len(GENERATORS) > 1 else ["same_domain"]
VIDEOMAE = SHEETS["detectors"][config["detect"]["videomae"]]


def detect_targets():
    """Return the final files of the stage."""
    return ["results/detect/metrics.parquet"]


def source_files(source):
    """Return where the videos of a generator, or of an outside source, lie."""
    if source in GENERATORS:
        tars, indexes = video_tars(source), video_indexes(source)
    else:
        entry = SHEETS["sources"][source]
        tars, indexes = [entry["tar"]], [entry["index"]]
    return {"split": f"results/splits/tip_id/{source}.parquet", "tars": tars, "indexes": indexes}


def decisive_fields(entry):
    """Return what decides an entry's numbers; a new label reruns nothing here."""
    return {key: entry[key] for key in ("backend", "settings", "weights") if key in entry}


def get_detector_entry(wildcards):
    """Return the wildcard's entry of config/detectors.yaml."""
    return decisive_fields(SHEETS["detectors"][wildcards.detector])


def get_videomae_entry(wildcards):
    """Return the trained classifier's entry of config/detectors.yaml."""
    return decisive_fields(VIDEOMAE)


def get_detector_code(wildcards):
    """Return the modules of the wildcard's detector."""
    backend = SHEETS["detectors"][wildcards.detector]["backend"]
    return code_of("scripts/detect/score_frames.py", backend)


def get_source_split(wildcards):
    """Return the table of TIP-ID of the wildcard's source."""
    return source_files(wildcards.source)["split"]


def get_source_tars(wildcards):
    """Return the video tars of the wildcard's source."""
    return source_files(wildcards.source)["tars"]


def get_source_indexes(wildcards):
    """Return the indexes beside ``get_source_tars``."""
    return source_files(wildcards.source)["indexes"]


def get_training_sources(wildcards):
    """Return the sources of a training: the generator or all others, and the other two classes."""
    seen = [wildcards.generator]
    if wildcards.setting == "cross_domain":
        seen = [name for name in GENERATORS if name != wildcards.generator]
    return {name: source_files(name) for name in seen + REAL_SOURCES + TEXT_SOURCES}


def get_test_sources(wildcards):
    """Return the sources of a test: the generator, and the other two classes."""
    names = [wildcards.generator] + REAL_SOURCES + TEXT_SOURCES
    return {name: source_files(name) for name in names}


def files_of(sources):
    """Return every file of some sources, as one list."""
    return [
        path
        for files in sources.values()
        for path in [files["split"], *files["tars"], *files["indexes"]]
    ]


def get_training_files(wildcards):
    """Return the files behind ``get_training_sources``."""
    return files_of(get_training_sources(wildcards))


def get_test_files(wildcards):
    """Return the files behind ``get_test_sources``."""
    return files_of(get_test_sources(wildcards))


def get_training_threads(wildcards):
    """Return one thread for the training, and one for each process that decodes."""
    return 1 + VIDEOMAE["settings"]["running"]["workers"]


rule score_frames:
    """Score the middle frame of a source's test videos with a detector of single pictures."""
    input:
        split=get_source_split,
        tars=get_source_tars,
        indexes=get_source_indexes,
        code=get_detector_code,
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
        entry=get_detector_entry,
    script:
        "../scripts/detect/score_frames.py"


rule train_videomae:
    """Fine-tune VideoMAE to tell real, text-generated and image-generated videos apart."""
    input:
        files=get_training_files,
        code=code_of("scripts/detect/train_videomae.py", VIDEOMAE["backend"]),
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
        gpu=config["detect"]["gpu"],
        mem_mb=32000,
        runtime=1440,
    params:
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
        code=code_of("scripts/detect/classify_videos.py", VIDEOMAE["backend"]),
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
        code=code_of("scripts/detect/measure_detection.py"),
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
        generators=GENERATORS,
        max_per_class=lookup("detect/max_per_class", within=config),
        real_sources=REAL_SOURCES,
        seed=config["seed"],
    script:
        "../scripts/detect/measure_detection.py"
