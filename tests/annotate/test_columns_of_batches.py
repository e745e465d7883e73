"""A whole column by the batch API: one job sends all shards, another fetches them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.common.identity import prompt_uuid
from tests.annotate.openai_jobs import TEXTS, Column

SHARDS = [TEXTS[:30], TEXTS[30:]]
DOWN = (500, {"error": {"message": "down"}}, {"retry-after-ms": "1"})


def spent(folder):
    (file,) = (folder / "ledger/annotate/spending/direction").glob("*.json")
    return json.loads(file.read_text())


def test_one_job_sends_all_shards_and_one_writes_each_its_table(server, tmp_path):
    column = Column.of(server, tmp_path, SHARDS, batch_requests=20).write()
    counts, sizes = column.submit()
    assert counts.sentence() == "read 50 = kept 50 + rejected 0"
    assert sizes == [10, 20, 20]  # the second has prompts of both shards
    assert server.asked == []
    assert spent(tmp_path)["reserved_usd"] > 0
    assert column.fetch().sentence() == "read 50 = kept 50 + rejected 0"
    for texts, rows in zip(SHARDS, column.rows(), strict=True):
        assert list(rows) == sorted(map(prompt_uuid, texts))
        assert {tuple(row["verbs"]) for row in rows.values()} == {("walk",)}
    assert len(server.batches) == 3
    assert spent(tmp_path) == {"spent_usd": pytest.approx(50 * 10e-6), "reserved_usd": 0.0}


def test_what_is_finished_or_in_flight_is_not_sent_again(server, tmp_path):
    Column.of(server, tmp_path, SHARDS).write().submit()
    one = (tmp_path / "submitted.parquet").read_bytes()
    more = Column.of(server, tmp_path, [TEXTS[:30], [*TEXTS[30:], "one more"]]).write()
    assert more.submit()[1] == [1, 50]
    assert more.fetch().kept == 51
    calls = len(server.calls)
    sent = more.submitted.read_bytes()
    assert sent != one  # and so what fetches runs again
    assert more.submit()[1] == []
    assert more.submitted.read_bytes() == sent
    assert more.fetch().kept == 51
    assert len(server.calls) == calls and len(server.asked) == 51
    # The ledger is each shard's: one request after the other finds it too.
    assert Column.of(server, tmp_path, more.shards, mode="synchronous").fetch().kept == 51
    assert len(server.asked) == 51


def test_another_prompt_in_place_of_one_is_fetched_again(server, tmp_path):
    column = Column.of(server, tmp_path, [TEXTS[:2]]).write()
    column.submit()
    before = column.submitted.read_bytes()
    Column.of(server, tmp_path, [[TEXTS[0], "another"]]).write().submit()
    assert column.submitted.read_bytes() != before


def test_more_than_the_budget_is_refused_before_the_first_batch(server, tmp_path):
    with pytest.raises(
        UserError, match=r"more than the \$0\.00 of annotate\.budget_usd\.direction"
    ):
        Column.of(server, tmp_path, SHARDS, budget_usd=0.0, batch_requests=20).write().submit()
    assert server.calls == [] and spent(tmp_path)["reserved_usd"] == 0


def test_what_had_no_room_is_sent_by_the_job_that_fetches(server, tmp_path):
    column = Column.of(server, tmp_path, SHARDS, batch_requests=20, batches_at_once=2).write()
    counts, sizes = column.submit()
    assert sizes == [20, 20]
    assert counts.notes == ["10 texts wait for room; fetch_batches sends them"]
    assert column.fetch().kept == 50
    assert sorted(server.asked) == sorted(TEXTS)


def test_a_refusal_that_was_paid_for_is_not_asked_again_after_a_kill(server, tmp_path):
    server.answer = lambda text: "I'm sorry, I can't assist with that." if "1" in text else "walk"
    column = Column.of(server, tmp_path, SHARDS, batch_requests=25, batches_at_once=1).write()
    column.submit()
    server.batch_faults = {"GET /v1/batches/batch-1": [DOWN] * 9}
    with pytest.raises(UserError, match="says nothing about batch batch-1"):
        column.fetch()
    refused = sum("1" in text for text in TEXTS)
    counts = column.fetch()
    assert (counts.kept, dict(counts.rejected)) == (50 - refused, {"refused": refused})
    assert sorted(server.asked) == sorted(TEXTS)
    assert spent(tmp_path)["spent_usd"] == pytest.approx(50 * 10e-6)
    # The next run may ask again.
    assert column.submit()[1] == [refused]


PROGRAM = """
import sys
from pathlib import Path
from tests.annotate.openai_jobs import Column
from tests.annotate.test_columns_of_batches import FLIGHT, SHARDS
class Server: base_url = sys.argv[2]
getattr(Column.of(Server, Path(sys.argv[1]), SHARDS, **FLIGHT), sys.argv[3])()
"""
FLIGHT = {"batch_requests": 20, "max_retries": 100}


def kill(server, folder, step, when):
    """Run a job in a process, and kill it at some moment, without a chance to tidy up."""
    command = [sys.executable, "-c", PROGRAM, str(folder), server.base_url, step]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 120
    while not when():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_jobs_killed_while_they_send_and_while_they_wait_pay_nothing_twice(server, tmp_path):
    server.polls = 10**6
    column = Column.of(server, tmp_path, SHARDS, **FLIGHT).write()
    # The second batch is created, and its id never comes back.
    server.batch_faults = {"POST /v1/batches": [None, (0, {"retry-after-ms": "1"})]}
    server.batch_faults["GET /v1/batches"] = [DOWN] * 10**6
    kill(server, tmp_path, "submit", lambda: len(server.batches) == 2)
    server.batch_faults = {}
    _, sizes = column.submit()
    assert sizes == [10, 20, 20]
    assert len(server.batches) == 3
    polls = server.batches
    kill(server, tmp_path, "fetch", lambda: sum(one["polls"] for one in polls.values()) > 4)
    server.polls = 0
    assert column.fetch().sentence() == "read 50 = kept 50 + rejected 0"
    assert len(server.batches) == 3
    assert sorted(server.asked) == sorted(TEXTS)
    assert spent(tmp_path) == {"spent_usd": pytest.approx(50 * 10e-6), "reserved_usd": 0.0}
