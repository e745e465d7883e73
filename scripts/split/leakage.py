"""The rules against leakage, checked on the finished splits (Supplements 13 and 15)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from scripts.common.schemas.items import OK
from scripts.common.schemas.split import (
    ALONG,
    DISTRACTOR,
    IMAGE_GENERATED,
    QUERY,
    REAL,
    REFERENCE,
    SOURCE_IMAGE,
    TEST,
    TEXT_GENERATED,
    TRAIN,
    TRAINING_IMAGE,
)

_PLACE = ["uuid", "tar", "offset", "size_bytes"]
ROLES = {
    "references": {SOURCE_IMAGE, REFERENCE},
    "distractors": {DISTRACTOR},
    "training_images": {TRAINING_IMAGE},
}
"""What TIP-Trace's lists of pictures are for."""

_SOURCES = {SOURCE_IMAGE: "images", TRAINING_IMAGE: "images"} | {
    REFERENCE: "references",
    DISTRACTOR: "distractors",
}
"""Role of a picture -> whose index knows it."""


@dataclass(frozen=True)
class Finding:
    """One rule, how many things it was checked on, and the ids of those that break it."""

    rule: str
    section: str
    meaning: str
    checked: int
    violating: tuple[str, ...]


def check_tip_id(
    items: pd.DataFrame, subset: set[str], known: pd.DataFrame, labels: Mapping[str, str]
) -> list[Finding]:
    """Check the rules of TIP-ID.

    Args:
        items: rows of all sources (``TIP_ID``, and ``file``, the source whose table has the row).
        subset: the prompts of which image-generated videos may be.
        known: what the sources' indexes say of their videos (``read_items``, and ``source``).
        labels: source -> its class.
    """
    generated = items[items["label"] == IMAGE_GENERATED]
    real = items[items["label"] == REAL]
    text = items[items["label"] == TEXT_GENERATED]
    misnamed = (items["source"] != items["file"]) | (items["label"] != items["file"].map(labels))
    several = items[items.groupby("source")["group"].transform("nunique") > 1]
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
        _tip_id(
            "labels_of_sources",
            "a row has the name and the class of the source in whose table it stands",
            len(items),
            items.loc[misnamed, "uuid"],
        ),
        _tip_id(
            "known_sides",
            "a video is for training or for test, and for nothing else",
            len(items),
            items.loc[~items["split"].isin([TRAIN, TEST]), "uuid"],
        ),
        _tip_id(
            "both_sides",
            "a class, and a source of two groups or more, has videos in training and in test",
            items["source"].nunique() + len(set(labels.values())),
            _one_sided(items, "label", set(labels.values())) + _one_sided(several, "source"),
        ),
        _tip_id(
            "videos_of_indexes",
            "a row points at the bytes that its source's index has under its id",
            len(items),
            _misplaced(items, known, ["tar", "offset", "size_bytes"]),
        ),
        _tip_id(
            "takes_of_indexes",
            "a segment belongs to the real video that its index names, others to their own id",
            len(items),
            [
                *_misplaced(real, known, ["group"]),
                *items.loc[(items["label"] != REAL) & (items["group"] != items["uuid"]), "uuid"],
            ],
        ),
        _tip_id(
            "bytes_apart",
            "the same bytes, under whatever id or source, are of one side and of one class",
            len(items),
            _same_bytes(items.merge(known[["source", "uuid", "sha256"]], on=["source", "uuid"])),
        ),
    ]


def check_tip_trace(
    prompts: pd.DataFrame,
    frames: pd.DataFrame,
    images: pd.DataFrame,
    subset: set[str],
    videos: pd.DataFrame,
    pictures: pd.DataFrame,
) -> list[Finding]:
    """Check the rules of TIP-Trace.

    Args:
        prompts: training and query prompts (``TRACE_PROMPTS``).
        frames: frames of all generators (``TRACE_FRAMES``, and ``source``, the generator).
        images: references, distractors and training images (``TRACE_IMAGES``, and ``file``, the
            list that has the row).
        subset: the prompts of which they may be.
        videos: what the generators' indexes say of their videos (``read_items``, and ``source``).
        pictures: what the indexes say of image prompts, outside references and distractors,
            likewise; the source is ``images``, ``references`` or ``distractors``.
    """
    own = pictures[(pictures["source"] == "images") & pictures["uuid"].isin(prompts["uuid"])]
    prompt_images = set(own["sha256"].dropna())
    parts = prompts.drop_duplicates("uuid").set_index("uuid")["part"]
    queries = set(prompts.loc[prompts["part"] == QUERY, "uuid"])
    training = set(prompts.loc[prompts["part"] == TRAIN, "uuid"])
    asked = frames[frames["part"] == QUERY]
    sources = images[images["role"] == SOURCE_IMAGE]
    references = images[images["role"] == REFERENCE]
    searched = images[images["role"].isin([SOURCE_IMAGE, REFERENCE])]
    distractors = images[images["role"] == DISTRACTOR]
    learnt = images[images["role"] == TRAINING_IMAGE]
    roles = zip(images["role"], images["file"], strict=True)
    listed = images.assign(source=images["role"].map(_SOURCES))
    out_of_place = [role not in ROLES[file] for role, file in roles]
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
            frames.loc[frames["uuid"].map(parts) != frames["part"].replace(ALONG, QUERY), "uuid"],
        ),
        _tip_trace(
            "one_frame_per_query",
            "a generator's video of a query prompt gives one query",
            len(asked[["source", "uuid"]].drop_duplicates()),
            asked.loc[asked.duplicated(["source", "uuid"]), "uuid"],
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
        _tip_trace(
            "prompts_of_subset",
            "prompts are of the uniformly drawn ones",
            len(prompts),
            prompts.loc[~prompts["uuid"].isin(subset), "uuid"],
        ),
        _tip_trace(
            "pictures_apart",
            "no picture is, byte for byte, the image of a training and of a query prompt",
            len(own),
            own.loc[own["sha256"].isin(_straddling(own["sha256"], own["uuid"].map(parts))), "uuid"],
        ),
        _tip_trace(
            "known_parts",
            "prompts and frames are for training or for queries (or along their videos), and a picture "
            "has a role that its list is for",
            len(prompts) + len(frames) + len(images),
            [
                *prompts.loc[~prompts["part"].isin([TRAIN, QUERY]), "uuid"],
                *frames.loc[~frames["part"].isin([TRAIN, QUERY, ALONG]), "uuid"],
                *images.loc[out_of_place, "uuid"],
            ],
        ),
        _tip_trace(
            "both_parts",
            "there are prompts for training and for queries, and frames of both by each generator",
            2 * (1 + frames["source"].nunique()),
            [
                *_one_sided(
                    prompts.assign(what="prompts"), "what", {"prompts"}, "part", {TRAIN, QUERY}
                ),
                *_one_sided(frames, "source", None, "part", {TRAIN, QUERY}),
            ],
        ),
        _tip_trace(
            "frames_of_indexes",
            "a frame's row points at the bytes that the generator's index has under its id",
            len(frames),
            _misplaced(frames.drop_duplicates(["source", *_PLACE]), videos, _PLACE[1:]),
        ),
        _tip_trace(
            "pictures_of_indexes",
            "a picture's row points at the bytes that its source's index has under its id",
            len(images),
            _misplaced(listed, pictures, [*_PLACE[1:], "sha256"]),
        ),
    ]


def _straddling(names: pd.Series, sides: pd.Series) -> pd.Series:
    """Return the names that stand on more than one side."""
    pairs = pd.DataFrame({"name": names, "side": sides}).dropna().drop_duplicates()
    return pairs.loc[pairs["name"].duplicated(), "name"]


def _one_sided(
    rows: pd.DataFrame,
    column: str,
    wanted: Collection[str] | None = None,
    side: str = "split",
    sides: Collection[str] = (TRAIN, TEST),
) -> list[str]:
    """Return which values of a column, of those wanted or of all, have not rows of both sides."""
    found = set(zip(rows[column], rows[side], strict=True))
    names = rows[column].unique() if wanted is None else wanted
    return [name for name in names if any((name, one) not in found for one in sides)]


def _misplaced(rows: pd.DataFrame, known: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return the ids of rows that are not, or are otherwise, in the index of their source."""
    both = rows.merge(known, on=["source", "uuid"], how="left", suffixes=("", "_known"))
    wrong = both["status"] != OK
    for column in columns:
        wrong |= both[column] != both[f"{column}_known"]
    return both.loc[wrong, "uuid"]


def _same_bytes(videos: pd.DataFrame) -> pd.Series:
    """Return the ids of videos whose bytes are on two sides, or of two classes."""
    twice = videos[videos["sha256"].duplicated(keep=False) & videos["sha256"].notna()]
    apart = twice.groupby("sha256")[["split", "label"]].transform("nunique").max(axis=1) > 1
    return twice.loc[apart, "uuid"]


def _known(images: pd.DataFrame, uuids: set[str], checksums: set[str]) -> pd.Series:
    return images.loc[images["uuid"].isin(uuids) | images["sha256"].isin(checksums), "uuid"]


def _tip_id(rule: str, meaning: str, checked: int, violating: Iterable[str]) -> Finding:
    return Finding(f"tip_id.{rule}", "13", meaning, int(checked), tuple(sorted(set(violating))))


def _tip_trace(rule: str, meaning: str, checked: int, violating: Iterable[str]) -> Finding:
    return Finding(f"tip_trace.{rule}", "15", meaning, int(checked), tuple(sorted(set(violating))))
