"""What dimensions, detectors and tracers said of a prompt's videos, and whom the videos fooled."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.common.schemas.detect import CLASS_SCORES, CLASSES, FRAME_SCORES
from scripts.common.schemas.evaluate import SCORES
from scripts.common.schemas.items import OK
from scripts.common.schemas.split import IMAGE_GENERATED
from scripts.common.schemas.trace import QUERY
from scripts.common.tables import read_table


class Verdict(NamedTuple):
    """What one judge said of a video.

    Attributes:
        judge: entry of a dimension, detector or tracer.
        score: that it gave.
        fooled: whether it took the video for no generated one, or found another picture than the
            source image first; None of a dimension, which judges nothing.
    """

    judge: str
    score: float
    fooled: bool | None


Verdicts = dict[str, dict[str, list[Verdict]]]
"""UUID -> generator, or source of real videos -> what was said of the video."""


def read_verdicts(
    scores: Sequence[Path],
    frame_scores: Sequence[Path],
    class_scores: Sequence[Path],
    matches: Sequence[Path],
) -> Verdicts:
    """Return all that was said of videos.

    A detector is fooled by a score that is not above one half (as Table 3 counts), a classifier by
    another class than ``image_generated`` (Table 4), a tracer by a best match that is not the source
    image (Table 5's queries; the name of its table is its own).

    Args:
        scores: tables of ``SCORES``.
        frame_scores: tables of ``FRAME_SCORES``.
        class_scores: tables of ``CLASS_SCORES``.
        matches: tables of ``MATCHES``, ``<tracer>.parquet``.
    """
    found: Verdicts = defaultdict(lambda: defaultdict(list))
    for path in scores:
        for row in _good(path, SCORES):
            verdict = Verdict(row["metric"], row["value"], None)
            found[row["item"]][row["generator"]].append(verdict)
    for path in frame_scores:
        for row in _good(path, FRAME_SCORES):
            verdict = Verdict(row["detector"], row["score"], row["score"] <= 0.5)
            found[row["uuid"]][row["source"]].append(verdict)
    for path in class_scores:
        for row in _good(path, CLASS_SCORES):
            # A real video is there once for each generator that it is compared with.
            if row["source"] == row["generator"]:
                answer = max((row[f"p_{name}"], name) for name in CLASSES)[1]
                score = row[f"p_{IMAGE_GENERATED}"]
                verdict = Verdict(row["setting"], score, answer != IMAGE_GENERATED)
                found[row["uuid"]][row["source"]].append(verdict)
    for path in matches:
        best = [("rank", "==", 1), ("role", "==", QUERY)]
        columns = ["set", "query", "score", "is_match"]
        for row in pq.read_table(
            path, columns=columns, filters=best, partitioning=None
        ).to_pylist():
            verdict = Verdict(path.stem, row["score"], not row["is_match"])
            found[row["query"]][row["set"]].append(verdict)
    return found


def _good(path: Path, schema: pa.Schema) -> list[dict]:
    """Return the rows of a table that have a number."""
    table = read_table(path, schema)
    return table.filter(pc.equal(table["status"], OK)).to_pylist()
