"""Give an export another name: braces in its own are a pattern to Snakemake."""

import os
from pathlib import Path

from scripts.common.rule_log import Counts, rule_log


def link_export(export: Path, link: Path) -> Counts:
    """Write a link to an export, so that a change of the file is seen through it.

    Args:
        export: the file as a user called it.
        link: the name under which the rules know it.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(export, link.parent))
    return Counts(kept=1)


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        log.finish(link_export(Path(snakemake.params.path), Path(snakemake.output.export)))
