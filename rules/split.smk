"""Split: the three data sets of the paper's experiments (Section 5.2, Supplements 13 and 15).

Needs the data set, the chosen prompts, the indexes of all videos and images, and the outside
sources; makes results/splits/tip_eval, results/splits/tip_id and results/splits/tip_trace, and
checks that nothing leaks between training and test.
"""


rule split_tip_eval:
    """Choose the most popular subjects, each with the same number of prompts (Section 5.2)."""
    input:
        dataset="results/dataset.parquet",
    output:
        tip_eval="results/splits/tip_eval/prompts.parquet",
    log:
        "logs/split_tip_eval.log",
    priority: TRAINED_ON
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/split/split_tip_eval.py"),
        prompts_per_subject=lookup("split/tip_eval/prompts_per_subject", within=config),
        seed=lookup("seed", within=config),
        subjects=lookup("split/tip_eval/subjects", within=config),
    script:
        "../scripts/split/split_tip_eval.py"


rule split_tip_id:
    """Split a source's videos by prompt, real source video or item (Supplement 13)."""
    input:
        files=split.tip_id_lots.reads,
    output:
        **split.tip_id_lots.outputs,
    log:
        split.tip_id_lots.log("logs/split_tip_id") + ".log",
    wildcard_constraints:
        source="|".join(split.labels),
    priority: TRAINED_ON
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/split/split_tip_id.py"),
        lots=split.tip_id_lots.arguments,
        seed=lookup("seed", within=config),
        test_share=lookup("split/tip_id/test_share", within=config),
    script:
        "../scripts/split/split_tip_id.py"


rule split_tip_trace:
    """Hold out prompts for queries, the same for every generator (Supplement 15)."""
    input:
        chosen="results/chosen_prompts.parquet",
        image_indexes=study.image_indexes,
    output:
        prompts="results/splits/tip_trace/prompts.parquet",
    log:
        "logs/split_tip_trace.log",
    priority: TRAINED_ON
    conda:
        "../envs/tabular.yaml"
    params:
        code=code_of("scripts/split/split_tip_trace.py"),
        query_prompts=lookup("split/tip_trace/query_prompts", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/split/split_tip_trace.py"


rule sample_trace_frames:
    """Sample training frames and query frames of one generator's videos (Supplement 15)."""
    input:
        files=split.frame_lots.reads,
        prompts="results/splits/tip_trace/prompts.parquet",
    output:
        **split.frame_lots.outputs,
    log:
        split.frame_lots.log("logs/sample_trace_frames") + ".log",
    priority: TRAINED_ON
    conda:
        "../envs/video.yaml"
    params:
        along=lookup("split/tip_trace/along", within=config),
        code=code_of("scripts/split/sample_trace_frames.py"),
        frames_per_video=lookup("split/tip_trace/frames_per_video", within=config),
        lots=split.frame_lots.arguments,
        seed=lookup("seed", within=config),
    script:
        "../scripts/split/sample_trace_frames.py"


rule collect_trace_images:
    """Hide the queries' source images among references from elsewhere (Supplement 15)."""
    input:
        prompts="results/splits/tip_trace/prompts.parquet",
        image_indexes=study.image_indexes,
        reference_indexes=study.source_indexes(split.outside("references")),
        distractor_indexes=study.source_indexes(split.outside("distractors")),
    output:
        references="results/splits/tip_trace/references.parquet",
        distractors="results/splits/tip_trace/distractors.parquet",
        training_images="results/splits/tip_trace/training_images.parquet",
    log:
        "logs/collect_trace_images.log",
    priority: TRAINED_ON
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(8000),
        runtime=more(30),
    params:
        code=code_of("scripts/split/collect_trace_images.py"),
        distractor_tars=study.source_tars(split.outside("distractors")),
        image_tars=study.image_tars,
        max_distractors=lookup("split/tip_trace/max_distractors", within=config),
        max_references=lookup("split/tip_trace/max_references", within=config),
        reference_tars=study.source_tars(split.outside("references")),
        seed=lookup("seed", within=config),
    script:
        "../scripts/split/collect_trace_images.py"


rule check_splits:
    """Check every rule against leakage on the finished splits (Supplements 13 and 15)."""
    input:
        chosen="results/chosen_prompts.parquet",
        tip_id=split.tip_id,
        prompts="results/splits/tip_trace/prompts.parquet",
        frames=split.frames,
        images=split.image_lists(),
        index_files=split.all_indexes,
    output:
        leakage="results/splits/leakage.csv",
        coverage="results/splits/coverage.csv",
    log:
        "logs/check_splits.log",
    priority: TRAINED_ON
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=more(8000),
        runtime=more(60),
    params:
        code=code_of("scripts/split/check_splits.py"),
        pictures=split.pictures,
        sources=split.sources,
    script:
        "../scripts/split/check_splits.py"
