"""Publish: the data set as Hugging Face datasets loads it, and all that the report shows.

Needs results/dataset.parquet, results/images and results/embeddings; makes results/dataset with
small pictures, the embeddings and a card.

The report itself is no rule, since it describes the jobs of a finished run: ``make demo`` makes it
with scripts/commands/report.py, by hand it is ``snakemake --report results/report.zip``.
"""

from scripts.publish.graph import MODALITIES, PACKED_EMBEDDINGS, PublishGraph

publish = PublishGraph(study, annotate)


wildcard_constraints:
    modality="|".join(MODALITIES),


rule pack_dataset:
    """Pack a shard of the data set with small pictures, as Hugging Face datasets reads it."""
    input:
        dataset="results/dataset.parquet",
        tar=by_index("results/images/{shard}.tar"),
        index="results/images/{shard}.parquet",
    output:
        packed=publish.packed_shard,
    log:
        "logs/pack_dataset/{shard}.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(4000),
        runtime=more(120),
    params:
        code=code_of("scripts/publish/pack_dataset.py"),
        preview_quality=lookup("annotate/preview_quality", within=config),
        preview_side=lookup("annotate/preview_side", within=config),
    script:
        "../scripts/publish/pack_dataset.py"


rule pack_embeddings:
    """Pack the embeddings of the data set's rows into one file for each modality."""
    input:
        dataset="results/dataset.parquet",
        vectors=publish.vectors,
    output:
        packed=PACKED_EMBEDDINGS,
    log:
        "logs/pack_embeddings/{modality}.log",
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/publish/pack_embeddings.py"),
    script:
        "../scripts/publish/pack_embeddings.py"


rule describe_dataset:
    """Write the data set's card, with which Hugging Face datasets finds its files."""
    input:
        packed=publish.packed_shards,
        embeddings=publish.packed_embeddings,
        parameters=publish.parameters,
    output:
        card="results/release/README.md",
    log:
        "logs/describe_dataset.log",
    conda:
        "../envs/tabular.yaml"
    params:
        annotators=publish.annotators,
        banner=config["banner"],
        code=code_of("scripts/publish/describe_dataset.py"),
        licence="cc-by-nc-4.0",
    script:
        "../scripts/publish/describe_dataset.py"


rule describe_croissant:
    """Describe the packed data set in Croissant, with where each column comes from."""
    input:
        packed=publish.packed_shards,
    output:
        croissant="results/release/croissant.json",
    log:
        "logs/describe_croissant.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(500),
        runtime=more(30),
    params:
        annotators=publish.annotators,
        banner=config["banner"],
        code=code_of("scripts/publish/describe_croissant.py"),
        licence="cc-by-nc-4.0",
        sheet=publish.croissant,
        source=config["source"],
    script:
        "../scripts/publish/describe_croissant.py"


rule pack_capsule:
    """Pack what Tables 3, 4, 5 and 7 and Figure 6 are made from, without videos and weights."""
    input:
        files=analyse.capsule,
    output:
        capsule=directory("results/capsule"),
    log:
        "logs/pack_capsule.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(1000),
        runtime=more(240),
    params:
        code=code_of("scripts/publish/pack_capsule.py"),
        config=config,
    script:
        "../scripts/publish/pack_capsule.py"
