"""The rules against leakage, checked on the finished splits (Supplements 13 and 15)."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from scripts.common.schemas.split import (
    DISTRACTOR,
    IMAGE_GENERATED,
    QUERY,
    REAL,
    REFERENCE,
    SOURCE_IMAGE,
    TEXT_GENERATED,
    TRAIN,
    TRAINING_IMAGE,
)


@dataclass(frozen=True)
class Finding:
    """One rule, how many things it was checked on, and the ids of those that break it."""

    rule: str
    section: str
    meaning: str
    checked: int
    violating: tuple[str, ...]


def check_tip_id(items: pd.DataFrame, subset: set[str]) -> list[Finding]:
    """Check the rules of TIP-ID.

    Args:
        items: rows of all sources (``TIP_ID``).
        subset: the prompts of which image-generated videos may be.
    """
    generated = items[items["label"] == IMAGE_GENERATED]
    real = items[items["label"] == REAL]
    text = items[items["label"] == TEXT_GENERATED]
    return [
        _tip_id(
            "prompts_apart",
            "a prompt's videos, by whatever generator, are all for training or all for test",
            generated["uuid"].nunique(),
            _straddling(generated["uuid"], generated["split"]),
        ),
        _tip_id(
            "real_videos_apart",
            "segments of one real video are all for training or all for test",
            real["group"].nunique(),
            _straddling(real["group"], real["split"]),
        ),
        _tip_id(
            "text_videos_apart",
            "a video generated from text is for training or for test",
            len(text[["source", "uuid"]].drop_duplicates()),
            _straddling(text["source"] + " " + text["uuid"], text["split"]),
        ),
        _tip_id(
            "videos_once",
            "a video is listed once",
            len(items),
            items.loc[items.duplicated(["source", "uuid"]), "uuid"],
        ),
        _tip_id(
            "prompts_of_subset",
            "videos generated from images are of the uniformly drawn prompts",
            len(generated),
            generated.loc[~generated["uuid"].isin(subset), "uuid"],
        ),
    ]


def check_tip_trace(
    prompts: pd.DataFrame, frames: pd.DataFrame, images: pd.DataFrame, prompt_images: set[str]
) -> list[Finding]:
    """Check the rules of TIP-Trace.

    Args:
        prompts: training and query prompts (``TRACE_PROMPTS``).
        frames: frames of all generators (``TRACE_FRAMES`` and ``generator``).
        images: references, distractors and training images (``TRACE_IMAGES``).
        prompt_images: checksums of the image prompts of all ``prompts``.
    """
    parts = prompts.drop_duplicates("uuid").set_index("uuid")["part"]
    queries = set(prompts.loc[prompts["part"] == QUERY, "uuid"])
    training = set(prompts.loc[prompts["part"] == TRAIN, "uuid"])
    asked = frames[frames["part"] == QUERY]
    sources = images[images["role"] == SOURCE_IMAGE]
    references = images[images["role"] == REFERENCE]
    searched = images[images["role"].isin([SOURCE_IMAGE, REFERENCE])]
    distractors = images[images["role"] == DISTRACTOR]
    learnt = images[images["role"] == TRAINING_IMAGE]
    return [
        _tip_trace(
            "prompts_apart",
            "a prompt is for training or for queries",
            prompts["uuid"].nunique(),
            _straddling(prompts["uuid"], prompts["part"]),
        ),
        _tip_trace(
            "frames_apart",
            "frames of a query prompt do not train, whatever the generator, nor the reverse",
            len(frames),
            frames.loc[frames["uuid"].map(parts) != frames["part"], "uuid"],
        ),
        _tip_trace(
            "one_frame_per_query",
            "a generator's video of a query prompt gives one query",
            len(asked[["generator", "uuid"]].drop_duplicates()),
            asked.loc[asked.duplicated(["generator", "uuid"]), "uuid"],
        ),
        _tip_trace(
            "sources_are_searched",
            "the source image of each query is among the references, once",
            asked["uuid"].nunique(),
            [
                *(set(asked["uuid"]) - set(sources["uuid"])),
                *sources.loc[sources["uuid"].duplicated(), "uuid"],
            ],
        ),
        _tip_trace(
            "sources_of_queries_only",
            "no source image of a training prompt is among the references",
            len(sources),
            sources.loc[~sources["uuid"].isin(queries) | sources["uuid"].isin(training), "uuid"],
        ),
        _tip_trace(
            "training_images_of_training_only",
            "no source image of a query prompt is among those that train",
            len(learnt),
            learnt.loc[~learnt["uuid"].isin(training) | learnt["uuid"].isin(queries), "uuid"],
        ),
        _tip_trace(
            "references_are_foreign",
            "no outside reference is a prompt's image, by id or by bytes",
            len(references),
            _known(references, set(parts.index), prompt_images),
        ),
        _tip_trace(
            "distractors_have_no_match",
            "no distractor is a reference or a prompt's image, by id or by bytes",
            len(distractors),
            _known(
                distractors,
                set(parts.index) | set(searched["uuid"]),
                prompt_images | set(searched["sha256"]),
            ),
        ),
    ]


def _straddling(names: pd.Series, sides: pd.Series) -> pd.Series:
    """Return the names that stand on more than one side."""
    pairs = pd.DataFrame({"name": names, "side": sides}).drop_duplicates()
    return pairs.loc[pairs["name"].duplicated(), "name"]


def _known(images: pd.DataFrame, uuids: set[str], checksums: set[str]) -> pd.Series:
    return images.loc[images["uuid"].isin(uuids) | images["sha256"].isin(checksums), "uuid"]


def _tip_id(rule: str, meaning: str, checked: int, violating: Iterable[str]) -> Finding:
    return Finding(f"tip_id.{rule}", "13", meaning, int(checked), tuple(sorted(set(violating))))


def _tip_trace(rule: str, meaning: str, checked: int, violating: Iterable[str]) -> Finding:
    return Finding(f"tip_trace.{rule}", "15", meaning, int(checked), tuple(sorted(set(violating))))
