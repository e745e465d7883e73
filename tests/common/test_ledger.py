import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from scripts.common.code import ROOT
from scripts.common.ledger import (
    FileLedger,
    FinishedRows,
    JobLedger,
    RowLedger,
    finished_items,
)
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import column, embedding, read_table, table_schema

ROWS = table_schema(
    "rows",
    "test",
    [
        column("uuid", pa.string(), "id"),
        column("value", pa.float64(), "value", nullable=True),
        column("status", pa.string(), "status"),
    ],
)
KEYS = [f"{n:03d}" for n in range(60)]


def scorer(asked):
    def work(keys):
        asked.extend(keys)
        return [
            {"uuid": key, "value": None, "status": "rejected"}
            if key == "007"
            else {"uuid": key, "value": float(key), "status": "ok"}
            for key in keys
        ]

    return work


def test_finished_items_are_recalled_and_failed_ones_tried_again(tmp_path):
    first, second = [], []
    with RowLedger(tmp_path, ROWS) as ledger:
        rows = ledger.complete(KEYS[:10], scorer(first), batch_size=4)
    with RowLedger(tmp_path, ROWS) as ledger:
        again = ledger.complete(KEYS[:12], scorer(second), batch_size=4)
    assert first == KEYS[:10]
    assert second == ["007", "010", "011"]
    assert again[:10] == rows and [row["uuid"] for row in again] == KEYS[:12]


def finished(folder, keys, versions, failing=(), asked=None):
    """Return the table that a run leaves, working out what its ledger lacks."""
    ledger = RowLedger(folder / "ledger", ROWS)
    for key in ledger.left(keys, versions):
        if asked is not None:
            asked.append(key)
        if key not in failing:
            ledger.keep(key, {"value": float(key), "status": "ok"}, versions[key])
    faults = {key: {"uuid": key, "value": None, "status": "rejected"} for key in failing}
    rows = FinishedRows(ledger, keys, faults)
    rows.write(folder / "table.parquet")
    return folder / "table.parquet"


def test_a_finished_table_is_the_ledger_too(tmp_path):
    versions = dict.fromkeys(KEYS[:12], "a")
    table = finished(tmp_path, KEYS[:10], versions, failing=["003"])
    held = list((tmp_path / "ledger").glob("*.parquet"))
    assert len(held) == 1 and held[0].samefile(table)
    assert finished_items(tmp_path / "ledger", "uuid") == set(KEYS[:10]) - {"003"}
    before, asked = table.read_bytes(), []
    table.unlink()  # as Snakemake does before a job
    finished(tmp_path, KEYS[:10], versions, asked=asked)
    assert asked == ["003"]  # a failed item is tried again, whose row the table has
    assert table.read_bytes() != before
    asked.clear()
    finished(tmp_path, KEYS[:12], versions | {"005": "b"}, asked=asked)
    assert asked == ["005", "010", "011"]
    assert read_table(table)["uuid"].to_pylist() == KEYS[:12]
    # An item that fails after its version has changed is not recalled as what it was.
    finished(tmp_path, KEYS[:12], versions | {"006": "b"}, failing=["006", "005"])
    asked.clear()
    finished(tmp_path, KEYS[:12], versions, asked=asked)
    assert asked == ["005", "006"]


def test_parts_of_a_killed_run_come_before_its_finished_table(tmp_path):
    versions = dict.fromkeys(KEYS[:4], "a")
    finished(tmp_path, KEYS[:4], versions)
    with RowLedger(tmp_path / "ledger", ROWS) as killed:
        killed.keep("002", {"value": -1.0, "status": "ok"}, "b")
    asked = []
    table = finished(tmp_path, KEYS[:4], versions | {"002": "b"}, asked=asked)
    assert asked == []
    assert read_table(table)["value"].to_pylist() == [0.0, 1.0, -1.0, 3.0]


@pytest.mark.parametrize("name", ["finished.parquet", "finished.versions"])
def test_a_broken_finished_table_is_made_again(tmp_path, name):
    versions = dict.fromkeys(KEYS[:4], "a")
    before = finished(tmp_path, KEYS[:4], versions).read_bytes()
    (tmp_path / "ledger" / name).unlink()
    (tmp_path / "ledger" / name).write_bytes(b"broken")
    asked = []
    assert finished(tmp_path, KEYS[:4], versions, asked=asked).read_bytes() == before
    assert asked == KEYS[:4]


def test_an_item_made_from_something_else_is_not_recalled(tmp_path):
    first, second = [], []
    with RowLedger(tmp_path, ROWS) as ledger:
        ledger.complete(["001", "002"], scorer(first), versions={"001": "a", "002": "b"})
    with RowLedger(tmp_path, ROWS) as ledger:
        ledger.complete(["001", "002"], scorer(second), versions={"001": "a", "002": "c"})
    assert second == ["002"]


def test_an_error_keeps_what_was_finished(tmp_path):
    def failing(keys):
        if "005" in keys:
            raise RuntimeError("out of memory")
        return scorer([])(keys)

    with pytest.raises(RuntimeError), RowLedger(tmp_path, ROWS) as ledger:
        ledger.complete(KEYS[:10], failing)
    assert sorted(RowLedger(tmp_path, ROWS)) == KEYS[:5]


VECTORS = table_schema(
    "vectors",
    "test",
    [
        column("uuid", pa.string(), "id"),
        column("embedding", embedding(3), "vector", nullable=True),
        column("status", pa.string(), "status"),
    ],
)


def test_rows_come_from_disk_in_the_order_of_the_items_with_the_failed_ones_between(tmp_path):
    def work(keys):
        for key in reversed(keys):  # in any order, as a batch behind an endpoint comes back
            vector = None if key == "007" else np.full(3, float(key), np.float16)
            yield {"uuid": key, "embedding": vector, "status": "rejected" if key == "007" else "ok"}

    items = [*KEYS[5:20], *KEYS[:5]]
    with RowLedger(tmp_path, VECTORS, flush_rows=4) as ledger:
        ledger.stream(KEYS[10:12], work)
        rows = ledger.stream(items, work)
        tables = list(rows.tables(rows=6))
    assert [table.num_rows for table in tables] == [6, 6, 6, 2]
    found = pa.concat_tables(tables)
    assert found.schema.equals(VECTORS, check_metadata=True)
    assert found["uuid"].to_pylist() == items
    expected = [None if key == "007" else [float(key)] * 3 for key in items]
    assert found["embedding"].to_pylist() == expected
    assert [row["embedding"] is None for row in rows.to_list()] == [key == "007" for key in items]
    again = RowLedger(tmp_path, VECTORS)
    assert again.left(items) == ["007"]
    assert again.read(["013", "002"])["embedding"].to_pylist() == [[13.0] * 3, [2.0] * 3]


def test_a_row_made_anew_replaces_the_old_one(tmp_path):
    for value in (1.0, 2.0):
        with RowLedger(tmp_path, ROWS) as ledger:
            ledger.add([{"uuid": "001", "value": value, "status": "ok"}])
    assert RowLedger(tmp_path, ROWS).read(["001"])["value"].to_pylist() == [2.0]


def test_a_broken_part_is_made_again(tmp_path):
    with RowLedger(tmp_path, ROWS) as ledger:
        ledger.complete(["001"], scorer([]))
    (part,) = tmp_path.glob("part-*")
    part.write_bytes(part.read_bytes()[:-20])
    assert RowLedger(tmp_path, ROWS).left(["001"]) == ["001"]


def test_a_killed_process_resumes_at_the_next_item(tmp_path):
    """Two real processes: the first is killed without a chance to tidy up."""
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from scripts.common.ledger import RowLedger
        from tests.common.test_ledger import KEYS, ROWS, scorer
        folder, journal, wait = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
        def work(keys):
            time.sleep(wait)
            with journal.open("a") as file:
                file.write(keys[0] + "\\n")
            return scorer([])(keys)
        with RowLedger(folder, ROWS, flush_rows=1) as ledger:
            ledger.complete(KEYS, work)
        """
    )

    def start(wait):
        command = [sys.executable, "-c", program, tmp_path / "ledger", tmp_path / "journal", wait]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(list(map(str, command)), cwd=ROOT, env=environment)

    def parts():
        return list(Path(tmp_path / "ledger").glob("part-*"))

    process = start(0.02)
    deadline = time.monotonic() + 60
    while len(parts()) < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(parts())
    assert 10 <= kept < len(KEYS)
    done_before = (tmp_path / "journal").read_text().splitlines()
    assert start(0).wait() == 0
    done_after = (tmp_path / "journal").read_text().splitlines()[len(done_before) :]
    # At most the one item in work when the process was killed is done twice, and 007 failed.
    assert len(set(done_before) & set(done_after) - {"007"}) <= 1
    assert set(done_before) | set(done_after) == set(KEYS)


def item(value):
    pixels = np.full((4, 4, 3), value, np.uint8)
    return ShardItem(f"id-{value}", encode_png(pixels), picture_properties(pixels))


def test_files_are_recalled_singly_and_then_from_the_finished_tar(tmp_path):
    made = []

    def work(uuid):
        made.append(uuid)
        return item(int(uuid[3:])) if uuid != "id-9" else ShardItem(uuid, reason="undecodable")

    ledger = FileLedger(tmp_path / "ledger")
    loose = list(ledger.complete(["id-1", "id-9"], work))
    again = list(FileLedger(tmp_path / "ledger").complete(["id-1", "id-2", "id-9"], work))
    assert made == ["id-1", "id-9", "id-2", "id-9"]
    assert again[0] == loose[0]
    tar, index = tmp_path / "s.tar", tmp_path / "s.parquet"
    write_shard(tar, index, again, "png")
    ledger = FileLedger(tmp_path / "ledger")
    list(ledger.complete(["id-1", "id-2"], work))
    ledger.finish(tar, index)
    assert not list((tmp_path / "ledger").glob("*.data"))
    assert (tmp_path / "ledger" / "finished.tar").stat().st_ino == tar.stat().st_ino
    tar.unlink(), index.unlink()
    made.clear()
    assert list(FileLedger(tmp_path / "ledger").complete(["id-1", "id-2"], work)) == again[:2]
    assert made == []
    list(FileLedger(tmp_path / "ledger").complete(["id-1"], work, versions={"id-1": "new"}))
    assert made == ["id-1"]


def test_a_whole_job_is_recalled(tmp_path):
    ledger = JobLedger(tmp_path / "ledger")
    outputs = {"weights": tmp_path / "out" / "w.bin", "curve": tmp_path / "out" / "c.csv"}
    assert not ledger.recall(outputs)
    outputs["weights"].parent.mkdir()
    outputs["weights"].write_bytes(b"weights")
    outputs["curve"].write_text("curve")
    ledger.remember(outputs)
    for path in outputs.values():
        path.unlink()
    assert JobLedger(tmp_path / "ledger").recall(outputs)
    assert outputs["weights"].read_bytes() == b"weights"
