"""Describe the format of the test videos of a source, for the bias ledger."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.common.engine import ledger_key
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import FORMATS
from scripts.detect.formats import describe_format
from scripts.detect.tip_id import Source
from scripts.detect.video_scores import Scorer, score_sources

SCRIPT = "scripts/detect/describe_formats.py"


def describe_formats(
    formats: Path,
    *,
    sources: Mapping[str, Mapping[str, Any]],
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write what the format of each test video of a source gives away.

    Args:
        formats: output (``FORMATS``).
        sources: the source's name -> the arguments of ``Source``.
        threads: that decode.
        ledger_root: where finished rows are kept.
    """
    scorer = Scorer({"detector": "format"}, ledger_key(SCRIPT), dict, lambda model, videos: videos)

    def read(source: Source, uuid: str) -> dict[str, float | str]:
        return describe_format(source.read(source[uuid]))

    return score_sources(
        sources,
        [formats],
        lambda source: [scorer],
        read,
        schema=FORMATS,
        needed={},
        batch_size=1,
        threads=threads,
        ledger_root=ledger_root,
    )


if __name__ == "__main__":
    run_job(describe_formats, snakemake)
