"""The account of split: TIP-Eval, TIP-ID and TIP-Trace (Section 5.2, Supplements 13 and 15)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from scripts.analyse.steps import Step, follow, index_outcomes, listed, write_account
from scripts.common.code import settings_of
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.generate import CHOSEN
from scripts.common.schemas.items import ITEM_INDEX
from scripts.common.schemas.split import (
    DISTRACTOR,
    QUERY,
    REFERENCE,
    SOURCE_IMAGE,
    TIP_EVAL,
    TIP_ID,
    TRACE_FRAMES,
    TRACE_IMAGES,
    TRACE_PROMPTS,
    TRAINING_IMAGE,
)
from scripts.common.tables import read_frame

STAGE = "split"


def account_split(
    dataset: Path,
    chosen: Path,
    tip_eval: Path,
    tip_id: Mapping[str, Path],
    trace_prompts: Path,
    trace_frames: Mapping[str, Path],
    trace_images: Sequence[Path],
    account: Path,
    *,
    indexes: Mapping[str, Sequence[str]],
    image_indexes: Sequence[str],
    outside: Mapping[str, str],
) -> Counts:
    """Follow every prompt, video and picture into the three data sets.

    Args:
        dataset: what was chosen from, such as the data set; columns ``UUID``, ``Subject``.
        chosen: the chosen prompts (``CHOSEN``).
        tip_eval: TIP-Eval (``TIP_EVAL``).
        tip_id: source -> its part of TIP-ID (``TIP_ID``).
        trace_prompts: TIP-Trace's prompts (``TRACE_PROMPTS``).
        trace_frames: generator -> its frames (``TRACE_FRAMES``).
        trace_images: references, distractors and training images (``TRACE_IMAGES``).
        account: table of ``ACCOUNT``.
        indexes: source -> indexes of its videos (``ITEM_INDEX``).
        image_indexes: of the image prompts.
        outside: role (reference, distractor) -> index of the outside pictures.

    Returns:
        Counts of steps.

    Raises:
        UserError: a sum is off; the step is named.
    """
    steps = [account_of_tip_eval(dataset, tip_eval)]
    prompts = read_frame(chosen, CHOSEN, ["uuid", "subset"])
    subset = prompts.loc[prompts["subset"], "uuid"]
    parts = read_frame(trace_prompts, TRACE_PROMPTS).set_index("uuid")["part"]
    steps.append(follow(STAGE, "split_tip_trace", "prompts", subset, listed(parts.index)))
    videos = {source: index_outcomes(paths) for source, paths in indexes.items()}
    for source, path in tip_id.items():
        wanted = subset if source in trace_frames else videos[source].index
        there = read_frame(path, TIP_ID, ["uuid"])["uuid"]
        outcomes = listed(there, _why_missing(wanted, videos[source]))
        steps.append(follow(STAGE, "split_tip_id", "videos", wanted, outcomes, part=source))
    for generator, path in trace_frames.items():
        there = read_frame(path, TRACE_FRAMES, ["uuid"])["uuid"].unique()
        outcomes = listed(there, _why_missing(parts.index, videos[generator]))
        steps.append(
            follow(STAGE, "sample_trace_frames", "videos", parts.index, outcomes, part=generator)
        )
    pictures = read_frame(trace_images, TRACE_IMAGES, ["uuid", "role", "sha256"])
    queries = parts.index[parts == QUERY]
    steps += accounts_of_pictures(pictures, queries, parts.index, image_indexes, outside)
    return write_account(steps, account)


def account_of_tip_eval(dataset: Path, tip_eval: Path) -> Step:
    """Return the step from the data set to TIP-Eval; why a prompt is not in it is worked out."""
    table = read_frame(dataset, columns=["UUID", "Subject"]).set_index("UUID")
    subjects = table["Subject"].fillna("").str.strip()
    taken = read_frame(tip_eval, TIP_EVAL, ["uuid"])["uuid"]
    popular = set(subjects[subjects.index.isin(taken)])
    reasons = pd.Series("not_drawn", index=subjects.index, dtype=object)
    reasons[~subjects.isin(popular)] = "unpopular_subject"
    reasons[subjects == ""] = "no_subject"
    return follow(STAGE, "split_tip_eval", "prompts", subjects.index, listed(taken, reasons))


def accounts_of_pictures(
    pictures: pd.DataFrame,
    queries: pd.Index,
    prompts: pd.Index,
    image_indexes: Sequence[str],
    outside: Mapping[str, str],
) -> list[Step]:
    """Return the steps to TIP-Trace's source images, references and distractors.

    Args:
        pictures: rows of ``TRACE_IMAGES``: ``uuid, role, sha256``.
        queries: the query prompts.
        prompts: all of TIP-Trace's prompts.
        image_indexes: of the image prompts.
        outside: role -> index of the outside pictures.
    """
    images = read_frame(image_indexes, ITEM_INDEX, ["uuid", "status", "reason", "sha256"])
    name, unit, steps = "collect_trace_images", "images", []
    for role, wanted in ((SOURCE_IMAGE, queries), (TRAINING_IMAGE, prompts.difference(queries))):
        missing = _why_missing(wanted, index_outcomes(image_indexes), "no_image")
        there = pictures.loc[pictures["role"] == role, "uuid"]
        steps.append(follow(STAGE, name, unit, wanted, listed(there, missing), part=role))
    known = set(images.loc[images["uuid"].isin(prompts), "sha256"].dropna())
    for role in (REFERENCE, DISTRACTOR):
        offered = read_frame(outside[role], ITEM_INDEX, ["uuid", "status", "reason", "sha256"])
        there = pictures[pictures["role"] == role]
        reasons = index_outcomes([outside[role]])
        alike = offered.set_index("uuid")["sha256"].isin(known)
        reasons = reasons.mask(reasons.isna(), alike.map({True: "same_bytes", False: "not_drawn"}))
        outcomes = listed(there["uuid"], reasons)
        steps.append(follow(STAGE, name, unit, offered["uuid"], outcomes, part=role))
        known |= set(there["sha256"])
    return steps


def _why_missing(wanted: pd.Index, known: pd.Series, unknown: str = "no_video") -> pd.Series:
    """Return id -> reason for the wanted items that an index rejects, or does not know at all."""
    wanted = pd.Index(wanted)
    strangers = wanted.difference(known.index)
    rejected = known[known.notna() & known.index.isin(wanted)]
    return pd.concat([rejected, pd.Series(unknown, index=strangers, dtype=object)])


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = account_split(
            dataset=Path(snakemake.input.dataset),
            chosen=Path(snakemake.input.chosen),
            tip_eval=Path(snakemake.input.tip_eval),
            tip_id={Path(path).stem: path for path in snakemake.input.tip_id},
            trace_prompts=Path(snakemake.input.trace_prompts),
            trace_frames={Path(path).stem: path for path in snakemake.input.trace_frames},
            trace_images=snakemake.input.trace_images,
            account=Path(snakemake.output.account),
            **settings_of(snakemake.params),
        )
        log.finish(counts)
