"""Faults of the machine under a whole run, from exports to pictures: ``make test-faults`` (root).

The run lies on a small file system of its own in memory, which is filled up, made read-only, and
given files from the future. Each fault ends in a sentence, leaves no file that an undisturbed run
would not leave, and once it is mended the next run ends with the same bytes.
"""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
import yaml

from scripts.common.code import ROOT
from tests.curate.small_export import export, generation, in_bold
from tests.kills.test_kills import checksums
from tests.sources.published import video
from tests.workflow.demo_copy import Workflow

TARGETS = [f"results/images/{shard}.tar" for shard in ("00000", "00001")]
MOMENTS = (0.3, 0.45, 0.6, 0.75, 0.9)
"""When the disk is full: shares of what the whole run takes."""
FULL = re.compile(r"No space left on device|no space is left for")
DAY_S = 24 * 3600


class Run(Workflow):
    """A run on a file system of its own, ``demo`` below the root."""

    def command(self) -> list[str]:
        place = self.root / "demo"
        command = [sys.executable, "-m", "snakemake", *TARGETS, "--cores", "2"]
        return [*command, "--directory", str(place), "--configfile", str(self.root / "my.yaml")]

    def start(self) -> subprocess.CompletedProcess:
        """Run to the end; what is said on the terminal is in ``stdout``."""
        return subprocess.run(
            self.command(), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def remount(self, options: str) -> None:
        """Give the file system another size, or let nobody write."""
        subprocess.run(["mount", "-o", f"remount,{options}", self.root / "demo"], check=True)

    def must_end_well(self, wanted: dict[str, str]) -> None:
        answer = self.start()
        assert answer.returncode == 0, answer.stdout[-3000:]
        assert checksums(self) == wanted
        assert "Nothing to be done" in self.start().stdout


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """A channel of three files, each with twelve videos in a folder beside it."""
    folder = tmp_path_factory.mktemp("channel")
    for number in range(3):
        media = folder / f"part{number}_Files"
        media.mkdir()
        said = []
        for clip in range(12 * number, 12 * number + 12):
            (media / f"{clip}.mp4").write_bytes(video(24, size=(320, 192), value=clip))
            place = f"{media.name}/{clip}.mp4"
            said.append(generation(clip, in_bold(f"cat number {clip}"), video=place))
        (folder / f"part{number}.html").write_text(export(said))
    return folder


@pytest.fixture
def new_run(exports, tmp_path):
    """A function that mounts a file system for a run; all are gone in the end."""
    if os.geteuid():
        pytest.skip("only root may mount a file system")
    mounted = []

    def mount(name):
        run = Run(tmp_path / name)
        (run.root / "demo").mkdir(parents=True)
        curate = {"exports": str(exports), "shards": 2, "links": {"fetch": False}}
        (run.root / "my.yaml").write_text(yaml.safe_dump({"curate": curate}))
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", run.root / "demo"], check=True)
        mounted.append(run)
        return run

    yield mount
    for run in mounted:
        subprocess.run(["umount", "--lazy", run.root / "demo"], check=True)


def used(run: Run) -> int:
    state = os.statvfs(run.root / "demo")
    return (state.f_blocks - state.f_bfree) * state.f_frsize


def test_a_run_survives_the_faults_of_its_disk_its_clock_and_its_user(new_run):
    undisturbed = new_run("undisturbed")
    answer = undisturbed.start()
    assert answer.returncode == 0, answer.stdout[-3000:]
    wanted, whole = checksums(undisturbed), used(undisturbed)
    assert len(wanted) > 15

    full = new_run("full")
    for moment in MOMENTS:
        full.remount(f"size={int(moment * whole)}")
        answer = full.start()
        assert answer.returncode and FULL.search(answer.stdout), answer.stdout[-3000:]
        left = checksums(full)
        assert {name: wanted[name] for name in left} == left, "what is there is whole"
        print(f"full at {moment:.0%}: {len(left)} of {len(wanted)} files", flush=True)
    full.remount(f"size={10 * whole}")
    full.must_end_well(wanted)

    last = undisturbed.root / "demo" / TARGETS[0]
    last.unlink()
    undisturbed.remount("ro")
    answer = undisturbed.start()
    assert answer.returncode and "Read-only file system" in answer.stdout, answer.stdout[-3000:]
    undisturbed.remount("rw")
    undisturbed.must_end_well(wanted)

    # The clock was a day ahead while the messages were read, and is right again for what follows.
    last.unlink()
    for path in (undisturbed.results / "messages").rglob("*.parquet"):
        os.utime(path, (time.time() + DAY_S,) * 2)
    undisturbed.must_end_well(wanted)

    twice = new_run("twice")
    with subprocess.Popen(twice.command(), cwd=ROOT, stderr=subprocess.DEVNULL) as first:
        while not any((twice.root / "demo/.snakemake/locks").glob("*.output.lock")):
            assert first.poll() is None
            time.sleep(0.1)
        first.send_signal(signal.SIGSTOP)  # else it may be done before the second looks
        second = twice.start()
        first.send_signal(signal.SIGCONT)
        assert second.returncode and "cannot be locked" in second.stdout, second.stdout[-3000:]
        assert first.wait() == 0
    twice.must_end_well(wanted)
