"""Generate: where its rules find their inputs, settings and code."""

from math import gcd


def generate_targets():
    """Return the final files of this stage: all generated videos and their indexes."""
    return [
        file
        for name in GENERATED
        for files in (video_tars(name), video_indexes(name))
        for file in files
    ]


def get_generator_entry(wildcards):
    """Return what makes a generator's videos; its label and licence do not."""
    entry = SHEETS["generators"][wildcards.generator]
    return {key: entry[key] for key in ("backend", "weights", "settings") if key in entry}


def get_generator_code(wildcards):
    """Return the checksum of what the script and the generator's backend do."""
    backend = SHEETS["generators"][wildcards.generator]["backend"]
    return code_checksum("scripts/generate/generate_videos.py", backend)


def get_generator_environment(wildcards):
    """Return the environment of a generator: light for procedures, its own for a model."""
    name = SHEETS["generators"][wildcards.generator].get("envs", "video")
    return f"../envs/{name}.yaml"


def get_images_of_shard(wildcards):
    """Return the tars that hold the images of a shard's prompts, which are few of all."""
    images, videos = config["curate"]["shards"], config["generate"]["shards"]
    step = gcd(images, videos)  # buckets of one UUID agree modulo what both numbers share
    return image_tars()[int(wildcards.shard) % step :: step]


def get_image_indexes_of_shard(wildcards):
    """Return the indexes beside ``get_images_of_shard``, in the same order."""
    return [tar.removesuffix(".tar") + ".parquet" for tar in get_images_of_shard(wildcards)]
