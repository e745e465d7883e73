"""Classify the test videos of one generator and of the other classes (Section 5.3, Table 4)."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from scripts.common.backends import load_backend
from scripts.common.code import code_checksum
from scripts.common.errors import Rejected
from scripts.common.fingerprints import fingerprint, sha256_of
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.detect import CLASS_SCORES, CLASSIFIED_VIDEOS
from scripts.common.schemas.split import TEST
from scripts.common.tables import write_table
from scripts.detect.tip_id import Source, SourceFiles, Video, complete_by_content


def classify_videos(
    weights: Path,
    sources: Mapping[str, SourceFiles],
    scores: Path,
    *,
    entry: Mapping[str, Any],
    batch_size: int,
    device: str = "auto",
    threads: int = 1,
    what: str = "videos",
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write a trained classifier's outputs for the test part of the given sources.

    Args:
        weights: trained by ``train_videomae``.
        sources: by name: the tested generator, the real and the text-to-video sources.
        scores: ``CLASS_SCORES``, one row for each test video, sorted by source and uuid.
        entry: the classifier's entry in config/detectors.yaml.
        batch_size: clips per call of the model.
        device: cpu, cuda or auto.
        threads: of the CPU.
        what: name of the progress bar.
        ledger_root: where finished outputs are kept.
    """
    classifier = cache(lambda: load_backend(entry, device=device, threads=threads))
    model = cache(lambda: classifier().read_model(weights))
    name = fingerprint(
        weights=sha256_of(Path(weights)),
        clip=entry["settings"]["clip"],
        code=code_checksum("scripts/detect/classify_videos.py", entry["backend"], plumbing=False),
    )
    table, counts = [], Counts(declared=0)
    for source_name, files in sources.items():
        source = Source(files, TEST)

        def classify(
            videos: Sequence[Video], source: Source = source
        ) -> list[dict[str, float] | Rejected]:
            return classifier().classify(model(), videos, source, batch_size=batch_size)

        folder = ledger_root / "detect" / name / source_name
        with RowLedger(folder, CLASSIFIED_VIDEOS, key="sha256") as ledger:
            rows = complete_by_content(
                ledger, source.videos, classify, batch_size=batch_size, what=what
            )
        for video, row in zip(source.videos, rows, strict=True):
            table.append(row | {"source": video.source, "label": video.label})
            counts.keep() if row["reason"] is None else counts.reject(row["reason"])
        counts.declared += len(source.videos)
    write_table(table, scores, CLASS_SCORES, sort_by=["source", "uuid"])
    return counts


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = classify_videos(
            Path(snakemake.input.weights),
            {name: SourceFiles(**files) for name, files in snakemake.params.sources.items()},
            Path(snakemake.output.scores),
            entry=snakemake.params.entry,
            batch_size=snakemake.params.batch_size,
            device=snakemake.params.device,
            threads=snakemake.threads,
            what=f"classify {snakemake.wildcards.setting} {snakemake.wildcards.generator}",
        )
        log.finish(counts)
