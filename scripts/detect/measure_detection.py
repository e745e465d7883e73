"""Measure detectors and classifiers on balanced test sets (Section 5.3, Tables 3 and 4)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from scripts.common.errors import UserError
from scripts.common.identity import derived_seed, seeded_order
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import (
    CLASS_SCORES,
    CLASSES,
    FRAME_SCORES,
    METRICS,
    SAME_DOMAIN,
    TABLE_3,
    TABLE_4,
)
from scripts.common.schemas.items import OK
from scripts.common.schemas.split import IMAGE_GENERATED, REAL
from scripts.common.seen import refuse_seen
from scripts.common.tables import read_table, write_table
from scripts.detect.metrics import binary_measures, class_measures


def measure_detection(
    frame_scores: Sequence[Path],
    class_scores: Sequence[Path],
    checkpoints: Sequence[Path],
    metrics: Path,
    fitted: Sequence[Path] = (),
    *,
    detectors: Sequence[str],
    settings: Sequence[str],
    generators: Sequence[str],
    real_sources: Sequence[str],
    max_per_class: int,
    seed: int,
    counting: str = "video",
) -> Counts:
    """Write accuracy and mAP of every detector and every training, per generator.

    Blind guessing gives 50 % and 33.3 % in the paper's tables, so its test sets hold equally many
    videos of each class: the larger classes are sampled down, at random but always the same.

    Args:
        frame_scores: ``FRAME_SCORES`` of every generator and every real source.
        class_scores: ``CLASS_SCORES`` of every source.
        checkpoints: weights of every training, ``<setting>/<generator>.safetensors``, with what
            they saw.
        fitted: what detectors that see clips learnt, ``<detector>.safetensors``, with what they saw.
        metrics: ``METRICS``, one row for each table, setting, generator and metric.
        detectors: of single frames, in the tables' order.
        settings: of trainings, in the tables' order.
        generators: in the tables' order.
        real_sources: whose videos are taken together.
        max_per_class: test videos of a class at most.
        seed: of the run.
        counting: what Table 4 counts: a video, by the mean of its clips, or a clip; then each class
            has as many clips, of as many videos as there are.

    Returns:
        the test videos that were read: scored, or rejected in an earlier step.

    Raises:
        UserError: a model saw what it is tested on (``refuse_seen``), or of real or text-generated
            videos none is left.
    """
    rows: list[dict[str, Any]] = []

    def add(table: str, setting: str, generator: str, parts: Mapping[str, pd.DataFrame]) -> None:
        chosen = balanced(list(parts.values()), max_per_class, seed)
        rejected = sum(int((part["status"] != OK).sum()) for part in parts.values())
        for kind, part in parts.items():
            if kind != IMAGE_GENERATED and not (part["status"] == OK).any():
                raise UserError(_why_empty(kind, setting, part))
        if table == TABLE_3:
            own = derived_seed(seed, setting, generator)
            measures = binary_measures(*(part["score"].to_numpy() for part in chosen), seed=own)
        else:
            outputs = [outputs_of(part, counting) for part in chosen]
            counted = min(map(len, outputs))
            truth = np.repeat(np.arange(len(parts)), counted)
            outputs = np.concatenate([part[:counted] for part in outputs])
            measures = class_measures(outputs, truth, derived_seed(seed, setting, generator))
        common: dict[str, Any] = {"table": table, "setting": setting, "generator": generator}
        common |= {"items": sum(map(len, chosen)), "rejected": rejected}
        rows.extend({**common, "metric": name, "value": value} for name, value in measures.items())

    frames = _read(frame_scores, FRAME_SCORES)
    learnt = {path.stem: path for path in fitted}
    for detector, generator in product(detectors, generators):
        scored = frames[frames["detector"] == detector]
        if detector in learnt:
            refuse_seen(learnt[detector], detector, generator, scored["uuid"], same_domain=False)
        real, fake = scored["source"].isin(real_sources), scored["source"] == generator
        add(TABLE_3, detector, generator, {REAL: scored[real], IMAGE_GENERATED: scored[fake]})
    classified = _read(class_scores, CLASS_SCORES)
    trained = {(path.parent.name, path.stem): path for path in checkpoints}
    for setting, generator in product(settings, generators):
        tested = (classified["setting"] == setting) & (classified["generator"] == generator)
        is_same, weights = setting == SAME_DOMAIN, trained[setting, generator]
        refuse_seen(weights, setting, generator, classified["uuid"][tested], same_domain=is_same)
        parts = {name: classified[tested & (classified["label"] == name)] for name in CLASSES}
        add(TABLE_4, setting, generator, parts)
    write_table(rows, metrics, METRICS)
    return counts_of(frames) + counts_of(classified)


def balanced(classes: Sequence[pd.DataFrame], most: int, seed: int) -> list[pd.DataFrame]:
    """Return equally many scored rows of each class, a seeded choice of the larger ones.

    Args:
        classes: tables with the columns source, uuid and status.
        most: rows of a class at most.
        seed: of the run; each row's place in the choice depends on its own source and uuid only.
    """
    scored = [
        table[table["status"] == OK].assign(key=lambda t: t["source"] + "/" + t["uuid"])
        for table in classes
    ]
    size = min(most, *(len(table) for table in scored))
    return [
        table.set_index("key").loc[seeded_order(table["key"], seed, "test")[:size]]
        for table in scored
    ]


def outputs_of(videos: pd.DataFrame, counting: str) -> np.ndarray:
    """Return the outputs of videos, or of their clips: float64 of shape (items, classes)."""
    if counting == "video":
        return videos[[f"p_{name}" for name in CLASSES]].to_numpy()
    clips = np.concatenate([np.zeros(0), *videos["clips"]])
    return clips.reshape(-1, len(CLASSES))


def _why_empty(kind: str, setting: str, part: pd.DataFrame) -> str:
    reasons = part["reason"].value_counts()
    if reasons.empty:
        return (
            f"TIP-ID gives no test video of the class {kind}; raise split.tip_id.test_share, or add "
            f"a source to split.tip_id.{kind}"
        )
    told = ", ".join(f"{reason} {number:,}" for reason, number in reasons.items())
    return f"{setting}: all {len(part):,} test videos of the class {kind} were rejected ({told})"


def _read(paths: Sequence[Path], schema: pa.Schema) -> pd.DataFrame:
    tables = [read_table(path, schema) for path in paths]
    return pa.concat_tables([schema.empty_table(), *tables]).to_pandas()


def counts_of(videos: pd.DataFrame) -> Counts:
    """Return how many videos have an outcome, and how many have none by reason."""
    return Counts(int((videos["status"] == OK).sum()), Counter(videos["reason"].dropna()))


if __name__ == "__main__":
    run_job(measure_detection, snakemake)
