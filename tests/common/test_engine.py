"""The engine: what is left is done once, faults are kept apart, the machine's are raised."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from scripts.common import code
from scripts.common.code import ROOT
from scripts.common.engine import Task, ledger_key, run
from scripts.common.errors import Rejected, UserError
from scripts.common.faults import FAILURES_IN_A_ROW
from scripts.common.ledger import FileLedger, RowLedger
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import column, optional, table_schema

ROWS = table_schema(
    "rows",
    "test",
    column("uuid", pa.string(), "id"),
    optional("value", pa.float64(), "value"),
    optional("reason", pa.string(), "why there is none"),
)
KEYS = [f"{number:03d}" for number in range(60)]


class Doubling:
    """A backend that doubles numbers, does to some items what it is told, and notes all."""

    def __init__(self, **behaviour):
        self.behaviour = {f"{key[1:]}": what for key, what in behaviour.items()}
        self.asked, self.batches, self.loaded = [], [], 0

    def load(self):
        self.loaded += 1
        return self

    @staticmethod
    def work(backend, items):
        backend.batches.append(list(items))
        for item in items:
            what = backend.behaviour.get(item)
            if isinstance(what, BaseException):
                raise what
        backend.asked += items
        return [2.0 * int(item) for item in items]


def make_task(folder, backend=None, items=KEYS[:6], **settings):
    """Return a task that doubles its items, which are their own keys."""
    backend = backend or Doubling()
    return Task(
        **{
            "name": "doubling",
            "items": items if isinstance(items, dict) else dict.fromkeys(items),
            "ledger": RowLedger(folder, ROWS, flush_rows=settings.pop("flush_rows", 1000)),
            "load": backend.load,
            "work": backend.work,
            "finish": lambda key, value: {"uuid": key, "value": value, "reason": None},
        }
        | settings
    )


def finish(*tasks, read=lambda key: key, **settings):
    """Run tasks and return the rows of the last: key -> value or reason."""
    run(tasks, read, what="test", **settings)
    return rows_of(tasks[-1])


def rows_of(task):
    rows = task.rows(lambda key, reason: {"uuid": key, "value": None, "reason": reason}).to_list()
    assert [row["uuid"] for row in rows] == list(task.items)
    return {row["uuid"]: row["reason"] or row["value"] for row in rows}


def finished(folder):
    return sorted(RowLedger(folder, ROWS))


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


def test_an_item_that_is_known_to_be_faulty_is_not_tried(tmp_path):
    backend = Doubling()
    task = make_task(tmp_path, backend, KEYS[:2], faults={"000": Rejected("no_video")})
    assert finish(task) == {"000": "no_video", "001": 2.0}
    assert backend.asked == ["001"]
    idle = Doubling()
    finish(make_task(tmp_path, idle, KEYS[:2], faults={"000": Rejected("no_video")}))
    assert idle.loaded == 0


def test_items_come_in_batches_in_order(tmp_path):
    backend = Doubling()
    finish(make_task(tmp_path, backend, KEYS[:7], batch_size=3))
    assert backend.batches == [KEYS[:3], KEYS[3:6], KEYS[6:7]]


def test_a_failed_batch_is_tried_one_by_one(tmp_path):
    backend = Doubling(_004=ValueError("odd\nin two lines"), _002=Rejected("too_small"))
    task = make_task(tmp_path, backend, batch_size=4)
    rows = finish(task)
    assert rows == {"000": 0.0, "001": 2.0, "002": "too_small", "003": 6.0, "004": "failed",
                    "005": 10.0}  # fmt: skip
    assert backend.batches == [
        *(KEYS[:4], ["000"], ["001"], ["002"], ["003"]),
        *(["004", "005"], ["004"], ["005"]),
    ]
    assert finished(tmp_path) == ["000", "001", "003", "005"]
    assert task.notes == ["004: failed: ValueError: odd"] and task.done == 4


def test_a_failed_item_is_tried_again_by_the_next_run(tmp_path):
    finish(make_task(tmp_path, Doubling(_001=ValueError("odd"), _002=Rejected("too_small"))))
    backend = Doubling()
    finish(make_task(tmp_path, backend))
    assert backend.asked == ["001", "002"]


def test_a_fault_may_be_raised_or_returned_at_every_step(tmp_path):
    def read(key):
        if key == "001":
            raise Rejected("undecodable")
        return key

    def prepare(backend, item):
        if item == "002":
            raise Rejected("too_small")
        return item

    def finish_row(key, value):
        if key == "005":
            raise Rejected("too_long")
        return Rejected("not_a_number") if key == "003" else {"value": value, "reason": None}

    class Returning(Doubling):
        @staticmethod
        def work(backend, items):
            return [Rejected("too_dark") if item == "004" else 1.0 for item in items]

    task = make_task(
        tmp_path, Returning(), prepare=prepare, finish=finish_row, batch_size=3, failure="broken"
    )
    assert finish(task, read=read) == {
        "000": 1.0, "001": "undecodable", "002": "too_small", "003": "not_a_number",
        "004": "too_dark", "005": "too_long",
    }  # fmt: skip
    assert finished(tmp_path) == ["000"] and not task.notes


@pytest.mark.parametrize("step", ["read", "prepare", "work", "finish"])
def test_an_odd_items_error_is_its_own_wherever_it_comes(tmp_path, step):
    def odd(key):
        if key == "002":
            raise ValueError(f"odd in {step}")
        return key

    settings = {
        "prepare": {"prepare": lambda backend, item: odd(item)},
        "work": {"work": lambda backend, items: [float(odd(item)) for item in items]},
        "finish": {"finish": lambda key, value: {"value": 1.0 if odd(key) else 0, "reason": None}},
    }.get(step, {})
    task = make_task(tmp_path, **settings, failure="scoring_failed")
    rows = finish(task, read=odd if step == "read" else lambda key: key)
    assert [key for key, value in rows.items() if value == "scoring_failed"] == ["002"]
    assert task.notes == [f"002: scoring_failed: ValueError: odd in {step}"]
    assert task.done == 5


class OutOfMemoryError(RuntimeError):
    """As torch.cuda calls its own."""


@pytest.mark.parametrize(
    "error",
    [OutOfMemoryError("CUDA"), MemoryError(), RuntimeError("CUDA out of memory. Tried 2 GiB"),
     RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")],
    ids=["card", "python", "words", "cpu"],
)  # fmt: skip
def test_memory_that_does_not_suffice_halves_the_batch(tmp_path, error):
    class Small(Doubling):
        @staticmethod
        def work(backend, items):
            backend.batches.append(len(items))
            if len(items) > 2:
                raise error
            return [0.0] * len(items)

    backend = Small()
    rows = finish(make_task(tmp_path, backend, KEYS[:8], batch_size=8))
    assert set(rows.values()) == {0.0} and len(rows) == 8
    assert backend.batches == [8, 4, 2, 2, 4, 2, 2]


@pytest.mark.parametrize("step", ["read", "prepare", "work"])
def test_memory_that_does_not_suffice_for_one_item_is_raised_and_the_rest_is_kept(tmp_path, step):
    def large(key):
        if key == "003":
            raise MemoryError("of 80 GB")
        return key

    settings = {
        "prepare": {"prepare": lambda backend, item: large(item)},
        "work": {"work": lambda backend, items: [float(large(item)) for item in items]},
    }.get(step, {})
    task = make_task(tmp_path, **settings, batch_size=2)
    with pytest.raises(UserError, match=r"doubling: the memory does not suffice for one item"):
        finish(task, read=large if step == "read" else lambda key: key)
    assert not task.faults
    assert set(finished(tmp_path)) >= {"000", "001"}


MACHINES = [
    OSError(28, "No space left on device"),
    ConnectionError("reset"),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    type("AcceleratorError", (RuntimeError,), {})("device-side assert"),
]


@pytest.mark.parametrize("error", MACHINES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("step", ["read", "prepare", "work"])
def test_a_fault_of_the_machine_is_raised_and_is_nobodys_row(tmp_path, error, step):
    def broken(key):
        if key == "002":
            raise error
        return key

    settings = {
        "prepare": {"prepare": lambda backend, item: broken(item)},
        "work": {"work": lambda backend, items: [float(broken(item)) for item in items]},
    }.get(step, {})
    task = make_task(tmp_path, **settings)
    with pytest.raises(type(error)):
        finish(task, read=broken if step == "read" else lambda key: key)
    assert finished(tmp_path) == ["000", "001"] and not task.faults


def test_a_fault_of_the_machine_in_a_batch_is_not_tried_one_by_one(tmp_path):
    backend = Doubling(_002=RuntimeError("CUDA error: unspecified launch failure"))
    with pytest.raises(RuntimeError, match="CUDA"):
        finish(make_task(tmp_path, backend, batch_size=3))
    assert backend.batches == [KEYS[:3]]


def test_many_failures_in_a_row_are_raised_and_what_is_finished_is_kept(tmp_path):
    failing = {f"_{key}": ValueError(f"odd {key}") for key in KEYS[3 : 3 + FAILURES_IN_A_ROW]}
    backend = Doubling(**failing)
    with pytest.raises(
        UserError, match=r"doubling failed 10 times in a row.*'ValueError: odd 003'"
    ):
        finish(make_task(tmp_path, backend, KEYS[:20]))
    assert finished(tmp_path) == KEYS[:3]
    assert "013" not in backend.asked  # it stops there


def test_a_success_begins_the_count_of_failures_anew(tmp_path):
    """Thirty odd items of sixty end no job, as long as others between them are done."""
    failing = {f"_{key}": ValueError("odd") for key in KEYS if int(key) % 10 > 4}
    rows = finish(make_task(tmp_path, Doubling(**failing), KEYS))
    assert Counter(map(str, rows.values()))["failed"] == 30


def test_a_rejected_item_is_no_failure(tmp_path):
    rejected = {f"_{key}": Rejected("too_small") for key in KEYS[:30]}
    rows = finish(make_task(tmp_path, Doubling(**rejected), KEYS[:30]))
    assert set(rows.values()) == {"too_small"}


def test_items_that_failed_before_are_no_row_of_failures(tmp_path):
    """A run that is started again tries only them."""
    failing = {f"_{key}": ValueError("odd") for key in KEYS if int(key) % 3 == 0}
    expected = finish(make_task(tmp_path, Doubling(**failing), KEYS))
    assert finish(make_task(tmp_path, Doubling(**failing), KEYS)) == expected
    (note,) = tmp_path.glob("failed*")
    assert not any(f'"{key}"' in note.read_text() for key in KEYS)  # ids are not given away
    # Others are: these made from something else, and those that were never tried.
    other = {key: "other" for key in KEYS if int(key) % 3 == 0}
    with pytest.raises(UserError, match="in a row"):
        finish(make_task(tmp_path, Doubling(**failing), other))
    # And a run that gave up has noted none.
    with pytest.raises(UserError, match="in a row"):
        finish(make_task(tmp_path, Doubling(**failing), other))


def test_nothing_but_failures_are_raised_where_nothing_was_ever_finished(tmp_path):
    odd = {"_000": ValueError("odd"), "_001": ValueError("odd")}
    with pytest.raises(UserError, match="doubling failed 2 times in a row"):
        finish(make_task(tmp_path / "new", Doubling(**odd), KEYS[:2]))
    # One item may be odd, and where others were finished, so may all that are left.
    assert finish(make_task(tmp_path / "one", Doubling(**odd), KEYS[:1])) == {"000": "failed"}
    finish(make_task(tmp_path / "old", Doubling(), KEYS[2:5]))
    rows = finish(make_task(tmp_path / "old", Doubling(**odd), KEYS[:5]))
    assert (rows["000"], rows["001"], rows["004"]) == ("failed", "failed", 8.0)


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


def test_one_tasks_odd_item_is_not_the_others(tmp_path):
    tasks = [
        make_task(tmp_path / "a", Doubling(_001=ValueError("odd")), name="a"),
        make_task(tmp_path / "b", name="b"),
    ]
    run(tasks, lambda key: key, what="test")
    assert rows_of(tasks[0])["001"] == "failed" and rows_of(tasks[1])["001"] == 2.0


def test_an_error_of_a_user_is_raised_at_once_and_the_others_rows_are_kept(tmp_path):
    mend = UserError("the key OPENAI_API_KEY is not valid; correct it")
    tasks = [
        make_task(tmp_path / "a", name="a"),
        make_task(tmp_path / "b", Doubling(_002=mend), name="b"),
    ]
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        run(tasks, lambda key: key, what="test")
    assert finished(tmp_path / "a") == KEYS[:3] and finished(tmp_path / "b") == KEYS[:2]
    with pytest.raises(UserError, match="fetch it"):
        finish(make_task(tmp_path / "c", load=lambda: exec("raise UserError('fetch it')")))


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
        from tests.common.test_engine import KEYS, finish, make_task
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


ENTRY = {
    "backend": "tests.common.test_engine:Doubling",
    "settings": {"side": 224, "crop": None},
    "weights": {"path": "w.pth"},
}


@pytest.fixture
def keys(tmp_path, monkeypatch):
    """A workflow of its own with a script, a backend and what both import; gives the key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(code, "ROOT", tmp_path)
    files = {
        "scripts/a/score.py": "from scripts.common.video import read\nfrom scripts.common.tables import write\n",
        "scripts/a/model.py": "from scripts.common.network import SIZE\n",
        "scripts/common/video.py": "read = 1\n",
        "scripts/common/network.py": "SIZE = 1\n",
        "scripts/common/tables.py": "write = 1\n",
        "w.pth": "weights",
    }

    def key(change=None, content="", entry=None, **settings):
        for cached in (code._closure, code._imports, code._hash_module):
            cached.cache_clear()
        for name, text in (files | ({change: content} if change else {})).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        usual = ENTRY | {"backend": "scripts.a.model:Model"}
        return ledger_key("scripts/a/score.py", {**usual, **(entry or {})}, **settings)

    yield key
    for cached in (code._closure, code._imports, code._hash_module):
        cached.cache_clear()


def test_the_key_is_of_all_that_decides_a_row(keys):
    usual = keys()
    assert keys() == usual
    changed = [
        keys(entry={"backend": "scripts.a.model:Other"}),
        keys(entry={"settings": {"side": 256, "crop": None}}),
        keys(entry={"settings": {"side": 224}}),
        keys(entry={"weights": {"path": "other.pth"}}),  # is missing
        keys(entry={"weights": None}),
        keys("w.pth", "Weights"),
        keys("scripts/a/score.py", "from scripts.common.video import read\nX = 1\n"),
        keys("scripts/a/model.py", "from scripts.common.network import SIZE\nX = 2\n"),
        keys("scripts/common/network.py", "SIZE = 2\n"),
        keys("scripts/common/video.py", "read = 2\n"),
        keys(seed=1),
        keys(seed=2),
    ]
    assert usual not in changed and len(set(changed)) == len(changed)


def test_the_key_is_not_of_plumbing_comments_or_labels(keys):
    usual = keys()
    assert keys("scripts/common/tables.py", "write = 2\n") == usual
    assert keys("scripts/common/network.py", '"""A network."""\nSIZE = 1  # pixels\n') == usual
    assert keys(entry={"label": "A label", "licence": "MIT"}) == usual


def test_the_same_weights_at_another_place_are_the_same(keys, tmp_path):
    usual = keys()
    (tmp_path / "moved.pth").write_text("weights")
    assert keys(entry={"weights": {"path": "moved.pth"}}) == usual
