"""Matches, and what they are measured as: on what the numbers stand, and whom they refuse."""

import math

import numpy as np
import pyarrow.compute as pc
import pytest
from safetensors.numpy import save_file

from scripts.common.errors import UserError
from scripts.common.schemas.trace import MATCHES
from scripts.common.seen import write_seen
from scripts.common.tables import read_table, write_table
from tests.trace.made_up import MadeUpTrace
from tests.trace.test_features_to_metrics import (
    brightness,
    decode,
    extract,
    features_of,
    match,
    measure,
)


@pytest.fixture
def trace(tmp_path):
    trace = MadeUpTrace(tmp_path)
    for generator in trace.generators:
        decode(trace, generator)
    return trace


def test_matches_are_the_best_references_by_cosine(trace):
    for name in ("left", "distractors", "references"):
        extract(trace, name, brightness())
    matches, counts = match(trace, ["left"])
    table = read_table(matches, MATCHES).to_pylist()
    assert counts.kept == counts.read == 12
    assert len(table) == 12 * 5
    vectors = {
        row["uuid"]: np.asarray(row["embedding"], np.float32)
        for name in ("left", "distractors")
        for row in read_table(features_of(trace, name)).to_pylist()
    }
    references = read_table(features_of(trace, "references")).to_pylist()
    known = np.stack([np.asarray(row["embedding"], np.float32) for row in references])
    for uuid, vector in vectors.items():
        cosines = known @ vector / np.linalg.norm(known, axis=1) / np.linalg.norm(vector)
        expected = [references[number]["uuid"] for number in np.argsort(-cosines)[:5]]
        found = [row for row in table if row["query"] == uuid]
        assert [row["rank"] for row in found] == [1, 2, 3, 4, 5]
        assert [row["reference"] for row in found] == expected
        assert [row["score"] for row in found] == pytest.approx(sorted(cosines)[:-6:-1], abs=1e-5)
        for row in found:
            assert row["is_match"] == (row["reference"] == uuid and uuid in trace.queries)


@pytest.mark.parametrize(
    ("tracer", "saw", "query", "message"),
    [
        ("cosface_cross_domain", ["right"], False, None),
        ("cosface_same_domain", ["left", "right"], False, None),
        ("latent_map_cosface_same_domain", ["left", "right"], False, None),
        (
            "latent_map_cosface_cross_domain",
            ["left", "right"],
            False,
            "saw 3 items of left, and 'lat",
        ),
        (
            "cosface_cross_domain",
            ["left", "right"],
            False,
            "saw 3 items of left, and 'cosface_cross",
        ),
        ("cosface_same_domain", ["right"], False, "saw nothing of left, and 'cosface_same"),
        ("cosface_cross_domain", ["right"], True, "saw 1 of the 4 items of left on which 'cosface"),
    ],
)
def test_a_tracer_that_saw_what_it_is_tested_on_is_refused(trace, tracer, saw, query, message):
    for name in ("left", "distractors", "references"):
        extract(trace, name, brightness())
    match(trace, ["left"])
    weights = trace.root / "model.safetensors"
    save_file({"weight": np.ones(2)}, weights)
    uuids = trace.train + (trace.queries[:1] if query else [])
    write_seen(weights, sources=dict.fromkeys(saw, 3), classes=6, uuids=uuids)
    if message is None:
        assert measure(trace, ["left"], tracer, [weights])[1].kept == 12
    else:
        with pytest.raises(UserError, match=message):
            measure(trace, ["left"], tracer, [weights])


def test_measures_stand_on_what_was_searched(trace):
    for name in ("left", "right", "distractors", "references"):
        extract(trace, name, brightness())
    match(trace, ["left", "right"])
    rows, counts = measure(trace, ["left", "right"])
    assert counts.kept == 24
    assert [row["metric"] for row in rows[:6]] == [
        "muAP", "muAP_low", "muAP_high", "muAP_top_k", "recall_at_1", "recall_at_p90"
    ]  # fmt: skip
    values = {(row["generator"], row["metric"]): row["value"] for row in rows}
    assert values["left", "muAP"] > 0.3  # by chance 0.03
    assert values["left", "muAP_low"] <= values["left", "muAP"] <= values["left", "muAP_high"]
    for row in rows:
        stands_on = {"queries": 12, "references": 12, "positives": 4, "rejected": 0}
        assert {key: row[key] for key in stands_on} == stands_on


def test_a_best_reference_that_was_removed_on_request_takes_no_query_away(trace):
    for name in ("left", "distractors", "references"):
        extract(trace, name, brightness())
    matches, _ = match(trace, ["left"])
    table = read_table(matches, MATCHES)
    best = next(row for row in table.to_pylist() if row["rank"] == 1 and not row["is_match"])
    write_table(table.filter(pc.not_equal(table["reference"], best["reference"])), matches, MATCHES)
    rows, _ = measure(trace, ["left"])
    stands_on = {"queries": 12, "positives": 4}
    assert {key: rows[0][key] for key in stands_on} == stands_on


def test_what_was_rejected_is_counted_and_costs_no_tracer_its_score(trace):
    trace.write_generator("left", broken=(trace.queries[0],))
    decode(trace, "left")
    rows = read_table(trace.references).to_pylist()
    gone = next(row for row in rows if row["uuid"] == trace.queries[1])
    tar = trace.root / "images" / "00000.tar"
    data = bytearray(tar.read_bytes())
    data[gone["offset"] + 60] ^= 255
    tar.write_bytes(data)
    for name in ("left", "distractors", "references"):
        extract(trace, name)
    matches, counts = match(trace, ["left"])
    assert counts.rejected == {"undecodable": 1, "no_source_image": 1}
    table = read_table(matches, MATCHES).to_pylist()
    rejected = {row["query"]: row["reason"] for row in table if row["status"] == "rejected"}
    assert rejected == {trace.queries[0]: "undecodable", trace.queries[1]: "no_source_image"}
    rows, _ = measure(trace, ["left"])
    # What no tracer was shown is no query; what one cannot find, for whatever reason, is a miss.
    stands_on = {"queries": 10, "references": 11, "positives": 3, "rejected": 3}
    assert {key: rows[0][key] for key in stands_on} == stands_on


def test_without_any_query_there_is_no_number(trace):
    trace.write_generator("left", broken=tuple(trace.queries))
    decode(trace, "left")
    for name in ("left", "distractors", "references"):
        extract(trace, name)
    match(trace, ["left"])
    rows, _ = measure(trace, ["left"])
    assert {row["value"] for row in rows} == {None}
    assert rows[0]["positives"] == 0
    assert not any(math.isnan(row["queries"]) for row in rows)
