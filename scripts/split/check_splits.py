"""Check that nothing leaks from training to test, and what the splits could not cover."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.generate import CHOSEN
from scripts.common.schemas.items import OK
from scripts.common.schemas.split import (
    ALONG,
    COVERAGE_COLUMNS,
    IMAGE_GENERATED,
    LEAKAGE_COLUMNS,
    TIP_ID,
    TRACE_FRAMES,
    TRACE_IMAGES,
    TRACE_PROMPTS,
)
from scripts.common.tables import read_frame
from scripts.split.indexes import read_items
from scripts.split.leakage import Finding, check_tip_id, check_tip_trace


def check_splits(
    chosen: Path,
    tip_id: Sequence[Path],
    prompts: Path,
    frames: Sequence[Path],
    images: Sequence[Path],
    leakage: Path,
    coverage: Path,
    *,
    sources: Mapping[str, Mapping[str, Any]],
    pictures: Mapping[str, Mapping[str, Any]],
    note: Callable[[str], None] = lambda message: None,
) -> Counts:
    """Check every rule against leakage on the files as they are, and count what is missing.

    It reads what training and measuring read, and stands before both: they do not begin where it
    fails.

    Args:
        chosen: the chosen prompts (``CHOSEN``).
        tip_id: TIP-ID's files (``TIP_ID``), ``<source>.parquet``.
        prompts: TIP-Trace's prompts (``TRACE_PROMPTS``).
        frames: TIP-Trace's frames (``TRACE_FRAMES``), ``<generator>.parquet``.
        images: TIP-Trace's references, distractors and training images (``TRACE_IMAGES``).
        leakage: output, CSV: a rule in each row, on how many things it was checked, and how many
            break it.
        coverage: output, CSV: of each source and part the items that are there, and the missing
            ones by reason.
        sources: each source's ``label``, ``indexes`` (``ITEM_INDEX``) and the ``tars`` beside them.
        pictures: ``indexes`` and ``tars`` of image prompts (``images``), outside ``references`` and
            ``distractors``.
        note: takes what a reader of the log would want to know.

    Returns:
        Counts of TIP-ID's wanted videos.

    Raises:
        UserError: a rule is broken; both outputs are written first.
    """
    table = read_frame(chosen, CHOSEN, ["uuid", "subset"])
    subset = set(table.loc[table["subset"], "uuid"])
    labels = {source: files["label"] for source, files in sources.items()}
    of_prompts = {name: subset for name, label in labels.items() if label == IMAGE_GENERATED}
    items = {
        source: read_items(files["indexes"], files["tars"], of_prompts.get(source))
        for source, files in sources.items()
    }
    known = pd.concat([rows.assign(source=source) for source, rows in items.items()])
    parts = read_frame(prompts, TRACE_PROMPTS)
    own = set(parts["uuid"])  # of all image prompts, which are twenty times as many
    read = {
        name: read_items(files["indexes"], files["tars"], own if name == "images" else None)
        for name, files in pictures.items()
    }
    shown = pd.concat([rows.assign(source=name) for name, rows in read.items()])
    videos = _read_all(tip_id, TIP_ID, "file")
    sampled = _read_all(frames, TRACE_FRAMES, "source")
    listed = _read_all(images, TRACE_IMAGES, "file")
    findings = check_tip_id(videos, subset, known, labels)
    findings += check_tip_trace(parts, sampled, listed, subset, known, shown)
    _write_csv([_row(finding) for finding in findings], leakage, LEAKAGE_COLUMNS)

    rows = []
    for source, wanted in items.items():
        here = videos[videos["source"] == source]
        rows += _coverage("tip_id", source, wanted, here["split"])
        if labels[source] == IMAGE_GENERATED:
            here = sampled[(sampled["source"] == source) & (sampled["part"] != ALONG)]
            here = here.drop_duplicates("uuid")
            traced = wanted[wanted["uuid"].isin(parts["uuid"])]
            rows += _coverage("tip_trace", source, traced, here["part"])
    _write_csv(rows, coverage, COVERAGE_COLUMNS)

    for finding in findings:
        if finding.violating:
            note(f"{finding.rule}: broken by {', '.join(finding.violating[:10])}")
    broken = [finding for finding in findings if finding.violating]
    if broken:
        raise UserError(_sentence(broken))
    return _counts(row for row in rows if row["split"] == "tip_id")


def _read_all(paths: Sequence[Path], schema: pa.Schema, name: str) -> pd.DataFrame:
    """Return tables one after the other, with the stem of each one's file as a column."""
    tables = [read_frame(path, schema).assign(**{name: path.stem}) for path in paths]
    return pd.concat(tables, ignore_index=True)


def _coverage(split: str, source: str, items: pd.DataFrame, parts: pd.Series) -> list[dict]:
    """Return rows of what is listed, by part, and of what its index rejects, by reason."""
    common = {"split": split, "source": source}
    rows = [
        common | {"part": part, "status": OK, "reason": "", "items": int(number)}
        for part, number in parts.value_counts().sort_index().items()
    ]
    missing = items.loc[items["status"] != OK, "reason"].value_counts().sort_index()
    rows += [
        common | {"part": "", "status": "rejected", "reason": reason, "items": int(number)}
        for reason, number in missing.items()
    ]
    lost = len(items) - len(parts) - int(missing.sum())
    if lost:
        rows.append(common | {"part": "", "status": "lost", "reason": "", "items": lost})
    return rows


def _counts(rows: Iterable[Mapping]) -> Counts:
    counts = Counts(declared=0)
    for row in rows:
        counts.declared += row["items"]
        if row["status"] == OK:
            counts.keep(row["items"])
        elif row["status"] == "rejected":
            counts.reject(row["reason"], row["items"])
    return counts


def _row(finding: Finding) -> dict:
    return {
        "rule": finding.rule,
        "section": f"Supplement {finding.section}",
        "meaning": finding.meaning,
        "checked": finding.checked,
        "violations": len(finding.violating),
    }


def _sentence(broken: Sequence[Finding]) -> str:
    first = broken[0]
    more = f" (and {len(broken) - 1} more of the rules)" if len(broken) > 1 else ""
    return (
        f"the splits leak: {len(first.violating):,} of {first.checked:,} break the rule "
        f"'{first.meaning}', such as {first.violating[0]}{more}; delete results/splits and run "
        "again, and correct the source's index if that does not help"
    )


def _write_csv(rows: Sequence[Mapping], path: Path, columns: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=list(columns)).to_csv(path, index=False, lineterminator="\n")


if __name__ == "__main__":
    run_job(check_splits, snakemake)
