"""Files of finished items that grow: what a killed process, a full disk or a fault leaves of them."""

import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts.common.errors import UserError
from scripts.common.segments import PATTERN, Segments, items_in

ITEMS = {f"item-{number}": bytes([number]) * (7000 * number) for number in range(1, 4)}


@pytest.fixture
def segment(tmp_path):
    segments = Segments(tmp_path)
    for name, data in ITEMS.items():
        segments.add(name, data, {"version": name})
    (path,) = tmp_path.glob(PATTERN)
    return path


def found(folder):
    segments = Segments(folder)
    return {name: segments.read(name) for name in ITEMS if name in segments}


def test_wherever_a_process_is_killed_what_was_whole_before_is_there(segment, tmp_path):
    whole, ends = segment.read_bytes(), [one.end for one in items_in(segment)]
    for size in range(0, len(whole) + 1, 97):
        segment.write_bytes(whole[:size])
        done = sum(end <= size for end in ends)
        assert found(tmp_path) == dict(list(ITEMS.items())[:done]), size


def test_an_item_that_the_disk_did_not_take_leaves_nothing_before_the_next(tmp_path, monkeypatch):
    segments = Segments(tmp_path)
    segments.add("item-1", ITEMS["item-1"], {})
    (path,) = tmp_path.glob(PATTERN)
    other = Segments(tmp_path / "other")
    for name in ("item-2", "item-3"):
        other.add(name, ITEMS[name], {})
    (longer,) = other.folder.glob(PATTERN)
    with path.open("ab") as file:
        file.write(longer.read_bytes()[:-100])
    segments.add("item-2", ITEMS["item-2"], {})
    expected = {name: ITEMS[name] for name in ("item-1", "item-2")}
    assert found(tmp_path) == expected
    assert {name: segments.read(name) for name in expected} == expected
    with tarfile.open(path) as archive:  # any program can look into it
        assert archive.getnames() == list(expected)


def test_other_bytes_than_were_added_are_found_out(segment, tmp_path):
    one = next(items_in(segment))
    with segment.open("r+b") as file:
        file.seek(one.offset)
        file.write(b"other")
    with pytest.raises(UserError, match="item-1"):
        Segments(tmp_path).read("item-1")


def test_a_broken_line_costs_its_own_item(segment, tmp_path):
    one = next(items_in(segment))
    with segment.open("r+b") as file:
        file.seek(one.start)
        file.write(bytes(one.offset - one.start))
    assert found(tmp_path) == {name: data for name, data in ITEMS.items() if name != "item-1"}


def test_the_later_of_two_counts_in_one_run_and_over_two(tmp_path):
    for data in (b"first", b"second"):
        Segments(tmp_path).add("item-1", data, {})
    assert found(tmp_path) == {"item-1": b"second"}
    segments = Segments(tmp_path)
    for data in (b"third", b"fourth"):
        segments.add("item-1", data, {})
    assert segments.read("item-1") == b"fourth" and found(tmp_path) == {"item-1": b"fourth"}


def test_threads_add_to_one_segment(tmp_path):
    segments = Segments(tmp_path)
    data = {f"item-{number}": bytes([number]) * 5000 for number in range(200)}
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: segments.add(name, data[name], {}), data))
    assert len(list(tmp_path.iterdir())) == 1
    again = Segments(tmp_path)
    assert len(again) == 200 and all(again.read(name) == data[name] for name in data)
