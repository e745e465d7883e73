"""A run that was killed leaves locks: they are taken off, but never those of a run under way."""

import os
import signal
import subprocess
import sys
import time

import pytest

from scripts.commands.unlock import unlock_after_a_kill

SNAKEFILE = 'rule all:\n    output: "done.txt"\n    shell: "sleep 60; touch {output}"\n'


@pytest.fixture
def run_under_way(tmp_path):
    """A run of Snakemake in its job, and the profile with which it was started."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "config.yaml").write_text(
        f'snakefile: "{tmp_path}/Snakefile"\ndirectory: "{tmp_path}/run"\ncores: 1\n'
    )
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--profile", str(profile)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while not list((tmp_path / "run/.snakemake/locks").glob("*")) and run.poll() is None:
        time.sleep(0.05)
    yield run, str(profile), tmp_path / "run"
    if run.poll() is None:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def test_locks_go_when_their_run_was_killed_and_not_before(run_under_way):
    run, profile, directory = run_under_way
    locks = directory / ".snakemake/locks"
    assert not unlock_after_a_kill(profile, directory)
    assert list(locks.glob("*"))
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert list(locks.glob("*")), "a killed run leaves its locks"
    assert unlock_after_a_kill(profile, directory)
    assert not list(locks.glob("*"))
    assert not unlock_after_a_kill(profile, directory)
