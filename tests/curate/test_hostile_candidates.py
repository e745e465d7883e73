"""One candidate, whatever it names and whatever a server answers, ends no other's search."""

import os
import random

import httpx
import pytest

from scripts.common.errors import Rejected, UserError
from scripts.common.identity import prompt_uuid
from scripts.common.schemas.items import REASONS
from scripts.curate import candidate_videos, downloads
from scripts.curate.candidate_videos import local_file
from scripts.curate.downloads import retry_after
from tests.curate.candidates import fetch, tiny_video

HOST = "media.test"
TRIALS = 600
NUMBERS = [
    "0",
    "1",
    "-1",
    "007",
    "1e400",
    "nan",
    "9" * 5000,
    "٣",
    "",
    " ",
    "x",
    "18446744073709551616",
]
DATES = [
    "Fri, 31 Dec 99999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2300",
    "Fri, 99999999999999999999 Dec 2023 23:59:59 GMT", "Mon, 1 Jan 0001 00:00:00 +2300",
    "Fri, 31 Dec 2023 99:99:99 +99999999999", "Fri, 31 Dec 2023 23:59:59 -0000",
]  # fmt: skip
PLACES = [
    "javascript:1", "http://xn--a/", "http://[", "http://[::1", "http://a:x/", "http://a:99999/", "//",
    "///", "http:", "\x00", "\udcff", "http://\udcff/", "x" * 70_000, "mailto:a", "data:,x", "http://%00",
    "http://media.test\\@evil.test/", "/next", "http://é.test/", "?", "#", "http://media.test:80/%ff",
]  # fmt: skip
RANGES = [
    "bytes 0-9/10", "bytes 5-4/3", "bytes */10", "bytes 0-9/*", f"bytes 0-{'9' * 5000}/{'9' * 5000}",
    "items 0-9/10", "bytes ٣-٤/٥", "bytes -1-9/10", "",
]  # fmt: skip


def odd_answer(chance, video):
    """Return an answer with headers that make no sense."""
    headers = {
        "location": PLACES, "retry-after": [*NUMBERS, *DATES], "content-range": RANGES,
        "content-length": NUMBERS, "etag": ['"a"', 'W/"a"', '"', "\udcff", ""],
        "last-modified": DATES, "content-type": ["video/mp4", "text/html; charset=\udcff", ""],
        "content-encoding": ["gzip", "identity", "br, gzip", ""],
    }  # fmt: skip
    status = chance.choice([200, 200, 206, 206, 301, 302, 308, 404, 416, 429, 503, 204, 299, 600])
    chosen = [(name.encode(), chance.choice(values).encode("utf-8", "surrogateescape"))
              for name, values in headers.items() if chance.random() < 0.4]  # fmt: skip
    body = chance.choice([b"", b"x", video, video[: len(video) // 2], b"y" * 500_000])
    return httpx.Response(status, headers=chosen, stream=Body(body))


class Body(httpx.AsyncByteStream):
    def __init__(self, data):
        self.data = data

    async def __aiter__(self):
        yield self.data


def test_no_answer_of_a_server_ends_the_search(tmp_path, monkeypatch):
    chance, video = random.Random("answers"), tiny_video()

    async def answer(request):
        return odd_answer(chance, video)

    monkeypatch.setattr(downloads, "PinnedTransport", lambda *_: httpx.MockTransport(answer))
    wanted = {f"prompt {n}": [f"http://media.test:80/1/{n}/a.mp4"] for n in range(TRIALS)}
    bounds = {"first_wait_s": 0.0, "longest_wait_s": 0.0, "tries": 4}
    counts, reasons, _, looks, notes = fetch(tmp_path, wanted, hosts=[HOST], **bounds)
    assert (counts.lost, counts.declared) == (0, TRIALS)
    assert set(filter(None, reasons.values())) <= set(REASONS)
    found = {look["outcome"] for look in looks}
    assert "search_failed" not in found, notes
    assert {
        "ok",
        "bad_range",
        "not_https",
        "bad_link",
        "host_not_allowed",
        "too_many_requests",
    } <= found


@pytest.mark.parametrize("link", [f"http://media.test:80/{place}" for place in PLACES if "\udcff" not in place]
                         + [place for place in PLACES if place.startswith("http")])  # fmt: skip
def test_no_link_ends_the_search(tmp_path, monkeypatch, link):
    async def answer(request):
        return httpx.Response(404)

    monkeypatch.setattr(downloads, "PinnedTransport", lambda *_: httpx.MockTransport(answer))
    if "\udcff" in link:
        pytest.skip("a table of prompts cannot hold it")
    _, reasons, _, _, notes = fetch(tmp_path, {"a": [link]}, hosts=[HOST])
    assert reasons["a"] in set(REASONS) - {"search_failed"}, notes


@pytest.mark.parametrize("date", [*DATES, *NUMBERS])
def test_a_wait_is_a_number_of_seconds_or_none(date):
    wait = retry_after(date)
    assert wait is None or wait >= 0


# Files beside the export.


def beside(folder, *videos, **settings):
    """Return the reason for a prompt whose candidates are files beside the export, and the looks."""
    _, reasons, shard, looks, notes = fetch(
        folder, {"a": list(videos), "good": ["good.mp4"]}, fetch=False, **settings
    )
    assert shard.read(prompt_uuid("good")) == tiny_video(), "the others are found"
    return (
        reasons["a"],
        [look["outcome"] for look in looks if look["uuid"] == prompt_uuid("a")],
        notes,
    )


@pytest.fixture
def good(tmp_path):
    (tmp_path / "good.mp4").write_bytes(tiny_video())
    return tmp_path


@pytest.mark.parametrize(
    ("video", "reason"),
    [
        ("x" * 300 + ".mp4", "missing_file"),
        ("a/" * 3000 + "x.mp4", "missing_file"),
        ("%00.mp4", "unsafe_path"),
        ("loop", "missing_file"),
        (".", "missing_file"),
    ],
)
def test_a_name_that_no_file_can_have_is_a_reason(good, video, reason):
    (good / "loop").symlink_to("loop")
    assert beside(good, video)[0] in (reason, "unsafe_path")


def test_a_long_name_is_no_way_out(tmp_path):
    with pytest.raises(Rejected, match=r"missing_file|unsafe_path"):
        candidate_videos.read_file(local_file("x" * 300, tmp_path), 10)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_a_reason(good):
    (good / "closed.mp4").write_bytes(b"x")
    (good / "closed.mp4").chmod(0)
    assert beside(good, "closed.mp4")[0] == "unreadable_file"


def test_the_reason_of_a_prompt_is_that_of_its_earliest_video(good):
    (good / "empty.mp4").touch()
    assert beside(good, "gone.mp4", "empty.mp4")[:2] == (
        "missing_file",
        ["missing_file", "empty_file"],
    )
    assert beside(good, "empty.mp4", "gone.mp4")[0] == "empty_file"


def test_what_nobody_foresaw_is_a_reason_and_named(good, monkeypatch):
    def odd(path, limit_bytes):
        if path.name == "odd.mp4":
            raise ZeroDivisionError("odd")
        return path.read_bytes()

    monkeypatch.setattr(candidate_videos, "read_file", odd)
    reason, _, notes = beside(good, "odd.mp4")
    assert reason == "search_failed"
    assert "search_failed: message 0: ZeroDivisionError: odd" in notes


def test_many_of_them_in_a_row_are_no_fault_of_the_candidates(good, monkeypatch):
    def broken(path, limit_bytes):
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(candidate_videos, "read_file", broken)
    with pytest.raises(UserError, match=r"failed 10 times in a row.*ZeroDivisionError: broken"):
        fetch(good, {f"{n}": ["good.mp4"] for n in range(30)}, fetch=False)
