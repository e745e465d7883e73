"""Annotate, continued: the data set that prompts, images and annotations make.

Makes results/subjects.parquet, results/dataset.parquet in the released columns, and
results/dataset with small pictures, which Hugging Face datasets loads, and with the embeddings.
"""


wildcard_constraints:
    modality="|".join(MODALITIES),


rule merge_subjects:
    """Merge the variants of each subject (Supplement 10)."""
    input:
        annotations=annotations("subject"),
    output:
        subjects="results/subjects.parquet",
    log:
        "logs/merge_subjects.log",
    benchmark:
        "benchmarks/merge_subjects.jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        gpu=(
            0
            if is_remote(config["annotate"]["subjects"]["embedder"])
            else config["annotate"]["gpu"]
        ),
        mem_mb=8000,
        runtime=480,
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        budget_usd=get_merging_budget,
        code=code_of(
            "scripts/annotate/merge_subjects.py",
            SHEETS["annotators"][config["annotate"]["subjects"]["embedder"]]["backend"],
        ),
        device=ANNOTATE_DEVICE,
        entry=annotator_entry(config["annotate"]["subjects"]["embedder"]),
        epsilon=lookup("annotate/subjects/epsilon", within=config),
        min_cluster_size=lookup("annotate/subjects/min_cluster_size", within=config),
        service=get_merging_service,
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
    params:
        code=code_of("scripts/annotate/build_dataset.py"),
    script:
        "../scripts/annotate/build_dataset.py"


rule pack_dataset:
    """Pack a shard of the data set with small pictures, as Hugging Face datasets reads it."""
    input:
        dataset="results/dataset.parquet",
        tar="results/images/{shard}.tar",
        index="results/images/{shard}.parquet",
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
        code=code_of("scripts/annotate/pack_dataset.py"),
        preview_quality=lookup("annotate/preview_quality", within=config),
        preview_side=lookup("annotate/preview_side", within=config),
    script:
        "../scripts/annotate/pack_dataset.py"


rule pack_embeddings:
    """Pack the embeddings of the data set's rows into one file for each modality."""
    input:
        dataset="results/dataset.parquet",
        annotations=get_embeddings,
    output:
        packed=PACKED_EMBEDDINGS,
    log:
        "logs/pack_embeddings/{modality}.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=code_of("scripts/annotate/pack_embeddings.py"),
    script:
        "../scripts/annotate/pack_embeddings.py"


rule describe_dataset:
    """Write the data set's card, with which Hugging Face datasets finds its files."""
    input:
        packed=expand(PACKED_SHARD, shard=SHARDS),
        embeddings=expand(PACKED_EMBEDDINGS, modality=MODALITIES),
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
        code=code_of("scripts/annotate/describe_dataset.py"),
        licence="cc-by-nc-4.0",
    script:
        "../scripts/annotate/describe_dataset.py"
