"""Rank the best references of each query anew, by a network that sees both pictures at once."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.parquet import read_metadata

from scripts.common.backends import load_backend
from scripts.common.engine import Task, ledger_key, run
from scripts.common.errors import Rejected
from scripts.common.fingerprints import fingerprint
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.roles import Matcher
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.trace import MATCHES, PAIR_SCORES, REFERENCES
from scripts.common.tables import fit, read_table, write_table
from scripts.models.devices import prepare_torch
from scripts.trace.picture_files import PictureFile, find_pictures

SCRIPT = "scripts/trace/rerank_matches.py"
_READ_AT_ONCE = 16_384
"""Rows of the list of references: a million of them need not become objects."""
_KEPT_SQUARES = 4_096
"""Pictures: a reference is a candidate of many queries, and each query is one of many models."""


def rerank_matches(
    matches: Path,
    reranked: Path,
    *,
    entry: Mapping[str, Any],
    pictures: Mapping[str, Mapping[str, Any]],
    top_k: int,
    batch_size: int,
    precision: str = "float32",
    device: str = "auto",
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Score the best references of each query anew, each pair of pictures together.

    CopyNCE's protocol (https://github.com/eddielyc/CopyNCE, core/run/eval/eval_cls.py): the
    candidates of a query stay, and the pair's score takes the place of the cosine, within the query
    and in the one list of all queries that μAP ranks.

    Args:
        matches: ``MATCHES`` of a model.
        reranked: the table to write (``MATCHES``), without frames along videos and whole videos.
        entry: the re-ranker's backend, weights and settings.
        pictures: set -> where its pictures lie (``find_pictures``): those whose matches are scored
            anew, and the references.
        top_k: references of each query.
        batch_size: pictures per call.
        precision: of ``scripts.models.devices.PRECISIONS``, unless the entry says.
        device: ``cpu``, ``cuda`` or ``auto``.
        threads: that read pictures, and of the network on the CPU.
        ledger_root: where finished queries outlive the job.

    Returns:
        Counts of queries.

    Raises:
        UserError: the weights are missing or do not fit the entry, or it always fails.
    """
    settings = {"precision": precision} | (entry.get("settings") or {})
    entry = {**entry, "settings": settings}
    table = read_table(matches, MATCHES)
    table = table.filter(pc.is_in(table["set"], pa.array(pictures.keys() - {REFERENCES})))
    known = _find_references(pictures[REFERENCES], table["reference"])
    folder = ledger_root / "trace" / ledger_key(SCRIPT, entry)
    load = partial(_load, json.dumps(entry, sort_keys=True), device, threads)
    tables, counts = [fit([], MATCHES)], Counts()
    for name in table["set"].unique().to_pylist():
        mine = table.filter(pc.equal(table["set"], name))
        best = pc.and_(pc.equal(mine["status"], OK), pc.less_equal(mine["rank"], top_k))
        pairs: dict[str, list[dict]] = {}
        for row in mine.filter(best).to_pylist():
            pairs.setdefault(row["query"], []).append(row)
        task = _task(
            {query: [row["reference"] for row in rows] for query, rows in pairs.items()},
            {file.uuid: file for file in find_pictures(pictures[name])},
            known,
            load=load,
            folder=folder / f"{matches.stem}-{name}",
            batch_size=max(1, batch_size // (top_k + 1)),
        )
        run([task], lambda query: query, what=f"re-rank {matches.stem} {name}", workers=threads)
        scored = task.rows(lambda query, reason: {"uuid": query, "reason": reason}).to_list()
        rows = [row for one in scored for row in _ranked(pairs[one["uuid"]], one)]
        tables += [fit(rows, MATCHES), mine.filter(pc.not_equal(mine["status"], OK))]
        counts += Counts.of_statuses({one["uuid"]: one.get("reason") for one in scored})
        counts.notes += [f"{name}: {note}" for note in task.notes]
    write_table(pa.concat_tables(tables), reranked, MATCHES, sort_by=["set", "query", "rank"])
    return counts


@cache  # for all lots of a job
def _load(entry: str, device: str, threads: int) -> Matcher:
    prepare_torch(threads)
    return load_backend(json.loads(entry), device=device)


@lru_cache(_KEPT_SQUARES)
def _square(matcher: Matcher, file: PictureFile) -> Any:
    return matcher.prepare(file.read())


def _find_references(source: Mapping[str, Any], wanted: pa.ChunkedArray) -> dict[str, PictureFile]:
    names = set(wanted.unique().to_pylist())
    ranges = 1 + read_metadata(source["images"]).num_rows // _READ_AT_ONCE
    return {
        file.uuid: file
        for number in range(ranges)
        for file in find_pictures(source, number, ranges)
        if file.uuid in names
    }


def _task(
    candidates: Mapping[str, Sequence[str]],
    asked: Mapping[str, PictureFile],
    known: Mapping[str, PictureFile],
    *,
    load: Callable[[], Matcher],
    folder: Path,
    batch_size: int,
) -> Task:
    """Return the work on a set's queries, each with its candidates."""

    def prepare(matcher: Matcher, query: str) -> list[tuple[Any, Any]]:
        own = _square(matcher, asked[query])
        return [(own, _square(matcher, known[reference])) for reference in candidates[query]]

    def finish(query: str, scores: np.ndarray) -> dict | Rejected:
        return {"scores": scores} if np.isfinite(scores).all() else Rejected("not_a_number")

    return Task(
        name="re-ranker",
        items={
            query: fingerprint(of=asked[query].sha256, among=[(r, known[r].sha256) for r in some])
            for query, some in candidates.items()
        },
        ledger=RowLedger(folder, PAIR_SCORES),
        load=load,
        prepare=prepare,
        work=_match,
        finish=finish,
        batch_size=batch_size,
        failure="matching_failed",
    )


def _match(matcher: Matcher, queries: Sequence[list[tuple[Any, Any]]]) -> list[np.ndarray]:
    scores = matcher.match([pair for pairs in queries for pair in pairs])
    return np.split(scores, np.cumsum([len(pairs) for pairs in queries])[:-1])


def _ranked(rows: Sequence[dict], one: Mapping[str, Any]) -> list[dict]:
    """Return a query's rows with its pairs' scores, best first; equal ones stay as they were."""
    if one.get("reason"):
        nothing = dict.fromkeys(("rank", "reference", "score", "is_match"))
        return [rows[0] | nothing | {"status": REJECTED, "reason": one["reason"]}]
    scored = [row | {"score": score} for row, score in zip(rows, one["scores"], strict=True)]
    scored.sort(key=lambda row: -row["score"])
    return [row | {"rank": rank} for rank, row in enumerate(scored, start=1)]


if __name__ == "__main__":
    run_job(rerank_matches, snakemake)
