"""Evaluate: TIP-Eval's dimensions for every generator's videos (Section 5.2, Supplement 12).

Needs results/splits/tip_eval, results/videos and results/images; makes
results/evaluation/{generator}/{shard}.parquet and results/evaluation/summary.parquet, from which
Table 7 and Figure 6 are built.
"""


rule score_videos:
    """Score a shard of one generator's videos of TIP-Eval in every dimension."""
    input:
        files=by_index(evaluate.scoring.reads),
        prompts="results/splits/tip_eval/prompts.parquet",
    output:
        **evaluate.scoring.outputs,
    log:
        evaluate.scoring.log("logs/score_videos") + ".log",
    benchmark:
        evaluate.scoring.log("benchmarks/score_videos") + ".jsonl"
    conda:
        "../envs/evaluation.yaml"
    threads: 2
    resources:
        # Frames as they are decoded and once more as one array, of each video that is read ahead,
        # and the models.
        mem_mb=more(4000 + 6 * config["evaluate"]["max_decoded_mb"]),
        runtime=more(720),
        gpu=config["evaluate"]["gpu"],
    params:
        code=evaluate.code,
        entries=evaluate.entries,
        lots=evaluate.scoring.arguments,
        max_decoded_mb=lookup("evaluate/max_decoded_mb", within=config),
    script:
        "../scripts/evaluate/score_videos.py"


rule summarise_evaluation:
    """Sum up the scores: the mean of each dimension and generator (Table 7)."""
    input:
        scores=evaluate.score_tables,
    output:
        summary="results/evaluation/summary.parquet",
    log:
        "logs/summarise_evaluation.log",
    # On a cluster it runs where Snakemake does: it is done in a moment.
    localrule: True
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/evaluate/summarise_evaluation.py"),
        dimensions=evaluate.measured,
        generators=study.generators,
    script:
        "../scripts/evaluate/summarise_evaluation.py"


rule compare_generators:
    """Rank the generators on the same prompts, and say how far they can be told apart."""
    input:
        scores=evaluate.score_tables,
    output:
        leaderboard="results/evaluation/leaderboard.parquet",
    log:
        "logs/compare_generators.log",
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/evaluate/compare_generators.py"),
        dimensions=evaluate.measured,
        generators=study.generators,
        seed=lookup("seed", within=config),
    script:
        "../scripts/evaluate/compare_generators.py"


rule score_topics:
    """Score the subjects and directions of each generator's videos (Section 5.2)."""
    input:
        scores=evaluate.score_tables,
        dataset="results/dataset.parquet",
    output:
        topics="results/evaluation/topics.parquet",
    log:
        "logs/score_topics.log",
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/evaluate/score_topics.py"),
        dimensions=evaluate.measured,
        generators=study.generators,
    script:
        "../scripts/evaluate/score_topics.py"


rule measure_camera:
    """Say whether videos do the camera moves that users asked for (TIP-Camera)."""
    input:
        scores=evaluate.score_tables,
        prompts="results/splits/tip_eval/prompts.parquet",
        parameters=evaluate.parameters,
    output:
        camera="results/evaluation/camera.parquet",
        strength="results/evaluation/motion_strength.parquet",
    log:
        "logs/measure_camera.log",
    conda:
        "../envs/evaluation.yaml"
    params:
        code=code_of("scripts/evaluate/measure_camera.py"),
        components=evaluate.camera,
        step=lookup("evaluate/camera_step", within=config),
        generators=study.generators,
    script:
        "../scripts/evaluate/measure_camera.py"
