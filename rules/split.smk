"""Split: the three data sets of the paper's experiments (Section 5.2, Supplements 13 and 15).

Needs the data set, the chosen prompts, the indexes of all videos and images, and the outside
sources; makes results/splits/tip_eval, results/splits/tip_id and results/splits/tip_trace, and
checks that nothing leaks between training and test.
"""


include: "inputs/split.smk"


rule split_tip_eval:
    """Choose the most popular subjects, each with the same number of prompts (Section 5.2)."""
    input:
        dataset="results/dataset.parquet",
    output:
        prompts="results/splits/tip_eval/prompts.parquet",
    log:
        "logs/split_tip_eval.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
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
        indexes=get_source_indexes,
        chosen=get_source_prompts,
    output:
        split="results/splits/tip_id/{source}.parquet",
    log:
        "logs/split_tip_id/{source}.log",
    wildcard_constraints:
        source="|".join(TIP_ID_LABELS),
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code_of("scripts/split/split_tip_id.py"),
        label=get_source_label,
        seed=lookup("seed", within=config),
        tars=get_source_tars,
        test_share=lookup("split/tip_id/test_share", within=config),
    script:
        "../scripts/split/split_tip_id.py"


rule split_tip_trace:
    """Hold out prompts for queries, the same for every generator (Supplement 15)."""
    input:
        chosen="results/chosen_prompts.parquet",
    output:
        prompts="results/splits/tip_trace/prompts.parquet",
    log:
        "logs/split_tip_trace.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_of("scripts/split/split_tip_trace.py"),
        query_prompts=lookup("split/tip_trace/query_prompts", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/split/split_tip_trace.py"


rule sample_trace_frames:
    """Sample training frames and query frames of one generator's videos (Supplement 15)."""
    input:
        prompts="results/splits/tip_trace/prompts.parquet",
        indexes=get_generator_indexes,
    output:
        frames="results/splits/tip_trace/{generator}.parquet",
    log:
        "logs/sample_trace_frames/{generator}.log",
    conda:
        "../envs/video.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code_of("scripts/split/sample_trace_frames.py"),
        frames_per_video=lookup("split/tip_trace/frames_per_video", within=config),
        seed=lookup("seed", within=config),
        tars=get_generator_tars,
    script:
        "../scripts/split/sample_trace_frames.py"


rule collect_trace_images:
    """Hide the queries' source images among references from elsewhere (Supplement 15)."""
    input:
        prompts="results/splits/tip_trace/prompts.parquet",
        image_indexes=image_indexes(),
        reference_index=TRACE_REFERENCES["index"],
        distractor_index=TRACE_DISTRACTORS["index"],
    output:
        references="results/splits/tip_trace/references.parquet",
        distractors="results/splits/tip_trace/distractors.parquet",
        training_images="results/splits/tip_trace/training_images.parquet",
    log:
        "logs/collect_trace_images.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=8000,
        runtime=30,
    params:
        code=code_of("scripts/split/collect_trace_images.py"),
        distractor_tar=TRACE_DISTRACTORS["tar"],
        image_tars=image_tars(),
        max_distractors=lookup("split/tip_trace/max_distractors", within=config),
        max_references=lookup("split/tip_trace/max_references", within=config),
        reference_tar=TRACE_REFERENCES["tar"],
        seed=lookup("seed", within=config),
    script:
        "../scripts/split/collect_trace_images.py"


rule check_splits:
    """Check every rule against leakage on the finished splits (Supplements 13 and 15)."""
    input:
        chosen="results/chosen_prompts.parquet",
        tip_id=expand("results/splits/tip_id/{source}.parquet", source=TIP_ID_LABELS),
        prompts="results/splits/tip_trace/prompts.parquet",
        frames=expand("results/splits/tip_trace/{generator}.parquet", generator=GENERATORS),
        images=expand("results/splits/tip_trace/{role}.parquet", role=TRACE_IMAGE_LISTS),
        indexes=get_all_indexes,
        image_indexes=image_indexes(),
    output:
        leakage="results/splits/leakage.csv",
        coverage="results/splits/coverage.csv",
    log:
        "logs/check_splits.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        code=code_of("scripts/split/check_splits.py"),
        indexes={source: source_indexes(source) for source in TIP_ID_LABELS},
    script:
        "../scripts/split/check_splits.py"
