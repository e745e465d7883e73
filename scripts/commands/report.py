"""The report of a finished run, and where its tables, figures and report lie.

``python -m scripts.commands.report --profile profiles/demo --directory demo``
"""

import argparse
import subprocess
import sys
from pathlib import Path

from scripts.analyse.registry import closing_lines
from scripts.commands.report_page import write_page

KINDS = ("*.csv", "*.md", "*.png", "*.pdf")


def make_report(profile: str, directory: Path) -> int:
    """Make ``results/report.zip`` if a table or figure is newer, and say where all lies.

    It is no rule: Snakemake's report describes the jobs of a run, so the run must be over.

    Args:
        profile: the profile with which the run was made.
        directory: the working directory of the run.

    Returns:
        The exit status.
    """
    results = directory / "results"
    report = results / "report.zip"
    folders = [results / "tables", results / "figures"]
    made = [path for folder in folders for kind in KINDS for path in folder.glob(kind)]
    newest = max((path.stat().st_mtime for path in made), default=0.0)
    if not report.exists() or report.stat().st_mtime < newest:
        command = ["-m", "snakemake", "--profile", profile, "--report", "results/report.zip"]
        answer = subprocess.run([sys.executable, *command], capture_output=True, text=True)
        if answer.returncode:
            print(answer.stderr[-2000:], file=sys.stderr)
            print(f"Error: the report could not be made; see above, and {directory}/logs")
            return answer.returncode
    for line in closing_lines(results):
        print(line)
    print(f"report:  {write_page(directory)}   (Snakemake's own: {report})")
    if (gallery := results / "gallery/index.html").exists():
        print(f"gallery: {gallery}   (opens from disk or on any static host)")
    print("to look: make show   (a server of both on this machine alone)")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--directory", type=Path, default=Path())
    arguments = parser.parse_args()
    sys.exit(make_report(arguments.profile, arguments.directory))
