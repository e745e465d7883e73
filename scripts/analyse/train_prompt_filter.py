"""Train a filter of unsafe prompts on the annotations, and measure it on other users' (Section 5.5)."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, precision_recall_curve

from scripts.common.errors import UserError
from scripts.common.identity import seeded_order
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import PROMPT_FILTER
from scripts.common.schemas.split import TEST, TRAIN
from scripts.common.tables import embedding_array, read_table, write_table


def train_prompt_filter(
    dataset: Path,
    vectors: Sequence[Path],
    scores: Path,
    curve: Path,
    weights: Path,
    *,
    threshold: float,
    test_share: float,
    most: int,
    embedder: str,
    banner: str,
    seed: int,
) -> Counts:
    """Tell unsafe prompts from their embedding, by logistic regression.

    All prompts of a user are on one side, so that what is measured is not how well users are
    known again; who they are is not written. A prompt without a user is on a side of its own.

    Args:
        dataset: table of ``DATASET``: ``Text_NSFW`` and ``UserID`` of each prompt.
        vectors: tables of ``embeddings`` of the text prompts.
        scores: table of ``PROMPT_FILTER``.
        curve: CSV of the precision-recall curve on the test side: ``threshold, precision, recall``,
            after a line with the average precision, the share of unsafe prompts and their number.
        weights: JSON of the filter: ``embedder``, ``weights`` and ``bias`` of the logistic function.
        threshold: ``Text_NSFW`` from which a prompt is unsafe.
        test_share: share of users on the test side.
        most: prompts, drawn with the seed.
        embedder: entry of config/annotators.yaml that made the embeddings.
        banner: a line before the curve; empty for none.
        seed: of the draws.

    Returns:
        Counts of prompts.

    Raises:
        UserError: a side has no unsafe prompt, or no other.
    """
    rows = pl.read_parquet(dataset, columns=["UUID", "UserID", "Text_NSFW"])
    counts = Counts(declared=rows.height)
    known = rows.drop_nulls("Text_NSFW")
    counts.reject("unanswered", rows.height - known.height)
    drawn = known.filter(pl.col("UUID").is_in(seeded_order(known["UUID"], seed, "filter")[:most]))
    counts.reject("not_drawn", known.height - drawn.height)
    parts = [_vectors_of(path, drawn["UUID"]) for path in vectors]
    order = pl.concat([names for names, _ in parts])
    numbers = np.concatenate([each for _, each in parts]).astype(np.float32)
    counts.reject("no_embedding", drawn.height - len(order))
    counts.keep(len(order))
    table = pl.DataFrame({"UUID": order}).join(drawn, on="UUID", how="left", maintain_order="left")
    user = table.select(pl.coalesce("UserID", "UUID").alias("user"))["user"]
    users = seeded_order(user, seed, "filter users")
    is_test = user.is_in(users[: round(test_share * len(users))]).to_numpy()
    unsafe = (table["Text_NSFW"] >= threshold).to_numpy()
    for side, name in ((is_test, TEST), (~is_test, TRAIN)):
        if unsafe[side].all() or not unsafe[side].any():
            raise UserError(
                f"{dataset}: of {side.sum():,} prompts for {name}, {unsafe[side].sum():,} are unsafe by "
                f"Text_NSFW >= {threshold}; set analyse.prompts.unsafe.threshold so that some are"
            )
    model = LogisticRegression(class_weight="balanced", max_iter=1000)
    model.fit(numbers[~is_test], unsafe[~is_test])
    found = model.predict_proba(numbers)[:, 1]
    written = table.select("UUID").with_columns(
        side=pl.Series(np.where(is_test, TEST, TRAIN)),
        unsafe=pl.Series(unsafe),
        score=pl.Series(found, dtype=pl.Float32),
    )
    write_table(written.to_arrow(), scores, PROMPT_FILTER, sort_by=["UUID"])
    head = (
        f"average precision {average_precision_score(unsafe[is_test], found[is_test]):.4f}, "
        f"unsafe {unsafe[is_test].mean():.4f} of {is_test.sum()} prompts of other users"
    )
    precision, recall, thresholds = precision_recall_curve(
        unsafe[is_test], found[is_test], drop_intermediate=True
    )
    lines = [f"# {' '.join(filter(None, [banner, head]))}\n", "threshold,precision,recall\n"]
    points = zip(thresholds, precision, recall, strict=False)
    lines += [f"{cut:.6f},{exact:.6f},{complete:.6f}\n" for cut, exact, complete in points]
    curve.write_text("".join(lines), encoding="utf-8")
    learnt = {"embedder": embedder, "weights": model.coef_[0].tolist(), "bias": model.intercept_[0]}
    weights.write_text(json.dumps(learnt, default=float) + "\n", encoding="utf-8")
    return counts


def _vectors_of(path: Path, wanted: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Return ids and vectors of the wanted prompts of a file."""
    table = read_table(path, columns=["uuid", "embedding"])
    names = pl.Series(table["uuid"].to_pylist(), dtype=pl.String)
    places = names.is_in(wanted.implode()).arg_true()
    return names.gather(places), embedding_array(table["embedding"])[places.to_numpy()]


if __name__ == "__main__":
    run_job(train_prompt_filter, snakemake)
