"""Collect the unique prompts of all exports, and bucket them by UUID (Section 3)."""

import hashlib
import hmac
import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from scripts.common.identity import normalise_prompt, prompt_uuid, shard_of
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.prompts import PROMPT_REJECTS, PROMPTS
from scripts.common.tables import write_table

PARAMETERS = [
    "negative_prompt", "motion", "guidance_scale", "aspect_ratio", "camera", "fps", "seed"
]  # fmt: skip


def collect_prompts(
    messages: Sequence[Path],
    prompts: Sequence[Path],
    rejects: Path,
    *,
    kinds: Sequence[str],
    user_key: str | None,
) -> Counts:
    """Keep each prompt once, as its earliest message has it, with all videos made from it.

    A prompt's later messages (retries, with another seed) stay as candidates for its video: the
    earliest may have expired. 'After deduplicating the text prompts and validating the video
    links' (Section 3) thus loses no prompt that has one good video.

    Args:
        messages: tables of ``MESSAGES``, one for each export; the file's stem is the export.
        prompts: one table of ``PROMPTS`` for each bucket of the UUID, in the buckets' order.
        rejects: table of ``PROMPT_REJECTS``.
        kinds: kinds of generation that become prompts.
        user_key: key of the hash that becomes ``user_id``; None gives no ``user_id``.

    Returns:
        Counts of messages.
    """
    table = pl.concat(
        [pl.read_parquet(path).with_columns(export=pl.lit(path.stem)) for path in messages]
    ).sort("timestamp_utc", "message_id", "export")
    text = {raw: normalise_prompt(raw) for raw in table["prompt"].unique()}
    ids = {prompt: prompt_uuid(prompt) for prompt in text.values() if prompt}
    table = table.with_columns(pl.col("prompt").replace_strict(text, return_dtype=pl.String))
    first_message = pl.col("message_id").is_first_distinct()
    usable = first_message & pl.col("kind").is_in(list(kinds)) & (pl.col("prompt") != "")
    table = table.with_columns(
        reason=pl.when(~first_message)
        .then(pl.lit("same_message"))
        .when(~pl.col("kind").is_in(list(kinds)))
        .then(pl.col("kind"))
        .when(pl.col("prompt") == "")
        .then(pl.lit("empty_prompt"))
        .when(~pl.struct(usable, "prompt").is_first_distinct())
        .then(pl.lit("duplicate_prompt"))
    )
    unique = _unique(
        table.filter(pl.col("reason").is_null() | (pl.col("reason") == "duplicate_prompt"))
    )
    users = {name: _hash_user(name, user_key) for name in unique["requester"].unique()}
    unique = unique.with_columns(
        uuid=pl.col("prompt").replace_strict(ids, return_dtype=pl.String),
        user_id=pl.col("requester").replace_strict(users, return_dtype=pl.String),
    ).drop("requester")
    buckets = [shard_of(uuid, len(prompts)) for uuid in unique["uuid"]]
    unique = unique.with_columns(bucket=pl.Series(buckets, dtype=pl.Int32))
    for bucket, path in enumerate(prompts):
        rows = unique.filter(pl.col("bucket") == bucket).select(PROMPTS.names)
        write_table(rows.to_arrow(), path, PROMPTS)
    rejected = table.filter(pl.col("reason").is_not_null()).select("message_id", "reason")
    write_table(rejected.to_arrow(), rejects, PROMPT_REJECTS, sort_by=["message_id", "reason"])
    counts = Counts(kept=unique.height, declared=table.height)
    for reason, number in rejected["reason"].value_counts().iter_rows():
        counts.reject(reason, number)
    return counts


def _unique(table: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each prompt; ``table`` is sorted by time."""
    candidate = pl.struct("message_id", "export", "video", "video_expires_utc")
    return table.group_by("prompt", maintain_order=True).agg(
        pl.first("timestamp_utc", "requester", "kind", *PARAMETERS),
        messages=pl.len().cast(pl.Int32),
        candidates=candidate.filter(pl.col("video").is_not_null()),
    )


def _hash_user(name: str | None, key: str | None) -> str | None:
    """Return a keyed hash: without the key, nobody can go through all user names to undo it."""
    if name is None or not key:
        return None
    return hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()[:32]


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = collect_prompts(
            messages=[Path(path) for path in snakemake.input.messages],
            prompts=[Path(path) for path in snakemake.output.prompts],
            rejects=Path(snakemake.output.rejects),
            kinds=snakemake.params.kinds,
            user_key=os.environ.get(snakemake.params.user_key_variable)
            or snakemake.params.made_up_key,
        )
        log.finish(counts)
