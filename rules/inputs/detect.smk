"""Detect: where its rules find their inputs, settings and code."""

# Cross domain learns from the other generators, so it needs some.
SETTINGS = ["same_domain", "cross_domain"] if len(GENERATORS) > 1 else ["same_domain"]
DETECT_DEVICE = "auto" if config["detect"]["gpu"] else "cpu"
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
    """Return the checksum of what the script and the wildcard's detector do."""
    backend = SHEETS["detectors"][wildcards.detector]["backend"]
    return code_checksum("scripts/detect/score_frames.py", backend)


def get_scored_split(wildcards):
    """Return the table of TIP-ID of the wildcard's source."""
    return source_files(wildcards.source)["split"]


def get_scored_tars(wildcards):
    """Return the video tars of the wildcard's source."""
    return source_files(wildcards.source)["tars"]


def get_scored_indexes(wildcards):
    """Return the indexes beside ``get_scored_tars``."""
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
    """Return a thread for each process of the training, and one for each that decodes for it."""
    processes = max(1, config["detect"]["training_gpu"])
    return processes * (1 + VIDEOMAE["settings"]["running"]["workers"])
