"""Trace: where its rules find their inputs, settings and code."""

SAME_DOMAIN, CROSS_DOMAIN = "cosface_same_domain", "cosface_cross_domain"
COSFACE = SHEETS["tracers"][config["trace"]["cosface"]]
# An entry without a backend is a row of the paper whose weights cannot be had.
MEASURED_TRACERS = [name for name in TRACERS if "backend" in SHEETS["tracers"][name]]
# Across domains a model learns from the other generators, so that needs some.
TRACING_ROWS = [*MEASURED_TRACERS, SAME_DOMAIN, *([CROSS_DOMAIN] if len(GENERATORS) > 1 else [])]
TRAINED_MODELS = [SAME_DOMAIN] + (
    expand(f"{CROSS_DOMAIN}_{{name}}", name=GENERATORS) if CROSS_DOMAIN in TRACING_ROWS else []
)
TRACING_MODELS = [*MEASURED_TRACERS, *TRAINED_MODELS]
PICTURE_SETS = ["references", "distractors"]
TRACE_THREADS = 16 if config["trace"]["gpu"] else 1
TRAINING_PROCESSES = max(1, config["trace"]["training_gpu"])
# Each process of a training has workers that read pictures.
COSFACE_THREADS = TRAINING_PROCESSES * (1 + COSFACE["training"].get("workers", 0))


def trace_targets():
    """Return the final files of the stage."""
    return ["results/trace/metrics.parquet"]


def model_of(tracer, generator):
    """Return the model that a row of Table 5 uses for a generator: across domains its own."""
    return f"{tracer}_{generator}" if tracer == CROSS_DOMAIN else tracer


def searched_sets(model):
    """Return the sets of queries that a model describes; one across domains has one generator."""
    names = [name for name in GENERATORS if model == f"{CROSS_DOMAIN}_{name}"]
    return [*(names or GENERATORS), "distractors"]


def picture_shards(pictures):
    """Return the shards of a set of pictures: of a million, many; of a few thousand, one."""
    return shard_names(config["trace"]["reference_shards"] if pictures == "references" else 1)


def features_of(model, pictures):
    """Return the features of a set of pictures by a model, shard by shard."""
    return [
        f"results/trace/features/{model}/{pictures}/{shard}.parquet"
        for shard in picture_shards(pictures)
    ]


def frame_tars(generators):
    """Return the tars of some generators' decoded frames."""
    return [
        f"results/trace/frames/{generator}/{shard}.tar"
        for generator in generators
        for shard in shards_of(generator)
    ]


def frame_indexes(generators):
    """Return the indexes beside ``frame_tars``, in the same order."""
    return [tar.removesuffix(".tar") + ".parquet" for tar in frame_tars(generators)]


def get_frame_shards(wildcards):
    """Return the number of shards of the generator's videos."""
    return len(shards_of(wildcards.generator))


def get_training_frames(wildcards):
    """Return the decoded frames that a trained tracer learns from."""
    generators = [name for name in GENERATORS if wildcards.model != f"{CROSS_DOMAIN}_{name}"]
    return {"frames": frame_tars(generators), "frame_indexes": frame_indexes(generators)}


def get_cosface_entry(wildcards):
    """Return what decides the trained tracer: network, weights to begin from, recipe."""
    kept = ("backend", "settings", "training", "weights")
    return {key: COSFACE[key] for key in kept if key in COSFACE}


def get_pictures(wildcards):
    """Return the pictures of a set: a list and the tars behind it, or a generator's frames."""
    if wildcards.set in GENERATORS:
        names = [wildcards.set]
        return {"frames": frame_tars(names), "frame_indexes": frame_indexes(names)}
    if wildcards.set == "background":
        return {"images": "results/trace/background.parquet", "tars": image_tars()}
    tars = {
        "references": [*image_tars(), TRACE_REFERENCES["tar"]],
        "distractors": [TRACE_DISTRACTORS["tar"]],
    }
    return {
        "images": f"results/splits/tip_trace/{wildcards.set}.parquet",
        "tars": tars[wildcards.set],
    }


def get_picture_shards(wildcards):
    """Return the number of shards of a set of pictures."""
    return len(picture_shards(wildcards.set))


def get_checkpoint(wildcards):
    """Return the weights of a trained tracer."""
    if wildcards.model in TRAINED_MODELS:
        return [f"results/trace/checkpoints/{wildcards.model}.safetensors"]
    return []


def get_model_entry(wildcards):
    """Return what decides a model's features; a trained one has its own weights."""
    trained = wildcards.model in TRAINED_MODELS
    entry = COSFACE if trained else SHEETS["tracers"][wildcards.model]
    kept = {key: entry[key] for key in ("backend", "settings", "weights") if key in entry}
    return kept | ({"weights": {"path": get_checkpoint(wildcards)[0]}} if trained else {})


def get_model_code(wildcards):
    """Return the checksum of what the script and the model's backend do."""
    return code_checksum("scripts/trace/extract_features.py", get_model_entry(wildcards)["backend"])


def get_query_features(wildcards):
    """Return the features of all queries that a model searches for."""
    names = searched_sets(wildcards.model)
    return [shard for name in names for shard in features_of(wildcards.model, name)]


def get_reference_features(wildcards):
    """Return the features in which a model searches."""
    return features_of(wildcards.model, "references")


def get_background_features(wildcards):
    """Return the features by which scores are normalised, if they are."""
    if not config["trace"]["score_normalisation"]["weight"]:
        return []
    return features_of(wildcards.model, "background")
