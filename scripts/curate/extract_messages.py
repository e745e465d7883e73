"""Recover every Pika generation (prompt, options, video) from one Discord HTML export."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from scripts.common.job import run_job
from scripts.common.progress import progress_bar
from scripts.common.rule_log import Counts
from scripts.common.schemas.curate import EXPORTS, MESSAGE_REJECTS, MESSAGES
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.tables import TableWriter, write_table
from scripts.curate.discord_export import DiscordExport, OddExportError, place_of
from scripts.curate.message_parts import content_and_video, find_interaction, snowflake_ms
from scripts.curate.pika_message import read_generation
from scripts.curate.usual_generation import CONTENT_TAG, GENERATION, match_usual, read_usual


def extract_messages(
    export: Path,
    messages: Path,
    rejects: Path,
    state: Path,
    *,
    bot_names: Sequence[str],
    bot_ids: Sequence[str] = (),
    odd_exports: str = "stop",
) -> Counts:
    """Write the generations of an export, and one reason for every other message (Section 3).

    The file is read as a stream, so memory does not grow with it. What stands before the place
    where a file was cut off is recovered; a difference from the export's own count is in the
    counts.

    Args:
        export: HTML file by DiscordChatExporter 2.34 to 2.47, or a part of one.
        messages: table of ``MESSAGES``, in the order of the file.
        rejects: table of ``MESSAGE_REJECTS``, in the order of the file.
        state: table of ``EXPORTS``: whether the file could be read, and why not.
        bot_names: names of the bots whose messages are generations, without ``#1234``.
        bot_ids: their ids; without any, everybody who bears the name passes for the bot.
        odd_exports: of a file that is no export, or that cannot be read to its end: ``skip`` it
            with a reason and keep what was read before, or ``stop``.

    Returns:
        Counts of messages; ``declared`` is the export's own count.

    Raises:
        UserError: the file is missing; or it is an odd one, and ``odd_exports`` is ``stop``.
    """
    counts, ids, fault = Counts(), set(), None
    size_bytes = export.stat().st_size if export.is_file() else 0
    with (
        TableWriter(messages, MESSAGES) as keep,
        TableWriter(rejects, MESSAGE_REJECTS) as reject,
        progress_bar(f"read {export.name}", size_bytes, unit="B", unit_scale=True) as bar,
    ):
        source = DiscordExport(export, on_read=bar.update)
        try:
            for table in source.messages():
                ids.update(table.filter("is_bot", _is_named(bot_names))["author_id"].drop_nulls())
                kept, rejected = _read_messages(table, bot_names, bot_ids)
                keep.write(kept.to_arrow())
                reject.write(rejected.to_arrow())
                counts.keep(len(kept))
                counts.rejected.update(rejected["reason"].to_list())
        except OddExportError as error:
            if odd_exports == "stop":
                raise
            fault = error
            counts.notes.append(f"skipped as '{error.reason}': {error}")
    if fault is None:
        _compare(counts, source)
    row = {
        "file": source.path.name,
        "status": REJECTED if fault else OK,
        "reason": fault and fault.reason,
        "detail": fault and str(fault),
        "found_messages": source.found_messages,
        "declared_messages": source.declared_messages,
        "bot_ids": sorted(ids),
    }
    # A frame: Arrow looks into a list of rows with pandas, whose start costs as much as 30 MB of HTML.
    write_table(pl.DataFrame([row], pl.Schema(EXPORTS)).to_arrow(), state, EXPORTS)
    return counts


def _read_messages(
    messages: pl.DataFrame, bot_names: Sequence[str], bot_ids: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return ``MESSAGES`` and ``MESSAGE_REJECTS`` of a table of messages."""
    messages = messages.with_row_index("place").with_columns(reason=_refusal(bot_names, bot_ids))
    candidates = messages.filter(pl.col("reason").is_null())
    usual, others = _read_usual(candidates)
    found = {
        place: _read_generation(html.encode())
        for place, html in others.select("place", "html").iter_rows()
    }
    reasons = {place: reason for place, reason in found.items() if isinstance(reason, str)}
    rows = [(place, *row) for place, row in found.items() if place not in reasons]
    reason = messages["reason"].cast(pl.String).scatter(list(reasons), list(reasons.values()))
    messages = messages.with_columns(reason)
    generations = pl.concat([usual, pl.DataFrame(rows, schema=usual.schema, orient="row")])
    kept = messages.filter(pl.col("reason").is_null()).hstack(
        generations.sort("place").drop("place")
    )
    rejected = messages.filter(pl.col("reason").is_not_null())
    return _finish(kept).select(MESSAGES.names), rejected.select(MESSAGE_REJECTS.names)


def _is_named(bot_names: Sequence[str]) -> pl.Expr:
    """Return whether the author of a message bears one of the names."""
    is_named = pl.col("author").is_in(list(bot_names))
    for name in bot_names:
        is_named |= (pl.col("full_name") == name) | pl.col("full_name").str.starts_with(f"{name}#")
    return is_named


def _refusal(bot_names: Sequence[str], bot_ids: Sequence[str]) -> pl.Expr:
    """Return the reason why a message can be no generation, null if there is none."""
    is_named = _is_named(bot_names)
    has_id = pl.col("author_id").is_in(list(bot_ids)).fill_null(False)
    is_bot = has_id if bot_ids else is_named
    return (
        pl.when("is_torn").then(pl.lit("torn"))
        .when("is_system").then(pl.lit("system_notice"))
        .when(pl.col("author").is_null() & pl.col("is_complete")).then(pl.lit("no_author"))
        .when(pl.col("author").is_null()).then(pl.lit("cut_off"))
        .when(~pl.col("is_bot")).then(pl.lit("not_a_bot"))
        .when(is_named & ~is_bot).then(pl.lit("borrowed_name"))
        .when(~is_bot).then(pl.lit("other_bot"))
        .when(~pl.col("is_complete")).then(pl.lit("cut_off"))
        .when(~pl.col("html").str.contains("<video", literal=True)).then(pl.lit("no_video"))
    )  # fmt: skip


def _read_usual(messages: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the place and the ``GENERATION`` of messages that look as usual, and the others."""
    start = place_of("chatlog__content") - CONTENT_TAG.index("chatlog__content")
    contents = messages.select(pl.col("html").cast(pl.Binary).bin.slice(start)).to_series()
    found = [content and match_usual(content) for content in contents.to_list()]
    pieces = list(itertools.chain.from_iterable(filter(None, found)))
    is_usual = pl.Series(map(bool, found), dtype=pl.Boolean)
    return (
        messages.filter(is_usual).select("place").hstack(read_usual(pieces)),
        messages.filter(~is_usual),
    )


def _read_generation(html: bytes) -> tuple | str:
    """Return a row of ``GENERATION``, or the reason why the message gives none."""
    content, video = content_and_video(html)
    if video is None:
        return "no_video"
    generation = read_generation(content)
    if generation is None:
        return "no_prompt"
    return (
        generation.prompt,
        *generation.parameters,
        generation.kind,
        generation.requester,
        video.location,
        video.name,
        video.expires_ms,
    )


def _finish(messages: pl.DataFrame) -> pl.DataFrame:
    """Add the time, which is in the id, and the slash command that a message answers."""
    before = pl.col("html").cast(pl.Binary).bin.slice(0, place_of("chatlog__header"))
    has_reply = pl.col("html").str.contains("chatlog__reply-author", literal=True)
    replies = messages.select(pl.when(pl.col("opens_group") & has_reply).then(before)).to_series()
    interactions = [find_interaction(reply) if reply else None for reply in replies]
    commands = [interaction and interaction.command for interaction in interactions]
    users = [interaction and interaction.user for interaction in interactions]
    milliseconds = snowflake_ms(pl.col("message_id").cast(pl.UInt64)).cast(pl.Int64)
    return messages.with_columns(
        pl.coalesce("requester", pl.Series(users, dtype=pl.String)),
        command=pl.Series(commands, dtype=pl.String),
        timestamp_utc=milliseconds.cast(GENERATION["video_expires_utc"]),
    )


def _compare(counts: Counts, source: DiscordExport) -> None:
    """Hold what was found against the export's own count, and note a difference."""
    found, declared = source.found_messages, source.declared_messages
    if declared is None:
        counts.notes.append(
            f"{source.path} has no closing line 'Exported N message(s)', so it was cut off; its "
            f"first {found:,} message(s) were read, export the channel again to get the others"
        )
        return
    if found <= declared:
        counts.declared = declared
    if found != declared:
        way_out = "export the channel again to get the others"
        if found > declared:
            way_out = "look whether somebody typed HTML into a message (export without '--markdown false')"
        counts.notes.append(
            f"{source.path} says 'Exported {declared:,} message(s)' but holds {found:,}; {way_out}"
        )


if __name__ == "__main__":
    run_job(extract_messages, snakemake)
