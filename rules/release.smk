"""Curate, from the released data set: its rows, and the tars of its pictures and videos in place.

Needs the data set as downloaded from the hub (release.folder); makes what curate.smk makes from
exports, takes the annotations that were released, and the models' videos instead of generating
them. No tar is copied: indexes name the place of each item in the released ones.
"""

from scripts.curate.release.graph import ReleaseGraph

try:
    release = ReleaseGraph(study)
    # Without the tables there is nothing to plan, so that their absence is said at once.
    assert release.tables and release.pictures
except UserError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    archive=r"\w+_tar/[^/]+",
    table=r"(Full|Subset|Eval)-\d{5}-of-\d{5}",
    embedding="|".join(release.embeddings) or "none",


# What was released goes before what would make it anew.
ruleorder: choose_released > choose_prompts
ruleorder: choose_released > split_tip_eval


rule read_release:
    """Read the released rows, each prompt once, and check their number against the card."""
    input:
        **release.tables,
        card=release.card,
    output:
        rows=release.shards_of("released/rows"),
        prompts=release.shards_of("prompts"),
        splits="results/released/splits.parquet",
        rejects="results/rejects/release.parquet",
    log:
        "logs/read_release.log",
    benchmark:
        "benchmarks/read_release.jsonl"
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/curate/release/read_release.py"),
        removals=ancient(REMOVALS),
        splits=release.splits,
    script:
        "../scripts/curate/release/read_release.py"


rule list_members:
    """List what lies in a released tar: of which prompt each file is, its place and checksum."""
    input:
        tar=f"{config['release']['folder']}/{{archive}}.tar",
    output:
        members="results/released/members/{archive}.parquet",
    log:
        "logs/list_members/{archive}.log",
    benchmark:
        "benchmarks/list_members/{archive}.jsonl"
    conda:
        "../envs/video.yaml"
    resources:
        mem_mb=more(2000),
        runtime=more(720),
    params:
        code=code_of("scripts/curate/release/list_members.py"),
        decode=lookup("release/decode", within=config),
        kind=release.kind,
    script:
        "../scripts/curate/release/list_members.py"


rule unpack_pictures:
    """Unpack the small pictures of a released table that are in no tar."""
    input:
        table=f"{config['release']['folder']}/data/{{table}}.parquet",
        others=release.better_pictures,
    output:
        tar="results/released/pictures/{table}.tar",
        members="results/released/pictures/{table}.parquet",
    log:
        "logs/unpack_pictures/{table}.log",
    benchmark:
        "benchmarks/unpack_pictures/{table}.jsonl"
    conda:
        "../envs/video.yaml"
    resources:
        mem_mb=more(2000),
        runtime=more(240),
    params:
        code=code_of("scripts/curate/release/unpack_pictures.py"),
        decode=lookup("release/decode", within=config),
    script:
        "../scripts/curate/release/unpack_pictures.py"


rule index_images:
    """Find the image prompts of a shard's prompts in the released tars."""
    input:
        wanted="results/prompts/{shard}.parquet",
        members=[members for _, members in release.pictures.values()],
    output:
        tar="results/images/{shard}.tar",
        index="results/images/{shard}.parquet",
    log:
        "logs/index_images/{shard}.log",
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/curate/release/index_released.py"),
        shards=len(study.shards),
        tars=[tar for tar, _ in release.pictures.values()],
    script:
        "../scripts/curate/release/index_released.py"


rule choose_released:
    """Take the prompts that the released models animated, and the released TIP-Eval."""
    input:
        splits="results/released/splits.parquet",
    output:
        chosen="results/chosen_prompts.parquet",
        tip_eval="results/splits/tip_eval/prompts.parquet",
    log:
        "logs/choose_released.log",
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/curate/release/choose_released.py"),
        prompts=lookup("generate/prompts", within=config),
        seed=lookup("seed", within=config),
        subjects=lookup("split/tip_eval/subjects", within=config),
    script:
        "../scripts/curate/release/choose_released.py"


rule index_videos:
    """Find a generator's videos of a shard's prompts in the released tars."""
    input:
        wanted=release.animated,
        members=stopping(release.video_members),
    output:
        tar="results/videos/{generator}/{shard}.tar",
        index="results/videos/{generator}/{shard}.parquet",
    log:
        "logs/index_videos/{generator}/{shard}.log",
    wildcard_constraints:
        generator="|".join(study.released) or "none",
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/curate/release/index_released.py"),
        shards=study.video_shards,
        tars=release.video_tars,
    script:
        "../scripts/curate/release/index_released.py"


if release.values:

    rule read_annotations:
        """Take safety scores, subjects and directions of a shard as they were released."""
        input:
            rows="results/released/rows/{shard}.parquet",
            index="results/images/{shard}.parquet",
        output:
            **{name: f"results/annotations/{name}/{{shard}}.parquet" for name in release.values},
        log:
            "logs/read_annotations/{shard}.log",
        conda:
            "../envs/tabular.yaml"
        resources:
            mem_mb=more(2000),
            runtime=more(30),
        params:
            code=code_of("scripts/curate/release/read_annotations.py"),
        script:
            "../scripts/curate/release/read_annotations.py"


if release.embeddings:

    rule read_embeddings:
        """Take the released embeddings of texts or images, and deal them out to the shards."""
        input:
            tables=stopping(release.embedding_tables),
            indexes=study.image_indexes,
        output:
            annotations=expand(
                "results/annotations/{{embedding}}/{shard}.parquet", shard=study.shards
            ),
            vectors=expand("results/embeddings/{{embedding}}/{shard}.parquet", shard=study.shards),
        log:
            "logs/read_embeddings/{embedding}.log",
        benchmark:
            "benchmarks/read_embeddings/{embedding}.jsonl"
        conda:
            "../envs/tabular.yaml"
        resources:
            mem_mb=more(4000),
            runtime=more(240),
        params:
            code=code_of("scripts/curate/release/read_embeddings.py"),
        script:
            "../scripts/curate/release/read_embeddings.py"


include: "curate_watermark.smk"
