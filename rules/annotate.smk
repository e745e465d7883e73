"""Annotate: embeddings, safety scores, subjects and directions of every prompt with an image.

Needs results/prompts and results/images; makes results/annotations/{annotation}/{shard}.parquet and
results/embeddings/{annotation}/{shard}.parquet (Section 3, Supplement 10), and of them
results/subjects.parquet and results/dataset.parquet in the released columns. What makes an
annotation is an entry of config/annotators.yaml, chosen in annotate.annotators.
"""


rule estimate_costs:
    """Estimate what the annotations behind an endpoint will cost, before anything is sent."""
    input:
        prompts=expand("results/prompts/{shard}.parquet", shard=study.shards),
        indexes=study.image_indexes,
    output:
        costs="results/annotations/costs.parquet",
    log:
        "logs/estimate_costs.log",
    conda:
        "../envs/models.yaml"
    params:
        annotators=annotate.bills,
        code=code_of("scripts/annotate/estimate_costs.py", *annotate.backends(annotate.asked)),
    script:
        "../scripts/annotate/estimate_costs.py"


# What an endpoint is asked needs the network, and says so by `network`. As many requests as
# `service` allows are sent by one job; so profiles/default lets one job at a time send any
# (`endpoint`). Who only waits for batches holds no one up.


rule ask_endpoint:
    """Ask a model behind an endpoint for a prompt's subject or verbs (Section 3, Supplement 10)."""
    input:
        prompts="results/prompts/{shard}.parquet",
        indexes="results/images/{shard}.parquet",
        # Only that it is there counts: a new estimate makes no annotation anew.
        costs=ancient("results/annotations/costs.parquet"),
    output:
        annotations="results/annotations/{annotation}/{shard}.parquet",
    log:
        "logs/ask_endpoint/{annotation}/{shard}.log",
    benchmark:
        "benchmarks/ask_endpoint/{annotation}/{shard}.jsonl"
    wildcard_constraints:
        annotation=annotate.asked_by("ask_endpoint"),
    conda:
        "../envs/models.yaml"
    resources:
        endpoint=1,
        mem_mb=more(4000),
        network=1,
        runtime=more(720),
    params:
        code=code_of("scripts/annotate/annotate_texts.py", *annotate.backends(annotate.asked)),
        entries=annotate.entries_of,
        terms=annotate.terms_of,
    script:
        "../scripts/annotate/annotate_texts.py"


use rule ask_endpoint as ask_embeddings with:
    output:
        annotations="results/annotations/{annotation}/{shard}.parquet",
        vectors="results/embeddings/{annotation}/{shard}.parquet",
    wildcard_constraints:
        annotation=annotate.asked_by("ask_endpoint", vectors=True),


rule submit_batches:
    """Send the prompts of all shards to an endpoint's batch API (Section 3, Supplement 10)."""
    input:
        prompts=expand("results/prompts/{shard}.parquet", shard=study.shards),
        indexes=study.image_indexes,
        costs=ancient("results/annotations/costs.parquet"),
    output:
        submitted="results/annotations/submitted/{annotation}.parquet",
    log:
        "logs/submit_batches/{annotation}.log",
    # Before anything that waits for an answer.
    priority: 10
    conda:
        "../envs/models.yaml"
    resources:
        endpoint=1,
        mem_mb=more(8000),
        network=1,
        runtime=more(240),
    params:
        code=code_of("scripts/annotate/submit_batches.py", *annotate.backends(annotate.asked)),
        entries=annotate.entries_of,
        terms=annotate.terms_of,
    script:
        "../scripts/annotate/submit_batches.py"


use rule ask_endpoint as fetch_batches with:
    input:
        # It says whether they changed; to compare all of them for each table would take minutes.
        prompts=ancient(expand("results/prompts/{shard}.parquet", shard=study.shards)),
        indexes=ancient(study.image_indexes),
        submitted="results/annotations/submitted/{annotation}.parquet",
    output:
        annotations=annotate.tables("{annotation}"),
    log:
        "logs/fetch_batches/{annotation}.log",
    benchmark:
        "benchmarks/fetch_batches/{annotation}.jsonl"
    wildcard_constraints:
        annotation=annotate.asked_by("fetch_batches"),
    retries: 2
    resources:
        mem_mb=more(8000),
        network=1,
        # The endpoint takes a day, and as long again for what it did not answer.
        runtime=more(1500),


use rule fetch_batches as fetch_embeddings with:
    output:
        annotations=annotate.tables("{annotation}"),
        vectors=annotate.vectors("{annotation}"),
    wildcard_constraints:
        annotation=annotate.asked_by("fetch_batches", vectors=True),


if annotate.texts:

    rule annotate_texts:
        """Annotate the text prompts of a shard by models on this machine (Section 3)."""
        input:
            prompts=annotate.of_job("results/prompts/{shard}.parquet"),
            indexes=annotate.of_job("results/images/{shard}.parquet"),
        output:
            **annotate.outputs(annotate.texts),
        log:
            annotate.log("logs/annotate_texts") + ".log",
        benchmark:
            annotate.log("benchmarks/annotate_texts") + ".jsonl"
        conda:
            "../envs/models.yaml"
        resources:
            gpu=annotate.gpus(annotate.texts),
            # A language model passes through it on its way to the GPU.
            mem_mb=more(32000 if annotate.language_models else 4000),
            runtime=more(240 + 720 * annotate.language_models),
        params:
            batch_size=lookup("annotate/batch_size", within=config),
            code=code_of("scripts/annotate/annotate_texts.py", *annotate.backends(annotate.texts)),
            entries=annotate.entries(annotate.texts),
        script:
            "../scripts/annotate/annotate_texts.py"


if annotate.pictures:

    rule annotate_pictures:
        """Annotate the image prompts of a shard, each decoded once for all (Section 3)."""
        input:
            tars=by_index(annotate.of_job("results/images/{shard}.tar")),
            indexes=annotate.of_job("results/images/{shard}.parquet"),
        output:
            **annotate.outputs(annotate.pictures),
        log:
            annotate.log("logs/annotate_pictures") + ".log",
        benchmark:
            annotate.log("benchmarks/annotate_pictures") + ".jsonl"
        conda:
            "../envs/models.yaml"
        threads: config["annotate"]["decoders"]
        resources:
            gpu=annotate.gpus(annotate.pictures),
            mem_mb=more(6000),
            runtime=more(480),
        params:
            batch_size=lookup("annotate/batch_size", within=config),
            code=code_of(
                "scripts/annotate/annotate_pictures.py", *annotate.backends(annotate.pictures)
            ),
            entries=annotate.entries(annotate.pictures),
        script:
            "../scripts/annotate/annotate_pictures.py"


rule merge_subjects:
    """Merge the variants of each subject (Supplement 10)."""
    input:
        annotations=annotate.tables("subject"),
    output:
        subjects="results/subjects.parquet",
    log:
        "logs/merge_subjects.log",
    benchmark:
        "benchmarks/merge_subjects.jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        endpoint=annotate.sends_subjects,
        gpu=annotate.gpus(["subjects"]),
        mem_mb=more(8000),
        network=annotate.sends_subjects,
        runtime=more(480),
    params:
        batch_size=lookup("annotate/batch_size", within=config),
        code=code_of("scripts/annotate/merge_subjects.py", *annotate.backends(["subjects"])),
        entries=annotate.entries_of,
        epsilon=lookup("annotate/subjects/epsilon", within=config),
        method=lookup("annotate/subjects/method", within=config),
        min_cluster_size=lookup("annotate/subjects/min_cluster_size", within=config),
        terms=annotate.terms_of,
    script:
        "../scripts/annotate/merge_subjects.py"


rule build_dataset:
    """Join prompts, images and annotations into the released columns (Figure 2)."""
    input:
        **{name: annotate.tables(name) for name in annotate.annotators},
        prompts=expand("results/prompts/{shard}.parquet", shard=study.shards),
        indexes=study.image_indexes,
        subjects="results/subjects.parquet",
    output:
        dataset="results/dataset.parquet",
        rejects="results/rejects/dataset.parquet",
    log:
        "logs/build_dataset.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(8000),
        runtime=more(60),
    params:
        code=code_of("scripts/annotate/build_dataset.py"),
    script:
        "../scripts/annotate/build_dataset.py"
