"""TIP-ID as a table: how often each model is right by source, overlay and length; what was checked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from scripts.analyse.csv_files import read_csv
from scripts.analyse.paper_table import PaperTable, Row, Section
from scripts.analyse.table_faces import laid_out
from scripts.common.job import run_job
from scripts.common.schemas.detect import CLASS_SCORES, FRAME_SCORES
from scripts.common.tables import read_frame
from scripts.detect.breakdown import LENGTHS, OVERLAYS, describe_videos, right_by_group


@laid_out
def build_tip_id(
    frame_scores: Sequence[Path],
    class_scores: Sequence[Path],
    watermarks: Sequence[Path],
    leakage: Path,
    *,
    layout: Mapping[str, Any],
    detectors: Sequence[Mapping[str, Any]],
    trained: Sequence[Mapping[str, Any]],
    indexes: Mapping[str, Sequence[Path]],
    generators: Sequence[str],
    real_sources: Sequence[str],
    labels: Mapping[str, str],
) -> PaperTable:
    """Lay out the shares of right answers, a column for each model, and the proof against leakage.

    Args:
        frame_scores: tables of ``FRAME_SCORES``.
        class_scores: tables of ``CLASS_SCORES``.
        watermarks: tables of ``WATERMARKS``.
        leakage: results/splits/leakage.csv, a row for each rule.
        layout: the table's, as ``config/beyond.yaml`` has it.
        detectors: columns, in order: ``entry``, ``label``, ``embedded``.
        trained: further columns, ``key`` being the training's setting.
        indexes: source -> the indexes of its videos.
        generators: the sources whose videos are made of image prompts.
        real_sources: the sources of real videos.
        labels: source -> how readers see it, in order.
    """
    videos = describe_videos(indexes, watermarks, generators)
    columns = [*detectors, *({**one, "entry": one["key"]} for one in trained)]
    frames = read_all(frame_scores, FRAME_SCORES)
    classes = read_all(class_scores, CLASS_SCORES)
    lots = [frames[frames["detector"] == one["entry"]] for one in detectors]
    lots += [classes[classes["setting"] == one["key"]] for one in trained]
    found = [right_by_group(lot, videos, real_sources) for lot in lots]
    orders = {"source": labels, "overlay": OVERLAYS.values(), "length": LENGTHS}
    sections = []
    for by, header in layout["header"].items():
        there = [value for value in orders[by] if any((by, value) in of_one for of_one in found)]
        rows = []
        for value in there:
            cells = [of_one.get((by, value), (None, None)) for of_one in found]
            shares, items = zip(*cells, strict=True)
            rows.append(Row([labels.get(value, value)], shares, items, value))
        sections.append(Section([header], rows, (by,)))
    rules = read_csv(leakage)
    broken = sum(int(rule["violations"]) for rule in rules)
    checked = sum(int(rule["checked"]) for rule in rules)
    notes = [
        *layout["notes"],
        f"Leakage between training and test: {len(rules)} rules on {checked:,} items, "
        f"{broken:,} violations.",
        *(f"Rule {rule['rule']} ({rule['section']}): {rule['meaning']}; checked "
          f"{int(rule['checked']):,}, violations {int(rule['violations']):,}." for rule in rules),
    ]  # fmt: skip
    return PaperTable.of(layout, columns, sections, notes=notes)


def read_all(paths: Sequence[Path], schema: pa.Schema) -> pd.DataFrame:
    """Return tables of one kind as one; an empty one of none."""
    return pd.concat(
        [schema.empty_table().to_pandas(), *(read_frame(path, schema) for path in paths)]
    )


if __name__ == "__main__":
    run_job(build_tip_id, snakemake)
