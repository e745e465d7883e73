"""Annotate: embeddings, safety scores, subjects and directions of every prompt with an image.

Needs results/prompts and results/images; makes results/annotations/{annotation}/{shard}.parquet
(Section 3, Supplement 10). What makes an annotation is an entry of config/annotators.yaml, chosen
in annotate.annotators.
"""


include: "inputs/annotate.smk"


rule estimate_costs:
    """Estimate what the annotations behind an endpoint will cost, before anything is sent."""
    input:
        prompts=expand("results/prompts/{shard}.parquet", shard=SHARDS),
        indexes=image_indexes(),
    output:
        costs="results/annotations/costs.parquet",
    log:
        "logs/estimate_costs.log",
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        annotators=get_remote_annotators,
        code=code_of("scripts/annotate/estimate_costs.py", *asked_backends()),
    script:
        "../scripts/annotate/estimate_costs.py"


rule embed_texts:
    """Embed the text prompts (Section 3)."""
    input:
        prompts="results/prompts/{shard}.parquet",
        index="results/images/{shard}.parquet",
        costs=costs_of("text_embedding"),
    output:
        annotations="results/annotations/text_embedding/{shard}.parquet",
    log:
        "logs/embed_texts/{shard}.log",
    benchmark:
        "benchmarks/embed_texts/{shard}.jsonl"
    wildcard_constraints:
        shard=shards_to_annotate("text_embedding"),
    conda:
        "../envs/models.yaml"
    resources:
        gpu=annotator_gpus(ANNOTATORS["text_embedding"]),
        mem_mb=4000,
        runtime=annotator_runtime(ANNOTATORS["text_embedding"]),
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        budget_usd=get_text_embedding_budget,
        code=annotator_code("scripts/annotate/embed_texts.py", "text_embedding"),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(ANNOTATORS["text_embedding"]),
        service=get_text_embedding_service,
    script:
        "../scripts/annotate/embed_texts.py"


rule embed_images:
    """Embed the image prompts (Section 3)."""
    input:
        tar="results/images/{shard}.tar",
        index="results/images/{shard}.parquet",
    output:
        annotations="results/annotations/image_embedding/{shard}.parquet",
    log:
        "logs/embed_images/{shard}.log",
    benchmark:
        "benchmarks/embed_images/{shard}.jsonl"
    wildcard_constraints:
        shard=shards_to_annotate("image_embedding"),
    conda:
        "../envs/models.yaml"
    threads: ANNOTATE_DECODERS
    resources:
        gpu=annotator_gpus(ANNOTATORS["image_embedding"]),
        mem_mb=4000,
        runtime=240,
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        code=annotator_code("scripts/annotate/embed_images.py", "image_embedding"),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(ANNOTATORS["image_embedding"]),
        workers=get_workers,
    script:
        "../scripts/annotate/embed_images.py"


rule score_texts:
    """Score how unsafe the text prompts are (Section 3)."""
    input:
        prompts="results/prompts/{shard}.parquet",
        index="results/images/{shard}.parquet",
    output:
        annotations="results/annotations/text_nsfw/{shard}.parquet",
    log:
        "logs/score_texts/{shard}.log",
    benchmark:
        "benchmarks/score_texts/{shard}.jsonl"
    wildcard_constraints:
        shard=shards_to_annotate("text_nsfw"),
    conda:
        "../envs/models.yaml"
    resources:
        gpu=annotator_gpus(ANNOTATORS["text_nsfw"]),
        mem_mb=4000,
        runtime=120,
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        code=annotator_code("scripts/annotate/score_texts.py", "text_nsfw"),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(ANNOTATORS["text_nsfw"]),
    script:
        "../scripts/annotate/score_texts.py"


rule score_images:
    """Score how unsafe the image prompts are (Section 3)."""
    input:
        tar="results/images/{shard}.tar",
        index="results/images/{shard}.parquet",
    output:
        annotations="results/annotations/image_nsfw/{shard}.parquet",
    log:
        "logs/score_images/{shard}.log",
    benchmark:
        "benchmarks/score_images/{shard}.jsonl"
    wildcard_constraints:
        shard=shards_to_annotate("image_nsfw"),
    conda:
        "../envs/models.yaml"
    threads: ANNOTATE_DECODERS
    resources:
        gpu=annotator_gpus(ANNOTATORS["image_nsfw"]),
        mem_mb=4000,
        runtime=240,
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        code=annotator_code("scripts/annotate/score_images.py", "image_nsfw"),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(ANNOTATORS["image_nsfw"]),
        workers=get_workers,
    script:
        "../scripts/annotate/score_images.py"


rule tag_subjects:
    """Name what each prompt wants to see animated (Section 3)."""
    input:
        prompts="results/prompts/{shard}.parquet",
        index="results/images/{shard}.parquet",
        costs=costs_of("subject"),
    output:
        annotations="results/annotations/subject/{shard}.parquet",
    log:
        "logs/tag_subjects/{shard}.log",
    benchmark:
        "benchmarks/tag_subjects/{shard}.jsonl"
    wildcard_constraints:
        shard=shards_to_annotate("subject"),
    conda:
        "../envs/models.yaml"
    resources:
        gpu=annotator_gpus(ANNOTATORS["subject"]),
        mem_mb=annotator_memory(ANNOTATORS["subject"]),
        runtime=annotator_runtime(ANNOTATORS["subject"]),
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        budget_usd=get_subject_budget,
        code=annotator_code("scripts/annotate/tag_subjects.py", "subject"),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(ANNOTATORS["subject"]),
        service=get_subject_service,
    script:
        "../scripts/annotate/tag_subjects.py"


rule tag_directions:
    """Extract the verbs of each prompt: what it wants to happen (Supplement 10)."""
    input:
        prompts="results/prompts/{shard}.parquet",
        index="results/images/{shard}.parquet",
        costs=costs_of("direction"),
    output:
        annotations="results/annotations/direction/{shard}.parquet",
    log:
        "logs/tag_directions/{shard}.log",
    benchmark:
        "benchmarks/tag_directions/{shard}.jsonl"
    wildcard_constraints:
        shard=shards_to_annotate("direction"),
    conda:
        "../envs/models.yaml"
    resources:
        gpu=annotator_gpus(ANNOTATORS["direction"]),
        mem_mb=annotator_memory(ANNOTATORS["direction"]),
        runtime=annotator_runtime(ANNOTATORS["direction"]),
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        budget_usd=get_direction_budget,
        code=annotator_code("scripts/annotate/tag_directions.py", "direction"),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(ANNOTATORS["direction"]),
        service=get_direction_service,
    script:
        "../scripts/annotate/tag_directions.py"


include: "annotate_dataset.smk"
