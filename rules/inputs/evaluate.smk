"""Evaluate: where its rules find their inputs, settings and code."""

from scripts.evaluate.image_shards import shards_beside


def evaluate_targets():
    """Return the last files of the stage."""
    return ["results/evaluation/summary.parquet"]


def get_dimension_entry(wildcards):
    """Return what decides a dimension's scores; a new label, say, decides none."""
    entry = SHEETS["dimensions"][wildcards.dimension]
    return {key: entry[key] for key in ("backend", "weights", "settings") if key in entry}


def get_dimension_code(wildcards):
    """Return the checksum of what the script and the dimension's backend do."""
    entry = SHEETS["dimensions"][wildcards.dimension]
    return code_checksum("scripts/evaluate/score_dimension.py", entry["backend"])


def get_video_shards(wildcards):
    """Return the number of shards of the generator's videos."""
    return len(shards_of(wildcards.generator))


def get_shard_images(wildcards):
    """Return the tars that can hold the image prompts of a video shard."""
    shards = shards_beside(wildcards.shard, get_video_shards(wildcards), SHARDS)
    return expand("results/images/{shard}.tar", shard=shards)


def get_shard_image_indexes(wildcards):
    """Return the indexes beside ``get_shard_images``, in the same order."""
    return [tar.removesuffix(".tar") + ".parquet" for tar in get_shard_images(wildcards)]


def get_score_tables(wildcards):
    """Return the scores of every dimension, generator and shard."""
    return [
        f"results/evaluation/{generator}/{dimension}/{shard}.parquet"
        for dimension in DIMENSIONS
        for generator in GENERATORS
        for shard in shards_of(generator)
    ]
