"""Publish: the data set as Hugging Face datasets loads it, and all that the report shows.

Needs results/dataset.parquet, results/images and results/embeddings; makes results/dataset with
small pictures, the embeddings and a card.

The report itself is no rule, since it describes the jobs of a finished run: ``make demo`` makes it
with scripts/commands/report.py, by hand it is ``snakemake --report results/report.zip``.
"""

from scripts.publish.graph import MODALITIES, PACKED_EMBEDDINGS


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


rule lay_out_release:
    """Lay tars, splits and, if asked for, videos for the hub's viewer beside the packed tables."""
    input:
        linked=by_index(list(publish.linked)),
        tables=list(publish.splits),
        tars=by_index(list(publish.videos)),
    output:
        links=list(publish.linked.values()),
        splits=list(publish.splits.values()),
        videos=list(publish.videos.values()),
    log:
        "logs/lay_out_release.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(2000),
        runtime=more(480),
    params:
        code=code_of("scripts/publish/lay_out_release.py"),
        generators=publish.video_generators,
        places=publish.places,
    script:
        "../scripts/publish/lay_out_release.py"


rule describe_release:
    """Write the release's card, its Croissant file with where each column comes from, and checksums."""
    input:
        packed=publish.packed_shards,
        files=by_index([*publish.tables, *publish.laid_out]),
    output:
        card="results/release/README.md",
        croissant="results/release/croissant.json",
        checksums="results/release/SHA256SUMS",
    log:
        "logs/describe_release.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(1000),
        runtime=more(480),
    params:
        annotators=publish.annotators,
        banner=config["banner"],
        code=code_of("scripts/publish/describe_release.py"),
        licence=lookup("publish/release/licence", within=config),
        origin=publish.croissant["origins"][config["source"]],
        sheet={name: publish.croissant[name] for name in ("context", "dataset")},
    script:
        "../scripts/publish/describe_release.py"


rule pack_capsule:
    """Pack what Tables 3, 4, 5 and 7 and Figure 6 are made from, without videos and weights."""
    input:
        files=analyse.capsule,
    output:
        capsule=directory("results/capsule"),
    log:
        "logs/pack_capsule.log",
    # Longer than the tables that are made beside it.
    priority: 5
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
