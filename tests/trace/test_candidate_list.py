"""The list of the best pairs of all queries: exact, in bounded memory, and what it is measured as."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.common.schemas.trace import MATCHES
from scripts.common.tables import read_table, write_table
from scripts.trace.candidate_list import best_pairs
from tests.trace.made_up import MadeUpTrace
from tests.trace.test_features_to_metrics import (
    brightness,
    decode,
    extract,
    features_of,
    match,
    measure,
)


class Searching:
    """Searches in a table of scores, and notes how much it was asked for."""

    def __init__(self, scores):
        self.scores, self.asked = scores, []

    def __call__(self, queries, wanted):
        self.asked.append(len(queries) * wanted)
        order = np.argsort(-self.scores[queries], axis=1, kind="stable")[:, :wanted]
        return np.take_along_axis(self.scores[queries], order, axis=1), order


@given(
    queries=st.integers(1, 12),
    references=st.integers(1, 40),
    candidates=st.integers(0, 200),
    top_k=st.integers(1, 5),
    hubs=st.integers(0, 3),
    levels=st.sampled_from([3, 50, 10**6]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_the_list_is_that_of_sorting_all_pairs(
    queries, references, candidates, top_k, hubs, levels, seed
):
    random = np.random.default_rng(seed)
    scores = random.integers(0, levels, (queries, references)).astype(np.float32)
    scores[:hubs] += levels  # all their pairs are better than any other query's
    search = Searching(scores)
    found = search(np.arange(queries), top_k)
    pairs = best_pairs(
        search, np.arange(queries), found, candidates=candidates, references=references
    )
    assert (scores[pairs.queries, pairs.references] == pairs.scores).all()
    assert len(set(zip(pairs.queries, pairs.references, strict=True))) == len(pairs.scores)
    every = np.sort(scores.ravel())[::-1][:candidates]
    assert np.sort(pairs.scores)[::-1][: len(every)].tolist() == every.tolist()
    for query in range(queries):
        mine = pairs.queries == query
        assert pairs.ranks[mine].tolist() == list(range(1, mine.sum() + 1))
        assert mine.sum() >= min(top_k, references)
    # The queries that are searched for deeper hold no more pairs than a few lists.
    assert max(search.asked[1:], default=0) <= 4 * candidates + queries


@pytest.fixture
def trace(tmp_path):
    trace = MadeUpTrace(tmp_path)
    decode(trace, "left")
    for name in ("left", "distractors", "references"):
        extract(trace, name, brightness())
    return trace


def all_pairs(trace):
    """Return (score, whether it is a match) of every pair, best first, wrong ones first."""
    known, pairs = read_table(features_of(trace, "references")).to_pylist(), []

    def unit(row):
        vector = np.asarray(row["embedding"], np.float32)
        return vector / np.linalg.norm(vector)

    for name in ("left", "distractors"):
        for query in read_table(features_of(trace, name)).to_pylist():
            for row in known:
                right = row["uuid"] == query["uuid"] and name == "left"
                pairs.append((float(unit(row) @ unit(query)), right))
    return sorted(pairs, key=lambda pair: (-pair[0], pair[1]))


@pytest.mark.parametrize("candidates", [3, 20, 500_000])
def test_muap_ranks_the_pairs_of_the_whole_column(trace, candidates):
    """Of a generator's queries and the distractors together, however many of each."""
    match(trace, ["left"], top_k=2, candidates=candidates)
    rows, _ = measure(trace, ["left"], candidates=candidates)
    values = {row["metric"]: row["value"] for row in rows}
    right = [is_match for _, is_match in all_pairs(trace)[:candidates]]
    ranks = np.flatnonzero(right) + 1
    expected = sum((n + 1) / rank for n, rank in enumerate(ranks)) / len(trace.queries)
    assert values["muAP"] == pytest.approx(expected, abs=1e-6)
    match(trace, ["left"], top_k=5)
    alone, _ = measure(trace, ["left"])
    assert values["recall_at_1"] == {row["metric"]: row["value"] for row in alone}["recall_at_1"]
    by_query = {row["metric"]: row["value"] for row in alone}
    assert by_query["muAP"] == by_query["muAP_top_k"]


def test_an_unlisted_protocol_is_that_of_ten_of_each(trace):
    match(trace, ["left"], top_k=5, candidates=500_000)
    both = {row["metric"]: row["value"] for row in measure(trace, ["left"], candidates=500_000)[0]}
    match(trace, ["left"], top_k=5)
    alone = {row["metric"]: row["value"] for row in measure(trace, ["left"])[0]}
    assert both["muAP_top_k"] == alone["muAP"]
    assert both["muAP"] <= both["muAP_top_k"]  # wrong pairs of a query count, however many


def test_a_pair_that_is_listed_twice_is_an_error(trace):
    matches, _ = match(trace, ["left"])
    rows = read_table(matches, MATCHES).to_pylist()
    write_table([*rows, rows[0]], matches, MATCHES, sort_by=["set", "query", "rank"])
    with pytest.raises(UserError, match=r"lists 1 pairs more than once, such as .* and "):
        measure(trace, ["left"])


def test_a_picture_that_a_tracer_cannot_describe_is_a_miss(trace):
    """Of one of four queries one tracer makes nothing: its best is three of four."""
    perfect = {row["metric"]: row for row in measured(trace, set())}
    blind = {row["metric"]: row for row in measured(trace, {trace.queries[0]})}
    assert perfect["muAP"]["positives"] == blind["muAP"]["positives"] == 4
    assert (perfect["muAP"]["value"], blind["muAP"]["value"]) == (1, 0.75)
    assert (perfect["recall_at_1"]["value"], blind["recall_at_1"]["value"]) == (1, 0.75)
    assert blind["muAP_high"]["value"] < 1 or blind["muAP_low"]["value"] < 0.75
    assert blind["muAP"]["queries"] == 3


def measured(trace, missed):
    """Measure a tracer that finds every source image but those that it cannot describe."""
    rows = []
    for uuid in trace.queries:
        row = {"set": "left", "query": uuid, "role": "query"}
        if uuid in missed:
            rows.append(row | {"status": "rejected", "reason": "not_a_number"})
        else:
            found = {"rank": 1, "reference": uuid, "score": 0.9, "is_match": True}
            rows.append(row | found | {"status": "ok", "reason": None})
    matches = trace.root / "matches" / "model.parquet"
    write_table(rows, matches, MATCHES, sort_by=["set", "query", "rank"])
    return measure(trace, ["left"])[0]
