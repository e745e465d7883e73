"""The re-ranker: CopyNCE's network, and its protocol from pictures to a second column of Table 5."""

from types import SimpleNamespace

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
import yaml

from scripts.commands.check import find_faults, read_configuration, study_of
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.common.schemas.trace import MATCHES, MUAP, MUAP_RERANKED
from scripts.common.tables import read_table, write_table
from scripts.trace.copynce_matcher import CopyNceMatcher, _Pair
from scripts.trace.metrics import micro_average_precision
from scripts.trace.picture_files import PictureFile
from scripts.trace.rerank_matches import rerank_matches
from scripts.trace.timm_tracer import build_network
from tests.detect.formula_weights import fill
from tests.trace.made_up import MadeUpTrace
from tests.trace.test_features_to_metrics import (
    brightness,
    decode,
    extract,
    match,
    measure,
    pictures,
)
from tests.trace.test_graph import graph_of

torch.set_num_threads(1)

ENTRY = read_sheets(ROOT / "config")["tracers"]["copynce_matcher"]
TINY = {"img_size": 32, "patch_size": 16, "embed_dim": 24, "num_heads": 2}
SETTINGS = ENTRY["settings"] | {
    "model_arguments": TINY, "depth": 2, "fused_depth": 2, "image_size": 32,
}  # fmt: skip

PAIRS = [(0, 1), (0, 2), (1, 2), (0, 0), (1, 0)]
THEIRS = [0.5756765, 0.5753108, 0.5746401, 0.5761784, 0.5756765]
"""Of these pairs by github.com/eddielyc/CopyNCE (c2223d1), core/models/build.py, build_encoder,
build_fusion and build_heads of its matching_default_config.yaml, made as small as here, with the
weights of ``fill`` and the pictures of ``waves`` through its evaluation's transforms."""


def waves(number):
    y, x, c = np.mgrid[: 40 + 8 * number, :60, :3]
    phase = 0.11 * (number + 1) * x + 0.05 * (3 - number) * y + 1.3 * c * number
    return np.uint8(127.5 + 127.5 * np.cos(phase))


@pytest.fixture
def weights(tmp_path):
    """Tiny weights in the published layout, with the head that only the loss of training needs."""
    arguments = TINY | {"depth": 2, "final_norm": False}
    own = _Pair(build_network("vit_small_patch16_224", arguments), 2).state_dict()
    state = {
        (f"heads.cls_head.{name[5:]}" if name.startswith("head.") else name): tensor
        for name, tensor in own.items()
    }
    state |= {f"heads.fusion_head.norm.{name}": torch.zeros(24) for name in ("weight", "bias")}
    fill(SimpleNamespace(state_dict=lambda: state))
    path = tmp_path / "matcher.pth.tar"
    torch.save({"model": state, "epoch": 30}, path)
    return {"path": str(path)}


@pytest.mark.parametrize("batch_size", [64, 2])
def test_pairs_are_scored_as_by_copynces_code(weights, batch_size):
    matcher = CopyNceMatcher(weights, **SETTINGS, batch_size=batch_size)
    squares = [matcher.prepare(waves(number)) for number in range(3)]
    scores = matcher.match([(squares[a], squares[b]) for a, b in PAIRS])
    np.testing.assert_allclose(scores, THEIRS, atol=2e-7)


def test_the_entry_is_as_its_authors_publish_it():
    """matching_default_config.yaml: 8 and 4 blocks of ViT-S, bicubic to 224, ImageNet's mean."""
    settings = ENTRY["settings"]
    with torch.device("meta"):
        arguments = {"depth": settings["depth"], "final_norm": False}
        network = _Pair(build_network(settings["model"], arguments), settings["fused_depth"])
    assert (len(network.encoder.blocks), len(network.fusion.blocks)) == (8, 4)
    assert (network.head.classifier.in_features, settings["norm_epsilon"]) == (384, 1e-4)
    assert network.encoder.pos_embed.shape == (1, 14 * 14 + 1, 384)
    assert not settings.keys() & {"image_size", "interpolation", "normalisation", "resize"}


def test_weights_of_another_network_are_refused(weights, tmp_path):
    with pytest.raises(UserError, match=r"is of another architecture: .*fusion\.blocks\.1"):
        CopyNceMatcher(weights, **SETTINGS | {"fused_depth": 1})
    with pytest.raises(UserError, match=r"weights file .*none\.pth is missing"):
        CopyNceMatcher({"path": str(tmp_path / "none.pth")}, **SETTINGS)


@pytest.fixture
def trace(tmp_path):
    trace = MadeUpTrace(tmp_path)
    decode(trace, "left")
    for name in ("left", "distractors", "references"):
        extract(trace, name, brightness())
    return trace


def rerank(trace, matches, weights, top_k=3, batch_size=9):
    sets = ("left", "distractors", "references")
    reranked = trace.root / "reranked" / matches.name
    counts = rerank_matches(
        matches, reranked, entry=ENTRY | {"weights": weights, "settings": SETTINGS},
        pictures={name: pictures(trace)[name] for name in sets}, top_k=top_k,
        batch_size=batch_size, ledger_root=trace.root / "ledger",
    )  # fmt: skip
    return reranked, counts


def test_a_pairs_score_takes_the_place_of_its_cosine(trace, weights):
    """Of the same candidates, from pictures to the measure; the rest of the matches stays."""
    matches, _ = match(trace, ["left"], candidates=100)
    path, counts = rerank(trace, matches, weights)
    assert (counts.kept, counts.rejected) == (12, {})
    before, after = (read_table(one, MATCHES) for one in (matches, path))
    matcher = CopyNceMatcher(weights, **SETTINGS)
    frames = {row["uuid"]: row for row in read_table(trace.frames("left").with_suffix(".parquet")).to_pylist()
              if row["part"] == "query"}  # fmt: skip
    assert set(after["query"].to_pylist()) == set(before["query"].to_pylist())
    for query in set(before["query"].to_pylist()):
        old, new = (table.filter(pc.equal(table["query"], query)).to_pylist()
                    for table in (before, after))  # fmt: skip
        candidates = {row["reference"]: row["is_match"] for row in old if row["rank"] <= 3}
        assert {row["reference"]: row["is_match"] for row in new} == candidates
        assert [row["rank"] for row in new] == [1, 2, 3]
        assert [row["score"] for row in new] == sorted((r["score"] for r in new), reverse=True)
        if query in frames:
            seen = PictureFile(query, "query", str(trace.frames("left")),
                               **{k: frames[query][k] for k in ("offset", "size_bytes", "sha256")}).read()  # fmt: skip
        else:
            seen = trace.pictures[query]
        pairs = [(matcher.prepare(seen), matcher.prepare(trace.pictures[row["reference"]])) for row in new]  # fmt: skip
        assert [row["score"] for row in new] == pytest.approx(matcher.match(pairs), abs=1e-6)
    assert pc.any(pc.not_equal(pc.cast(after["rank"], "int32"), 1)).as_py()

    lost = pc.and_(after["is_match"], pc.equal(after["query"], trace.queries[0]))
    for left in (after, after.filter(pc.invert(lost))):  # of which one misses a true pair
        write_table(left, path, MATCHES)
        rows, _ = measure(trace, ["left"], reranked=[path])
        values = {row["metric"]: row for row in rows}
        scores, is_match = left["score"].to_numpy(), left["is_match"].to_numpy(zero_copy_only=False)
        expected = micro_average_precision(scores, is_match, positives=4)
        assert values[MUAP_RERANKED]["value"] == pytest.approx(expected, abs=1e-9)
        assert values[MUAP_RERANKED]["positives"] == values[MUAP]["positives"] == 4
    assert is_match.sum() == 3
    assert MUAP_RERANKED not in {row["metric"] for row in measure(trace, ["left"])[0]}
    # Of a model of which nothing was scored anew, beside others, nothing is known: it is not 0.
    write_table([], path, MATCHES)
    for none in (path, path.with_name("another.parquet")):
        rows, _ = measure(trace, ["left"], reranked=[none])
        [row] = [row for row in rows if row["metric"] == MUAP_RERANKED]
        assert (row["value"], row["positives"]) == (None, 4)


def test_only_what_is_new_is_scored_again(trace, weights, monkeypatch):
    matches, _ = match(trace, ["left"])
    path, _ = rerank(trace, matches, weights)
    first, seen = path.read_bytes(), []
    plain = CopyNceMatcher.match
    monkeypatch.setattr(CopyNceMatcher, "match", lambda self, pairs: seen.append(len(pairs)) or plain(self, pairs))  # fmt: skip
    assert rerank(trace, matches, weights)[0].read_bytes() == first
    assert not seen
    rerank(trace, matches, weights, top_k=2)
    assert sum(seen) == 2 * 12


def test_a_query_that_cannot_be_scored_is_a_miss_with_its_reason(trace, weights, monkeypatch):
    matches, _ = match(trace, ["left"])
    plain = CopyNceMatcher.match

    def fails(self, pairs):
        scores = plain(self, pairs)
        scores[:] = np.nan if scores.size and np.isclose(pairs[0][0].mean(), lost) else scores
        return scores

    matcher = CopyNceMatcher(weights, **SETTINGS)
    uuid = sorted(u for u in trace.pictures if u in set(read_table(trace.distractors)["uuid"].to_pylist()))[0]  # fmt: skip
    lost = matcher.prepare(trace.pictures[uuid]).mean()
    monkeypatch.setattr(CopyNceMatcher, "match", fails)
    path, counts = rerank(trace, matches, weights, batch_size=1)
    assert (counts.kept, counts.rejected) == (11, {"not_a_number": 1})
    table = read_table(path, MATCHES)
    [row] = table.filter(pc.equal(table["query"], uuid)).to_pylist()
    assert (row["status"], row["reason"], row["rank"]) == ("rejected", "not_a_number", None)


def test_a_picture_is_reduced_once_for_all_models_of_a_job(trace, weights, monkeypatch):
    matches, _ = match(trace, ["left"])
    other = matches.with_name("other.parquet")
    other.write_bytes(matches.read_bytes())
    reduced, loaded = [], []
    prepare, load = CopyNceMatcher.prepare, CopyNceMatcher.__init__
    monkeypatch.setattr(CopyNceMatcher, "prepare", lambda self, image: reduced.append(1) or prepare(self, image))  # fmt: skip
    monkeypatch.setattr(CopyNceMatcher, "__init__", lambda self, *a, **k: loaded.append(1) or load(self, *a, **k))  # fmt: skip
    rerank(trace, matches, weights)
    table = read_table(matches, MATCHES)
    table = table.filter(pc.less_equal(table["rank"], 3))
    pictures = len({*table["query"].to_pylist(), *table["reference"].to_pylist()})
    frames = 4  # a query's frame and its source image have one name
    assert (len(reduced), len(loaded)) == (pictures + frames, 1)
    first, second = (rerank(trace, one, weights)[0] for one in (matches, other))
    assert (len(reduced), len(loaded)) == (pictures + frames, 1)
    assert first.read_bytes() == second.read_bytes()


def test_it_is_off_unless_one_key_asks_for_it():
    assert graph_of().reranked == []
    graph = graph_of(reranker="copynce_matcher", jobs="together")
    lots = graph.reranking.arguments(SimpleNamespace())
    assert (
        [lot["reranked"] for lot in lots] == graph.reranking.outputs["reranked"] == graph.reranked
    )
    assert [lot["matches"] for lot in lots] == graph.searching.outputs["matches"]
    graph = graph_of(reranker="copynce_matcher")
    assert graph.reranked == [f"results/trace/reranked/{model}.parquet" for model in graph.models]
    assert set(graph.pictures(graph.reranked_sets)) == {*graph.study.generators, "distractors", "references"}  # fmt: skip
    assert graph.reranker_entry["weights"] == ENTRY["weights"]
    with pytest.raises(UserError, match=r"trace\.reranker names 'sscd', and what compares pairs is: copynce_m"):  # fmt: skip
        graph_of(reranker="sscd")
    with pytest.raises(UserError, match=r"trace\.tracers names 'copynce_matcher', and that describes no p"):  # fmt: skip
        graph_of(tracers=["copynce_matcher"])


def test_the_check_names_the_weights_that_are_missing(tmp_path, monkeypatch):
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"trace": {"reranker": "copynce_matcher"}}))
    study = study_of(read_configuration(ROOT / "config/demo.yaml", tmp_path / "my.yaml"))
    monkeypatch.chdir(tmp_path)
    [fault] = [one for one in find_faults(study) if "copynce_matcher" in one]
    assert ENTRY["weights"]["path"] in fault and "curl -fL" in fault
