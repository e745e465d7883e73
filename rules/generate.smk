"""Generate: every image-to-video model animates the same prompts (Section 3, Supplement 9).

Needs results/dataset.parquet, results/images and TIP-Eval's prompts; makes
results/chosen_prompts.parquet and results/videos/<generator> of the generators that are not
scraped. A generator is one entry of config/generators.yaml and its name in generate.generators.
"""


rule choose_prompts:
    """Choose the prompts that every generator animates: a uniform subset, and TIP-Eval."""
    input:
        dataset="results/dataset.parquet",
        tip_eval="results/splits/tip_eval/prompts.parquet",
    output:
        chosen="results/chosen_prompts.parquet",
    log:
        "logs/choose_prompts.log",
    priority: TRAINED_ON
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/generate/choose_prompts.py"),
        prompts=lookup("generate/prompts", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/generate/choose_prompts.py"


rule generate_videos:
    """Animate the chosen prompts' images with one image-to-video generator."""
    input:
        unpack(by_index(study.images_of)),
        chosen="results/chosen_prompts.parquet",
    output:
        tar="results/videos/{generator}/{shard}.tar",
        index="results/videos/{generator}/{shard}.parquet",
    log:
        "logs/generate_videos/{generator}/{shard}.log",
    benchmark:
        "benchmarks/generate_videos/{generator}/{shard}.jsonl"
    wildcard_constraints:
        generator="|".join(study.generated) or "none",
    priority: TRAINED_ON
    conda:
        generate.environment
    threads: 2
    resources:
        gpu=config["generate"]["gpu"],
        mem_mb=more(generate.memory_mb),
        runtime=more(generate.runtime_min),
    params:
        code=generate.code,
        entry=generate.entry,
        seed=lookup("seed", within=config),
        shards=study.video_shards,
    script:
        "../scripts/generate/generate_videos.py"
