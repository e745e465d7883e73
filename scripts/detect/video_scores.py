"""What detectors and trained classifiers give for the test videos of TIP-ID, kept by video."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from scripts.common.engine import Task, run
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.split import TEST
from scripts.common.tables import write_table
from scripts.detect.tip_id import Source


@dataclass(frozen=True)
class Scorer:
    """One model that scores videos.

    Attributes:
        columns: what tells its rows from others': column of the table, if it has it -> value.
        key: of its ledger: all that decides a score but for the video.
        load: makes the model.
        score: takes the model and what was read of some videos; returns for each the columns that
            it gives, by name.
        prepare: takes the model and what was read of one video, in the threads that read.
    """

    columns: Mapping[str, str]
    key: str
    load: Callable[[], Any]
    score: Callable[[Any, Sequence[Any]], Iterable[Any]]
    prepare: Callable[[Any, Any], Any] = Task.prepare


def score_sources(
    sources: Mapping[str, Mapping[str, Any]],
    tables: Sequence[Path],
    scorers: Callable[[str], Sequence[Scorer]],
    read: Callable[[Source, str], Any],
    *,
    schema: pa.Schema,
    needed: Mapping[str, Container[str]],
    batch_size: int,
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the scores of the test videos of some sources, each read once for all its scorers.

    Args:
        sources: name -> the arguments of ``Source``.
        tables: the table of each source; one row for each scorer and video.
        scorers: returns those of a source.
        read: returns what scorers take of a video, from its source and uuid.
        schema: of the tables.
        needed: source -> the test videos that are to be scored; all of a source that is not there.
        batch_size: videos per call of a scorer.
        threads: that read.
        ledger_root: where finished scores are kept.

    Raises:
        UserError: weights or an input are missing, or nothing could be scored.
    """
    counts, declared = Counts(), 0
    for (name, files), path in zip(sources.items(), tables, strict=True):
        source = Source(**files, part=TEST, only=needed.get(name))
        asked, tasks = scorers(name), []
        for scorer in asked:
            row = partial(_row, source, schema, scorer.columns)
            task = Task(
                name=" ".join(scorer.columns.values()),
                items=source.versions,
                faults=source.missing(),
                ledger=RowLedger(ledger_root / "detect" / scorer.key / name, schema),
                load=scorer.load,
                prepare=scorer.prepare,
                work=scorer.score,
                finish=lambda uuid, found, row=row: row(uuid) | found,
                batch_size=batch_size,
                failure="scoring_failed",
            )
            tasks.append((task, row))
        run(
            [task for task, _ in tasks],
            partial(read, source),
            what=f"score {name}",
            workers=threads,
        )
        rows = [one for task, row in tasks for one in task.rows(row).to_list()]
        columns = [column for column in schema.names if any(column in one.columns for one in asked)]
        write_table(rows, path, schema, sort_by=[*columns, "uuid"])
        declared += len(source.videos) * len(tasks)
        for one in rows:
            counts.keep() if one["reason"] is None else counts.reject(one["reason"])
        counts.notes += [f"{task.name}: {note}" for task, _ in tasks for note in task.notes]
    counts.declared = declared
    return counts


def _row(
    source: Source,
    schema: pa.Schema,
    columns: Mapping[str, str],
    uuid: str,
    reason: str | None = None,
) -> dict:
    known = {"uuid": uuid, "source": source.name, "label": source[uuid].label, **columns}
    status = {"status": OK if reason is None else REJECTED, "reason": reason}
    return {name: (known | status).get(name) for name in schema.names}
