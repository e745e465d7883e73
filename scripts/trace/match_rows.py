"""Rows of a table of matches, from what a search found."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.split import SOURCE_IMAGE
from scripts.common.schemas.trace import QUERY
from scripts.trace.candidate_list import Pairs


def sought(asked: pa.Table, known: pa.Table) -> np.ndarray:
    """Return which queries were described, and have no true pair or have it among the references.

    Args:
        asked: queries and distractors (``role, status, prompt``).
        known: references that were described (``role, uuid``).

    Returns:
        bool of shape (rows of ``asked``,).
    """
    sources = known.filter(pc.equal(known["role"], SOURCE_IMAGE))["uuid"]
    has_pair = pc.or_(pc.not_equal(asked["role"], QUERY), pc.is_in(asked["prompt"], sources))
    return pc.and_(pc.equal(asked["status"], OK), has_pair).to_numpy()


def match_rows(asked: pa.Table, known: pa.Table, pairs: Pairs) -> pa.Table:
    """Return matches of what was searched for (``MATCHES``).

    Args:
        asked: queries and distractors (``set, uuid, role, status, reason, prompt``).
        known: the references (``uuid, role``).
        pairs: of rows of ``asked`` and of ``known``.
    """
    queries, found = asked.take(pairs.queries), known.take(pairs.references)
    is_match = pc.and_(
        pc.equal(queries["prompt"], found["uuid"]),
        pc.and_(pc.equal(queries["role"], QUERY), pc.equal(found["role"], SOURCE_IMAGE)),
    )
    columns = {"rank": pairs.ranks, "reference": found["uuid"], "score": pairs.scores}
    return _table(queries, is_match=is_match, **columns)


def unmatched_rows(asked: pa.Table, searched: np.ndarray) -> pa.Table:
    """Return a row with the reason of each query that was not searched for."""
    others = asked.filter(~searched)
    status = pa.array([REJECTED] * len(others), pa.string())
    return _table(others, status=status, reason=pc.fill_null(others["reason"], "no_source_image"))


def _table(asked: pa.Table, **columns: object) -> pa.Table:
    asked = asked.drop("prompt").rename_columns({"uuid": "query"})
    return pa.table(dict(zip(asked.column_names, asked.columns, strict=True)) | columns)
