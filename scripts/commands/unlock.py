"""Unlock the folder of a run that was killed, so that the next one goes on where it stood.

``python -m scripts.commands.unlock --profile profiles/demo --directory demo``
"""

import argparse
import subprocess
import sys
from pathlib import Path

import psutil


def unlock_after_a_kill(profile: str, directory: Path) -> bool:
    """Let Snakemake take its locks off a working directory in which nothing runs any more.

    Returns:
        Whether there were locks to take off.
    """
    locked = any((directory / ".snakemake/locks").glob("*"))
    if not locked or any(_works_in(process, directory) for process in psutil.process_iter()):
        return False
    print("An earlier run was killed; going on where it stood.", flush=True)
    command = [sys.executable, "-m", "snakemake", "--profile", profile, "--unlock"]
    subprocess.run(command, check=True, capture_output=True)
    return True


def _works_in(process: psutil.Process, directory: Path) -> bool:
    """Return whether a process is a Snakemake, or a job of one, of this working directory."""
    try:
        words = " ".join(process.cmdline())
        return "snakemake" in words and Path(process.cwd()) == directory.resolve()
    except psutil.Error:  # it has just ended, or is another user's
        return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--directory", type=Path, required=True)
    arguments = parser.parse_args()
    unlock_after_a_kill(arguments.profile, arguments.directory)
