"""Collect the unique prompts of all exports, and bucket them by UUID (Section 3)."""

import hmac
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from scripts.common.identity_columns import (
    normalise_prompts,
    shards_of,
    uuid_bytes,
    uuid_texts,
)
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.curate import EXPORTS
from scripts.common.schemas.prompts import PROMPT_REJECTS, PROMPTS
from scripts.common.tables import read_table, write_table
from scripts.curate.removal_list import RemovalList, read_removals

_LISTED = 10
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
    removals: RemovalList | None = None,
    exports: Sequence[Path] = (),
    bot_ids: Sequence[str] = (),
) -> Counts:
    """Keep each prompt once, as its earliest message has it, with all videos made from it.

    A prompt's later messages (retries, with another seed) stay as candidates for its video: the
    earliest may have expired. So do the copies of a message that other exports hold, for which only
    one may have come with its media or with a link that still lives. 'After deduplicating the text
    prompts and validating the video links' (Section 3) thus loses no prompt that has one good video.

    Args:
        messages: tables of ``MESSAGES``, one for each export; the file's stem is the export.
        prompts: one table of ``PROMPTS`` for each bucket of the UUID, in the buckets' order.
        rejects: table of ``PROMPT_REJECTS``.
        kinds: kinds of generation that become prompts.
        user_key: key of the hash that becomes ``user_id``; None gives no ``user_id``.
        removals: prompts, and users who first typed a prompt, that are left out.
        exports: tables of ``EXPORTS``: what could not be read is said here, where all is known...
        bot_ids: ...and, where no ids are given, which passed for the bot's.

    Returns:
        Counts of messages.
    """
    table = _give_reasons(_read_messages(messages), kinds)
    unique = _unique(table)
    ids = uuid_bytes(unique["prompt"])
    unique = unique.with_columns(
        uuid=uuid_texts(ids),
        bucket=pl.Series(shards_of(ids, len(prompts))),
        user_id=_hash_users(unique["requester"], user_key),
    )
    if removals:
        table, unique = _leave_out(table, unique, removals)
    rejected = table.filter(pl.col("reason").is_not_null()).select("message_id", "reason")
    write_table(rejected.to_arrow(), rejects, PROMPT_REJECTS, sort_by=["message_id", "reason"])
    counts = Counts(declared=table.height, notes=_say_of_exports(exports, bot_ids))
    for reason, number in rejected["reason"].value_counts().iter_rows():
        counts.reject(reason, number)
    del table, rejected
    for bucket, path in enumerate(prompts):
        rows = unique.filter(pl.col("bucket") == bucket).select(PROMPTS.names).sort("uuid")
        write_table(rows.to_arrow(), path, PROMPTS)
        counts.keep(rows.height)
    return counts


def _say_of_exports(exports: Sequence[Path], bot_ids: Sequence[str]) -> list[str]:
    """Return sentences about files that could not be read, and about who passed for the bot."""
    states = [row for path in exports for row in read_table(path, EXPORTS).to_pylist()]
    odd = [f"{row['file']} ({row['reason']})" for row in states if row["reason"]]
    ids = Counter(each for row in states for each in row["bot_ids"])
    notes = []
    if odd:
        more = f" and {len(odd) - _LISTED:,} more" if len(odd) > _LISTED else ""
        notes.append(
            f"{len(odd):,} of {len(states):,} files were no exports that can be read to their end: "
            f"{', '.join(odd[:_LISTED])}{more}; results/rejects/exports says why"
        )
    if ids and not bot_ids:
        found = ", ".join(f"{name} (in {number:,})" for name, number in ids.most_common(_LISTED))
        notes.append(
            "a name can be borrowed, and curate.bot_ids is empty: the ids that passed for the "
            f"bot's are {found}; put the bot's own into the configuration, as strings"
        )
    return notes


def _read_messages(messages: Sequence[Path]) -> pl.DataFrame:
    """Return what is needed of all messages, in the order of time, copies of one side by side."""
    columns = [
        "message_id", "timestamp_utc", "requester", "kind", "prompt", *PARAMETERS, "video",
        "video_expires_utc",
    ]  # fmt: skip
    tables = [
        pl.read_parquet(path, columns=columns).with_columns(
            pl.col("prompt").map_batches(normalise_prompts, return_dtype=pl.String),
            export=pl.lit(path.stem),
        )
        for path in messages
    ]
    return pl.concat(tables).sort("timestamp_utc", "message_id", "export")


def _give_reasons(table: pl.DataFrame, kinds: Sequence[str]) -> pl.DataFrame:
    """Add ``reason``, null for the first message of each prompt, and let copies say the same.

    A copy may have been read otherwise (an export without Markdown, say): what counts is the first.
    """
    table = table.with_columns(is_copy=~pl.col("message_id").is_first_distinct())
    copied = pl.col("message_id").filter("is_copy").unique()
    said = table.join(table.select(copied), on="message_id", how="semi").filter(~pl.col("is_copy"))
    said = said.select("message_id", said_prompt="prompt", said_kind="kind")
    table = table.join(said, on="message_id", how="left", maintain_order="left").with_columns(
        prompt=pl.coalesce("said_prompt", "prompt"), kind=pl.coalesce("said_kind", "kind")
    )
    is_wanted = pl.col("kind").is_in(list(kinds))
    is_usable = is_wanted & (pl.col("prompt") != "")
    return table.drop("said_prompt", "said_kind").with_columns(
        is_usable=is_usable,
        reason=pl.when("is_copy").then(pl.lit("same_message"))
        .when(~is_wanted).then(pl.col("kind").cast(pl.String))
        .when(pl.col("prompt") == "").then(pl.lit("empty_prompt"))
        .when(~pl.struct(is_usable, "prompt").is_first_distinct())
        .then(pl.lit("duplicate_prompt")),
    )  # fmt: skip


def _unique(table: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each prompt of the usable messages; ``table`` is sorted by time."""
    candidate = pl.struct("message_id", "export", "video", "video_expires_utc")
    # The same link in two exports is one candidate; the same path lies in two folders.
    is_link = pl.col("video").str.contains("^https?://")
    is_again = is_link & ~pl.struct("message_id", "video").is_first_distinct()
    return (
        table.filter("is_usable")
        .with_columns(is_candidate=pl.col("video").is_not_null() & ~is_again)
        .group_by("prompt", maintain_order=True)
        .agg(
            pl.first("timestamp_utc", "requester", "kind", *PARAMETERS),
            messages=(~pl.col("is_copy")).sum().cast(pl.Int32),
            candidates=candidate.filter("is_candidate"),
        )
    )


def _leave_out(
    table: pl.DataFrame, unique: pl.DataFrame, removals: RemovalList
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return messages and prompts without what is on the removal list; the messages say so."""
    is_listed = pl.col("uuid").is_in(removals.uuids)
    is_listed |= pl.col("user_id").is_in(removals.users).fill_null(False)
    listed = unique.filter(is_listed)["prompt"].implode()
    is_first = pl.col("reason").is_null() & pl.col("prompt").is_in(listed)
    reason = pl.when(is_first).then(pl.lit("removed")).otherwise("reason")
    return table.with_columns(reason=reason), unique.filter(~is_listed)


def _hash_users(names: pl.Series, key: str | None) -> pl.Series:
    """Return keyed hashes: without the key, nobody can go through all user names to undo them."""
    if not key:
        return pl.Series([None] * len(names), dtype=pl.String)
    unique = names.drop_nulls().unique()
    hashed = [hmac.digest(key.encode(), name.encode(), "sha256").hex()[:32] for name in unique]
    return names.replace_strict(unique, pl.Series(hashed, dtype=pl.String), default=None)


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = collect_prompts(
            messages=[Path(path) for path in snakemake.input.messages],
            prompts=[Path(path) for path in snakemake.output.prompts],
            rejects=Path(snakemake.output.rejects),
            exports=[Path(path) for path in snakemake.input.exports],
            kinds=snakemake.params.kinds,
            bot_ids=snakemake.params.bot_ids,
            user_key=os.environ.get(snakemake.params.user_key_variable)
            or snakemake.params.made_up_key,
            removals=read_removals(Path(snakemake.input.removals)),
        )
        log.finish(counts)
