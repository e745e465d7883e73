"""The gallery: a static site of the data set, its videos, and what was said of them.

Needs the packed data set, the videos, the scores of evaluate, detect and trace; makes
results/gallery, which opens from disk or from any static host.
"""


rule build_gallery:
    """Make the pages on which prompts are searched, and videos and scores compared."""
    input:
        **by_index(gallery.inputs),
    output:
        gallery=directory("results/gallery"),
    log:
        "logs/build_gallery.log",
    benchmark:
        "benchmarks/build_gallery.jsonl"
    # Longer than the tables that are made beside it.
    priority: 5
    conda:
        "../envs/models.yaml"
    threads: 2
    resources:
        mem_mb=more(8000),
        runtime=more(240),
    params:
        banner=config["banner"],
        code=code_of("scripts/publish/build_gallery.py"),
        copied=lookup("publish/gallery/copied", within=config),
        labels=gallery.labels,
        nearest=lookup("publish/gallery/nearest", within=config),
        videos=analyse.videos,
    script:
        "../scripts/publish/build_gallery.py"
