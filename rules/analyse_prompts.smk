"""Analyse, prompts: maps of them beside other data sets' (Section 4), and what Section 5.5 proposes.

Needs the data set, its embeddings and the prompts of other data sets; makes results/maps, which
WizMap's viewer and Embedding Atlas open, and results/extras.
"""

from scripts.analyse.maps import MapsGraph
from scripts.common.schemas.analyse import DATA, GRID

maps = MapsGraph(study, annotate)


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
        files=maps.inputs,
    output:
        points=expand("results/maps/{map}/points.parquet", map=maps.described),
        data=expand(f"results/maps/{{map}}/{DATA}", map=maps.described),
        grids=expand(f"results/maps/{{map}}/{GRID}", map=maps.described),
    log:
        f"logs/project_prompts/{maps.job}.log",
    benchmark:
        f"benchmarks/project_prompts/{maps.job}.jsonl"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=more(16000),
        runtime=more(720),
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/project_prompts.py"),
        maps=maps.maps,
        projection=lookup("analyse/maps/projection", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/analyse/project_prompts.py"
