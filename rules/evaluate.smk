"""Evaluate: TIP-Eval's dimensions for every generator's videos (Section 5.2, Supplement 12).

Needs results/splits/tip_eval, results/videos and results/images; makes
results/evaluation/{generator}/{dimension}/{shard}.parquet and results/evaluation/summary.parquet,
from which Table 7 and Figure 6 are built.
"""

from scripts.evaluate.image_shards import shards_beside


def evaluate_targets():
    """Return the last files of the stage."""
    return ["results/evaluation/summary.parquet"]


def get_dimension_entry(wildcards):
    """Return what decides a dimension's scores; a new label, say, decides none."""
    entry = SHEETS["dimensions"][wildcards.dimension]
    return {key: entry[key] for key in ("backend", "weights", "settings") if key in entry}


def get_dimension_code(wildcards):
    """Return the modules that the script and the dimension's backend import."""
    entry = SHEETS["dimensions"][wildcards.dimension]
    return code_of("scripts/evaluate/score_dimension.py", entry["backend"])


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


rule score_dimension:
    """Score one generator's videos of TIP-Eval in one dimension."""
    input:
        prompts="results/splits/tip_eval/prompts.parquet",
        videos="results/videos/{generator}/{shard}.tar",
        video_index="results/videos/{generator}/{shard}.parquet",
        images=get_shard_images,
        image_indexes=get_shard_image_indexes,
        code=get_dimension_code,
    output:
        scores="results/evaluation/{generator}/{dimension}/{shard}.parquet",
    log:
        "logs/score_dimension/{generator}/{dimension}/{shard}.log",
    benchmark:
        "benchmarks/score_dimension/{generator}/{dimension}/{shard}.jsonl"
    conda:
        "../envs/evaluation.yaml"
    resources:
        # Frames as they are decoded and once more as one array, and the model.
        mem_mb=1500 + 3 * config["evaluate"]["max_decoded_mb"],
        runtime=240,
        gpu=config["evaluate"]["gpu"],
    params:
        entry=get_dimension_entry,
        max_decoded_mb=lookup("evaluate/max_decoded_mb", within=config),
        seed=config["seed"],
        shards=get_video_shards,
    script:
        "../scripts/evaluate/score_dimension.py"


rule summarise_evaluation:
    """Sum up the scores: the mean of each dimension and generator (Table 7)."""
    input:
        scores=get_score_tables,
        code=code_of("scripts/evaluate/summarise_evaluation.py"),
    output:
        summary="results/evaluation/summary.parquet",
    log:
        "logs/summarise_evaluation.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        dimensions=DIMENSIONS,
        generators=GENERATORS,
    script:
        "../scripts/evaluate/summarise_evaluation.py"
