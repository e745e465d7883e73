"""Curate, from the released data set: its rows, and the tars of its pictures and videos in place.

Needs the data set as downloaded from the hub (release.folder); makes what curate.smk makes from
exports, takes the annotations that were released, and the models' videos instead of generating
them. No tar is copied: indexes name the place of each item in the released ones.
"""


include: "inputs/release.smk"


wildcard_constraints:
    archive=r"\w+_tar/[^/]+",
    table=r"(Full|Subset|Eval)-\d{5}-of-\d{5}",
    embedding="|".join(RELEASED_EMBEDDINGS) or "none",


# What was released goes before what would make it anew.
ruleorder: choose_released > choose_prompts
ruleorder: choose_released > split_tip_eval


rule read_release:
    """Read the released rows, each prompt once, and check their number against the card."""
    input:
        **TABLES,
        card=get_card,
    output:
        rows=released_shards("release/rows"),
        prompts=released_shards("prompts"),
        splits="results/release/splits.parquet",
        rejects="results/rejects/release.parquet",
    log:
        "logs/read_release.log",
    benchmark:
        "benchmarks/read_release.jsonl"
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        code=code_of("scripts/curate/read_release.py"),
        removals=ancient(REMOVALS),
        splits=RELEASE_SPLITS,
    script:
        "../scripts/curate/read_release.py"


rule list_members:
    """List what lies in a released tar: of which prompt each file is, its place and checksum."""
    input:
        tar=get_released_tar,
    output:
        members="results/release/members/{archive}.parquet",
    log:
        "logs/list_members/{archive}.log",
    benchmark:
        "benchmarks/list_members/{archive}.jsonl"
    conda:
        "../envs/video.yaml"
    resources:
        mem_mb=2000,
        runtime=720,
    params:
        code=code_of("scripts/curate/list_members.py"),
        decode=lookup("release/decode", within=config),
        kind=get_kind,
    script:
        "../scripts/curate/list_members.py"


rule unpack_pictures:
    """Unpack the small pictures of a released table that are in no tar."""
    input:
        table=get_table,
        others=get_better_pictures,
    output:
        tar="results/release/pictures/{table}.tar",
        members="results/release/pictures/{table}.parquet",
    log:
        "logs/unpack_pictures/{table}.log",
    benchmark:
        "benchmarks/unpack_pictures/{table}.jsonl"
    conda:
        "../envs/video.yaml"
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        code=code_of("scripts/curate/unpack_pictures.py"),
        decode=lookup("release/decode", within=config),
    script:
        "../scripts/curate/unpack_pictures.py"


rule index_images:
    """Find the image prompts of a shard's prompts in the released tars."""
    input:
        rows="results/release/rows/{shard}.parquet",
        members=get_picture_members,
    output:
        tar="results/images/{shard}.tar",
        index="results/images/{shard}.parquet",
    log:
        "logs/index_images/{shard}.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        code=code_of("scripts/curate/index_images.py"),
        tars=get_picture_tars,
    script:
        "../scripts/curate/index_images.py"


rule choose_released:
    """Take the prompts that the released models animated, and the released TIP-Eval."""
    input:
        splits="results/release/splits.parquet",
    output:
        chosen="results/chosen_prompts.parquet",
        tip_eval="results/splits/tip_eval/prompts.parquet",
    log:
        "logs/choose_released.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_of("scripts/curate/choose_released.py"),
        prompts=lookup("generate/prompts", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/curate/choose_released.py"


rule index_videos:
    """Find a generator's videos of a shard's prompts in the released tars."""
    input:
        wanted=get_animated,
        members=get_video_members,
    output:
        tar="results/videos/{generator}/{shard}.tar",
        index="results/videos/{generator}/{shard}.parquet",
    log:
        "logs/index_videos/{generator}/{shard}.log",
    wildcard_constraints:
        generator="|".join(RELEASED) or "none",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        code=code_of("scripts/curate/index_videos.py"),
        shards=get_released_shards,
        tars=get_video_places,
    script:
        "../scripts/curate/index_videos.py"


if RELEASED_VALUES:

    rule read_annotations:
        """Take safety scores, subjects and directions of a shard as they were released."""
        input:
            rows="results/release/rows/{shard}.parquet",
            index="results/images/{shard}.parquet",
        output:
            **{name: f"results/annotations/{name}/{{shard}}.parquet" for name in RELEASED_VALUES},
        log:
            "logs/read_annotations/{shard}.log",
        conda:
            "../envs/tabular.yaml"
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            code=code_of("scripts/curate/read_annotations.py"),
        script:
            "../scripts/curate/read_annotations.py"


if RELEASED_EMBEDDINGS:

    rule read_embeddings:
        """Take the released embeddings of texts or images, and deal them out to the shards."""
        input:
            tables=get_embedding_tables,
            indexes=image_indexes(),
        output:
            annotations=expand("results/annotations/{{embedding}}/{shard}.parquet", shard=SHARDS),
            vectors=expand("results/embeddings/{{embedding}}/{shard}.parquet", shard=SHARDS),
        log:
            "logs/read_embeddings/{embedding}.log",
        benchmark:
            "benchmarks/read_embeddings/{embedding}.jsonl"
        conda:
            "../envs/tabular.yaml"
        resources:
            mem_mb=4000,
            runtime=240,
        params:
            code=code_of("scripts/curate/read_embeddings.py"),
        script:
            "../scripts/curate/read_embeddings.py"


rule account_release:
    """Follow every released row, every file in the tars, and every prompt to its files."""
    input:
        rows=released_shards("release/rows"),
        rejects="results/rejects/release.parquet",
        card=get_card,
        chosen="results/chosen_prompts.parquet",
        members=get_accounted_members,
        image_indexes=image_indexes(),
        video_indexes=[index for name in RELEASED for index in video_indexes(name)],
    output:
        account="results/analysis/account/curate.parquet",
    log:
        "logs/account_release.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        all_prompts=[name for name in SCRAPED if RELEASE["all_pika_videos"]],
        code=code_of("scripts/analyse/account_release.py"),
        pictures=get_accounted_pictures,
        splits=RELEASE_SPLITS,
        video_indexes={name: video_indexes(name) for name in RELEASED},
        videos=get_accounted_videos,
    script:
        "../scripts/analyse/account_release.py"


include: "curate_watermark.smk"
