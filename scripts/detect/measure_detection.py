"""Measure detectors and classifiers on balanced test sets (Section 5.3, Tables 3 and 4)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

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
from scripts.common.tables import read_frame, write_table
from scripts.detect.metrics import Measures, binary_measures, class_measures


def measure_detection(
    frame_scores: Mapping[tuple[str, str], Path],
    class_scores: Mapping[tuple[str, str], Path],
    metrics: Path,
    *,
    generators: Sequence[str],
    real_sources: Sequence[str],
    max_per_class: int,
    seed: int,
) -> Counts:
    """Write accuracy and mAP of every detector and every training, per generator.

    Blind guessing gives 50 % and 33.3 % in the paper's tables, so its test sets hold equally many
    videos of each class: the larger classes are sampled down, at random but always the same.

    Args:
        frame_scores: (detector, source) -> ``FRAME_SCORES``; sources are generators and real ones.
        class_scores: (setting, generator) -> ``CLASS_SCORES``.
        metrics: ``METRICS``, one row for each table, setting, generator and metric.
        generators: in the tables' order.
        real_sources: whose videos are taken together.
        max_per_class: test videos of a class at most.
        seed: of the run.

    Returns:
        the test videos that were read: scored, or rejected in an earlier step.
    """
    counts = Counts()
    rows = []
    for detector in dict.fromkeys(detector for detector, _ in frame_scores):
        real = pd.concat(
            [_read(frame_scores[detector, name], FRAME_SCORES, counts) for name in real_sources],
            keys=real_sources,
            names=["source"],
        ).reset_index("source")
        for generator in generators:
            fake = _read(frame_scores[detector, generator], FRAME_SCORES, counts)
            fake = fake.assign(source=generator)
            chosen = balanced([real, fake], max_per_class, seed)
            measures = binary_measures(*(table["score"].to_numpy() for table in chosen))
            rejected = _rejected(real) + _rejected(fake)
            rows += _rows(TABLE_3, detector, generator, measures, rejected)
    for (setting, generator), path in class_scores.items():
        table = _read(path, CLASS_SCORES, counts)
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


def _read(path: Path, schema: object, counts: Counts) -> pd.DataFrame:
    table = read_frame(path, schema)
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


def _by_folder_and_name(paths: Sequence[str]) -> dict[tuple[str, str], Path]:
    return {(path.parent.name, path.stem): path for path in map(Path, paths)}


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = measure_detection(
            _by_folder_and_name(snakemake.input.frame_scores),
            _by_folder_and_name(snakemake.input.class_scores),
            Path(snakemake.output.metrics),
            generators=snakemake.params.generators,
            real_sources=snakemake.params.real_sources,
            max_per_class=snakemake.params.max_per_class,
            seed=snakemake.params.seed,
        )
        log.finish(counts)
