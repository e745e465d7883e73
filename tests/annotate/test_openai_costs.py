"""What endpoints cost: the estimate beforehand, the budget, and what was spent."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.annotate import openai_model
from scripts.annotate.estimate_costs import estimate_costs
from scripts.annotate.openai_text import OpenAIDirection, OpenAIEmbedding, OpenAISubject
from scripts.annotate.token_costs import Account, Price, estimate_tokens
from scripts.common.errors import UserError
from scripts.common.schemas.annotate import COSTS
from scripts.common.tables import read_table
from scripts.demo.prompts import image_ideas
from tests.annotate.openai_jobs import PRICE, TEXTS, annotator_of, ask, make_shard
from tests.annotate.openai_server import completion


@pytest.mark.parametrize("mode", ["batch", "synchronous"])
def test_more_than_the_budget_is_refused_before_anything_is_sent(server, tmp_path, capsys, mode):
    shard = make_shard(tmp_path, TEXTS[:4])
    annotator = annotator_of(server, tmp_path, 0.01, mode=mode, price=PRICE)
    with pytest.raises(
        UserError, match=r"more than the \$0\.01 of annotate\.budget_usd\.direction"
    ):
        ask(shard, annotator)
    assert server.calls == [] and server.requests == []
    printed = capsys.readouterr().err
    assert f"4 texts to gpt-4o-2024-08-06 ({mode}): about $" in printed
    assert "prices of 2026-11-21" in printed
    # What was refused is not held against others; with a budget, all is done, and then is free.
    ask(shard, annotator_of(server, tmp_path, 10.0, mode=mode, price=PRICE))
    ask(shard, annotator_of(server, tmp_path, 0.0, mode=mode, price=PRICE))
    assert len(server.requests) == 4


@pytest.mark.parametrize("mode", ["batch", "synchronous"])
def test_a_run_that_costs_more_than_estimated_stops_at_the_budget(server, tmp_path, mode):
    server.usage = {"prompt_tokens": 5_000, "completion_tokens": 0}
    limits = {"batch_requests": 2, "batches_at_once": 1, "workers": 1}
    settings = limits | {"mode": mode, "price": PRICE}
    shard = make_shard(tmp_path, TEXTS[:10])
    each = 0.25 if mode == "batch" else 0.5
    with pytest.raises(
        UserError, match=r"raise the budget .* and run again: what is finished is kept"
    ):
        ask(shard, annotator_of(server, tmp_path, 1.2, **settings))
    sent = len(server.requests)
    assert 2 <= sent < 10
    (spent,) = (tmp_path / "ledger/annotate/spending/direction").glob("*.json")
    assert json.loads(spent.read_text())["spent_usd"] == pytest.approx(sent * each)
    counts = ask(shard, annotator_of(server, tmp_path, 100, **settings))
    assert counts.kept == 10
    assert len(server.requests) == 10
    assert len(set(server.asked)) == 10


def test_what_was_answered_is_booked_as_estimated_where_the_endpoint_does_not_say(server, tmp_path):
    refused = (400, {"error": {"message": "no", "code": "invalid"}})
    server.faults = [(200, "no json"), refused, (200, completion("walk"))]
    settings = {"mode": "synchronous", "workers": 1, "price": PRICE}
    annotator = annotator_of(server, tmp_path, 10.0, **settings)
    ask(make_shard(tmp_path, TEXTS[:3]), annotator)
    malformed, _, unstated = server.asked
    costs = annotator.backend.estimate({"malformed": malformed, "unstated": unstated})
    assert annotator.backend.account.spent_usd == pytest.approx(sum(costs.values()))


def test_the_costs_of_all_shards_are_estimated_before_anything_is_sent(server, tmp_path):
    shards = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        shards.append(make_shard(folder, TEXTS[10 * number : 10 * number + 10]))
    paths = ([s.prompts for s in shards], [s.index for s in shards], tmp_path / "costs.parquet")

    def estimate(budget_usd):
        annotator = annotator_of(server, tmp_path, budget_usd, price=PRICE)
        bills = {"direction": {"entry": annotator.entry, "terms": annotator.terms}}
        counts = estimate_costs(*paths, annotators=bills, ledger_root=annotator.ledger_root)
        return counts.notes[0], read_table(paths[2], COSTS).to_pylist()[0]

    with pytest.raises(UserError, match=r"20 texts to gpt_4o_direction will cost about \$0\.\d+,"):
        estimate(0.01)
    note, row = estimate(10.0)
    assert (row["texts"], row["spent_usd"]) == (20, 0)
    assert 0.1 < row["estimated_usd"] < 1
    assert "the budget is $10.00" in note
    assert server.requests == []
    ask(shards[0], annotator_of(server, tmp_path, 10.0, price=PRICE))
    cost = 10 * (10 * 100 + 2 * 1000) / 1e6 / 2
    # Both shards are called 00000 here, and what the one has is not held to be the other's.
    left = estimate(10.0)[1]
    assert (left["texts"], left["spent_usd"]) == (10, pytest.approx(cost))


def test_two_jobs_share_a_budget(tmp_path):
    first, second = (Account(tmp_path / "subject", job, 10.0) for job in ("00000", "00001"))
    first.reserve(7.0)
    second.reserve(4.0)
    assert "come to about $11.00" in str(second.find_overrun())
    second.close()
    assert first.find_overrun() is None
    first.pay(2.0, 7.0)
    first.close()
    second.reserve(4.0)
    assert Account(tmp_path / "subject", "00000", 10.0).total_usd == pytest.approx(6.0)
    assert second.find_overrun() is None
    second.close(in_flight=True)
    assert Account(tmp_path / "subject", "00000", 10.0).total_usd == pytest.approx(6.0)
    second.pay(9.0, 4.0)
    assert "$11.00" in str(second.find_overrun())


def test_without_prices_no_budget_can_be_kept(server, tmp_path):
    shard = make_shard(tmp_path, TEXTS[:1])
    with pytest.raises(UserError, match="has no price, so that the budget cannot be kept"):
        ask(shard, annotator_of(server, tmp_path, 1.0))
    assert ask(shard, annotator_of(server, tmp_path)).kept == 1


def test_prices_and_tokens():
    price = Price(**PRICE)
    assert price.cost(1e6, 1e5, "synchronous") == pytest.approx(200)
    assert price.cost(1e6, 1e5, "batch") == pytest.approx(100)
    # Token counts of cl100k_base, as OpenAI's tokenizer gives them.
    for text, tokens in {"a cat walks through the garden": 6, "tiktoken is great!": 6}.items():
        assert tokens <= estimate_tokens(text) <= 2 * tokens
    assert estimate_tokens("猫") == 3


@given(st.text(st.characters(categories=["L", "N", "P", "Z", "S"])))
def test_an_estimate_is_rounded_up_run_by_run(text):
    runs = re.findall(r"[A-Za-z]+|[0-9]+", text)
    estimated = estimate_tokens(text)
    assert estimated >= sum(-(-len(run) // 3) for run in runs)
    # Whatever a text is put beside, each part is counted on its own.
    assert estimate_tokens(f"{text}!") == estimated + 1
    assert [estimate_tokens(part) for part in ("a", "of", "cat", "cats", "2024", "a b")] == [
        1, 1, 1, 2, 2, 2
    ]  # fmt: skip


def test_no_estimate_is_below_what_a_tokenizer_of_its_kind_makes():
    """CLIP's byte pairs: those of GPT-4o know four times as many, and so make fewer of a text."""
    clip = pytest.importorskip("open_clip.tokenizer").SimpleTokenizer()
    texts = [idea.text for idea in image_ideas(400, seed=3)]
    texts += ["x1y2z3, 4k, 8K!!! --ar 16:9 -motion 3", "#$%^&*()", "猫が歩く 🔥", "a\nb\tc"]
    for text in texts:
        assert estimate_tokens(text) >= len(clip.encode(text)), text


@pytest.mark.parametrize("kind", [OpenAIDirection, OpenAISubject, OpenAIEmbedding])
def test_all_that_a_request_sends_is_in_its_estimate(server, monkeypatch, kind):
    monkeypatch.setattr(openai_model, "estimate_tokens", len)
    question = {"question": "What is to move?"} if kind is OpenAISubject else {}
    service = {"base_url": server.base_url, "price": {"input_usd": 1e6, "as_of": "today"}}
    model = kind({"api": "gpt-4o"}, service=service, **question)
    body = model.request(["a cat"])
    sent = [message["content"] for message in body.get("messages", [])] + body.get("input", [])
    formats = 4 * len(body.get("messages", [])) + 3
    assert "a cat" in sent
    assert model.estimate({"x": "a cat"})["x"] >= sum(map(len, sent)) + formats * (
        kind is not OpenAIEmbedding
    )
    assert model.tokens("a cat")[1] == (0 if kind is OpenAIEmbedding else 13)


def test_another_way_of_sending_costs_nothing_again(server, tmp_path):
    shard = make_shard(tmp_path, TEXTS[:3])
    ask(shard, annotator_of(server, tmp_path, 9.0, price=PRICE))
    changed = annotator_of(server, tmp_path, 5.0, mode="synchronous", workers=3)
    assert ask(shard, changed).kept == 3
    assert len(server.requests) == 3
