"""Annotate: where its rules find their inputs, settings and code."""

from scripts.common.backends import weights_of

ANNOTATORS = config["annotate"]["annotators"]
ANNOTATE_DEVICE = "auto" if config["annotate"]["gpu"] else "cpu"
PACKED_SHARD = f"results/dataset/data/Full-{{shard}}-of-{len(SHARDS):05d}.parquet"
MODALITIES = ["Text", "Image"]
PACKED_EMBEDDINGS = "results/dataset/Embedding/Full_{modality}_Embedding.parquet"


def annotate_targets():
    """Return the final files of this stage."""
    return [
        "results/dataset.parquet",
        "results/dataset/README.md",
        *expand(PACKED_SHARD, shard=SHARDS),
        *expand(PACKED_EMBEDDINGS, modality=MODALITIES),
    ]


def annotator_entry(name):
    """Return what decides an annotator's rows; a new label, say, decides none."""
    entry = SHEETS["annotators"][name]
    decisive = {key: entry[key] for key in ("backend", "weights", "settings") if key in entry}
    return {"name": name} | decisive


def annotator_code(script, annotation):
    """Return the modules that a script and the backend of its annotation import."""
    return code_of(script, SHEETS["annotators"][ANNOTATORS[annotation]]["backend"])


def annotator_gpus(name):
    """Return the GPUs that an annotator asks for: none where it works behind an endpoint."""
    remote = "api" in SHEETS["annotators"][name].get("weights", {})
    return 0 if remote else config["annotate"]["gpu"]


def annotator_in_words(annotation):
    """Return what makes an annotation, for the data set's card."""
    entry = SHEETS["annotators"][ANNOTATORS[annotation]]
    return f"{entry['label']} ({weights_of(entry)})"


def annotations(annotation):
    """Return the tables of an annotation, one for each shard."""
    return expand("results/annotations/{name}/{shard}.parquet", name=annotation, shard=SHARDS)


def get_embeddings(wildcards):
    """Return the tables of the embeddings of texts or of images, one for each shard."""
    return annotations(f"{wildcards.modality.lower()}_embedding")
