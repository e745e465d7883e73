"""Waits, limits, parts and refusals, each on its own."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from scripts.curate.downloads import Downloads, HostLimits, retry_after
from scripts.curate.media_links import RefusedLinks
from scripts.curate.partial_files import PartialFile
from tests.curate.candidates import HERE, LINKS, tiny_video
from tests.curate.misbehaving_server import MisbehavingServer


def test_a_torn_line_of_refusals_is_passed_over(tmp_path):
    now = datetime.now(UTC)
    path = tmp_path / "refusals.jsonl"
    refused = RefusedLinks(path, days=1)
    refused.note("https://a", "gone", now)
    refused.note("https://b", "timed_out", now)
    path.write_text(path.read_text() + '\n["torn", "go')
    RefusedLinks(path, days=1).note("https://c", "undecodable", now)
    again = RefusedLinks(path, days=1)
    found = [again.reason(f"https://{name}", now) for name in "abcd"]
    assert found == ["gone", None, "undecodable", None]
    assert again.reason("https://a", now + timedelta(days=2)) is None


def test_retry_after_is_seconds_or_a_date():
    now = datetime(2024, 1, 1, tzinfo=UTC)
    assert retry_after("2") == 2 and retry_after("0.25") == 0.25
    assert retry_after("Mon, 01 Jan 2024 00:01:00 GMT", now) == 60
    assert retry_after("Sun, 31 Dec 2023 00:00:00 GMT", now) == 0
    assert [retry_after(value) for value in (None, "", "soon", "nan", "inf")] == [None] * 5
    assert retry_after("-3") == 0


def test_waits_double_and_are_bounded():
    downloads = Downloads(LINKS | {"first_wait_s": 1, "longest_wait_s": 5})
    for attempt, longest in enumerate((1, 2, 4, 5, 5), 1):
        waits = [downloads._back_off(attempt) for _ in range(50)]
        assert longest / 2 <= min(waits) < max(waits) <= longest


def test_a_host_is_not_asked_more_often_than_allowed():
    async def run():
        limits = HostLimits(connections=3, per_second=100, give_up_after=9)
        clock = asyncio.get_running_loop().time
        starts, running, most = [], 0, 0

        async def one():
            nonlocal running, most
            async with limits.turn():
                starts.append(clock())
                running += 1
                most = max(most, running)
                await asyncio.sleep(0.02)
                running -= 1

        began = clock()
        await asyncio.gather(*(one() for _ in range(12)))
        limits.pause(0.2)
        paused = clock()
        await one()
        return most, starts[11] - began, starts[12] - paused

    most, spread, waited = asyncio.run(run())
    assert most <= 3
    assert spread >= 0.1  # 12 starts, 10 ms apart
    assert waited >= 0.19


def test_a_part_without_a_mark_or_with_a_torn_record_is_not_gone_on_with(tmp_path):
    part = PartialFile(tmp_path / "x.part")
    with part.open(0, '"a"') as write:
        write(bytes(70_000))
    assert PartialFile(tmp_path / "x.part").mark == '"a"'
    (tmp_path / "x.json").write_text('{"mark"')
    assert PartialFile(tmp_path / "x.part").mark is None
    with pytest.raises(RuntimeError), part.open(0, '"b"') as write:
        write(b"few")
        raise RuntimeError
    again = PartialFile(tmp_path / "x.part")
    assert (again.mark, again.size) == ('"b"', 3)
    with again.open(0, None) as write:
        write(bytes(70_000))
    assert PartialFile(tmp_path / "x.part").mark is None


def test_a_refusal_says_that_a_host_is_up(tmp_path):
    async def run(port):
        bounds = {"hosts": [f"media.test:{port}"], "give_up_after": 2, "tries": 1}
        place, reasons = f"http://media.test:{port}/1", []
        async with Downloads(LINKS | bounds, HERE) as downloads:
            for number, how in enumerate(["always_500", "always_404", "always_500", "good"]):
                part = PartialFile(tmp_path / f"{number}.part")
                download = await downloads.fetch(f"{place}/{number}/{how}.mp4", part)
                reasons.append(download.reason)
        return reasons

    with MisbehavingServer(tiny_video()) as server:
        reasons = asyncio.run(run(server.port))
    assert reasons == ["server_error", "gone", "server_error", None]
