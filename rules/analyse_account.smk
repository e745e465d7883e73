"""Analyse, continued: the account of what each step read, kept and rejected, stage by stage.

An account of a stage is made again when the stage's files are; it reads them and decides nothing.
"""

if config["source"] != "release":  # which has an account of its own, in release.smk

    rule account_curate:
        """Follow every message, prompt, video and image (Section 3)."""
        input:
            exports=list(EXPORT_FILES.values()),
            messages=expand("results/messages/{export}.parquet", export=EXPORT_FILES),
            message_rejects=expand("results/rejects/messages/{export}.parquet", export=EXPORT_FILES),
            prompts=expand("results/prompts/{shard}.parquet", shard=SHARDS),
            prompt_rejects="results/rejects/prompts.parquet",
            video_indexes=expand(
                "results/videos/{generator}/{shard}.parquet",
                generator=SCRAPED_GENERATOR,
                shard=SHARDS,
            ),
            image_indexes=image_indexes(),
            watermarks=watermark_scores(),
        output:
            account="results/analysis/account/curate.parquet",
        log:
            "logs/account_curate.log",
        conda:
            "../envs/tabular.yaml"
        resources:
            mem_mb=4000,
        params:
            code=code_of("scripts/analyse/account_curate.py"),
        script:
            "../scripts/analyse/account_curate.py"


rule account_annotate:
    """Follow every prompt with an image through the annotators and into the data set."""
    input:
        image_indexes=image_indexes(),
        text_embedding=annotations("text_embedding"),
        image_embedding=annotations("image_embedding"),
        text_nsfw=annotations("text_nsfw"),
        image_nsfw=annotations("image_nsfw"),
        subject=annotations("subject"),
        direction=annotations("direction"),
        dataset="results/dataset.parquet",
        dataset_rejects="results/rejects/dataset.parquet",
    output:
        account="results/analysis/account/annotate.parquet",
    log:
        "logs/account_annotate.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=4000,
    params:
        code=code_of("scripts/analyse/account_annotate.py"),
    script:
        "../scripts/analyse/account_annotate.py"


rule account_generate:
    """Follow every prompt into the choice, and every chosen one through each generator."""
    input:
        dataset=choosable(),
        chosen="results/chosen_prompts.parquet",
        indexes=[index for name in GENERATED for index in video_indexes(name)],
    output:
        account="results/analysis/account/generate.parquet",
    log:
        "logs/account_generate.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=4000,
    params:
        code=code_of("scripts/analyse/account_generate.py"),
        indexes={name: video_indexes(name) for name in GENERATED},
    script:
        "../scripts/analyse/account_generate.py"


rule account_split:
    """Follow every prompt, video and picture into TIP-Eval, TIP-ID and TIP-Trace."""
    input:
        dataset=choosable(),
        chosen="results/chosen_prompts.parquet",
        tip_eval="results/splits/tip_eval/prompts.parquet",
        tip_id=expand("results/splits/tip_id/{source}.parquet", source=TIP_ID_SOURCES),
        trace_prompts="results/splits/tip_trace/prompts.parquet",
        trace_frames=expand("results/splits/tip_trace/{generator}.parquet", generator=GENERATORS),
        trace_images=split.image_lists(),
        indexes=[index for files in split.all_indexes.values() for index in files],
        image_indexes=image_indexes(),
        outside=list(outside_pictures().values()),
    output:
        account="results/analysis/account/split.parquet",
    log:
        "logs/account_split.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=8000,
    params:
        code=code_of("scripts/analyse/account_split.py"),
        image_indexes=image_indexes(),
        indexes=split.all_indexes,
        outside=outside_pictures(),
    script:
        "../scripts/analyse/account_split.py"


rule account_evaluate:
    """Follow every prompt of TIP-Eval through every generator and dimension."""
    input:
        tip_eval="results/splits/tip_eval/prompts.parquet",
        scores=evaluate.score_tables,
    output:
        account="results/analysis/account/evaluate.parquet",
    log:
        "logs/account_evaluate.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=4000,
    params:
        code=code_of("scripts/analyse/account_evaluate.py"),
    script:
        "../scripts/analyse/account_evaluate.py"


rule account_detect:
    """Follow every test video of TIP-ID through every detector, and into the measures."""
    input:
        splits=expand("results/splits/tip_id/{source}.parquet", source=TIP_ID_SOURCES),
        frame_scores=detect.frame_scores,
        class_scores=detect.class_scores,
        metrics="results/detect/metrics.parquet",
    output:
        account="results/analysis/account/detect.parquet",
    log:
        "logs/account_detect.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=8000,
    params:
        code=code_of("scripts/analyse/account_detect.py"),
    script:
        "../scripts/analyse/account_detect.py"


rule account_trace:
    """Follow every frame and picture of TIP-Trace through every tracer."""
    input:
        trace_frames=expand("results/splits/tip_trace/{generator}.parquet", generator=GENERATORS),
        trace_images=split.image_lists(["references", "distractors"]),
        indexes=trace.frame_indexes(GENERATORS),
        features=trace.searched_features,
        matches=trace.matches,
    output:
        account="results/analysis/account/trace.parquet",
    log:
        "logs/account_trace.log",
    conda:
        "../envs/tabular.yaml"
    resources:
        mem_mb=8000,
    params:
        code=code_of("scripts/analyse/account_trace.py"),
        frame_indexes={name: trace.frame_indexes([name]) for name in GENERATORS},
    script:
        "../scripts/analyse/account_trace.py"


rule account:
    """Check that read = kept + rejected at every step of the whole graph."""
    input:
        accounts=expand("results/analysis/account/{stage}.parquet", stage=STAGES),
    output:
        funnel=reported("results/tables/funnel.csv"),
        provenance="results/tables/funnel.provenance.json",
    log:
        "logs/account.log",
    conda:
        "../envs/tabular.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/account.py"),
    script:
        "../scripts/analyse/account.py"


rule plot_funnel:
    """The funnel: which share of its items each step keeps, and why not the others."""
    input:
        funnel="results/tables/funnel.csv",
    output:
        png=reported("results/figures/funnel.png"),
        pdf=reported("results/figures/funnel.pdf"),
        provenance="results/figures/funnel.provenance.json",
    log:
        "logs/plot_funnel.log",
    conda:
        "../envs/plots.yaml"
    params:
        banner=config["banner"],
        code=code_of("scripts/analyse/plot_funnel.py"),
        style=lookup("analyse/figures/funnel", within=config),
    script:
        "../scripts/analyse/plot_funnel.py"
