"""How a server of attachments misbehaves: what it answers, by the name of the file asked for."""

import asyncio
import itertools
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

HEAD = "HTTP/1.1 {} X\r\nContent-Length: {}\r\nContent-Type: {}\r\n{}\r\n"


class Hangup(Exception):
    """The server closes the connection."""


class Answer:
    """What a behaviour has at hand: the request, and how to write an answer."""

    def __init__(self, server, path, headers, writer):
        self.server, self.path, self.headers, self.writer = server, path, headers, writer
        self.number = server.count(path)
        found = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        self.start = int(found[1]) if found else None

    async def send(self, data=b"", status=200, kind="video/mp4", extra="", length=None):
        size = len(data) if length is None else length
        self.writer.write(HEAD.format(status, size, kind, extra).encode() + data)
        await self.writer.drain()

    async def cut(self, data, extra=""):
        """Send half of what was promised, and hang up."""
        await self.send(data[: len(data) // 2], extra=extra, length=len(data))
        raise Hangup

    async def rest(self, data, etag):
        """Send what a range asks for, if it is of this very file; otherwise all."""
        tag = f'ETag: "{etag}"\r\n'
        if self.start is None or self.headers.get("if-range") != f'"{etag}"':
            await self.send(data, extra=tag)
        else:
            await self.part(data, self.start, tag)

    async def part(self, data, start, extra=""):
        span = f"Content-Range: bytes {start}-{len(data) - 1}/{len(data)}\r\n"
        await self.send(data[start:], status=206, extra=span + extra)


BEHAVIOURS = {}


def behaviour(function):
    """Register a behaviour under its name."""
    BEHAVIOURS[function.__name__] = function
    return function


def status_behaviours():
    def status(number):
        return lambda a: a.send(b"sorry", status=number, kind="text/plain")

    for number in (400, 401, 403, 404, 410, 451, 500, 503):
        BEHAVIOURS[f"always_{number}"] = status(number)


status_behaviours()


@behaviour
async def good(a):
    await a.rest(a.server.video, "a")


@behaviour
async def slow(a):
    data = a.server.video
    await a.send(data[:100], length=len(data))
    for piece in (data[100:300], data[300:]):
        await asyncio.sleep(0.05)
        a.writer.write(piece)


@behaviour
async def cut_once(a):
    if a.number == 1:
        await a.cut(a.server.video, 'ETag: "a"\r\n')
    await a.rest(a.server.video, "a")


@behaviour
async def cut_once_and_dated(a):
    date = "Wed, 01 Nov 2023 00:00:00 GMT"
    if a.number == 1:
        await a.cut(a.server.video, f"Last-Modified: {date}\r\n")
    assert a.headers["if-range"] == date
    await a.part(a.server.video, a.start)


@behaviour
async def cut_once_without_ranges(a):
    if a.number == 1:
        await a.cut(a.server.video, 'ETag: "a"\r\n')
    await a.send(a.server.video, extra='ETag: "a"\r\n')


@behaviour
async def cut_once_without_mark(a):
    if a.number == 1:
        await a.cut(a.server.video)
    assert a.start is None
    await a.send(a.server.video)


@behaviour
async def cut_always(a):
    await a.cut(a.server.video)


@behaviour
async def changed(a):
    """Between two tries the file becomes another one."""
    if a.number == 1:
        await a.cut(bytes(len(a.server.video)), 'ETag: "old"\r\n')
    await a.rest(a.server.video, "new")


@behaviour
async def changed_behind_a_range(a):
    """The file becomes another one, and the server sends the other one's rest."""
    if a.number == 1:
        await a.cut(bytes(len(a.server.video)), 'ETag: "old"\r\n')
    if a.start is None:
        return await a.send(a.server.video)
    await a.part(a.server.video, a.start, 'ETag: "new"\r\n')


@behaviour
async def wrong_range_once(a):
    if a.number == 1:
        await a.cut(a.server.video, 'ETag: "a"\r\n')
    if a.start is not None:
        return await a.part(a.server.video, a.start + 7, 'ETag: "a"\r\n')
    await a.send(a.server.video)


@behaviour
async def wrong_range_always(a):
    await a.part(a.server.video, 7)


@behaviour
async def never_answers(a):
    await asyncio.sleep(5)


@behaviour
async def stops_halfway(a):
    await a.send(a.server.video[:200], length=len(a.server.video))
    await asyncio.sleep(5)


@behaviour
async def drips(a):
    await a.send(b"", length=100_000)
    for _ in range(200):
        a.writer.write(b"x")
        await a.writer.drain()
        await asyncio.sleep(0.05)


@behaviour
async def too_many_once(a):
    if a.number == 1:
        return await a.send(b"wait", status=429, extra="Retry-After: 0.05\r\n")
    await good(a)


@behaviour
async def too_many_until_a_date(a):
    if a.number == 1:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
        return await a.send(b"wait", status=429, extra=f"Retry-After: {date}\r\n")
    await good(a)


@behaviour
async def too_many_always(a):
    await a.send(b"wait", status=429, extra="Retry-After: 0.01\r\n")


@behaviour
async def too_many_for_a_day(a):
    await a.send(b"wait", status=429, extra="Retry-After: 86400\r\n")


@behaviour
async def too_many_until_the_year_99999(a):
    await a.send(b"", status=429, extra="Retry-After: Fri, 31 Dec 99999 23:59:59 GMT\r\n")


@behaviour
async def range_of_5000_digits(a):
    span = f"Content-Range: bytes 0-{'9' * 5000}/{'9' * 5000}\r\n"
    await a.send(a.server.video, status=206, extra=span)


@behaviour
async def error_once(a):
    if a.number == 1:
        return await a.send(b"oops", status=500)
    await good(a)


@behaviour
async def busy_once(a):
    if a.number == 1:
        return await a.send(b"busy", status=503, extra="Retry-After: 0\r\n")
    await good(a)


def redirect(location):
    return lambda a: a.send(
        b"", status=302, extra=f"Location: {location.format(port=a.server.port)}\r\n"
    )


BEHAVIOURS |= {
    "moved": redirect("/attachments/1/2/good.mp4"),
    "moved_to_another_listed_host": redirect("http://other.test:{port}/attachments/1/2/good.mp4"),
    "moved_elsewhere": redirect("http://127.0.0.1:{port}/attachments/1/2/good.mp4"),
    "moved_inside": redirect("http://inside.test:{port}/attachments/1/2/good.mp4"),
    "moved_to_a_file": redirect("file:///etc/passwd"),
    "moved_in_a_circle": redirect("/attachments/1/2/moved_in_a_circle.mp4"),
    "moved_nowhere": lambda a: a.send(b"", status=302),
    "moved_to_a_script": redirect("javascript:1"),
    "moved_to_no_name": redirect("http://xn--a/"),
    "moved_to_a_wrong_port": redirect("http://media.test:port/"),
}


@behaviour
async def less_than_declared(a):
    await a.send(a.server.video[:-100], length=len(a.server.video))
    raise Hangup


@behaviour
async def more_than_declared(a):
    await a.send(a.server.video, length=len(a.server.video) - 100)
    raise Hangup


@behaviour
async def endless(a):
    a.writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in itertools.count():
        a.writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        await a.writer.drain()


@behaviour
async def huge(a):
    await a.send(a.server.video, length=10**13)
    raise Hangup


@behaviour
async def empty(a):
    await a.send(b"")


@behaviour
async def no_content(a):
    a.writer.write(b"HTTP/1.1 204 X\r\n\r\n")


@behaviour
async def page(a):
    await a.send(b"<html>not found</html>", kind="text/html; charset=utf-8")


@behaviour
async def video_called_page(a):
    await a.send(a.server.video, kind="text/html")


@behaviour
async def noise(a):
    await a.send(bytes(range(256)) * 4)


@behaviour
async def half_a_video(a):
    await a.send(a.server.video[: len(a.server.video) // 2])


@behaviour
async def zipped(a):
    import gzip

    await a.send(gzip.compress(a.server.video), extra="Content-Encoding: gzip\r\n")


@behaviour
async def no_http(a):
    a.writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
    raise Hangup


@behaviour
async def hangs_up(a):
    raise Hangup


@behaviour
async def long(a):
    """A larger file, sent so slowly that a killed reader has a part of it."""
    data = a.server.video + bytes(300_000)  # FFmpeg does not mind what follows the last atom
    start = 0
    if a.start is not None and a.headers.get("if-range") == '"long"':
        start = a.start
    extra = 'ETag: "long"\r\n'
    if start:
        extra += f"Content-Range: bytes {start}-{len(data) - 1}/{len(data)}\r\n"
    await a.send(b"", status=206 if start else 200, extra=extra, length=len(data) - start)
    began = time.monotonic()
    for at in range(start, len(data), 20_000):
        a.writer.write(data[at : at + 20_000])
        await a.writer.drain()
        await asyncio.sleep(0.03)
    assert time.monotonic() - began < 60
