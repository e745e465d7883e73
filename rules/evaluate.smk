"""Evaluate: TIP-Eval's dimensions for every generator's videos (Section 5.2, Supplement 12).

Needs results/splits/tip_eval, results/videos and results/images; makes
results/evaluation/{generator}/{dimension}/{shard}.parquet and results/evaluation/summary.parquet,
from which Table 7 and Figure 6 are built.
"""


include: "inputs/evaluate.smk"


rule score_dimension:
    """Score one generator's videos of TIP-Eval in one dimension."""
    input:
        prompts="results/splits/tip_eval/prompts.parquet",
        videos="results/videos/{generator}/{shard}.tar",
        video_index="results/videos/{generator}/{shard}.parquet",
        images=get_shard_images,
        image_indexes=get_shard_image_indexes,
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
        code=get_dimension_code,
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
        code=code_of("scripts/evaluate/summarise_evaluation.py"),
        dimensions=DIMENSIONS,
        generators=GENERATORS,
    script:
        "../scripts/evaluate/summarise_evaluation.py"
