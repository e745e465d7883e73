"""Measure how much of the accuracy is the format: the bias ledger of Tables 3 and 4."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from scripts.common.errors import UserError
from scripts.common.identity import derived_seed
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import (
    ACCURACY,
    ACCURACY_HIGH,
    ACCURACY_LOW,
    BIAS,
    CLASS_SCORES,
    CLASSES,
    EXPLAINED,
    FORMATS,
    FRAME_SCORES,
    MAP,
    SAME_DOMAIN,
    SHORTCUT_TESTS,
    TABLE_3,
    TABLE_4,
    TAKEN,
)
from scripts.common.schemas.items import OK
from scripts.common.schemas.split import IMAGE_GENERATED, REAL, TEXT_GENERATED, TIP_ID
from scripts.common.seen import refuse_seen
from scripts.common.tables import read_frame, write_table
from scripts.detect.controls import AS_IS
from scripts.detect.measure_detection import balanced, counts_of, outputs_of
from scripts.detect.metrics import Measures, binary_measures, class_measures
from scripts.detect.shortcuts import FOLDS, container_probabilities, find_shortcuts

CONTAINER = "container"
"""The setting that is no detector: what the container alone tells."""

SHOWN = (ACCURACY, ACCURACY_LOW, ACCURACY_HIGH, MAP)
PAIR = (REAL, IMAGE_GENERATED)


def measure_bias(
    formats: Sequence[Path],
    frame_scores: Sequence[Path],
    class_scores: Sequence[Path],
    splits: Sequence[Path],
    checkpoints: Sequence[Path],
    bias: Path,
    shortcuts: Path,
    *,
    detectors: Sequence[str],
    settings: Sequence[str],
    generators: Sequence[str],
    animated: Sequence[str],
    most: int,
    seed: int,
) -> Counts:
    """Write accuracy and mAP under each control, what is lost by it, and which shortcuts there are.

    Each number of a row stands on the same videos, those that are there under every control; the
    classes are of one size. What the format explains of a model's accuracy is the share of what the
    unchanged videos have above guessing that is gone where formats are alike; it is not defined
    where the unchanged videos have nothing above guessing. What a procedure made of image prompts is
    neither real nor a model's: its accuracy is the share that is not taken for generated from an
    image.

    Args:
        formats: ``FORMATS``, ``controls/<control>/formats/<source>.parquet``.
        frame_scores: ``FRAME_SCORES``, likewise in ``scores``.
        class_scores: ``CLASS_SCORES``, likewise in ``classes``.
        splits: ``TIP_ID``, likewise in ``tip_id``: which videos belong together.
        checkpoints: weights of every training, ``<control>/checkpoints/<setting>/<generator>``.
        bias: output (``BIAS``).
        shortcuts: output (``SHORTCUT_TESTS``).
        detectors: of Table 3, in order.
        settings: of Table 4, in order.
        generators: in the tables' order.
        animated: controls whose videos a procedure makes of image prompts.
        most: test videos of a class at most.
        seed: of the run.

    Raises:
        UserError: a control leaves too few videos of a class, or a model saw what it is tested on.
    """
    rows: list[dict[str, Any]] = []
    described = _read(formats, FORMATS)
    groups = read_frame(splits, TIP_ID, ["uuid", "source", "group"]).drop_duplicates()
    described = described.merge(groups, on=["source", "uuid"], how="left")
    scored = _read(frame_scores, FRAME_SCORES)
    labels = described[["source", "label"]].drop_duplicates()
    scored = scored.merge(labels, on="source", how="left")
    classified = _read(class_scores, CLASS_SCORES)
    _refuse_seen(checkpoints, classified)

    lots: list[tuple[str, str, str, pd.DataFrame]] = []
    for generator in generators:
        own = described[
            (described["label"] != IMAGE_GENERATED) | (described["source"] == generator)
        ]
        lots += [(TABLE_3, CONTAINER, generator, own), (TABLE_4, CONTAINER, generator, own)]
    for detector, generator in product(detectors, generators):
        of_it = scored[scored["detector"] == detector]
        own = of_it[(of_it["label"] == REAL) | (of_it["source"] == generator)]
        lots.append((TABLE_3, detector, generator, own))
    for setting, generator in product(settings, generators):
        own = (classified["setting"] == setting) & (classified["generator"] == generator)
        lots.append((TABLE_4, setting, generator, classified[own]))

    tests = []
    for table, setting, generator, lot in lots:
        kinds = PAIR if table == TABLE_3 else CLASSES
        common = {"table": table, "setting": setting, "generator": generator}
        own_seed = derived_seed(seed, "bias", generator)
        measured = {}
        for control, parts in _alike(lot[~lot["control"].isin(animated)], kinds, most, seed):
            measured[control] = _measures(setting, parts, kinds, own_seed)
            if setting == CONTAINER:
                tests += _shortcut_rows(control, generator, parts, own_seed, table)
            rows += _rows(
                common | {"control": control}, measured[control], len(kinds) * len(parts[0])
            )
        for control, values in measured.items():
            if control != AS_IS and setting != CONTAINER:
                lost = {EXPLAINED: explained(measured[AS_IS], values, 1 / len(kinds))}
                rows += _rows(common | {"control": control}, lost, 0)
        for control in animated if setting != CONTAINER else ():
            made = lot[(lot["control"] == control) & (lot["status"] == OK)]
            rows += _rows(common | {"control": control}, _not_taken(made, own_seed), len(made))
    write_table(rows, bias, BIAS)
    write_table(tests, shortcuts, SHORTCUT_TESTS)
    return sum(map(counts_of, (described, scored, classified)), Counts())


def explained(before: Measures, after: Measures, guess: float) -> float | None:
    """Return the share of what an accuracy has above a guess that is lost; None if it has nothing.

    An accuracy that rises explains nothing, and one below a guess is one.
    """
    low = before[ACCURACY_LOW]
    if low is None or low <= guess:
        return None
    lost = (before[ACCURACY] - after[ACCURACY]) / (before[ACCURACY] - guess)
    return float(np.clip(lost, 0, 1))


def _alike(
    lot: pd.DataFrame, kinds: Sequence[str], most: int, seed: int
) -> Iterator[tuple[str, list[pd.DataFrame]]]:
    """Yield for each control equally many videos of each class, the same under all controls."""
    good = lot[(lot["status"] == OK) & lot["label"].isin(kinds)]
    good = good.assign(key=good["source"] + "/" + good["uuid"])
    controls = list(dict.fromkeys(lot["control"]))
    there = good.groupby("key")["control"].nunique()
    good = good[good["key"].isin(there.index[there == len(controls)])]
    for control in controls:
        of_it = good[good["control"] == control]
        parts = balanced([of_it[of_it["label"] == kind] for kind in kinds], most, seed)
        if len(parts[0]) < FOLDS:
            reasons = lot["reason"].value_counts()
            told = ", ".join(f"{reason} {number:,}" for reason, number in reasons.items())
            raise UserError(
                f"the controls of detect.bias_ledger leave {len(parts[0])} test videos of a class "
                f"under all of them together ({told or 'none was rejected'}), and {FOLDS} are "
                "needed; change what they ask of rate and length, or raise detect.bias_ledger.test"
            )
        yield control, parts


def _measures(
    setting: str, parts: Sequence[pd.DataFrame], kinds: Sequence[str], seed: int
) -> Measures:
    if setting == CONTAINER:
        table = pd.concat(parts)
        outputs = container_probabilities(table, seed)
        # The classes of the forest are in the order of their names.
        outputs = outputs[:, [sorted(kinds).index(kind) for kind in kinds]]
        if len(kinds) == len(PAIR):
            return binary_measures(*np.split(outputs[:, 1], 2), seed=seed)
    elif len(kinds) == len(PAIR):
        return binary_measures(*(part["score"].to_numpy() for part in parts), seed=seed)
    else:
        outputs = outputs_of(pd.concat(parts), "video")
    return class_measures(outputs, np.repeat(np.arange(len(parts)), len(parts[0])), seed)


def _not_taken(made: pd.DataFrame, seed: int) -> Measures:
    """Return the share of a procedure's videos that is, and is not, taken for generated."""
    if not len(made):
        return dict.fromkeys((ACCURACY, ACCURACY_LOW, ACCURACY_HIGH, TAKEN))
    if "score" in made:
        taken = float((made["score"] > 0.5).mean())
    else:
        answers = outputs_of(made, "video").argmax(axis=1)
        taken = float((answers == CLASSES.index(IMAGE_GENERATED)).mean())
    drawn = np.random.default_rng(seed).binomial(len(made), 1 - taken, 10_000) / len(made)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {ACCURACY: 1 - taken, ACCURACY_LOW: float(low), ACCURACY_HIGH: float(high), TAKEN: taken}


def _shortcut_rows(
    control: str, generator: str, parts: Sequence[pd.DataFrame], seed: int, table: str
) -> Iterator[dict[str, Any]]:
    """Yield the tests of a generator's videos against real ones, or of Table 4 against text's."""
    against = REAL if table == TABLE_3 else TEXT_GENERATED
    pair = pd.concat(
        [part for part in parts if part["label"].iloc[0] in (against, IMAGE_GENERATED)]
    )
    for name, found in find_shortcuts(pair, seed).items():
        common = {"control": control, "generator": generator, "against": against}
        yield {**common, "shortcut": name, "items": len(pair), **found}


def _rows(common: Mapping[str, Any], values: Measures, items: int) -> list[dict[str, Any]]:
    shown = {name: values[name] for name in (*SHOWN, TAKEN, EXPLAINED) if name in values}
    return [{**common, "items": items, "metric": name, "value": value}
            for name, value in shown.items()]  # fmt: skip


def _refuse_seen(checkpoints: Sequence[Path], classified: pd.DataFrame) -> None:
    for path in checkpoints:
        setting, generator, control = path.parent.name, path.stem, path.parents[2].name
        tested = (classified["setting"] == setting) & (classified["generator"] == generator)
        if control != AS_IS:
            tested &= classified["control"] == control
        refuse_seen(path, setting, generator, classified["uuid"][tested],
                    same_domain=setting == SAME_DOMAIN)  # fmt: skip


def _read(paths: Sequence[Path], schema: pa.Schema) -> pd.DataFrame:
    """Return tables of one kind with the control in whose folder each lies."""
    tables = [read_frame(path, schema).assign(control=path.parents[1].name) for path in paths]
    return pd.concat([schema.empty_table().to_pandas().assign(control=""), *tables])


if __name__ == "__main__":
    run_job(measure_bias, snakemake)
