"""Rows of a table of matches, from what a search found."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.split import SOURCE_IMAGE
from scripts.common.schemas.trace import QUERY


def sought(asked: pa.Table, known: pa.Table) -> np.ndarray:
    """Return which queries were described, and have no true pair or have it among the references.

    Args:
        asked: queries and distractors (``role, status, uuid``).
        known: references that were described (``role, uuid``).

    Returns:
        bool of shape (rows of ``asked``,).
    """
    sources = known.filter(pc.equal(known["role"], SOURCE_IMAGE))["uuid"]
    has_pair = pc.or_(pc.not_equal(asked["role"], QUERY), pc.is_in(asked["uuid"], sources))
    return pc.and_(pc.equal(asked["status"], OK), has_pair).to_numpy()


def match_rows(
    asked: pa.Table, searched: np.ndarray, known: pa.Table, scores: np.ndarray, numbers: np.ndarray
) -> pa.Table:
    """Return matches of what was searched for, and the reasons of what was not (``MATCHES``).

    Args:
        asked: queries and distractors (``set, uuid, role, status, reason``).
        searched: which of them were searched for, bool of shape (rows of ``asked``,).
        known: the references (``uuid, role``).
        scores: of shape (searched, kept), best first.
        numbers: rows of ``known``, of the same shape.
    """
    kept = numbers.shape[1]
    asked = asked.rename_columns({"uuid": "query"})
    queries, others = asked.take(np.repeat(np.flatnonzero(searched), kept)), asked.filter(~searched)
    found = known.take(numbers.ravel())
    is_match = pc.and_(
        pc.equal(queries["query"], found["uuid"]),
        pc.and_(pc.equal(queries["role"], QUERY), pc.equal(found["role"], SOURCE_IMAGE)),
    )
    pairs = {
        "rank": np.tile(np.arange(1, kept + 1, dtype=np.int32), int(searched.sum())),
        "reference": found["uuid"],
        "score": scores.ravel(),
        "is_match": is_match,
    }
    nothing = {
        "status": pa.array([REJECTED] * len(others), pa.string()),
        "reason": pc.fill_null(others["reason"], "no_source_image"),
    }
    tables = [
        pa.table(dict(zip(asked.column_names, some.columns, strict=True)) | columns)
        for some, columns in ((queries, pairs), (others, nothing))
    ]
    return pa.concat_tables(tables, promote_options="default")
