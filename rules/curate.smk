"""Curate: from Discord exports to unique prompts, their videos and image prompts (Section 3).

Needs HTML exports with their media folders; makes results/messages, results/prompts,
results/videos/<scraped generator>, results/images, and results/watermark: which image prompts have
a fixed overlay, such as a generator's logo.
"""

from scripts.curate.graph import CurateGraph

try:
    curate = CurateGraph(study)
    assert curate.generator
except UserError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    export=curate.export_pattern,


rule link_export:
    """Give an export in whose name are braces, a pattern to Snakemake, a name that has none."""
    output:
        export="results/exports/{export}.html",
    log:
        "logs/link_export/{export}.log",
    # On a cluster it runs where Snakemake does: it is done in a moment.
    localrule: True
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/curate/link_export.py"),
        path=curate.export_path,
    script:
        "../scripts/curate/link_export.py"


rule extract_messages:
    """Recover every Pika generation (prompt, options, video) from one Discord HTML export."""
    input:
        export=curate.export_input,
    output:
        messages="results/messages/{export}.parquet",
        rejects="results/rejects/messages/{export}.parquet",
        state="results/messages/exports/{export}.parquet",
    log:
        "logs/extract_messages/{export}.log",
    benchmark:
        "benchmarks/extract_messages/{export}.jsonl"
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(500),
        runtime=more(120),
    params:
        bot_ids=lookup("curate/bot_ids", within=config),
        bot_names=lookup("curate/bot_names", within=config),
        code=code_of("scripts/curate/extract_messages.py"),
        odd_exports=lookup("curate/odd_exports", within=config),
    script:
        "../scripts/curate/extract_messages.py"


rule collect_prompts:
    """Keep each prompt once, with its earliest message and all videos made from it."""
    input:
        messages=stopping(curate.all_messages),
        exports=expand("results/messages/exports/{export}.parquet", export=curate.exports),
        removals=ancient(REMOVALS),
    output:
        prompts=expand("results/prompts/{shard}.parquet", shard=study.shards),
        rejects="results/rejects/prompts.parquet",
    log:
        "logs/collect_prompts.log",
    benchmark:
        "benchmarks/collect_prompts.jsonl"
    conda:
        "../envs/tabular.yaml"
    params:
        bot_ids=lookup("curate/bot_ids", within=config),
        code=code_of("scripts/curate/collect_prompts.py"),
        kinds=lookup("curate/kinds", within=config),
        user_key_variable=lookup("curate/user_key_variable", within=config),
        # Made-up users need no secrecy.
        made_up_key="made-up users" if curate.is_made_up else "",
    script:
        "../scripts/curate/collect_prompts.py"


rule collect_parameters:
    """Put what users asked Pika for (camera, motion, frame rate) beside the data set's rows."""
    input:
        prompts=expand("results/prompts/{shard}.parquet", shard=study.shards),
        dataset="results/dataset.parquet",
    output:
        parameters="results/release/parameters.parquet",
    log:
        "logs/collect_parameters.log",
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/curate/collect_parameters.py"),
    script:
        "../scripts/curate/collect_parameters.py"


rule fetch_videos:
    """Bring the scraped videos of a shard's prompts together, each proved by decoding it."""
    input:
        prompts="results/prompts/{shard}.parquet",
        # Checksums that only the made-up channel has, and a table that the configuration may name.
        media_lists=["results/sources/exports/media.sha256"] * curate.is_made_up,
        fresh=list(filter(None, [config["curate"]["links"]["fresh_table"]])),
    output:
        tar="results/videos/{generator}/{shard}.tar",
        index="results/videos/{generator}/{shard}.parquet",
        candidates="results/rejects/videos/{generator}/{shard}.parquet",
    log:
        "logs/fetch_videos/{generator}/{shard}.log",
    benchmark:
        "benchmarks/fetch_videos/{generator}/{shard}.jsonl"
    wildcard_constraints:
        generator=curate.generator,
    conda:
        "../envs/video.yaml"
    # They prove videos: of downloads, several are proved while others come.
    threads: 4 if config["curate"]["links"]["fetch"] else 1
    resources:
        mem_mb=more(4000),
        runtime=more(1440),
        # One job at a time asks hosts, whose limits hold for each job (profiles/default).
        downloads=int(config["curate"]["links"]["fetch"]),
    params:
        code=code_of("scripts/curate/fetch_videos.py"),
        exports=curate.exports,
        links=lookup("curate/links", within=config),
    script:
        "../scripts/curate/fetch_videos.py"


rule extract_images:
    """Take each scraped video's first frame as its image prompt."""
    input:
        videos_tar=by_index(f"results/videos/{curate.generator}/{{shard}}.tar"),
        videos_index=f"results/videos/{curate.generator}/{{shard}}.parquet",
    output:
        tar="results/images/{shard}.tar",
        index="results/images/{shard}.parquet",
    log:
        "logs/extract_images/{shard}.log",
    benchmark:
        "benchmarks/extract_images/{shard}.jsonl"
    conda:
        "../envs/video.yaml"
    resources:
        mem_mb=more(2000),
        runtime=more(240),
        loose_files=1,
    params:
        code=code_of("scripts/curate/extract_images.py"),
        max_megapixels=lookup("curate/max_image_megapixels", within=config),
    script:
        "../scripts/curate/extract_images.py"


include: "curate_watermark.smk"
