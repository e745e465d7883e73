"""Read the prompts or captions of another data set, with which TIP-I2V's are compared (Section 4)."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from scripts.common.identity import find_uuid, item_uuid, normalise_prompt, seeded_order
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.sources import OUTSIDE_PROMPTS
from scripts.common.tables import write_table
from scripts.sources.published_tables import read_columns

LONGEST = 100_000
"""Characters of a prompt, or of a list of some, that is read."""


def read_outside_prompts(
    files: Sequence[Path],
    prompts: Path,
    *,
    source: str,
    layout: Mapping[str, Any],
    label: str,
    seed: int,
) -> Counts:
    """Write each prompt of a data set once.

    Args:
        files: CSV or Parquet, as published.
        prompts: ``OUTSIDE_PROMPTS``, by UUID.
        source: name of the entry.
        layout: of the entry: ``prompt``, the column of the text or of a Python list of texts;
            ``id``, that of ids; ``items``, how many at most, a seeded choice.
        label: how tables call the data set.
        seed: of the run.

    Raises:
        UserError: a file cannot be read, or has no such column.
    """
    counts, found = Counts(), {}
    for name, text in _texts(files, layout):
        prompt = normalise_prompt(text)
        uuid = find_uuid(name) or item_uuid(source, prompt)
        if not prompt or len(text) > LONGEST:
            counts.reject("too_long" if prompt else "empty_prompt")
        elif uuid in found:
            counts.reject("duplicate_uuid")
        else:
            found[uuid] = prompt
    drawn = found
    if "items" in layout:
        drawn = seeded_order(found, seed, "sources", source)[: layout["items"]]
        counts.reject("not_drawn", len(found) - len(drawn))
    counts.keep(len(drawn))
    rows = {"uuid": sorted(drawn), "prompt": [found[uuid] for uuid in sorted(drawn)]}
    table = pl.DataFrame(rows).with_columns(dataset=pl.lit(label)).to_arrow()
    write_table(table, prompts, OUTSIDE_PROMPTS)
    return counts


def _texts(files: Sequence[Path], layout: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the id and the text of each prompt; a list of captions is as many."""
    columns = [layout["prompt"]] + ([layout["id"]] if "id" in layout else [])
    for file in files:
        for text, *name in read_columns(file, columns).iter_rows():
            for one in _captions(text):
                yield "".join(name), one


def _captions(text: str) -> list[str]:
    if text.startswith("[") and len(text) <= LONGEST:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return [text]
        if isinstance(value, list):
            return [one for one in value if isinstance(one, str)]
    return [text]


if __name__ == "__main__":
    run_job(read_outside_prompts, snakemake)
