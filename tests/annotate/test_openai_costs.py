"""What endpoints cost: the estimate beforehand, the budget, and what was spent."""

import json
import sys

import pytest
from scripts.annotate.tag_directions import tag_directions

from scripts.annotate import openai_model, token_costs
from scripts.annotate.estimate_costs import estimate_costs
from scripts.annotate.token_costs import Account, Price, estimate_tokens
from scripts.common.errors import UserError
from scripts.common.schemas.annotate import COSTS
from scripts.common.tables import read_table
from tests.annotate.openai_jobs import PRICE, TEXTS, annotator_of, make_shard


@pytest.mark.parametrize("mode", ["batch", "synchronous"])
def test_more_than_the_budget_is_refused_before_anything_is_sent(server, tmp_path, capsys, mode):
    shard = make_shard(tmp_path, TEXTS[:4])
    annotator = annotator_of(server, tmp_path, 0.01, mode=mode, price=PRICE)
    with pytest.raises(
        UserError, match=r"more than the \$0\.01 of annotate\.budget_usd\.direction"
    ):
        tag_directions(shard, annotator)
    assert server.calls == [] and server.requests == []
    printed = capsys.readouterr().err
    assert f"4 texts to gpt-4o-2024-08-06 ({mode}): about $" in printed
    assert "prices of 2026-11-21" in printed
    # What was refused is not held against others; with a budget, all is done, and then is free.
    tag_directions(shard, annotator_of(server, tmp_path, 10.0, mode=mode, price=PRICE))
    tag_directions(shard, annotator_of(server, tmp_path, 0.0, mode=mode, price=PRICE))
    assert len(server.requests) == 4


@pytest.mark.parametrize("mode", ["batch", "synchronous"])
def test_a_run_that_costs_more_than_estimated_stops_at_the_budget(server, tmp_path, mode):
    server.usage = {"prompt_tokens": 5_000, "completion_tokens": 0}
    limits = {"batch_requests": 2, "batches_at_once": 1, "workers": 1}
    settings = limits | {"mode": mode, "price": PRICE}
    shard = make_shard(tmp_path, TEXTS[:10])
    each = 0.25 if mode == "batch" else 0.5
    with pytest.raises(UserError, match="raise the budget and run again: what is finished is kept"):
        tag_directions(shard, annotator_of(server, tmp_path, 1.2, **settings))
    sent = len(server.requests)
    assert 2 <= sent < 10
    (spent,) = (tmp_path / "ledger/annotate/spending/direction").glob("*.json")
    assert json.loads(spent.read_text())["spent_usd"] == pytest.approx(sent * each)
    counts = tag_directions(shard, annotator_of(server, tmp_path, 100, **settings))
    assert counts.kept == 10
    assert len(server.requests) == 10
    assert len(set(server.asked)) == 10


def test_the_costs_of_all_shards_are_estimated_before_anything_is_sent(server, tmp_path):
    shards = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        shards.append(make_shard(folder, TEXTS[10 * number : 10 * number + 10]))
    paths = ([s.prompts for s in shards], [s.index for s in shards], tmp_path / "costs.parquet")

    def estimate(budget_usd):
        annotator = annotator_of(server, tmp_path, budget_usd, price=PRICE)
        counts = estimate_costs(*paths, {"direction": annotator})
        return counts.notes[0], read_table(paths[2], COSTS).to_pylist()[0]

    with pytest.raises(UserError, match=r"20 texts to gpt_4o_direction will cost about \$0\.\d+,"):
        estimate(0.01)
    note, row = estimate(10.0)
    assert (row["texts"], row["spent_usd"]) == (20, 0)
    assert 0.1 < row["estimated_usd"] < 1
    assert "the budget is $10.00" in note
    assert server.requests == []
    tag_directions(shards[0], annotator_of(server, tmp_path, 10.0, price=PRICE))
    cost = 10 * (10 * 100 + 2 * 1000) / 1e6 / 2
    # Both shards are called 00000 here, and what the one has is not held to be the other's.
    left = estimate(10.0)[1]
    assert (left["texts"], left["spent_usd"]) == (10, pytest.approx(cost))


def test_two_jobs_share_a_budget(tmp_path):
    first, second = (Account(tmp_path / "subject", job, 10.0) for job in ("00000", "00001"))
    first.reserve(7.0, "7 texts")
    with pytest.raises(UserError, match=r"with \$7\.00 spent or reserved before"):
        second.reserve(4.0, "4 texts")
    first.pay(2.0, 7.0)
    first.save()
    second.reserve(4.0, "4 texts")
    assert Account(tmp_path / "subject", "00000", 10.0).total_usd == pytest.approx(6.0)
    assert second.find_overrun() is None
    first.save()
    second.pay(9.0, 4.0)
    assert "$11.00" in str(second.find_overrun())


def test_without_prices_no_budget_can_be_kept(server, tmp_path):
    shard = make_shard(tmp_path, TEXTS[:1])
    with pytest.raises(UserError, match="has no price, so that the budget cannot be kept"):
        tag_directions(shard, annotator_of(server, tmp_path, 1.0))
    assert tag_directions(shard, annotator_of(server, tmp_path)).kept == 1


def test_prices_and_tokens(monkeypatch):
    price = Price(**PRICE)
    assert price.cost(1e6, 1e5, "synchronous") == pytest.approx(200)
    assert price.cost(1e6, 1e5, "batch") == pytest.approx(100)
    # Token counts of cl100k_base, as OpenAI's tokenizer gives them.
    for text, tokens in {"a cat walks through the garden": 6, "tiktoken is great!": 6}.items():
        assert tokens <= estimate_tokens(text) <= 2 * tokens
    assert estimate_tokens("猫") == 3
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    count, how = token_costs.token_counter("gpt-4o")
    assert (count("abc"), "estimated" in how) == (1, True)


class Encoding:
    def encode_ordinary(self, text):
        return text.split()


def test_tiktoken_counts_where_it_is_installed(monkeypatch):
    class Tiktoken:
        encoding_for_model = staticmethod(lambda model: Encoding())

    monkeypatch.setitem(sys.modules, "tiktoken", Tiktoken)
    count, how = openai_model.token_counter("gpt-4o")
    assert (count("a cat walks"), how) == (3, "tokens counted by tiktoken")


def test_another_way_of_sending_costs_nothing_again(server, tmp_path):
    shard = make_shard(tmp_path, TEXTS[:3])
    tag_directions(shard, annotator_of(server, tmp_path, 9.0, price=PRICE))
    changed = annotator_of(server, tmp_path, 5.0, mode="synchronous", workers=3)
    assert tag_directions(shard, changed).kept == 3
    assert len(server.requests) == 3
