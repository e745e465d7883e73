"""The paper's annotators behind an endpoint, against a local server that misbehaves."""

import numpy as np
import pytest

from scripts.annotate.openai_text import OpenAIDirection, OpenAIEmbedding, OpenAISubject
from scripts.annotate.prompt_answers import DIRECTION_INSTRUCTION, parse_subject, parse_verbs
from scripts.common.errors import Rejected, UserError
from scripts.common.identity import prompt_uuid
from scripts.common.schemas.annotate import DIRECTION
from scripts.common.tables import read_table
from tests.annotate.openai_jobs import annotator_of, ask, in_order, make_shard, output_of
from tests.annotate.openai_server import OpenAIServer, completion

AT_ONCE = {"retry-after-ms": "1"}
BUSY = (429, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, AT_ONCE)
DOWN = (500, {"error": {"message": "down"}}, AT_ONCE)
REFUSED, MALFORMED = Rejected("refused"), Rejected("malformed_answer")
FAILED = Rejected("service_failed")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "made-up-key")
    with OpenAIServer() as server:
        yield server


def embedding(server, **settings):
    service = {"base_url": server.base_url, "max_retries": 2}
    settings = {"dimension": 3, "service": service} | settings
    return OpenAIEmbedding({"api": "text-embedding-3-large"}, **settings)


def tagger(kind, server, **service):
    service = {"base_url": server.base_url, "max_retries": 2, "workers": 1} | service
    question = {"question": "What moves?"} if kind is OpenAISubject else {}
    return kind({"api": "gpt-4o-2024-08-06"}, service=service, **question)


def test_embeddings_come_in_the_order_of_the_texts_and_of_length_1(server):
    texts = ["a", "a cat", "an astronaut"]
    vectors = np.stack(in_order(embedding(server), texts))
    expected = np.array([[len(text), 3, 4] for text in texts], np.float32)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(vectors, expected, atol=1e-6)
    path, body = server.requests[0]
    assert (path, body["model"]) == ("/v1/embeddings", "text-embedding-3-large")
    assert server.keys == {"Bearer made-up-key"}


def test_a_busy_or_broken_server_is_asked_again(server):
    server.faults = [BUSY, DOWN]
    assert len(in_order(embedding(server), ["a cat"])) == 1
    assert len(server.requests) == 3


def test_half_a_batch_leaves_the_other_half_rejected(server):
    item = {"object": "embedding", "index": 1, "embedding": [0.0, 3.0, 4.0]}
    server.faults = [(200, {"object": "list", "model": "m", "data": [item]})]
    missing, found = in_order(embedding(server), ["a", "b"])
    assert missing == MALFORMED
    assert np.allclose(found, [0, 0.6, 0.8])


@pytest.mark.parametrize("body", ["no json", "{}", '{"data": null}', '{"data": [{"index": 0}]}'])
def test_nonsense_instead_of_embeddings_is_a_malformed_answer(server, body):
    server.faults = [(200, body)]
    assert in_order(embedding(server), ["a", "b"]) == [MALFORMED, MALFORMED]


def test_vectors_of_another_length_are_malformed(server):
    assert in_order(embedding(server, dimension=5), ["a"]) == [MALFORMED]


def test_a_refused_text_does_not_take_its_batch_along(server):
    server.refused = "far too long"
    found = in_order(embedding(server), ["a", "b", "far too long", "d", "e"])
    assert [isinstance(item, Rejected) for item in found] == [False, False, True, False, False]
    assert found[2] == REFUSED


def test_the_directions_prompt_is_the_papers(server):
    server.answer = lambda text: "Walk, zoom in, walk."
    assert in_order(tagger(OpenAIDirection, server), ["a cat walks, zoom in"]) == [
        ["walk", "zoom in"]
    ]
    (_, body), *_ = server.requests
    assert body["messages"] == [
        {"role": "system", "content": DIRECTION_INSTRUCTION},
        {"role": "user", "content": "a cat walks, zoom in"},
    ]
    assert body["temperature"] == 0
    assert DIRECTION_INSTRUCTION == (
        "Extract verbs in a given sentence, return their base form, separated by commas, and do "
        "not return anything else. If there is no verb, please return ' '."
    )


def test_the_subjects_prompt_is_the_configurations(server):
    server.answer = lambda text: "Cat"
    assert in_order(tagger(OpenAISubject, server), ["a cat walks"]) == ["Cat"]
    assert server.requests[0][1]["messages"][0] == {"role": "system", "content": "What moves?"}
    with pytest.raises(UserError, match="no question to ask for subjects; give it 'question: subj"):
        OpenAISubject({"api": "gpt-4o"})


def test_answers_keep_the_order_of_the_texts(server):
    server.answer = lambda text: text.split()[-1]
    texts = [f"a prompt about {name}" for name in ("cats", "dogs", "fish", "birds", "snow")]
    found = in_order(tagger(OpenAISubject, server, workers=4), texts)
    assert found == ["Cats", "Dogs", "Fish", "Birds", "Snow"]


def test_each_bad_answer_has_its_reason_and_the_others_are_kept(server):
    server.faults = [
        (200, "no json"),
        (200, completion(None)),
        (200, completion(None, refusal="I cannot")),
        (200, {"choices": []}),
        (400, {"error": {"message": "no", "code": "content_policy"}}),
    ]
    server.answer = lambda text: "walk"
    found = in_order(tagger(OpenAIDirection, server), list("abcdef"))
    assert found == [MALFORMED, MALFORMED, REFUSED, MALFORMED, REFUSED, ["walk"]]


@pytest.mark.parametrize("content", ["walk", "walk, ru", "Cat"])
def test_an_answer_that_was_cut_off_is_malformed_however_well_it_reads(server, content):
    for kind in (OpenAIDirection, OpenAISubject):
        cut = completion(content)
        cut["choices"][0]["finish_reason"] = "length"
        server.faults = [(200, cut)]
        assert in_order(tagger(kind, server), ["a"]) == [MALFORMED]


def test_an_answer_that_the_endpoints_filter_stopped_is_refused(server):
    stopped = completion("walk")
    stopped["choices"][0]["finish_reason"] = "content_filter"
    server.faults = [(200, stopped)]
    assert in_order(tagger(OpenAIDirection, server), ["a"]) == [REFUSED]


def test_an_item_on_which_the_server_fails_is_rejected_alone(server):
    server.faults = [DOWN, DOWN, DOWN]
    server.answer = lambda text: "walk"
    assert in_order(tagger(OpenAIDirection, server), ["a", "b"]) == [FAILED, ["walk"]]


def test_a_server_that_is_down_ends_the_job_with_one_sentence(server):
    server.faults = [DOWN] * 6
    with pytest.raises(UserError, match=r"failed on 2 requests .* run again later"):
        in_order(tagger(OpenAIDirection, server), ["a", "b"])
    gone = {"base_url": "http://127.0.0.1:9/v1", "max_retries": 0}
    with pytest.raises(UserError, match="failed on 1 requests"):
        in_order(OpenAISubject({"api": "gpt-4o"}, service=gone, question="What?"), ["a"])


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "invalid_api_key", "refuses to work for model 'gpt-4o-2024-08-06'"),
        (404, "model_not_found", "correct the entry or its key"),
        (429, "insufficient_quota", "no quota left"),
    ],
)
def test_what_trying_again_cannot_mend_is_a_clear_error(server, status, code, words):
    server.faults = [(status, {"error": {"message": "no", "code": code}}, AT_ONCE)] * 3
    with pytest.raises(UserError, match=words):
        in_order(tagger(OpenAISubject, server), ["a"])


def test_a_missing_key_is_found_before_anything_is_sent(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UserError, match="OPENAI_API_KEY is not set"):
        tagger(OpenAISubject, server)
    assert in_order(tagger(OpenAISubject, server, key_variable=None), ["cat"]) == ["Cat"]


def test_a_killed_run_sends_nothing_twice(server, tmp_path):
    texts = ["a cat walks", "a dog runs", "a fish swims"]
    shard = make_shard(tmp_path, texts)
    service = {"mode": "synchronous", "max_retries": 0, "workers": 1}
    annotator = annotator_of(server, tmp_path, **service)
    server.answer = lambda text: "walk"
    server.faults = [(200, completion("walk")), (401, {"error": {"message": "expired"}})]
    with pytest.raises(UserError, match="refuses to work"):
        ask(shard, annotator)
    first = len(server.requests)
    counts = ask(shard, annotator)
    assert counts.kept == 3
    # What was answered before the fault is not asked again.
    answered = sorted(texts, key=prompt_uuid)[0]
    assert answered not in server.asked[first:]
    rows = read_table(output_of(shard), DIRECTION).to_pylist()
    assert [row["verbs"] for row in rows] == [["walk"]] * 3


@pytest.mark.parametrize(
    ("answer", "verbs"),
    [
        ("walk", ["walk"]),
        ("Walk, run ,walk.", ["walk", "run"]),
        ("' '", []),
        (" ", []),
        ("zoom in, turn", ["zoom in", "turn"]),
        ("The verbs are: walk", MALFORMED),
        ("walk\nrun", MALFORMED),
        ("1, 2", MALFORMED),
        ("I am sorry but I cannot help with that", REFUSED),
    ],
)
def test_only_verbs_between_commas_are_an_answer(answer, verbs):
    assert parse_verbs(answer) == verbs


@pytest.mark.parametrize(
    ("answer", "subject"),
    [
        ("Dragon", "Dragon"),
        ("'dragon creature'.", "Dragon creature"),
        ("' '", ""),
        ("The subject of this prompt is a large dragon", MALFORMED),
        ("Dragon\nCat", MALFORMED),
    ],
)
def test_only_a_name_is_a_subject(answer, subject):
    assert parse_subject(answer) == subject
