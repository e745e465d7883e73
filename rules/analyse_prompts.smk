"""Analyse, prompts: maps of them beside other data sets' (Section 4), and what Section 5.5 proposes.

Needs the data set, its embeddings and the prompts of other data sets; makes results/maps, which
WizMap's viewer and Embedding Atlas open, and results/extras.
"""

from scripts.analyse.maps import CLIP
from scripts.analyse.registry import PICTURES


wildcard_constraints:
    map="|".join(maps.names),


if maps.embedded:

    rule embed_outside_prompts:
        """Embed prompts of other data sets as ours are, to compare what they mean (Section 4)."""
        input:
            prompts=[maps.prompts(name) for name in maps.embedded],
        output:
            annotations=expand("results/annotations/outside/{name}.parquet", name=maps.embedded),
            vectors=expand("results/embeddings/outside/{name}.parquet", name=maps.embedded),
        log:
            "logs/embed_outside_prompts.log",
        benchmark:
            "benchmarks/embed_outside_prompts.jsonl"
        conda:
            "../envs/models.yaml"
        resources:
            gpu=config["annotate"]["gpu"],
            mem_mb=more(8000),
            runtime=more(480),
        params:
            batch_size=lookup("annotate/batch_size", within=config),
            code=code_of("scripts/analyse/embed_outside_prompts.py", maps.backend),
            entry=maps.embedder,
            labels=maps.labels,
            most=lookup("analyse/maps/most", within=config),
            seed=lookup("seed", within=config),
        script:
            "../scripts/analyse/embed_outside_prompts.py"


rule project_prompts:
    """Put prompts on a plane by what they mean, as a map that viewers open (Figure 3)."""
    input:
        maps.lots.reads,
    output:
        **maps.lots.outputs,
    log:
        maps.lots.log("logs/project_prompts") + ".log",
    benchmark:
        maps.lots.log("benchmarks/project_prompts") + ".jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=more(16000),
        runtime=more(720),
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/project_prompts.py"),
        lots=maps.lots.arguments,
        projection=lookup("analyse/maps/projection", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/analyse/project_prompts.py"


rule find_similar_prompts:
    """Find the nearest prompts of each prompt, for retrieval-augmented generation (Section 5.5)."""
    input:
        dataset="results/dataset.parquet",
        vectors=annotate.vectors("text_embedding"),
    output:
        similar="results/extras/similar_prompts.parquet",
    log:
        "logs/find_similar_prompts.log",
    benchmark:
        "benchmarks/find_similar_prompts.jsonl"
    conda:
        "../envs/models.yaml"
    threads: 2
    resources:
        gpu=config["trace"]["gpu"],
        mem_mb=more(8000),
        runtime=more(480),
    params:
        block_mb=lookup("trace/search_block_mb", within=config),
        code=code_of("scripts/analyse/find_similar_prompts.py"),
        neighbours=lookup("analyse/prompts/neighbours", within=config),
    script:
        "../scripts/analyse/find_similar_prompts.py"


rule train_prompt_filter:
    """Train a filter of unsafe prompts, and measure it on other users' prompts (Section 5.5)."""
    input:
        dataset="results/dataset.parquet",
        vectors=annotate.vectors("text_embedding"),
    output:
        scores="results/extras/prompt_filter.parquet",
        curve="results/extras/prompt_filter.csv",
        weights="results/extras/prompt_filter.json",
    log:
        "logs/train_prompt_filter.log",
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=more(16000),
        runtime=more(240),
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/train_prompt_filter.py"),
        embedder=annotate.annotators["text_embedding"],
        most=lookup("analyse/prompts/unsafe/most", within=config),
        seed=lookup("seed", within=config),
        test_share=lookup("analyse/prompts/unsafe/test_share", within=config),
        threshold=lookup("analyse/prompts/unsafe/threshold", within=config),
    script:
        "../scripts/analyse/train_prompt_filter.py"


rule plot_prompt_filter:
    """Draw how many unsafe prompts the filter finds, and how many of what it finds are unsafe."""
    input:
        curve=rules.train_prompt_filter.output.curve,
    output:
        faces=expand("results/extras/prompt_filter.{form}", form=PICTURES),
    log:
        "logs/plot_prompt_filter.log",
    conda:
        "../envs/plots.yaml"
    resources:
        mem_mb=more(2000),
        runtime=more(30),
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_prompt_filter.py"),
        style=lookup("analyse/figures/prompt_filter", within=config),
    script:
        "../scripts/analyse/plot_prompt_filter.py"


if maps.has_clip:

    rule count_cartoons:
        """Count image prompts with cartoon or animation elements (Section 5.5: 11.0 %)."""
        input:
            dataset="results/dataset.parquet",
            vectors=annotate.vectors("image_embedding"),
        output:
            cartoons="results/extras/cartoons.parquet",
            share="results/extras/cartoons.csv",
        log:
            "logs/count_cartoons.log",
        conda:
            "../envs/models.yaml"
        resources:
            mem_mb=more(8000),
            runtime=more(60),
        params:
            banner=config["banner"],
            cartoon=lookup("analyse/prompts/cartoon", within=config),
            code=code_of("scripts/analyse/count_cartoons.py", CLIP),
            entry=study.entry("annotators", maps.clip),
            others=lookup("analyse/prompts/others", within=config),
        script:
            "../scripts/analyse/count_cartoons.py"
