"""Where videos are looked for besides links that work: fresh links, mirrors, earlier runs."""

import csv
import errno
import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import polars as pl
import pytest

from scripts.common.errors import UserError
from scripts.common.identity import prompt_uuid
from scripts.curate.media_links import attachment_key, candidate_version, expires_at
from scripts.curate.partial_files import PartialFile
from tests.curate.candidates import fetch, tiny_video
from tests.curate.misbehaving_server import MisbehavingServer

EXPIRED = "?ex=65000000&is=64000000&hm=ab&"
SIGNED = "?ex=70000000&is=60000000&hm=cd&"


@pytest.fixture(scope="module")
def server():
    with MisbehavingServer(tiny_video()) as server:
        yield server


@pytest.fixture
def place(server):
    server.asked.clear()
    return f"http://media.test:{server.port}/attachments"


@pytest.fixture
def hosts(server):
    return [f"media.test:{server.port}"]


def outcomes(looks):
    """Return (place, outcome) of each look, in order."""
    return [(look["place"], look["outcome"]) for look in looks]


def test_what_a_link_says_of_itself():
    link = "https://cdn.discordapp.com/attachments/11/22/a%20b.mp4"
    assert expires_at(link + "?ex=65b1a74c&is=659f324c&hm=1&") == datetime(
        2024, 1, 25, 0, 11, 56, tzinfo=UTC
    )
    assert expires_at(link) is None
    assert attachment_key(link + SIGNED) == "11/22/a b.mp4"
    assert attachment_key("https://media.discordapp.net/ephemeral-attachments/1/2/x.mp4?width=1")
    for path in ("1/2/..", "1/2/%2e%2e", "1/2/%2Fetc%2Fpasswd", "1/2/a%5Cb", "1/2/a%00", "1/2/",
                 "../2/x.mp4", "a/2/x.mp4", "1/%2e%2e/x.mp4", f"1/2/{'x' * 300}"):  # fmt: skip
        assert attachment_key(f"https://cdn.discordapp.com/attachments/{path}") is None, path


def test_a_candidate_keeps_its_version_when_its_link_is_signed_anew():
    link = "https://cdn.discordapp.com/attachments/11/22/a.mp4"
    first = candidate_version({"export": "a", "video": link + EXPIRED})
    assert first == candidate_version({"export": "b", "video": link + SIGNED})
    assert first != candidate_version({"export": "a", "video": link.replace("22", "23")})
    local = {"export": "a", "video": "a.html_Files/x.mp4"}
    assert candidate_version(local) != candidate_version(local | {"export": "b"})


def test_without_fetching_nothing_is_asked(tmp_path, server, place, hosts):
    wanted = {"a": [f"{place}/1/2/good.mp4{SIGNED}"], "b": [f"{place}/1/3/good.mp4{EXPIRED}"]}
    _, reasons, *_ = fetch(tmp_path, wanted, hosts=hosts, fetch=False)
    assert reasons == {"a": "link_not_local", "b": "link_expired"}
    assert not server.asked


COMMAND = """
import sys
from pathlib import Path
links = sys.stdin.read().splitlines()
with open(sys.argv[1], "a") as calls:
    calls.write(f"{len(links)}\\n")
for link in reversed(links):
    if "/404/" not in link:
        print(link.partition("?")[0] + "?ex=70000000&is=60000000&hm=ef&")
print("https://evil.example/attachments/9/9/other.mp4")
"""


def test_a_command_gives_fresh_links(tmp_path, server, place, hosts):
    (tmp_path / "refresh.py").write_text(COMMAND)
    command = [sys.executable, str(tmp_path / "refresh.py"), str(tmp_path / "calls")]
    wanted = {f"expired {n}": [f"{place}/1/{n}/good.mp4{EXPIRED}"] for n in range(60)}
    wanted |= {"unsigned": [f"{place}/1/100/good.mp4"]}
    wanted |= {"valid": [f"{place}/1/101/good.mp4{SIGNED}"]}
    wanted |= {"nobody knows": [f"{place}/404/1/good.mp4{EXPIRED}"]}
    wanted |= {"nobody knows, unsigned": [f"{place}/404/2/good.mp4"]}
    _, reasons, _, _, notes = fetch(tmp_path, wanted, hosts=hosts, fresh_command=command)
    assert {prompt for prompt, reason in reasons.items() if reason} == {"nobody knows"}
    assert reasons["nobody knows"] == "link_expired"
    assert not any("ex=65" in path for path, _ in server.asked)
    assert f"/attachments/1/100/good.mp4{SIGNED.replace('cd', 'ef')}" in dict(server.asked)
    assert f"/attachments/1/101/good.mp4{SIGNED}" in dict(server.asked)
    calls = [int(line) for line in (tmp_path / "calls").read_text().split()]
    assert sum(calls) == 63 and len(calls) < 20  # many links at a time
    assert notes[-1] == "63 links were too old; 61 fresh ones were had"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["no-such-program"], "no-such-program cannot be run"),
        ([sys.executable, "-c", "raise SystemExit('no token')"], "ended with 1: no token; mend it"),
    ],
)
def test_a_command_that_fails_ends_the_run_and_is_named(tmp_path, place, hosts, command, words):
    wanted = {f"{n}": [f"{place}/1/{n}/good.mp4{EXPIRED}"] for n in range(20)}
    with pytest.raises(UserError, match=words):
        fetch(tmp_path, wanted, hosts=hosts, fresh_command=command)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_gives_fresh_links(tmp_path, server, place, hosts, kind):
    wanted = {f"{n}": [f"{place}/1/{n}/good.mp4{EXPIRED}"] for n in range(3)}
    rows = {
        "old": [f"{place}/1/0/good.mp4", f"{place}/1/1/good.mp4{EXPIRED}", "https://a.b/1/2/3"],
        "fresh": [f"{place}/1/0/good.mp4{SIGNED}", f"{place}/1/1/good.mp4?ex=65000001&", None],
    }
    table = tmp_path / f"fresh.{kind}"
    frame = pl.DataFrame(rows)
    frame.write_csv(table) if kind == "csv" else frame.write_parquet(table)
    _, reasons, *_ = fetch(tmp_path, wanted, hosts=hosts, fresh_table=str(table))
    # The second's fresh link has expired as well; the third is not in the table.
    assert reasons == {"0": None, "1": "link_expired", "2": "link_expired"}


def test_a_table_without_its_columns_is_named(tmp_path, place, hosts):
    with open(tmp_path / "fresh.csv", "w", newline="") as file:
        csv.writer(file).writerows([["from", "to"], ["a", "b"]])
    with pytest.raises(UserError, match=r"fresh\.csv cannot be read .* 'old' and 'fresh'"):
        fetch(
            tmp_path, {"a": [f"{place}/1/1/good.mp4{EXPIRED}"]},
            hosts=hosts, fresh_table=str(tmp_path / "fresh.csv"),
        )  # fmt: skip


def test_a_mirror_in_a_folder_is_looked_at_before_the_network(tmp_path, server, place, hosts):
    mirror = tmp_path / "mirror"
    for key, data in {"1/1": server.video, "1/2": server.video[:300], "1/3": b""}.items():
        (mirror / key).mkdir(parents=True)
        (mirror / key / "good.mp4").write_bytes(data)
    (tmp_path / "secret.mp4").write_bytes(server.video)
    wanted = {
        "there": [f"{place}/1/1/good.mp4{EXPIRED}"],
        "broken there": [f"{place}/1/2/good.mp4{SIGNED}"],
        "broken there and expired": [f"{place}/1/3/good.mp4{EXPIRED}"],
        "not there": [f"{place}/1/4/good.mp4{SIGNED}"],
        "outside": [f"{place}/1/2/%2e%2e%2f%2e%2e%2f%2e%2e%2fsecret.mp4{EXPIRED}"],
    }
    _, reasons, _, looks, _ = fetch(tmp_path, wanted, hosts=hosts, mirror=str(mirror))
    assert {prompt for prompt, reason in reasons.items() if reason is None} == {
        "there", "broken there", "not there"
    }  # fmt: skip
    assert reasons["outside"] == reasons["broken there and expired"] == "link_expired"
    assert {path.partition("?")[0][-12:-9] for path, _ in server.asked} == {"1/2", "1/4"}
    of = {prompt: prompt_uuid(prompt) for prompt in wanted}
    twice = [look for look in looks if look["uuid"] == of["broken there"]]
    assert sorted(outcomes(twice)) == [("link", "ok"), ("mirror", "undecodable")]
    with pytest.raises(UserError, match="there is no folder"):
        fetch(tmp_path, wanted, hosts=hosts, mirror=str(tmp_path / "none"))


class Bucket(BaseHTTPRequestHandler):
    """Enough of the S3 protocol to read objects."""

    objects: ClassVar[dict] = {}
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.partition("?")[0].lstrip("/")
        data = self.objects.get(path)
        status = 404 if data is None else 200
        if path.endswith("locked.mp4"):
            status, data = 403, None
        data = data or b""
        if (span := self.headers.get("Range")) and status == 200:
            start, _, end = span.removeprefix("bytes=").partition("-")
            status, total = 206, len(data)
            data = data[int(start) : int(end) + 1]
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end}/{total}")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", "Wed, 01 Nov 2023 00:00:00 GMT")
        self.send_header("ETag", '"x"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *arguments):
        pass


def test_a_mirror_in_a_bucket(tmp_path, server, place, hosts, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    Bucket.objects = {
        "tip/videos/1/1/good.mp4": server.video,
        "tip/videos/1/2/good.mp4": server.video[:200],
        "tip/videos/1/3/good.mp4": bytes(500_000),
    }
    bucket = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=bucket.serve_forever, daemon=True).start()
    mirror = (
        f"s3://tip/videos?scheme=http&region=x&endpoint_override=127.0.0.1:{bucket.server_port}"
    )
    wanted = {
        "there": [f"{place}/1/1/good.mp4{EXPIRED}"],
        "broken there": [f"{place}/1/2/good.mp4{SIGNED}"],
        "too large there": [f"{place}/1/3/good.mp4{EXPIRED}"],
        "not there": [f"{place}/1/4/good.mp4{EXPIRED}"],
        "locked": [f"{place}/1/5/locked.mp4{EXPIRED}"],
    }
    try:
        _, reasons, _, looks, _ = fetch(tmp_path, wanted, hosts=hosts, mirror=mirror)
    finally:
        bucket.shutdown()
    assert reasons == {
        "there": None, "broken there": None, "too large there": "link_expired",
        "not there": "link_expired", "locked": "link_expired",
    }  # fmt: skip
    mirrored = sorted(look["outcome"] for look in looks if look["place"] == "mirror")
    assert mirrored == ["mirror_failed", "ok", "too_large", "undecodable"]
    assert not list((tmp_path / "ledger").rglob("*.copy"))


def test_what_is_gone_is_not_asked_for_again_soon_and_what_failed_is(
    tmp_path, server, place, hosts
):
    wanted = {
        "good": [f"{place}/1/1/good.mp4{SIGNED}"],
        "gone": [f"{place}/1/2/always_404.mp4{SIGNED}"],
        "page": [f"{place}/1/3/page.mp4{SIGNED}"],
        "failed": [f"{place}/1/4/always_503.mp4{SIGNED}"],
        "forbidden": [f"{place}/1/5/always_403.mp4{SIGNED}"],
    }

    def asked(**changes):
        server.asked.clear()
        _, reasons, *_ = fetch(tmp_path, wanted, hosts=hosts, **changes)
        assert reasons == first
        return {path.split("/")[3] for path, _ in server.asked}

    _, first, *_ = fetch(tmp_path, wanted, hosts=hosts)
    assert asked() == {"4", "5"}
    later = datetime.now(UTC) + timedelta(days=8)
    assert asked(now=later) == {"2", "3", "4", "5"}
    wanted["gone"] = [wanted["gone"][0].replace("hm=cd", "hm=new")]  # signed anew
    assert asked() == {"2", "4", "5"}


def test_a_finished_video_is_recalled_while_its_prompt_has_its_candidate(
    tmp_path, server, place, hosts
):
    first, second = f"{place}/1/1/always_404.mp4{SIGNED}", f"{place}/1/2/good.mp4{SIGNED}"
    _, _, _, looks, _ = fetch(tmp_path, {"a": [first, second, second + "&"]}, hosts=hosts)
    assert outcomes(looks) == [("link", "gone"), ("link", "ok"), (None, "not_needed")]
    server.asked.clear()
    expired = second.replace(SIGNED, EXPIRED)
    _, reasons, _, looks, notes = fetch(tmp_path, {"a": [first, expired]}, hosts=hosts)
    assert (reasons, server.asked) == ({"a": None}, [])
    assert outcomes(looks) == [(None, "recalled"), ("ledger", "ok")]
    assert notes[0] == "1 of 1 videos are there from an earlier run"
    _, reasons, *_ = fetch(tmp_path, {"a": [first]}, hosts=hosts)
    assert reasons == {"a": "gone"}


def test_a_host_that_is_down_is_left_alone(tmp_path, server, place, hosts):
    wanted = {f"{n}": [f"{place}/1/{n}/hangs_up.mp4{SIGNED}"] for n in range(100)}
    _, reasons, *_ = fetch(
        tmp_path, wanted, hosts=hosts, give_up_after=5, connections_per_host=1, tries=2
    )
    assert set(reasons.values()) == {"unreachable", "host_down"}
    assert sum(reason == "host_down" for reason in reasons.values()) > 80
    assert len(server.asked) < 40


def test_a_video_with_too_many_pixels_is_not_decoded_to_its_end(tmp_path, place, hosts):
    """A file of a few bytes may unpack to hours of frames."""
    wanted = {"a": [f"{place}/1/1/good.mp4{SIGNED}"]}  # two frames of 16 x 16
    _, reasons, *_ = fetch(tmp_path, wanted, hosts=hosts, max_megapixels=0.0003)
    assert reasons == {"a": "too_long"}
    _, reasons, *_ = fetch(tmp_path, wanted, hosts=hosts, max_megapixels=0.0006)
    assert reasons == {"a": None}


def test_a_complete_part_is_looked_at_without_asking(tmp_path, server, place, hosts):
    """A run was killed after the last byte came, and before it was decoded."""
    link = f"{place}/1/1/good.mp4{SIGNED}"
    fetch(tmp_path, {"a": []}, hosts=hosts)
    ledger = next((tmp_path / "ledger" / "curate").iterdir())
    name = f"{prompt_uuid('a')}-{candidate_version({'export': 'a', 'video': link})}.part"
    part = PartialFile(ledger / "parts-00000" / name)
    data = server.video + bytes(70_000)
    with part.open(0, None, len(data)) as write:
        write(data)
    _, reasons, shard, looks, _ = fetch(tmp_path, {"a": [link]}, hosts=hosts)
    assert (reasons, server.asked, looks[0]["tries"]) == ({"a": None}, [], 0)
    assert shard.read(prompt_uuid("a")) == data
    assert not list(ledger.glob("parts-00000/*"))


def test_a_full_disk_is_said_in_one_sentence(tmp_path, place, hosts, monkeypatch):
    def full(*arguments, **settings):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("scripts.common.ledger.write_atomically", full)
    with pytest.raises(UserError, match=r"no space is left .* make room and run again"):
        fetch(tmp_path, {"a": [f"{place}/1/1/good.mp4{SIGNED}"]}, hosts=hosts)
