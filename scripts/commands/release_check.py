"""Prove a release: its checksums, its Croissant file, and that Hugging Face datasets reads all of it.

``python -m scripts.commands.release_check results/release`` (or ``make release-check``)
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from scripts.commands.command_line import exit_status
from scripts.common.errors import UserError
from scripts.common.fingerprints import sha256_of

SUMS = "SHA256SUMS"


def check_release(release: Path) -> Iterator[str]:
    """Yield what was proved, sentence by sentence.

    Args:
        release: the folder, wherever it was copied to.

    Raises:
        UserError: a file is missing, left over or was changed, mlcroissant finds an error, or
            rows are missing of what one of them loads.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # a folder is read, never a repository of its name
    yield f"{check_sums(release)} files have their checksums"
    yield f"mlcroissant finds 0 errors and loads {check_croissant(release):,} records"
    for part, rows in check_parts(release):
        yield f"datasets loads {rows:,} rows of {part}, from disk and streaming"


def check_sums(release: Path) -> int:
    """Return how many files have the checksums that the release states: all that there are."""
    try:
        lines = (release / SUMS).read_text(encoding="utf-8").splitlines()
    except OSError:
        raise UserError(
            f"{release} is no release: it has no {SUMS}; make results/release"
        ) from None
    stated = {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}
    there = {path.relative_to(release).as_posix() for path in release.rglob("*") if path.is_file()}
    for name in sorted({*stated, *there} - {SUMS}):
        if name not in there or name not in stated or sha256_of(release / name) != stated[name]:
            what = "is missing or was changed" if name in stated else f"is not in {SUMS}"
            raise UserError(f"{release / name} {what}; make or fetch the release again")
    return len(stated)


def check_croissant(release: Path) -> int:
    """Return how many records mlcroissant loads from the release, which it finds valid."""
    import mlcroissant

    try:
        dataset = mlcroissant.Dataset(str(release / "croissant.json"))
    except mlcroissant.ValidationError as error:
        raise UserError(f"{release}/croissant.json is not valid: {error}") from None
    found = sum(1 for _ in dataset.records("prompts"))
    _need(release, "mlcroissant, prompts", found, _rows(release, "data/*.parquet"))
    return found


def check_parts(release: Path) -> Iterator[tuple[str, int]]:
    """Yield each part of the card, and how many rows datasets loads of it in either way."""
    import datasets

    datasets.disable_progress_bars()
    card = (release / "README.md").read_text(encoding="utf-8")
    for part in yaml.safe_load(card.split("---\n")[1])["configs"]:
        name, [files] = part["config_name"], part["data_files"]
        expected = _rows(release, files["path"])
        with tempfile.TemporaryDirectory() as cache:
            for streaming in (False, True):
                loaded: Any = datasets.load_dataset(
                    str(release), name, split=files["split"], streaming=streaming, cache_dir=cache
                )
                for column, feature in loaded.features.items():
                    if isinstance(feature, datasets.Video):  # a decoder is another package
                        loaded = loaded.cast_column(column, datasets.Video(decode=False))
                _need(release, f"datasets, {name}", sum(1 for _ in loaded), expected)
        yield name, expected


def _rows(release: Path, pattern: str) -> int:
    return sum(pq.read_metadata(path).num_rows for path in release.glob(pattern))


def _need(release: Path, who: str, found: int, expected: int) -> None:
    if found != expected:
        raise UserError(f"{release}: {who}: {found:,} rows are loaded of {expected:,}")


def main() -> int:
    """Read the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("release", type=Path)
    arguments = parser.parse_args()

    def check() -> None:
        for line in check_release(arguments.release):
            print(line, flush=True)

    return exit_status(check)


if __name__ == "__main__":
    sys.exit(main())
