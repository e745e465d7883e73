"""OpenAI's batch API and the budget, against a local server that misbehaves."""

import json

import numpy as np
import pytest

from scripts.annotate.openai_text import OpenAIDirection, OpenAIEmbedding
from scripts.common.errors import Rejected, UserError
from tests.annotate.openai_jobs import VERBS, service_of

AT_ONCE = {"retry-after-ms": "1"}
DOWN = (500, {"error": {"message": "down"}}, AT_ONCE)
BUSY = (429, {"error": {"message": "slow down"}}, AT_ONCE)
LOST = (0, AT_ONCE)


def tagger(server, folder, account=None, **service):
    settings = {"service": service_of(server, **service), "folder": folder / "batches"}
    return OpenAIDirection({"api": "gpt-4o-2024-08-06"}, account=account, **settings)


def tag(server, folder, texts="abcde", **service):
    return dict(tagger(server, folder, **service).answer({text: text for text in texts}))


def records(folder):
    return [json.loads(path.read_text()) for path in (folder / "batches").glob("*.json")]


def test_a_batch_is_uploaded_asked_after_and_its_answers_go_to_their_items(server, tmp_path):
    server.polls = 3
    server.ends = [{"lines": lambda lines: lines[::-1]}]
    assert tag(server, tmp_path) == VERBS
    (batch,) = server.batches.values()
    assert (batch["endpoint"], batch["completion_window"]) == ("/v1/chat/completions", "24h")
    requests = [json.loads(line) for line in server.files["file-0"].splitlines()]
    assert [request["custom_id"] for request in requests] == list("abcde")
    assert requests[0]["method"] == "POST"
    assert requests[0]["body"]["model"] == "gpt-4o-2024-08-06"
    assert batch["polls"] == 3
    assert records(tmp_path) == []


def test_embeddings_come_by_batches_too(server, tmp_path):
    settings = {"service": service_of(server), "folder": tmp_path, "dimension": 3}
    embedder = OpenAIEmbedding({"api": "text-embedding-3-large"}, **settings)
    found = dict(embedder.answer({"x": "a cat", "y": "a"}))
    assert np.allclose(found["x"], np.array([5, 3, 4]) / 50**0.5)
    assert found["y"].dtype == np.float32
    assert server.batches["batch-0"]["endpoint"] == "/v1/embeddings"


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        ({"batch_requests": 2}, [2, 2, 1]),
        ({"batch_mb": 0.001}, [2, 2, 1]),  # a request has some 400 bytes
        ({"batch_requests": 2, "batches_at_once": 1}, [2, 2, 1]),
    ],
)
def test_no_batch_is_larger_than_the_limits(server, tmp_path, limits, sizes):
    assert tag(server, tmp_path, **limits) == VERBS
    assert [
        len(server.files[b["input_file_id"]].splitlines()) for b in server.batches.values()
    ] == sizes
    if "batches_at_once" in limits:
        creations = [call for call in server.calls if call == "POST /v1/batches"]
        assert len(creations) == 3
        first = server.calls.index("POST /v1/batches")
        assert (
            "GET /v1/batches/batch-0"
            in server.calls[first : server.calls.index("POST /v1/files", first)]
        )


def test_half_a_batch_is_kept_and_the_other_half_sent_again(server, tmp_path):
    expired = {"code": "batch_expired", "message": "too late"}
    server.ends = [
        {
            "status": "expired",
            "lines": lambda lines: lines[:2],
            "errors": lambda lines: [
                json.dumps({"custom_id": name, "response": None, "error": expired})
                for name in "cde"
            ],
        }
    ]
    assert tag(server, tmp_path) == VERBS
    again = [json.loads(line)["custom_id"] for line in server.files["file-3"].splitlines()]
    assert sorted(again) == ["c", "d", "e"]
    assert len(server.batches) == 2


def test_malformed_lines_cost_their_items_another_try_and_no_others(server, tmp_path):
    def spoil(lines):
        foreign = json.dumps({"custom_id": "nobody", "response": {"status_code": 200, "body": {}}})
        return ["no json", "[]", '{"custom_id": "b"}', foreign, lines[0], lines[0], lines[2]]

    server.ends = [{"lines": spoil}]
    assert tag(server, tmp_path) == VERBS
    assert len(server.requests) == 5 + 3


def test_what_the_server_fails_on_again_and_again_is_rejected_alone(server, tmp_path):
    def fail(line):
        entry = json.loads(line)
        if entry["custom_id"] == "b":
            entry["response"] = {"status_code": 500, "body": {"error": {"message": "down"}}}
        return json.dumps(entry)

    server.ends = [{"lines": lambda lines: list(map(fail, lines))}] * 3
    assert tag(server, tmp_path) == VERBS | {"b": Rejected("service_failed")}
    assert [text for text in server.asked if text != "b"] == list("acde")
    assert server.asked.count("b") == 3


def test_refused_and_malformed_answers_have_their_reasons_and_are_not_sent_again(server, tmp_path):
    server.refused = '"content": "c"'
    server.answer = lambda text: "the verbs are hard to tell" if text == "d" else "walk"
    found = tag(server, tmp_path)
    assert found["c"] == Rejected("refused")
    assert found["d"] == Rejected("malformed_answer")
    assert found["a"] == ["walk"]
    assert len(server.batches) == 1


def test_a_batch_too_large_for_the_queue_is_divided(server, tmp_path):
    full = {"failed": [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]}
    server.ends = [full] * 3
    assert tag(server, tmp_path) == VERBS
    # Sent again once nothing else is in flight; then in halves, of which the first is too large.
    sizes = [
        len(server.files[one["input_file_id"]].splitlines()) for one in server.batches.values()
    ]
    assert sizes == [5, 5, 2, 1, 1, 3]
    server.ends = [full] * 2
    with pytest.raises(UserError, match=r"queue takes no batch .*Enqueued token limit"):
        tag(server, tmp_path, texts="a")


def test_while_the_queue_is_full_no_more_is_sent_than_had_room(server, tmp_path):
    full = {"failed": [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]}
    server.ends = [{}, full, full, full, full]
    assert tag(server, tmp_path, batch_requests=1) == VERBS
    # Five at once, of which one had room; then one after the other.
    assert len(server.batches) == 5 + 4


def test_an_endpoint_that_is_silent_for_a_while_is_asked_on(server, tmp_path):
    server.batch_faults = {"GET /v1/batches/": [DOWN] * 7}  # of each question three tries
    assert tag(server, tmp_path) == VERBS
    assert len(server.batches) == 1


def test_faults_of_the_batch_itself_are_a_sentence(server, tmp_path):
    server.ends = [{"failed": [{"code": "invalid_json_line", "message": "Line 3 is no JSON"}]}]
    with pytest.raises(UserError, match=r"did not begin batch batch-0: Line 3 is no JSON"):
        tag(server, tmp_path)
    server.ends = [{"status": "cancelled", "lines": lambda lines: lines[:2]}]
    found = {}
    with pytest.raises(UserError, match="batch-1 was cancelled"):
        found.update(tagger(server, tmp_path).answer({text: text for text in "abcde"}))
    server.batch_faults = {"POST /v1/batches": [(401, {"error": {"message": "who are you"}})]}
    with pytest.raises(UserError, match="refuses to work for model"):
        tag(server, tmp_path)


@pytest.mark.parametrize(
    "call",
    ["POST /v1/files", "POST /v1/batches", "GET /v1/batches/", "GET /v1/files/file-1/content"],
)
def test_a_busy_or_broken_server_is_asked_again(server, tmp_path, call):
    server.batch_faults = {call: [BUSY, DOWN]}
    assert tag(server, tmp_path) == VERBS
    assert len(server.batches) == 1


def test_a_batch_whose_creation_was_answered_too_late_is_not_created_twice(server, tmp_path):
    server.batch_faults = {"POST /v1/batches": [LOST]}
    assert tag(server, tmp_path) == VERBS
    assert len(server.batches) == 1


def test_a_batch_in_flight_is_asked_after_by_the_next_run(server, tmp_path):
    server.batch_faults = {"GET /v1/batches/": [DOWN] * 9}
    with pytest.raises(
        UserError, match=r"says nothing about batch batch-0 .* is asked after again"
    ):
        tag(server, tmp_path)
    (record,) = records(tmp_path)
    assert (record["batch"], record["ids"]) == ("batch-0", list("abcde"))
    # Meanwhile 'a' was answered elsewhere, and 'f' came in.
    wanted = {name: verbs for name, verbs in VERBS.items() if name != "a"} | {"f": ["walk"]}
    assert tag(server, tmp_path, texts="bcdef") == wanted
    assert len(server.batches) == 2
    assert sorted(server.asked) == list("abcdef")
    assert records(tmp_path) == []


def test_a_batch_that_the_server_lost_is_sent_again(server, tmp_path):
    server.batch_faults = {"GET /v1/batches/": [DOWN] * 9}
    with pytest.raises(UserError):
        tag(server, tmp_path)
    (record,) = (tmp_path / "batches").glob("*.json")
    record.write_text(record.read_text().replace("batch-0", "batch-99"))
    assert tag(server, tmp_path) == VERBS
