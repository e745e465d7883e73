"""Give an export another name: braces in its own are a pattern to Snakemake."""

import os
from pathlib import Path

from scripts.common.job import run_job
from scripts.common.rule_log import Counts


def link_export(path: Path, export: Path) -> Counts:
    """Write a link to an export, so that a change of the file is seen through it.

    Args:
        path: the file as a user called it.
        export: the name under which the rules know it.
    """
    export.parent.mkdir(parents=True, exist_ok=True)
    export.unlink(missing_ok=True)
    export.symlink_to(os.path.relpath(path, export.parent))
    return Counts(kept=1)


if __name__ == "__main__":
    run_job(link_export, snakemake)
