"""Recover every Pika generation (prompt, options, video) from one Discord HTML export."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.curate import MESSAGE_REJECTS, MESSAGES
from scripts.common.tables import TableWriter
from scripts.curate.discord_export import DiscordExport, Message
from scripts.curate.pika_message import read_generation

BATCH_ROWS = 8_192
"""Messages held in memory before they are written."""


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
    source = DiscordExport(export)
    wanted = frozenset(bot_names)
    counts = Counts()
    kept, rejected = [], []
    with TableWriter(messages, MESSAGES) as keep, TableWriter(rejects, MESSAGE_REJECTS) as reject:
        for message in source.messages():
            row = _read_message(message, wanted)
            if isinstance(row, str):
                counts.reject(row)
                rejected.append((str(message.message_id), row))
            else:
                counts.keep()
                kept.append(row)
            if len(kept) + len(rejected) == BATCH_ROWS:
                keep.write(_table(kept, MESSAGES))
                reject.write(_table(rejected, MESSAGE_REJECTS))
                kept, rejected = [], []
        keep.write(_table(kept, MESSAGES))
        reject.write(_table(rejected, MESSAGE_REJECTS))
    _compare(counts, source)
    return counts


def _read_message(message: Message, bot_names: frozenset[str]) -> tuple | str:
    """Return a row of ``MESSAGES``, or the reason why the message gives none."""
    if message.is_system:
        return "system_notice"
    author = message.author
    if author is None:
        return "no_author" if message.is_complete else "cut_off"
    if not author.is_bot:
        return "not_a_bot"
    if author.name not in bot_names and author.full_name.partition("#")[0] not in bot_names:
        return "other_bot"
    if not message.is_complete:
        return "cut_off"
    content, video = message.content_and_video() if message.has_video() else ("", None)
    if video is None:
        return "no_video"
    generation = read_generation(content)
    if generation is None:
        return "no_prompt"
    interaction = message.interaction()
    parameters = generation.parameters
    return (
        str(message.message_id),
        message.timestamp_ms,
        generation.requester or (interaction and interaction.user),
        interaction and interaction.command,
        generation.prompt,
        parameters.negative_prompt,
        parameters.motion,
        parameters.guidance_scale,
        parameters.aspect_ratio,
        parameters.camera,
        parameters.fps,
        parameters.seed,
        parameters.others,
        generation.kind,
        video.location,
        video.name,
        video.expires_ms,
    )


def _table(rows: list[tuple], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)],
        schema=schema,
    )


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
    with rule_log(snakemake.log[0]) as log:
        counts = extract_messages(
            export=Path(snakemake.input.export),
            messages=Path(snakemake.output.messages),
            rejects=Path(snakemake.output.rejects),
            bot_names=snakemake.params.bot_names,
        )
        log.finish(counts)
