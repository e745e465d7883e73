"""Work done ahead: in order, bounded, and ended by an error."""

import threading
import time

import pytest

from scripts.common.prefetch import work_ahead


def test_results_come_in_order_whoever_is_done_first():
    def slow_first(number):
        time.sleep(0.02 if number % 4 == 0 else 0)
        return number * number

    found = list(work_ahead(slow_first, range(40), workers=4, ahead=8))
    assert found == [number * number for number in range(40)]


def test_no_more_is_begun_than_may_wait():
    begun = []
    results = work_ahead(begun.append, range(100), workers=3, ahead=5)
    assert next(results) is None
    time.sleep(0.05)
    assert len(begun) <= 6
    results.close()
    assert len(begun) <= 6


def test_several_threads_work_at_a_time():
    meeting = threading.Barrier(3, timeout=10)
    assert len(list(work_ahead(lambda _: meeting.wait(), range(6), workers=3, ahead=6))) == 6


def test_an_error_comes_in_its_place_and_ends_the_work():
    begun = []

    def work(number):
        begun.append(number)
        if number == 3:
            raise RuntimeError("broken")
        return number

    found = []
    with pytest.raises(RuntimeError, match="broken"):
        for result in work_ahead(work, range(1000), workers=1, ahead=4):
            found.append(result)
    assert found == [0, 1, 2]
    assert len(begun) < 10
