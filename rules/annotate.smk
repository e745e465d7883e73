"""Annotate: embeddings, safety scores, subjects and directions, and the data set they make.

Needs results/prompts and results/images; makes results/annotations/{annotation}/{shard}.parquet,
results/subjects.parquet, results/dataset.parquet, and results/dataset with small pictures, which
Hugging Face datasets loads (Section 3, Supplement 10). What makes an annotation is an entry of
config/annotators.yaml, chosen in annotate.annotators.
"""


include: "inputs/annotate.smk"


rule embed_texts:
    """Embed the text prompts (Section 3)."""
    input:
        prompts="results/prompts/{shard}.parquet",
        index="results/images/{shard}.parquet",
        code=annotator_code("scripts/annotate/embed_texts.py", "text_embedding"),
    output:
        annotations="results/annotations/text_embedding/{shard}.parquet",
    log:
        "logs/embed_texts/{shard}.log",
    benchmark:
        "benchmarks/embed_texts/{shard}.jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        gpu=annotator_gpus(ANNOTATORS["text_embedding"]),
        mem_mb=4000,
        runtime=240,
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(ANNOTATORS["text_embedding"]),
    script:
        "../scripts/annotate/embed_texts.py"


rule embed_images:
    """Embed the image prompts (Section 3)."""
    input:
        tar="results/images/{shard}.tar",
        index="results/images/{shard}.parquet",
        code=annotator_code("scripts/annotate/embed_images.py", "image_embedding"),
    output:
        annotations="results/annotations/image_embedding/{shard}.parquet",
    log:
        "logs/embed_images/{shard}.log",
    benchmark:
        "benchmarks/embed_images/{shard}.jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        gpu=annotator_gpus(ANNOTATORS["image_embedding"]),
        mem_mb=4000,
        runtime=240,
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(ANNOTATORS["image_embedding"]),
    script:
        "../scripts/annotate/embed_images.py"


rule score_texts:
    """Score how unsafe the text prompts are (Section 3)."""
    input:
        prompts="results/prompts/{shard}.parquet",
        index="results/images/{shard}.parquet",
        code=annotator_code("scripts/annotate/score_texts.py", "text_nsfw"),
    output:
        annotations="results/annotations/text_nsfw/{shard}.parquet",
    log:
        "logs/score_texts/{shard}.log",
    benchmark:
        "benchmarks/score_texts/{shard}.jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        gpu=annotator_gpus(ANNOTATORS["text_nsfw"]),
        mem_mb=4000,
        runtime=120,
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(ANNOTATORS["text_nsfw"]),
    script:
        "../scripts/annotate/score_texts.py"


rule score_images:
    """Score how unsafe the image prompts are (Section 3)."""
    input:
        tar="results/images/{shard}.tar",
        index="results/images/{shard}.parquet",
        code=annotator_code("scripts/annotate/score_images.py", "image_nsfw"),
    output:
        annotations="results/annotations/image_nsfw/{shard}.parquet",
    log:
        "logs/score_images/{shard}.log",
    benchmark:
        "benchmarks/score_images/{shard}.jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        gpu=annotator_gpus(ANNOTATORS["image_nsfw"]),
        mem_mb=4000,
        runtime=240,
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(ANNOTATORS["image_nsfw"]),
    script:
        "../scripts/annotate/score_images.py"


rule tag_subjects:
    """Name what each prompt wants to see animated (Section 3)."""
    input:
        prompts="results/prompts/{shard}.parquet",
        index="results/images/{shard}.parquet",
        code=annotator_code("scripts/annotate/tag_subjects.py", "subject"),
    output:
        annotations="results/annotations/subject/{shard}.parquet",
    log:
        "logs/tag_subjects/{shard}.log",
    benchmark:
        "benchmarks/tag_subjects/{shard}.jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=2000,
        runtime=1440,
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        device="cpu",
        entry=annotator_entry(ANNOTATORS["subject"]),
    script:
        "../scripts/annotate/tag_subjects.py"


rule tag_directions:
    """Extract the verbs of each prompt: what it wants to happen (Supplement 10)."""
    input:
        prompts="results/prompts/{shard}.parquet",
        index="results/images/{shard}.parquet",
        code=annotator_code("scripts/annotate/tag_directions.py", "direction"),
    output:
        annotations="results/annotations/direction/{shard}.parquet",
    log:
        "logs/tag_directions/{shard}.log",
    benchmark:
        "benchmarks/tag_directions/{shard}.jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=2000,
        runtime=1440,
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        device="cpu",
        entry=annotator_entry(ANNOTATORS["direction"]),
    script:
        "../scripts/annotate/tag_directions.py"


rule merge_subjects:
    """Merge the variants of each subject (Supplement 10)."""
    input:
        annotations=annotations("subject"),
        code=code_of(
            "scripts/annotate/merge_subjects.py",
            SHEETS["annotators"][config["annotate"]["subjects"]["embedder"]]["backend"],
        ),
    output:
        subjects="results/subjects.parquet",
    log:
        "logs/merge_subjects.log",
    benchmark:
        "benchmarks/merge_subjects.jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        gpu=annotator_gpus(config["annotate"]["subjects"]["embedder"]),
        mem_mb=8000,
        runtime=480,
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(config["annotate"]["subjects"]["embedder"]),
        epsilon=lookup("annotate/subjects/epsilon", within=config),
        min_cluster_size=lookup("annotate/subjects/min_cluster_size", within=config),
    script:
        "../scripts/annotate/merge_subjects.py"


rule build_dataset:
    """Join prompts, images and annotations into the released columns (Figure 2)."""
    input:
        prompts=expand("results/prompts/{shard}.parquet", shard=SHARDS),
        indexes=image_indexes(),
        text_embedding=annotations("text_embedding"),
        image_embedding=annotations("image_embedding"),
        text_nsfw=annotations("text_nsfw"),
        image_nsfw=annotations("image_nsfw"),
        subject=annotations("subject"),
        direction=annotations("direction"),
        subjects="results/subjects.parquet",
        code=code_of("scripts/annotate/build_dataset.py"),
    output:
        dataset="results/dataset.parquet",
        rejects="results/rejects/dataset.parquet",
    log:
        "logs/build_dataset.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    script:
        "../scripts/annotate/build_dataset.py"


rule pack_dataset:
    """Pack a shard of the data set with small pictures, as Hugging Face datasets reads it."""
    input:
        dataset="results/dataset.parquet",
        tar="results/images/{shard}.tar",
        index="results/images/{shard}.parquet",
        code=code_of("scripts/annotate/pack_dataset.py"),
    output:
        packed=PACKED_SHARD,
    log:
        "logs/pack_dataset/{shard}.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        preview_quality=lookup("annotate/preview_quality", within=config),
        preview_side=lookup("annotate/preview_side", within=config),
    script:
        "../scripts/annotate/pack_dataset.py"


rule describe_dataset:
    """Write the data set's card, with which Hugging Face datasets finds its files."""
    input:
        packed=expand(PACKED_SHARD, shard=SHARDS),
        code=code_of("scripts/annotate/describe_dataset.py"),
    output:
        card="results/dataset/README.md",
    log:
        "logs/describe_dataset.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        annotators={name: annotator_in_words(name) for name in ANNOTATORS},
        banner=config["banner"],
        licence="cc-by-nc-4.0",
    script:
        "../scripts/annotate/describe_dataset.py"
