"""Project prompts onto a plane, as maps for WizMap's viewer and for Embedding Atlas."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.analyse.map_grid import Density, describe_density, describe_words
from scripts.analyse.map_prompts import draw_prompts
from scripts.analyse.projection import project
from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import DATA, GRID, POINTS
from scripts.common.tables import write_table

_ROWS = 8192
"""Vectors, or lines, in memory at a time."""
MOST_TEXTS = 1_000_000
"""From which the words of places are taken, evenly chosen."""


def project_prompts(
    points: Path,
    *,
    label: str,
    groups: Sequence[Mapping[str, Any]],
    projection: Mapping[str, Any],
    banner: str,
    seed: int,
) -> Counts:
    """Write the points of a map, and beside them what WizMap's viewer reads.

    In memory are the texts and a few numbers of each point, never all vectors.

    Args:
        points: table of ``POINTS``; ``data.ndjson`` and ``grid.json`` go beside.
        label: how the map is called.
        groups: its data sets: ``label``; ``prompts``, the table of ``DATASET`` or
            ``OUTSIDE_PROMPTS``; ``vectors``, tables of ``embeddings`` of these prompts; and perhaps
            ``most``, how many are drawn with the seed.
        projection: settings of ``project``.
        banner: put before the map's name; empty for none.
        seed: of the run.

    Returns:
        Counts of prompts.

    Raises:
        UserError: no prompt has a vector.
    """
    counts = Counts(declared=0)
    rows = [draw_prompts(**group, seed=seed, counts=counts) for group in groups]
    parts = partial(_vectors, groups, rows)
    order = [uuid for uuids, _ in parts() for uuid in uuids]
    if not order:
        raise UserError(f"map {points.parent.name}: none of its prompts has an embedding")
    places = project(partial(_numbers, parts), **projection, seed=seed).round(4)
    there = pl.DataFrame({"UUID": order, "x": places[:, 0], "y": places[:, 1]})
    known = pl.concat(rows, how="diagonal")
    table = there.join(known, on="UUID", how="left", maintain_order="left").select(
        pl.col(name) if name in known.columns or name in "xy" else pl.lit(None).alias(name)
        for name in POINTS.names
    )
    write_table(table.to_arrow(), points, POINTS, sort_by=["group", "UUID"])
    counts.keep(len(order))
    counts.reject("no_embedding", known.height - len(order))
    _write_viewer(points, [group["label"] for group in groups], f"{banner} {label}".strip())
    return counts


def _numbers(parts: Any) -> Iterator[np.ndarray]:
    return (vectors for _, vectors in parts())


def _vectors(
    groups: Sequence[Mapping[str, Any]], rows: Sequence[pl.DataFrame]
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield ids and vectors of the wanted prompts, as the files have them."""
    for group, wanted in zip(groups, rows, strict=True):
        ids = wanted["UUID"].to_arrow().cast("string")
        for file in group["vectors"]:
            for batch in pq.ParquetFile(file).iter_batches(_ROWS, columns=["uuid", "embedding"]):
                found = batch.filter(pc.is_in(batch["uuid"], value_set=ids))
                if found.num_rows:
                    column = found["embedding"]
                    vectors = column.flatten().to_numpy(zero_copy_only=False)
                    yield found["uuid"].to_pylist(), vectors.reshape(found.num_rows, -1)


def _write_viewer(points: Path, groups: Sequence[str], title: str) -> None:
    """Write ``data.ndjson``, a line for each point, and ``grid.json``, as WizMap's viewer reads them.

    A line is ``[x, y, text]``, and of a map of several data sets ``[x, y, text, "", group]``.
    """
    table = pl.read_parquet(points, columns=["x", "y", "text", "group"])
    places, numbers = table.select("x", "y").to_numpy(), {name: i for i, name in enumerate(groups)}
    low, high = places.min(axis=0), places.max(axis=0)
    sizes = table["group"].value_counts()
    whole = Density(low, high, table.height)
    parts = {name: Density(low, high, size) for name, size in sizes.iter_rows()}
    with open(points.with_name(DATA), "w", encoding="utf-8") as lines:
        for piece in table.iter_slices(_ROWS):
            for x, y, text, group in piece.iter_rows():
                label = ["", numbers[group]] if len(groups) > 1 else []
                # The viewer takes a text for HTML, and texts are of users.
                line = [x, y, escape(text, quote=False), *label]
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            whole.add(piece.select("x", "y").to_numpy())
            for (name,), part in piece.group_by("group"):
                parts[name].add(part.select("x", "y").to_numpy())
    shown = np.arange(0, table.height, max(1, -(-table.height // MOST_TEXTS)))
    described = describe_density(whole, {name: parts[name] for name in groups if name in parts})
    described["topic"] = describe_words(places[shown], table["text"].gather(shown).to_list())
    described["embeddingName"] = title
    points.with_name(GRID).write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    run_job(project_prompts, snakemake)
