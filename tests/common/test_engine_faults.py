"""The engine: an item's fault is kept apart, the machine's is raised."""

from collections import Counter

import pytest

from scripts.common.engine import run
from scripts.common.errors import Rejected, UserError
from scripts.common.faults import FAILURES_IN_A_ROW
from tests.common.doubling import KEYS, Doubling, finish, finished, make_task, rows_of


def test_an_item_that_is_known_to_be_faulty_is_not_tried(tmp_path):
    backend = Doubling()
    task = make_task(tmp_path, backend, KEYS[:2], faults={"000": Rejected("no_video")})
    assert finish(task) == {"000": "no_video", "001": 2.0}
    assert backend.asked == ["001"]
    idle = Doubling()
    finish(make_task(tmp_path, idle, KEYS[:2], faults={"000": Rejected("no_video")}))
    assert idle.loaded == 0


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
