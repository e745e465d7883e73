"""Recover every Pika generation (prompt, options, video) from one Discord HTML export."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import polars as pl

from scripts.common.progress import byte_progress
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.curate import MESSAGE_REJECTS, MESSAGES
from scripts.common.tables import TableWriter
from scripts.curate.discord_export import DiscordExport, bytes_between, place_of
from scripts.curate.message_parts import content_and_video, find_interaction, snowflake_ms
from scripts.curate.pika_message import read_generation
from scripts.curate.usual_generation import GENERATION, match_usual, read_usual


def extract_messages(
    export: Path, messages: Path, rejects: Path, *, bot_names: Sequence[str]
) -> Counts:
    """Write the generations of an export, and one reason for every other message (Section 3).

    The file is read as a stream, so memory does not grow with it. What stands before the place
    where a file was cut off is recovered; a difference from the export's own count is in the
    counts.

    Args:
        export: HTML file by DiscordChatExporter 2.34 to 2.47, or a part of one.
        messages: table of ``MESSAGES``, in the order of the file.
        rejects: table of ``MESSAGE_REJECTS``, in the order of the file.
        bot_names: names of the bots whose messages are generations, without ``#1234``.

    Returns:
        Counts of messages; ``declared`` is the export's own count.

    Raises:
        UserError: the file is missing, empty, no export, or one by an unsupported version.
    """
    counts = Counts()
    with (
        TableWriter(messages, MESSAGES) as keep,
        TableWriter(rejects, MESSAGE_REJECTS) as reject,
        byte_progress(f"read {Path(export).name}", _size_bytes(export)) as bar,
    ):
        source = DiscordExport(export, on_read=bar.update)
        read = partial(_read_messages, bot_names=bot_names)
        for kept, rejected in map(read, source.messages()):
            keep.write(kept.to_arrow())
            reject.write(rejected.to_arrow())
            counts.keep(len(kept))
            counts.rejected.update(rejected["reason"])
    _compare(counts, source)
    return counts


def _read_messages(
    messages: pl.DataFrame, *, bot_names: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return ``MESSAGES`` and ``MESSAGE_REJECTS`` of a table of messages."""
    messages = messages.with_row_index("place").with_columns(reason=_refusal(bot_names))
    candidates = messages.filter(pl.col("reason").is_null())
    usual, others = _read_usual(candidates)
    rows, reasons = [], []
    for place, html in others.select("place", "html").iter_rows():
        generation = _read_generation(html.encode())
        if isinstance(generation, str):
            reasons.append((place, generation))
        else:
            rows.append((place, *generation))
    if reasons:
        places, names = zip(*reasons, strict=True)
        messages = messages.with_columns(messages["reason"].scatter(places, names))
    generations = pl.concat([usual, pl.DataFrame(rows, schema=usual.schema, orient="row")])
    kept = messages.filter(pl.col("reason").is_null()).hstack(
        generations.sort("place").drop("place")
    )
    rejected = messages.filter(pl.col("reason").is_not_null())
    return _finish(kept).select(MESSAGES.names), rejected.select(MESSAGE_REJECTS.names)


def _refusal(bot_names: Sequence[str]) -> pl.Expr:
    """Return the reason why a message can be no generation, null if there is none."""
    is_named = pl.col("author").is_in(list(bot_names))
    for name in bot_names:
        is_named |= (pl.col("full_name") == name) | pl.col("full_name").str.starts_with(f"{name}#")
    return (
        pl.when("is_system").then(pl.lit("system_notice"))
        .when(pl.col("author").is_null() & pl.col("is_complete")).then(pl.lit("no_author"))
        .when(pl.col("author").is_null()).then(pl.lit("cut_off"))
        .when(~pl.col("is_bot")).then(pl.lit("not_a_bot"))
        .when(~is_named).then(pl.lit("other_bot"))
        .when(~pl.col("is_complete")).then(pl.lit("cut_off"))
        .when(~pl.col("html").str.contains("<video class=", literal=True)).then(pl.lit("no_video"))
    )  # fmt: skip


def _read_usual(messages: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the place and the ``GENERATION`` of messages that look as usual, and the others."""
    content = pl.col("html").cast(pl.Binary).bin.slice(place_of("chatlog__content"))
    contents = messages.select(content).to_series()
    is_usual, pieces = [], []
    for content in contents:
        found = content and match_usual(content)
        is_usual.append(found is not None)
        pieces += found or ()
    is_usual = pl.Series(is_usual, dtype=pl.Boolean)
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
    reply = bytes_between(place_of("chatlog__reply-author"), place_of("chatlog__header"))
    replies = messages.select(pl.when("opens_group").then(reply)).to_series()
    interactions = [reply and find_interaction(reply) for reply in replies]
    commands = [interaction and interaction.command for interaction in interactions]
    users = [interaction and interaction.user for interaction in interactions]
    milliseconds = snowflake_ms(pl.col("message_id").cast(pl.UInt64)).cast(pl.Int64)
    return messages.with_columns(
        pl.coalesce("requester", pl.Series(users, dtype=pl.String)),
        command=pl.Series(commands, dtype=pl.String),
        timestamp_utc=milliseconds.cast(GENERATION["video_expires_utc"]),
    )


def _size_bytes(path: Path) -> int:
    return Path(path).stat().st_size if Path(path).is_file() else 0


def _compare(counts: Counts, source: DiscordExport) -> None:
    """Hold what was found against the export's own count, and note a difference."""
    found, declared = source.found_messages, source.declared_messages
    if declared is None:
        counts.notes.append(
            f"{source.path} has no closing line 'Exported N message(s)', so it was cut off; its "
            f"first {found:,} message(s) were read, export the channel again to get the others"
        )
    elif found > declared:
        counts.notes.append(
            f"{source.path} says 'Exported {declared:,} message(s)' but holds {found:,}; look "
            "whether somebody typed HTML into a message (export without '--markdown false')"
        )
    else:
        counts.declared = declared
        if found < declared:
            counts.notes.append(
                f"{source.path} says 'Exported {declared:,} message(s)' but holds {found:,}; "
                "export the channel again to get the others"
            )


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = extract_messages(
            export=Path(snakemake.input.export),
            messages=Path(snakemake.output.messages),
            rejects=Path(snakemake.output.rejects),
            bot_names=snakemake.params.bot_names,
        )
        log.finish(counts)
