"""The engine: what is left is done once, read once for all, and kept."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from scripts.common.code import ROOT
from scripts.common.engine import run
from scripts.common.errors import Rejected, UserError
from scripts.common.ledger import FileLedger
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.shards import ShardItem, write_shard
from tests.common.doubling import KEYS, Doubling, finish, finished, make_task, rows_of


def test_what_is_finished_is_recalled_and_only_the_rest_is_read_and_done(tmp_path):
    first, second, read = Doubling(), Doubling(), []
    finish(make_task(tmp_path, first, KEYS[:4]))
    rows = finish(make_task(tmp_path, second, KEYS[:6]), read=lambda key: read.append(key) or key)
    assert rows == {key: 2.0 * int(key) for key in KEYS[:6]}
    assert (first.asked, second.asked, read) == (KEYS[:4], KEYS[4:6], KEYS[4:6])
    third = Doubling()
    assert finish(make_task(tmp_path, third, KEYS[:6])) == rows
    assert third.loaded == 0  # a backend is loaded only for something


def test_an_item_made_from_another_version_is_done_again(tmp_path):
    finish(make_task(tmp_path, items={"001": "a", "002": "b", "003": None}))
    second = Doubling()
    finish(make_task(tmp_path, second, {"001": "a", "002": "c", "003": None}))
    assert second.asked == ["002"]


def test_items_come_in_batches_in_order(tmp_path):
    backend = Doubling()
    finish(make_task(tmp_path, backend, KEYS[:7], batch_size=3))
    assert backend.batches == [KEYS[:3], KEYS[3:6], KEYS[6:7]]


def test_several_tasks_share_one_read_and_each_does_only_its_own(tmp_path):
    finish(make_task(tmp_path / "b", items=KEYS[:4]))
    read = []
    one, other = Doubling(), Doubling(_002=Rejected("too_small"))
    tasks = [
        make_task(tmp_path / "a", one, KEYS[:3], name="a"),
        make_task(tmp_path / "b", other, KEYS[2:6], name="b", batch_size=2),
    ]
    run(tasks, lambda key: read.append(key) or key, what="test")
    assert read == ["000", "001", "002", "004", "005"]  # 003 is done, 002 is read for one of them
    assert one.asked == ["000", "001", "002"] and other.asked == ["004", "005"]
    assert rows_of(tasks[0]) == {"000": 0.0, "001": 2.0, "002": 4.0}
    assert rows_of(tasks[1]) == {"002": 4.0, "003": 6.0, "004": 8.0, "005": 10.0}


def test_items_are_read_in_the_order_asked_for_and_none_is_left_out(tmp_path):
    read = []
    task = make_task(tmp_path)
    order = ["004", "missing", "002", "000"]
    rows = finish(task, read=lambda key: read.append(key) or key, order=order)
    assert read == ["004", "002", "000", "001", "003", "005"]
    assert list(rows) == KEYS[:6]


def test_items_are_read_and_prepared_by_threads_while_the_backend_works(tmp_path):
    meeting, where = threading.Barrier(2, timeout=20), set()

    def read(key):
        meeting.wait()  # two readers at a time, or nobody gets past
        return key

    def prepare(backend, item):
        where.add(threading.current_thread().name)
        return item

    finish(make_task(tmp_path, prepare=prepare), read=read, workers=2)
    assert threading.main_thread().name not in where


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_what_is_finished_when_a_job_is_stopped_is_kept(tmp_path, error):
    with pytest.raises(type(error)):
        finish(make_task(tmp_path, Doubling(_003=error)))
    assert finished(tmp_path) == KEYS[:3]


def test_a_killed_process_resumes_at_the_next_item(tmp_path):
    """Two real processes: the first is killed without a chance to tidy up."""
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from tests.common.doubling import KEYS, finish, make_task
        folder, journal, wait = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
        def work(backend, items):
            time.sleep(wait)
            with journal.open("a") as file:
                file.write(items[0] + "\\n")
            return [0.0]
        finish(make_task(folder, items=KEYS, work=work, flush_rows=1))
        """
    )

    def start(wait):
        command = [sys.executable, "-c", program, tmp_path / "ledger", tmp_path / "journal", wait]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(list(map(str, command)), cwd=ROOT, env=environment)

    process = start(0.02)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("ledger/part-*"))) < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(list(tmp_path.glob("ledger/part-*")))
    assert 10 <= kept < len(KEYS)
    before = (tmp_path / "journal").read_text().splitlines()
    assert start(0).wait() == 0
    after = (tmp_path / "journal").read_text().splitlines()[len(before) :]
    # At most the one item in work when the process was killed is done twice.
    assert len(set(before) & set(after)) <= 1
    assert set(before) | set(after) == set(KEYS)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 3.0]])
def test_a_backend_that_gives_another_number_of_values_is_told_so(tmp_path, values):
    task = make_task(tmp_path, work=lambda backend, items: values, batch_size=2)
    with pytest.raises(UserError, match=f"gave {len(values)} values for 2 items"):
        finish(task)
    assert finished(tmp_path) == []


def picture_item(uuid, value):
    pixels = np.full((4, 4, 3), value, np.uint8)
    return ShardItem(uuid, encode_png(pixels), picture_properties(pixels))


def test_files_are_kept_as_rows_are(tmp_path):
    made = []

    def files(items):
        def work(backend, keys):
            made.extend(keys)
            return [int(key) for key in keys]

        return make_task(
            tmp_path / "unused", items=items, work=work, finish=picture_item,
            ledger=FileLedger(tmp_path / "ledger"),
        )  # fmt: skip

    run([files({"001": "a", "002": "b"})], lambda key: key, what="test")
    task = files({"001": "a", "002": "c", "003": "d"})
    run([task], lambda key: key, what="test")
    assert made == ["001", "002", "002", "003"] and task.done == 2
    items = [task.ledger.get(key, version) for key, version in task.items.items()]
    tar, index = tmp_path / "s.tar", tmp_path / "s.parquet"
    write_shard(tar, index, items, "png")
    task.ledger.finish(tar, index)
    run([files(task.items)], lambda key: key, what="test")
    assert len(made) == 4
    # What a broken disk took from the tar is made again.
    data = bytearray(tar.read_bytes())
    place = data.find(items[2].data)
    data[place + 40] ^= 255
    tar.write_bytes(data)
    run([files(task.items)], lambda key: key, what="test")
    assert made[4:] == ["003"]
