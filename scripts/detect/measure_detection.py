"""Measure detectors and classifiers on balanced test sets (Section 5.3, Tables 3 and 4)."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from scripts.common.code import settings_of
from scripts.common.identity import seeded_order
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.detect import (
    ACCURACY,
    CLASS_SCORES,
    CLASSES,
    FRAME_SCORES,
    MAP,
    METRICS,
    TABLE_3,
    TABLE_4,
)
from scripts.common.schemas.items import OK
from scripts.common.tables import read_table, write_table
from scripts.detect.metrics import Measures, binary_measures, class_measures


def measure_detection(
    frame_scores: Sequence[Path],
    class_scores: Sequence[Path],
    metrics: Path,
    *,
    detectors: Sequence[str],
    settings: Sequence[str],
    generators: Sequence[str],
    real_sources: Sequence[str],
    max_per_class: int,
    seed: int,
) -> Counts:
    """Write accuracy and mAP of every detector and every training, per generator.

    Blind guessing gives 50 % and 33.3 % in the paper's tables, so its test sets hold equally many
    videos of each class: the larger classes are sampled down, at random but always the same.

    Args:
        frame_scores: ``FRAME_SCORES`` of every generator and every real source.
        class_scores: ``CLASS_SCORES`` of every source.
        metrics: ``METRICS``, one row for each table, setting, generator and metric.
        detectors: of single frames, in the tables' order.
        settings: of trainings, in the tables' order.
        generators: in the tables' order.
        real_sources: whose videos are taken together.
        max_per_class: test videos of a class at most.
        seed: of the run.

    Returns:
        the test videos that were read: scored, or rejected in an earlier step.
    """
    counts = Counts()
    rows = []
    frames = _read(frame_scores, FRAME_SCORES, counts)
    for detector in detectors:
        scored = frames[frames["detector"] == detector]
        real = scored[scored["source"].isin(real_sources)]
        for generator in generators:
            fake = scored[scored["source"] == generator]
            chosen = balanced([real, fake], max_per_class, seed)
            measures = binary_measures(*(table["score"].to_numpy() for table in chosen))
            rejected = _rejected(real) + _rejected(fake)
            rows += _rows(TABLE_3, detector, generator, measures, rejected)
    classified = _read(class_scores, CLASS_SCORES, counts)
    for setting, generator in product(settings, generators):
        tested = (classified["setting"] == setting) & (classified["generator"] == generator)
        table = classified[tested]
        chosen = balanced([table[table["label"] == name] for name in CLASSES], max_per_class, seed)
        truth = np.repeat(np.arange(len(CLASSES)), [len(part) for part in chosen])
        outputs = pd.concat(chosen)[[f"p_{name}" for name in CLASSES]].to_numpy()
        measures = class_measures(outputs, truth)
        rows += _rows(TABLE_4, setting, generator, measures, _rejected(table))
    write_table(rows, metrics, METRICS)
    return counts


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


def _read(paths: Sequence[Path], schema: pa.Schema, counts: Counts) -> pd.DataFrame:
    tables = [read_table(path, schema) for path in paths]
    table = pa.concat_tables([schema.empty_table(), *tables]).to_pandas()
    counts.keep(int((table["status"] == OK).sum()))
    for reason, number in table["reason"].dropna().value_counts().items():
        counts.reject(reason, int(number))
    return table


def _rejected(table: pd.DataFrame) -> int:
    return int((table["status"] != OK).sum())


def _rows(
    table: str, setting: str, generator: str, measures: Measures, rejected: int
) -> list[dict]:
    common = {"table": table, "setting": setting, "generator": generator}
    common |= {"items": measures.items, "rejected": rejected}
    return [
        common | {"metric": ACCURACY, "value": measures.accuracy},
        common | {"metric": MAP, "value": measures.mean_average_precision},
    ]


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = measure_detection(
            [Path(path) for path in snakemake.input.frame_scores],
            [Path(path) for path in snakemake.input.class_scores],
            Path(snakemake.output.metrics),
            **settings_of(snakemake.params),
        )
        log.finish(counts)
