"""Collect the unique prompts of all exports, and bucket them by UUID (Section 3)."""

import hmac
import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.common.identity_columns import normalise_prompts, shards_of, uuid_bytes, uuid_texts
from scripts.common.partitions import Partitions
from scripts.common.progress import progress
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.curate import EXPORTS, MESSAGES
from scripts.common.schemas.prompts import PROMPT_REJECTS, PROMPTS
from scripts.common.tables import TableWriter, read_table, write_table
from scripts.curate.removal_list import RemovalList, read_removals

BATCH_ROWS = 100_000
"""Messages that are read at a time."""
PART_ROWS = 250_000
"""Messages of which copies are sought at a time: about as many as make half a gigabyte."""
_DRAWN = 64
_LISTED = 10
PARAMETERS = [
    "negative_prompt", "motion", "guidance_scale", "aspect_ratio", "camera", "fps", "seed"
]  # fmt: skip

_EMPTY = pl.from_arrow(MESSAGES.empty_table()).select(
    "message_id", "timestamp_utc", "requester", "kind", "prompt", *PARAMETERS, "video",
    "video_expires_utc", export=pl.lit(None, pl.String),
)  # fmt: skip
_EMPTY_USABLE = _EMPTY.with_columns(is_copy=pl.lit(None, pl.Boolean))
_EMPTY_REJECTS = pl.from_arrow(PROMPT_REJECTS.empty_table())


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

    Messages are dealt out to parts on disk, first by their ids, where copies lie side by side, then
    by their prompts: in memory is one part at a time, and one bucket of prompts.

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
    counts = Counts(declared=0, notes=_say_of_exports(exports, bot_ids))
    edges = _edges(messages)
    number = len(edges) + 1
    prompts[0].parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=prompts[0].parent, prefix="tmp-") as folder,
        Partitions(Path(folder, "messages"), number, _EMPTY) as by_message,
        Partitions(Path(folder, "prompts"), len(prompts), _EMPTY_USABLE) as by_prompt,
        Partitions(Path(folder, "rejects"), number, _EMPTY_REJECTS) as fallen,
        TableWriter(rejects, PROMPT_REJECTS) as reject,
    ):
        for batch in progress(_read_messages(messages), "messages"):
            counts.declared += batch.height
            by_message.write(batch, _parts_of(batch, edges))
        for part in progress(range(number), "copies of messages"):
            table = _give_reasons(by_message.read(part), kinds)
            lost = table.filter(pl.col("reason").is_not_null())
            fallen.write(lost, np.full(lost.height, part))
            usable = table.filter("is_usable")
            by_prompt.write(usable, shards_of(uuid_bytes(usable["prompt"]), len(prompts)))
        for bucket, path in enumerate(progress(prompts, "buckets of prompts")):
            unique, lost = _settle(by_prompt.read(bucket), user_key, removals)
            write_table(unique.select(PROMPTS.names).to_arrow(), path, PROMPTS)
            fallen.write(lost, _parts_of(lost, edges))
            counts.keep(unique.height)
        for part in range(number):
            lost = fallen.read(part).sort("message_id", "reason")
            reject.write(lost.to_arrow())
            counts.rejected.update(dict(lost["reason"].value_counts().iter_rows()))
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
            f"{', '.join(odd[:_LISTED])}{more}; results/messages/exports says why"
        )
    if ids and not bot_ids:
        found = ", ".join(f"{name} (in {number:,})" for name, number in ids.most_common(_LISTED))
        notes.append(
            "a name can be borrowed, and curate.bot_ids is empty: the ids that passed for the "
            f"bot's are {found}; put the bot's own into the configuration, as strings"
        )
    return notes


def _edges(messages: Sequence[Path]) -> np.ndarray:
    """Return the ids that part all messages, in their order as texts, into parts of some size."""
    rows = sum(pq.read_metadata(path).num_rows for path in messages)
    parts = -(-rows // PART_ROWS)
    if parts < 2:
        return np.array([], "S20")
    drawn = [
        batch["message_id"][::_DRAWN].to_pylist()
        for path in messages
        for batch in pq.ParquetFile(path).iter_batches(PART_ROWS, columns=["message_id"])
    ]
    ids = np.sort(np.array(list(itertools.chain(*drawn)), "S20"))
    return np.unique(ids[np.arange(1, parts) * len(ids) // parts])


def _parts_of(table: pl.DataFrame, edges: np.ndarray) -> np.ndarray:
    """Return the part of each message; copies of one have the same."""
    return np.searchsorted(edges, table["message_id"].to_numpy().astype("S20"), side="right")


def _read_messages(messages: Sequence[Path]) -> Iterator[pl.DataFrame]:
    """Yield what is needed of all messages, some at a time."""
    for path in messages:
        columns = [name for name in _EMPTY.columns if name != "export"]
        for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS, columns=columns):
            yield pl.from_arrow(pa.Table.from_batches([batch])).with_columns(
                pl.col("prompt").map_batches(normalise_prompts, return_dtype=pl.String),
                export=pl.lit(path.stem),
            )


def _give_reasons(table: pl.DataFrame, kinds: Sequence[str]) -> pl.DataFrame:
    """Add ``is_usable`` and ``reason``, null for usable ones, and let copies say the same.

    A copy may have been read otherwise (an export without Markdown, say): what counts is the first.
    """
    table = table.sort("message_id", "export", maintain_order=True)
    first = pl.col("prompt", "kind").first().over("message_id")
    table = table.with_columns(first, is_copy=~pl.col("message_id").is_first_distinct())
    is_wanted = pl.col("kind").is_in(list(kinds))
    return table.with_columns(
        is_usable=is_wanted & (pl.col("prompt") != ""),
        reason=pl.when("is_copy").then(pl.lit("same_message"))
        .when(~is_wanted).then("kind")
        .when(pl.col("prompt") == "").then(pl.lit("empty_prompt")),
    )  # fmt: skip


def _settle(
    table: pl.DataFrame, user_key: str | None, removals: RemovalList | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the unique prompts of a bucket, and the messages that gave none, with the reason.

    Args:
        table: the usable messages, copies included.
        user_key: as ``collect_prompts``.
        removals: as ``collect_prompts``.
    """
    table = table.sort("timestamp_utc", "message_id", "export", maintain_order=True)
    unique = _unique(table)
    unique = unique.with_columns(
        uuid=uuid_texts(uuid_bytes(unique["prompt"])),
        user_id=_hash_users(unique["requester"], user_key),
    ).sort("uuid")
    messages = table.filter(~pl.col("is_copy"))
    is_first = pl.col("prompt").is_first_distinct()
    messages = messages.with_columns(reason=pl.when(~is_first).then(pl.lit("duplicate_prompt")))
    if removals:
        is_listed = pl.col("uuid").is_in(removals.uuids)
        is_listed |= pl.col("user_id").is_in(removals.users).fill_null(False)
        listed = unique.filter(is_listed)["prompt"].implode()
        unique = unique.filter(~is_listed)
        is_removed = pl.col("reason").is_null() & pl.col("prompt").is_in(listed)
        reason = pl.when(is_removed).then(pl.lit("removed")).otherwise("reason")
        messages = messages.with_columns(reason=reason)
    return unique, messages.filter(pl.col("reason").is_not_null())


def _unique(table: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each prompt of the usable messages; ``table`` is sorted by time."""
    candidate = pl.struct("message_id", "export", "video", "video_expires_utc")
    # The same link in two exports is one candidate; the same path lies in two folders.
    is_link = pl.col("video").str.contains("^https?://")
    is_again = is_link & ~pl.struct("message_id", "video").is_first_distinct()
    return (
        table.with_columns(is_candidate=pl.col("video").is_not_null() & ~is_again)
        .group_by("prompt", maintain_order=True)
        .agg(
            pl.first("timestamp_utc", "requester", "kind", *PARAMETERS),
            messages=(~pl.col("is_copy")).sum().cast(pl.Int32),
            candidates=candidate.filter("is_candidate"),
        )
    )


def _hash_users(names: pl.Series, key: str | None) -> pl.Series:
    """Return keyed hashes: without the key, nobody can go through all user names to undo them."""
    unique = names.drop_nulls().unique()
    hashed = [(key and _hash_user(key, name)) or None for name in unique]
    return names.replace_strict(unique, pl.Series(hashed, dtype=pl.String), default=None)


@lru_cache(maxsize=1 << 16)  # most users type prompts of several buckets
def _hash_user(key: str, name: str) -> str:
    return hmac.digest(key.encode(), name.encode(), "sha256").hex()[:32]


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
