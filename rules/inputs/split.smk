"""Split: where its rules find their inputs, settings and code."""

TIP_ID_LABELS = (
    {name: "image_generated" for name in GENERATORS}
    | {name: "real" for name in REAL_SOURCES}
    | {name: "text_generated" for name in TEXT_SOURCES}
)
TRACE_IMAGE_LISTS = ["references", "distractors", "training_images"]
TRACE_REFERENCES = SHEETS["sources"][config["split"]["tip_trace"]["references"]]
TRACE_DISTRACTORS = SHEETS["sources"][config["split"]["tip_trace"]["distractors"]]


def split_targets():
    """Return the final files of this stage."""
    return [
        "results/splits/tip_eval/prompts.parquet",
        *expand("results/splits/tip_id/{source}.parquet", source=TIP_ID_LABELS),
        *expand(
            "results/splits/tip_trace/{part}.parquet",
            part=["prompts", *TRACE_IMAGE_LISTS, *GENERATORS],
        ),
        "results/splits/leakage.csv",
        "results/splits/coverage.csv",
    ]


def source_indexes(source):
    """Return the indexes of a generator or an outside source of videos."""
    if source in GENERATORS:
        return video_indexes(source)
    return [SHEETS["sources"][source]["index"]]


def source_tars(source):
    """Return the tars beside ``source_indexes``, in the same order."""
    return video_tars(source) if source in GENERATORS else [SHEETS["sources"][source]["tar"]]


def get_source_indexes(wildcards):
    """Return the indexes of the wildcard's source."""
    return source_indexes(wildcards.source)


def get_source_tars(wildcards):
    """Return the tars of the wildcard's source, which the split names but does not read."""
    return source_tars(wildcards.source)


def get_source_label(wildcards):
    """Return the class of the wildcard's source."""
    return TIP_ID_LABELS[wildcards.source]


def get_source_prompts(wildcards):
    """Return the chosen prompts, from which only the split of a generator follows."""
    return "results/chosen_prompts.parquet" if wildcards.source in GENERATORS else []


def get_all_indexes(wildcards):
    """Return the indexes of all sources of videos."""
    return [index for source in TIP_ID_LABELS for index in source_indexes(source)]
