"""Thousands of links of a server that misbehaves in every way; a run that is killed."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter

import pytest

from scripts.common.code import ROOT
from scripts.common.identity import prompt_uuid
from scripts.common.schemas.items import REASONS
from scripts.common.schemas.videos import OUTCOMES
from tests.curate.candidates import LINKS, fetch, tiny_video, write_prompts
from tests.curate.misbehaving_server import MisbehavingServer
from tests.curate.misbehaviours import BEHAVIOURS

KEPT = {
    "slow", "cut_once", "cut_once_and_dated", "cut_once_without_ranges", "cut_once_without_mark",
    "changed", "changed_behind_a_range", "wrong_range_once", "too_many_once",
    "too_many_until_a_date", "error_once", "busy_once", "moved", "moved_to_another_listed_host",
    "video_called_page",
}  # fmt: skip
REJECTED = {
    "cut_always": "truncated", "wrong_range_always": "bad_range", "less_than_declared": "truncated",
    "more_than_declared": "undecodable", "never_answers": "timed_out",
    "stops_halfway": "timed_out", "drips": "timed_out", "too_many_always": "too_many_requests",
    "too_many_for_a_day": "too_many_requests", "always_400": "refused", "always_401": "forbidden",
    "always_403": "forbidden", "always_404": "gone", "always_410": "gone",
    "always_451": "forbidden", "always_500": "server_error", "always_503": "server_error",
    "moved_elsewhere": "host_not_allowed", "moved_inside": "private_address",
    "moved_to_a_file": "not_https", "moved_in_a_circle": "too_many_redirects",
    "moved_nowhere": "too_many_redirects", "moved_to_a_script": "not_https",
    "moved_to_no_name": "host_not_allowed", "moved_to_a_wrong_port": "bad_link",
    "too_many_until_the_year_99999": "too_many_requests", "range_of_5000_digits": "bad_range",
    "endless": "too_large", "huge": "too_large", "empty": "empty_file", "no_content": "empty_file", "page": "not_a_video",
    "noise": "undecodable", "half_a_video": "undecodable", "zipped": "compressed",
    "no_http": "unreachable", "hangs_up": "unreachable",
}  # fmt: skip
TIMES = {
    "too_many_until_the_year_99999": 2, "too_many_until_a_date": 1, "too_many_for_a_day": 1,
    "never_answers": 2, "stops_halfway": 2, "drips": 2,
}  # fmt: skip
"""Links of behaviours that take the client's time; of all others there are 8."""

SIGNED = "?ex=70000000&is=60000000&hm=ab&"
EXPIRED = "?ex=65000000&is=64000000&hm=ab&"


@pytest.fixture(scope="module")
def video():
    return tiny_video()


def test_every_behaviour_has_its_end():
    assert set(BEHAVIOURS) == KEPT | set(REJECTED) | {"good", "long"}


def test_thousands_of_links_are_kept_or_rejected_with_a_reason(tmp_path, video, capsys):
    expected, wanted = {}, {}
    with MisbehavingServer(video) as server:
        place = f"http://media.test:{server.port}/attachments"

        def want(how, reason, number, links):
            prompt = f"{how} {number}"
            wanted[prompt], expected[prompt] = links, reason

        def link(how, *number, tail=SIGNED):
            return f"{place}/{'/'.join(map(str, number))}/{how}.mp4{tail}"

        for number in range(1_100):
            want("good", None, number, [link("good", 1, number)])
        for how in sorted(KEPT | set(REJECTED)):
            for number in range(TIMES.get(how, 8)):
                want(how, REJECTED.get(how), number, [link(how, 2, number)])
        for number in range(500):
            want("expired", "link_expired", number, [link("good", 3, number, tail=EXPIRED)])
        for number in range(60):
            second = [link("always_404", 4, number), link("good", 4, number)]
            want("second candidate", None, number, second)
            none = [link("expired", 5, number, tail=EXPIRED), link("page", 5, number)]
            want("no candidate is good", "link_expired", number, none)
        for number, (bad, reason) in enumerate(
            [
                (f"https://media.test:{server.port}/attachments/1/1/good.mp4", "not_https"),
                ("http://media.test/attachments/1/1/good.mp4", "host_not_allowed"),
                (f"http://elsewhere.test:{server.port}/1/1/good.mp4", "host_not_allowed"),
                (f"http://media.test:{server.port}@elsewhere.test/1/1/good.mp4", "bad_link"),
                (f"http://a:b@media.test:{server.port}/1/1/good.mp4", "bad_link"),
                (f"http://inside.test:{server.port}/attachments/1/1/good.mp4", "private_address"),
                (f"http://half.test:{server.port}/attachments/1/1/good.mp4", "private_address"),
                (f"http://media.test:{server.port}/1/1/a b.mp4", "bad_link"),
                (f"http://media.test:{server.port}/1/1/good.mp4\nX: y", "bad_link"),
                ("http://[::1/1/1/good.mp4", "bad_link"),
                ("http://media.test:99999/1/1/good.mp4", "host_not_allowed"),
                ("http://", "bad_link"),
            ]
        ):
            want("bad link", reason, number, [bad])

        hosts = [f"{name}.test:{server.port}" for name in ("media", "other", "inside", "half")]
        started = time.monotonic()
        counts, reasons, shard, looks, notes = fetch(tmp_path, wanted, hosts=hosts)
        seconds = time.monotonic() - started

    assert reasons == expected
    assert set(filter(None, reasons.values())) <= set(REASONS)
    tally = Counter(filter(None, expected.values()))
    assert counts.rejected == tally
    assert (counts.declared, counts.lost) == (len(wanted), 0)
    assert counts.kept == sum(reason is None for reason in expected.values())
    assert all(shard.read(prompt_uuid(prompt)) == video for prompt in wanted if not reasons[prompt])

    # Every candidate is accounted for, and what need not be asked was not.
    assert len(looks) == sum(map(len, wanted.values()))
    assert {look["outcome"] for look in looks} <= set(OUTCOMES)
    asked = Counter(path for path, _ in server.asked)
    assert not any(path.startswith("/attachments/3/") for path in asked)
    assert not any("etc" in path for path in asked)
    assert set(server.hosts) == {f"{name}.test:{server.port}" for name in ("media", "other")}
    # What is good is asked for once, but where a loaded machine took too long to answer.
    good = [n for path, n in asked.items() if re.match("/attachments/1/(?!2/)", path)]
    assert set(good) <= set(range(1, LINKS["tries"] + 1)) and good.count(1) > 0.9 * len(good)
    limit = LINKS["tries"] * (LINKS["max_redirects"] + 1)
    assert all(n <= limit for path, n in asked.items() if not path.startswith("/attachments/1/2/"))
    assert not list((tmp_path / "ledger").rglob("*.copy"))
    with capsys.disabled():
        print(f"\n{counts.sentence()}, lost {counts.lost}; {seconds:.1f} s, {notes[-1]}")


KILLED = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from tests.curate.candidates import LINKS, HERE
    from scripts.curate.fetch_videos import fetch_videos

    folder, port = Path(sys.argv[1]), sys.argv[2]
    links = LINKS | {"hosts": [f"media.test:{port}"]}
    links |= {"read_timeout_s": 10, "total_timeout_s": 30}
    fetch_videos(
        folder / "prompts/00000.parquet", folder / "videos/00000.tar",
        folder / "videos/00000.parquet", folder / "candidates.parquet",
        exports={"a": str(folder / "a.html")}, links=links, threads=1,
        ledger_root=folder / "ledger", network=HERE,
    )
    """
)


def parts(folder):
    """Return the sizes of the downloads that can be gone on with."""
    sizes = []
    for record in (folder / "ledger").glob("curate/*/parts-00000/*.json"):
        with contextlib.suppress(FileNotFoundError):  # it was finished meanwhile
            sizes.append(record.with_suffix(".part").stat().st_size)
    return sizes


def test_a_killed_run_goes_on_where_it_stopped(tmp_path, video, capsys):
    with MisbehavingServer(video, pause_s=0.002) as server:
        place = f"http://media.test:{server.port}/attachments"
        hows = ["good"] * 36 + ["always_404"] * 3 + ["long"]
        wanted = {
            f"{how} {n}": [f"{place}/{n}/1/{how}.mp4{SIGNED}"]
            for n, how in ((n, hows[n % 40]) for n in range(600))
        }
        write_prompts(tmp_path / "prompts" / "00000.parquet", wanted)
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path), str(server.port)],
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if len(server.asked) > 250 and any(65_536 < size < 200_000 for size in parts(tmp_path)):
                break
            time.sleep(0.005)
        assert process.poll() is None, "it ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.1)
        first, served = list(server.asked), set(server.served)
        server.asked.clear()
        half = [size for size in parts(tmp_path) if size < len(video) + 300_000]

        links = {"hosts": [f"media.test:{server.port}"]}
        links |= {"read_timeout_s": 10, "total_timeout_s": 30}
        counts, reasons, *_ = fetch(tmp_path, wanted, **links)

    good = {prompt for prompt in wanted if not prompt.startswith("always_404")}
    assert {prompt for prompt, reason in reasons.items() if reason is None} == good
    assert (counts.kept, counts.rejected, counts.lost) == (555, {"gone": 45}, 0)

    again = {path for path, _ in server.asked} & {path for path, _ in first}
    finished_again = {path for path in again & served if "always_404" not in path}
    refused_again = {path for path in again & served if "always_404" in path}
    resumed = [start for _, start in server.asked if start]
    assert 250 < len(first) < 600
    assert len(server.asked) <= 600 - len(served) + len(finished_again) + len(refused_again)
    # A finished file is asked for again only if it was on its way to the ledger: one for each of
    # the 34 workers at the most; a refusal, if its answer was on its way over a connection.
    assert len(finished_again) <= 34
    assert len(refused_again) <= 8
    assert resumed and sorted(resumed) == sorted(half)
    with capsys.disabled():
        print(
            f"\nkilled after {len(first)} requests ({len(served)} answered); then "
            f"{len(server.asked)} more: {len(finished_again)} answered videos and "
            f"{len(refused_again)} refusals asked again, {len(resumed)} parts gone on with "
            f"({sum(resumed):,} bytes); {counts.sentence()}, lost {counts.lost}"
        )
