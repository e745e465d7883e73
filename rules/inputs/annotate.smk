"""Annotate: where its rules find their inputs, settings and code."""

from scripts.common.backends import weights_of

ANNOTATORS = config["annotate"]["annotators"]
ANNOTATE_DEVICE = "auto" if config["annotate"]["gpu"] else "cpu"
PACKED_SHARD = f"results/dataset/data/Full-{{shard}}-of-{len(SHARDS):05d}.parquet"


def annotate_targets():
    """Return the final files of this stage."""
    return [
        "results/dataset.parquet",
        "results/dataset/README.md",
        *expand(PACKED_SHARD, shard=SHARDS),
    ]


def annotator_entry(name):
    """Return what decides an annotator's rows; a new label, say, decides none."""
    entry = SHEETS["annotators"][name]
    decisive = {key: entry[key] for key in ("backend", "weights", "settings") if key in entry}
    return {"name": name} | decisive


def annotator_code(script, annotation):
    """Return the modules that a script and the backend of its annotation import."""
    return code_of(script, SHEETS["annotators"][ANNOTATORS[annotation]]["backend"])


def shards_to_annotate(annotation):
    """Return the shards of which an annotator is wanted, none if the annotation was released.

    Were it only less wanted, it would step in, at a price, where a released file is missing.
    """
    return "none" if annotation in RELEASED_ANNOTATIONS else r"\d{5}"


def annotator_gpus(name):
    """Return the GPUs that an annotator asks for: none where it works behind an endpoint."""
    remote = "api" in SHEETS["annotators"][name].get("weights", {})
    return 0 if remote else config["annotate"]["gpu"]


def annotator_in_words(annotation):
    """Return what makes an annotation, for the data set's card."""
    if annotation in RELEASED_ANNOTATIONS:
        return "as released by the authors"
    entry = SHEETS["annotators"][ANNOTATORS[annotation]]
    return f"{entry['label']} ({weights_of(entry)})"


def annotations(annotation):
    """Return the tables of an annotation, one for each shard."""
    return expand("results/annotations/{name}/{shard}.parquet", name=annotation, shard=SHARDS)
