"""Classify one source's test videos with every classifier tested on it (Section 5.3, Table 4)."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.backends import load_backend
from scripts.common.code import settings_of
from scripts.common.engine import Task, ledger_key, run
from scripts.common.errors import Rejected
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.detect import CLASS_SCORES, CLASSES
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.split import TEST
from scripts.common.tables import write_table
from scripts.detect.tip_id import Source, SourceFiles

SCRIPT = "scripts/detect/classify_videos.py"


def classify_videos(
    models: Mapping[tuple[str, str], Path],
    files: SourceFiles,
    scores: Path,
    *,
    entry: Mapping[str, Any],
    batch_size: int,
    device: str = "auto",
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the trained classifiers' outputs for the test videos of one source.

    A video's clips are decoded once for all classifiers. Finished outputs are kept for each under
    the content of its weights, so that one that was trained anew redoes its own and no other's.

    Args:
        models: (setting, tested generator) -> weights from ``train_videomae``.
        files: the source's table of TIP-ID (``TIP_ID``), tars and indexes.
        scores: ``CLASS_SCORES``, one row for each classifier and test video.
        entry: the classifiers' entry in config/detectors.yaml.
        batch_size: clips per call of a classifier.
        device: cpu, cuda or auto.
        threads: that decode.
        ledger_root: where finished outputs are kept.

    Raises:
        UserError: weights are damaged or of another model, or nothing could be classified.
    """
    source = Source(files, TEST)
    # One thread for the model: on the CPU its outputs would depend on how many there are.
    classifier = cache(lambda: load_backend(entry, device=device, threads=1))
    settings = entry["settings"]

    def read(uuid: str) -> Any:
        return classifier().test_clips(source[uuid], source)

    def classify(model: Any, videos: Sequence[Any]) -> np.ndarray:
        return classifier().classify(model, videos, batch_size=batch_size)

    def task(setting: str, generator: str, weights: Path) -> Task:
        decisive = {"clip": settings["clip"], "precision": settings["training"].get("precision")}
        decided_by = {
            "backend": entry["backend"],
            "weights": {"path": weights},
            "settings": decisive,
        }
        key = ledger_key(SCRIPT, decided_by, setting=setting, generator=generator)
        row = partial(_row, source, setting, generator)
        return Task(
            name=f"{setting} {generator}",
            items=source.versions,
            faults=source.missing(),
            ledger=RowLedger(ledger_root / "detect" / key / source.name, CLASS_SCORES),
            load=lambda: classifier().read_model(weights),
            work=classify,
            finish=partial(_finish, row),
            batch_size=batch_size,
            failure="scoring_failed",
        )

    tasks = {trained: task(*trained, weights) for trained, weights in models.items()}
    run(list(tasks.values()), read, what=f"classify {source.name}", workers=threads)
    table = [
        row
        for (setting, generator), each in tasks.items()
        for row in each.rows(partial(_row, source, setting, generator)).to_list()
    ]
    write_table(table, scores, CLASS_SCORES, sort_by=["setting", "generator", "uuid"])
    outcomes = {(row["setting"], row["generator"], row["uuid"]): row["reason"] for row in table}
    counts = Counts.of_statuses(outcomes)
    counts.declared = len(source.videos) * len(tasks)
    counts.notes = [f"{each.name}: {note}" for each in tasks.values() for note in each.notes]
    return counts


def _finish(row: Callable[[str], dict], uuid: str, outputs: np.ndarray) -> dict | Rejected:
    if not np.isfinite(outputs).all():
        return Rejected("not_a_number")
    return row(uuid) | {f"p_{name}": float(p) for name, p in zip(CLASSES, outputs, strict=True)}


def _row(
    source: Source, setting: str, generator: str, uuid: str, reason: str | None = None
) -> dict:
    return {
        "uuid": uuid,
        "source": source[uuid].source,
        "label": source[uuid].label,
        "setting": setting,
        "generator": generator,
        **{f"p_{name}": None for name in CLASSES},
        "status": OK if reason is None else REJECTED,
        "reason": reason,
    }


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        weights = [Path(path) for path in snakemake.input.weights]
        counts = classify_videos(
            {(path.parent.name, path.stem): path for path in weights},
            SourceFiles(snakemake.input.split, snakemake.input.tars, snakemake.input.indexes),
            Path(snakemake.output.scores),
            **settings_of(snakemake.params),
            threads=snakemake.threads,
        )
        log.finish(counts)
