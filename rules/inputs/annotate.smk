"""Annotate: where its rules find their inputs, settings and code."""

from scripts.common.weight_files import describe_weights

ANNOTATORS = config["annotate"]["annotators"]
ANNOTATE_DEVICE = "auto" if config["annotate"]["gpu"] else "cpu"
ANNOTATE_DECODERS = config["annotate"]["decoders"]
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
    """Return the checksum of what a script and the backend of its annotation do."""
    return code_of(script, SHEETS["annotators"][ANNOTATORS[annotation]]["backend"])


def shards_to_annotate(annotation):
    """Return the shards of which an annotator is wanted, none if the annotation was released.

    Were it only less wanted, it would step in, at a price, where a released file is missing.
    """
    return "none" if annotation in RELEASED_ANNOTATIONS else r"\d{5}"


def is_asked(annotation):
    """Return whether an annotation is made behind an endpoint, and not taken from the release."""
    return is_remote(ANNOTATORS[annotation]) and annotation not in RELEASED_ANNOTATIONS


def asked_backends():
    """Return the classes behind an endpoint: what they ask decides the costs."""
    return [
        SHEETS["annotators"][ANNOTATORS[name]]["backend"] for name in ANNOTATORS if is_asked(name)
    ]


def is_remote(name):
    """Return whether an annotator works behind an endpoint."""
    return "api" in SHEETS["annotators"][name].get("weights", {})


def annotator_gpus(name):
    """Return the GPUs that an annotator asks for: none behind an endpoint, or for a stand-in."""
    packaged = "package" in SHEETS["annotators"][name].get("weights", {})
    return 0 if is_remote(name) or packaged else config["annotate"]["gpu"]


def annotator_memory(name):
    """Return a tagger's memory in MB: a language model passes through it on its way to the GPU."""
    hub = "hub" in SHEETS["annotators"][name].get("weights", {})
    return 32000 if hub else 2000


def annotator_runtime(name):
    """Return an annotator's time in minutes: a batch behind an endpoint may take a day."""
    service = SHEETS["annotators"][name].get("service", {})
    return 1500 if service.get("mode") == "batch" else 720


def service_of(name):
    """Return how an annotator behind an endpoint is reached and paid for; None for any other."""
    return SHEETS["annotators"][name].get("service", {}) if is_remote(name) else None


def costs_of(annotation):
    """Return the estimate that comes before an annotation behind an endpoint; none for others.

    Only that it is there counts: a new estimate makes no annotation anew.
    """
    if not is_asked(annotation):
        return []
    return ancient("results/annotations/costs.parquet")


def get_remote_annotators(wildcards, resources):
    """Return the annotators behind an endpoint: entry, service and budget of each."""
    return {
        annotation: {
            "entry": annotator_entry(name),
            "service": service_of(name),
            "budget_usd": config["annotate"]["budget_usd"][annotation],
        }
        for annotation, name in ANNOTATORS.items()
        if is_asked(annotation)
    }


# A parameter whose function asks for the resources reruns no job when it changes: neither a
# budget nor a way of sending decides a row.


def get_text_embedding_service(wildcards, resources):
    """Return the endpoint of the text embeddings."""
    return service_of(ANNOTATORS["text_embedding"])


def get_subject_service(wildcards, resources):
    """Return the endpoint of the subjects."""
    return service_of(ANNOTATORS["subject"])


def get_direction_service(wildcards, resources):
    """Return the endpoint of the directions."""
    return service_of(ANNOTATORS["direction"])


def get_merging_service(wildcards, resources):
    """Return the endpoint of the embeddings by which subjects are merged."""
    return service_of(config["annotate"]["subjects"]["embedder"])


def get_text_embedding_budget(wildcards, resources):
    """Return what the text embeddings may cost in US dollars."""
    return config["annotate"]["budget_usd"]["text_embedding"]


def get_subject_budget(wildcards, resources):
    """Return what the subjects may cost in US dollars."""
    return config["annotate"]["budget_usd"]["subject"]


def get_direction_budget(wildcards, resources):
    """Return what the directions may cost in US dollars."""
    return config["annotate"]["budget_usd"]["direction"]


def get_merging_budget(wildcards, resources):
    """Return what the embeddings by which subjects are merged may cost in US dollars."""
    return config["annotate"]["budget_usd"]["subjects"]


def get_workers(wildcards, threads):
    """Return the threads that read pictures while the model works."""
    return threads


def annotator_in_words(annotation):
    """Return what makes an annotation, for the data set's card."""
    if annotation in RELEASED_ANNOTATIONS:
        return "as released by the authors"
    entry = SHEETS["annotators"][ANNOTATORS[annotation]]
    return f"{entry['label']} ({describe_weights(entry.get('weights'))})"


def annotations(annotation):
    """Return the tables of an annotation, one for each shard."""
    return expand("results/annotations/{name}/{shard}.parquet", name=annotation, shard=SHARDS)


def get_embeddings(wildcards):
    """Return the tables of the embeddings of texts or of images, one for each shard."""
    return annotations(f"{wildcards.modality.lower()}_embedding")
