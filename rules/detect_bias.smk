"""The bias ledger: how much of what Tables 3 and 4 show is the format of the videos.

Needs TIP-ID and the videos behind it; makes results/detect/bias.parquet and
results/detect/shortcuts.parquet. Nothing asks for it unless detect.bias_ledger.enabled says so.
"""

from scripts.detect.bias_graph import CONTROLS


wildcard_constraints:
    control="|".join(bias.controls),


rule make_controls:
    """Make the videos of a source as a control has them: re-encoded, masked, or animated anew."""
    input:
        unpack(by_index(bias.originals)),
        splits=[detect.files(name)["split"] for name in detect.sources],
    output:
        tar=f"{CONTROLS}/{{control}}/videos/{{source}}.tar",
        index=f"{CONTROLS}/{{control}}/videos/{{source}}.parquet",
        chosen=f"{CONTROLS}/{{control}}/tip_id/{{source}}.parquet",
    log:
        "logs/make_controls/{control}/{source}.log",
    benchmark:
        "benchmarks/make_controls/{control}/{source}.jsonl"
    wildcard_constraints:
        source="|".join(detect.sources),
    conda:
        "../envs/video.yaml"
    threads: 2
    resources:
        mem_mb=more(8000),
        runtime=more(480),
    params:
        animator=bias.animator,
        code=code_of("scripts/detect/make_controls.py", *bias.backends),
        seed=config["seed"],
        settings=bias.control,
        test=lookup("detect/bias_ledger/test", within=config),
        train=lookup("detect/bias_ledger/train", within=config),
    script:
        "../scripts/detect/make_controls.py"


rule describe_formats:
    """Describe what the format of a source's test videos gives away."""
    input:
        files=by_index(every_file(bias.of_source)),
    output:
        formats=f"{CONTROLS}/{{control}}/formats/{{source}}.parquet",
    log:
        "logs/describe_formats/{control}/{source}.log",
    wildcard_constraints:
        source="|".join(detect.sources),
    conda:
        "../envs/video.yaml"
    threads: 2
    resources:
        runtime=more(120),
    params:
        code=code_of("scripts/detect/describe_formats.py"),
        sources=bias.of_source,
    script:
        "../scripts/detect/describe_formats.py"


use rule score_frames as score_controls with:
    input:
        files=by_index(every_file(bias.of_source)),
        fitted=detect.fitted,
    output:
        scores=f"{CONTROLS}/{{control}}/scores/{{source}}.parquet",
    log:
        "logs/score_controls/{control}/{source}.log",
    benchmark:
        "benchmarks/score_controls/{control}/{source}.jsonl"
    params:
        max_per_class=lookup("detect/bias_ledger/test", within=config),
        sources=bias.of_source,
        splits=[],


use rule train_videomae as train_controls with:
    input:
        files=by_index(every_file(bias.training_sources)),
        checked=ancient("results/splits/leakage.csv"),
    output:
        weights=f"{CONTROLS}/{{control}}/checkpoints/{{setting}}/{{generator}}.safetensors",
        curves=f"{CONTROLS}/{{control}}/training/{{setting}}/{{generator}}.csv",
    log:
        "logs/train_controls/{control}/{setting}/{generator}.log",
    benchmark:
        "benchmarks/train_controls/{control}/{setting}/{generator}.jsonl"
    params:
        sources=bias.training_sources,


use rule classify_videos as classify_controls with:
    input:
        files=by_index(every_file(bias.of_source)),
        weights=bias.tested_on,
    output:
        scores=f"{CONTROLS}/{{control}}/classes/{{source}}.parquet",
    log:
        "logs/classify_controls/{control}/{source}.log",
    benchmark:
        "benchmarks/classify_controls/{control}/{source}.jsonl"
    params:
        max_per_class=lookup("detect/bias_ledger/test", within=config),
        sources=bias.of_source,
        splits=[],


rule measure_bias:
    """Measure how well classes are told apart under each control, and by the container alone."""
    input:
        formats=bias.tables("formats"),
        frame_scores=bias.tables("scores"),
        class_scores=bias.tables("classes"),
        splits=bias.tables("tip_id"),
        checkpoints=bias.checkpoints,
        checked=ancient("results/splits/leakage.csv"),
    output:
        bias="results/detect/bias.parquet",
        shortcuts="results/detect/shortcuts.parquet",
    log:
        "logs/measure_bias.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        runtime=more(120),
    params:
        animated=bias.animated,
        code=code_of("scripts/detect/measure_bias.py"),
        detectors=detect.detectors,
        generators=study.generators,
        most=lookup("detect/bias_ledger/test", within=config),
        seed=config["seed"],
        settings=detect.settings,
    script:
        "../scripts/detect/measure_bias.py"
