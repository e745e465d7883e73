"""Sources: what the paper takes from elsewhere, as its publishers give it (config/sources.yaml).

Needs the files that an entry names; makes of each source results/sources/<source>, an index that
says where each picture or video lies, and tars of what cannot be read in place.
"""


rule index_source:
    """Index one shard of an outside source, and cut real videos into pieces (Supplement 13)."""
    input:
        files=stopping(sources.files),
    output:
        tar="results/sources/{source}/{shard}.tar",
        index="results/sources/{source}/{shard}.parquet",
    log:
        "logs/index_source/{source}/{shard}.log",
    benchmark:
        "benchmarks/index_source/{source}/{shard}.jsonl"
    wildcard_constraints:
        source=sources.pattern(prompts=False),
    conda:
        "../envs/video.yaml"
    resources:
        mem_mb=more(4000),
        runtime=more(1440),
    params:
        code=code_of("scripts/sources/index_source.py"),
        kind=sources.kind,
        layout=sources.layout,
        seed=lookup("seed", within=config),
    script:
        "../scripts/sources/index_source.py"


rule read_outside_prompts:
    """Read the prompts of another data set, with which TIP-I2V's are compared (Section 4)."""
    input:
        files=stopping(sources.files),
    output:
        prompts="results/sources/prompts_{source}.parquet",
    log:
        "logs/read_outside_prompts/{source}.log",
    wildcard_constraints:
        source=sources.pattern(prompts=True),
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(8000),
        runtime=more(60),
    params:
        code=code_of("scripts/sources/read_outside_prompts.py"),
        label=sources.label,
        layout=sources.layout,
        seed=lookup("seed", within=config),
    script:
        "../scripts/sources/read_outside_prompts.py"
