"""The account of detect: test videos that were scored, classified and measured (Section 5.3)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from scripts.analyse.steps import Step, check_sum, follow, reasons_of, write_account
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.detect import (
    CLASS_SCORES,
    FRAME_SCORES,
    METRICS,
    TABLE_3,
)
from scripts.common.schemas.split import IMAGE_GENERATED, TEST, TIP_ID
from scripts.common.tables import read_frame

STAGE = "detect"


def account_detect(
    splits: Mapping[str, Path],
    frame_scores: Sequence[Path],
    class_scores: Sequence[Path],
    metrics: Path,
    account: Path,
) -> Counts:
    """Follow every test video of TIP-ID through every detector.

    Args:
        splits: source -> its part of TIP-ID (``TIP_ID``).
        frame_scores: ``FRAME_SCORES`` of every source of Table 3.
        class_scores: ``CLASS_SCORES`` of every source.
        metrics: table of ``METRICS``.
        account: table of ``ACCOUNT``.

    Returns:
        Counts of steps.

    Raises:
        UserError: a sum is off; the step is named.
    """
    videos = pd.concat(
        [read_frame(path, TIP_ID, ["uuid", "label", "source", "split"]) for path in splits.values()]
    )
    videos = videos[videos["split"] == TEST]
    videos["key"] = videos["source"] + "/" + videos["uuid"]
    columns = ["uuid", "source", "status", "reason"]
    scored = {
        (detector, source): reasons_of(table)
        for path in frame_scores
        for (detector, source), table in read_frame(
            path, FRAME_SCORES, ["detector", *columns]
        ).groupby(["detector", "source"])
    }
    steps = []
    for (detector, source), outcomes in scored.items():
        wanted = videos.loc[videos["source"] == source, "uuid"]
        part = f"{detector} {source}"
        steps.append(follow(STAGE, "score_frames", "videos", wanted, outcomes, part))
    tables = [
        read_frame(path, CLASS_SCORES, ["setting", "generator", *columns]) for path in class_scores
    ]
    classes = pd.concat(tables)
    classes["key"] = classes["source"] + "/" + classes["uuid"]
    classified = {
        trained: reasons_of(table, key="key")
        for trained, table in classes.groupby(["setting", "generator"])
    }
    for (setting, generator), outcomes in classified.items():
        others = (videos["label"] == IMAGE_GENERATED) & (videos["source"] != generator)
        wanted = videos.loc[~others, "key"]
        part = f"{setting} {generator}"
        steps.append(follow(STAGE, "classify_videos", "videos", wanted, outcomes, part))
    measured = read_frame(metrics, METRICS).drop_duplicates(["table", "setting", "generator"])
    generators = set(videos.loc[videos["label"] == IMAGE_GENERATED, "source"])
    for row in measured.to_dict("records"):
        name = row["setting"], row["generator"]
        if row["table"] == TABLE_3:
            sources = [
                outcomes
                for (detector, source), outcomes in scored.items()
                if detector == row["setting"] and source not in generators - {row["generator"]}
            ]
            outcomes = pd.concat(sources)
        else:
            outcomes = classified[name]
        steps.append(account_of_measure(" ".join(name), outcomes, row["items"], row["rejected"]))
    return write_account(steps, account)


def account_of_measure(part: str, outcomes: pd.Series, items: int, rejected: int) -> Step:
    """Return the step from scores to a balanced test set, from which the rest is left out.

    Args:
        part: detector or setting, and generator.
        outcomes: id -> reason, of all sources that are tested together.
        items: test videos that the number stands on.
        rejected: test videos that have no score, as the measure counted them.
    """
    reasons = Counter(outcomes.dropna())
    left_out = int(outcomes.isna().sum()) - items
    # What the measure did not count as rejected is missing on the left of the sum.
    read = len(outcomes) - (reasons.total() - rejected)
    if left_out > 0:
        reasons["not_drawn"] = left_out
    return check_sum(Step(STAGE, "measure_detection", "videos", read, items, reasons, part))


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = account_detect(
            splits={Path(path).stem: path for path in snakemake.input.splits},
            frame_scores=snakemake.input.frame_scores,
            class_scores=snakemake.input.class_scores,
            metrics=Path(snakemake.input.metrics),
            account=Path(snakemake.output.account),
        )
        log.finish(counts)
