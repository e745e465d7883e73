"""Count image prompts with cartoon or animation elements, by zero-shot classification (Section 5.5)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import binomtest

from scripts.common.backends import load_backend
from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import CARTOONS
from scripts.common.tables import TableWriter, embedding_array, read_table

SCALE = 100.0
"""By which CLIP multiplies cosines before it compares them; its authors' models all learnt this."""
PAPER = 0.11


def count_cartoons(
    dataset: Path,
    vectors: Sequence[Path],
    cartoons: Path,
    share: Path,
    *,
    entry: Mapping[str, Any],
    cartoon: Sequence[str],
    others: Sequence[str],
    banner: str,
    device: str = "cpu",
) -> Counts:
    """Compare each picture's embedding with those of descriptions by the same model.

    No picture is looked at again: CLIP put pictures and texts into one space.

    Args:
        dataset: table of ``DATASET``.
        vectors: tables of ``embeddings`` of its image prompts.
        cartoons: table of ``CARTOONS``.
        share: CSV of the share of pictures whose probability is one half at least, its 95 %
            interval (Wilson 1927), and the paper's.
        entry: the CLIP that made the embeddings.
        cartoon: descriptions of a cartoon...
        others: ... and of other pictures.
        banner: a line before the table; empty for none.
        device: ``cpu``, ``cuda`` or ``auto``.

    Returns:
        Counts of prompts.
    """
    model = load_backend(entry, device=device)
    texts = np.stack([model.embed_text(text) for text in (*cartoon, *others)])
    wanted = pl.read_parquet(dataset, columns=["UUID"])["UUID"]
    counts, found = Counts(declared=len(wanted)), 0
    with TableWriter(cartoons, CARTOONS) as writer:
        for path in progress(vectors, "cartoons"):
            table = pl.from_arrow(read_table(path, columns=["uuid"]))
            places = table["uuid"].is_in(wanted.implode()).arg_true().to_numpy()
            numbers = embedding_array(read_table(path, columns=["embedding"])["embedding"])[places]
            likely = probability(numbers.astype(np.float32), texts, len(cartoon))
            uuids = table["uuid"].gather(places).to_list()
            writer.write([
                {"UUID": uuid, "probability": one} for uuid, one in zip(uuids, likely, strict=True)
            ])  # fmt: skip
            found += int((likely >= 0.5).sum())
            counts.keep(len(uuids))
    counts.reject("no_embedding", len(wanted) - counts.kept)
    low, high = 0.0, 1.0
    if counts.kept:
        low, high = binomtest(found, counts.kept).proportion_ci(method="wilson")
    head = f"# {banner}\n" if banner else ""
    row = f"{found / max(1, counts.kept):.4f},{low:.4f},{high:.4f},{counts.kept},{PAPER}\n"
    share.write_text(f"{head}share,low,high,pictures,paper\n{row}", encoding="utf-8")
    return counts


def probability(pictures: np.ndarray, texts: np.ndarray, cartoons: int) -> np.ndarray:
    """Return how likely each picture is one of the first ``cartoons`` texts, of shape (pictures,)."""
    logits = SCALE * pictures @ texts.T
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares[:, :cartoons].sum(axis=1) / shares.sum(axis=1)


if __name__ == "__main__":
    run_job(count_cartoons, snakemake)
