"""Describe the release: its card, its Croissant file, and the checksum of every file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.common.fingerprints import sha256_of
from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.publish.card import write_card
from scripts.publish.column_provenance import provenance_graph
from scripts.publish.croissant import write_croissant


def describe_release(
    packed: Sequence[Path],
    files: Sequence[Path],
    card: Path,
    croissant: Path,
    checksums: Path,
    *,
    sheet: Mapping[str, Any],
    annotators: Mapping[str, str],
    origin: str,
    licence: str,
    banner: str,
    directory: Path = Path(),
) -> Counts:
    """Write README.md, croissant.json and SHA256SUMS of a release.

    Args:
        packed: tables of ``PACKED_DATASET``.
        files: every file of the release, but for the three.
        card: README.md at the head of the release's folder.
        croissant: croissant.json...
        checksums: ... and SHA256SUMS beside it, as sha256sum reads them.
        sheet: as ``config/croissant.yaml`` has it.
        annotators: what made each annotation, in words.
        origin: what a file that no job made is, in words.
        licence: of the data, by its identifier on the hub.
        banner: a line put over everything; empty for none.
        directory: the working directory, which has the records of jobs.

    Returns:
        Counts of the data set's rows.

    Raises:
        UserError: the data set is empty.
    """
    folder = card.parent
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    rows = write_card(card, packed, names, annotators=annotators, licence=licence, banner=banner)
    found = {name: sha256_of(folder / name) for name in progress(names, "checksums")}
    provenance = provenance_graph(packed[0], directory, origin)
    write_croissant(
        croissant, packed, found, sheet=sheet, provenance=provenance, annotators=annotators,
        licence=licence, banner=banner,
    )  # fmt: skip
    found |= {path.name: sha256_of(path) for path in (card, croissant)}
    write_checksums(checksums, found)
    return Counts(kept=rows, declared=rows)


def write_checksums(path: Path, checksums: Mapping[str, str]) -> None:
    """Write the checksums of files by name, as sha256sum does."""
    lines = (f"{checksum}  {name}\n" for name, checksum in sorted(checksums.items()))
    path.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    run_job(describe_release, snakemake)
