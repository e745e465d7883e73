"""HTML exports of DiscordChatExporter, read as a stream of bytes and handed out as tables.

The layout is the one of versions 2.34 to 2.47: a `chatlog__message-container` per message, inside
a `chatlog__message-group` per run of messages by one author. Only the first message of a group
names its author, whichever way the messages are ordered. Attributes may be in any order, quoted or
not, the file minified or not.

Nothing here builds a tree. A block of the file is cut where a message begins, and who wrote the
messages is found by columns: the places of a few names, and the bytes between them. A message that
has them in unusual places is looked at on its own (`message_parts`).

Where a byte is damaged, the beginning of a message may be lost, which then seems to be a part of the
one before: such a message is torn, and who wrote what follows is not known until the next group.

With `--markdown false` a user can forge a whole message; that can be noticed by the number of
messages only (`found_messages`, `declared_messages`).
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl

from scripts.common.errors import UserError
from scripts.curate.html_tags import tag
from scripts.curate.message_parts import Author, decode, find_author, read_author

BLOCK_BYTES = 1 << 19
TABLE_BYTES = 16 << 20
LONGEST_MESSAGE_BYTES = 16 << 20

_HOW_TO_EXPORT = (
    "export the channel again with DiscordChatExporter 2.34 or newer in the format HtmlDark"
)
_MESSAGE_TAG = re.compile(
    rb"<div id=[\"']?chatlog__message-container-(\d{1,19})[\"']?"
    rb"\s+class=[\"']?chatlog__message-container[^<>]*?"
    rb"\sdata-message-id=[\"']?\1(?!\d)[^<>]*>"
)
# The same with its attributes in another order: five times slower, and hardly ever needed.
_ODD_MESSAGE_TAG = re.compile(
    rb"<div\s(?=[^<>]*?\bid\s*=\s*[\"']?chatlog__message-container-(\d{1,19})[\"'\s>])"
    rb"(?=[^<>]*?\bdata-message-id\s*=\s*[\"']?\1(?!\d))[^<>]*+>"
)
_MESSAGE_MARK = b"data-message-id"
_LIKE_A_MESSAGE = re.compile(rb"<[^<>]{,200}chatlog__message-container[^<>]{,200}>?")
_PARTS = {
    word: re.compile(rf"<div\s(?=[^<>]*\b{word}\b)", re.ASCII)
    for word in ("chatlog__message-primary", "chatlog__message-aside", "chatlog__content")
}
"""What a message has no more than once."""
_GROUP_TAG_AT_END = r"<div\s[^<>]*\bchatlog__message-group\b[^<>]*>\s*$"
_GROUP_TAG_WITHIN = 200
# The icon is the first thing in a notice; a class name further down was typed.
_ICON = "chatlog__system-notification-icon"
_SYSTEM_ICON = re.compile(rf"<(?:svg|img)\s[^<>]*\b{_ICON}\b")
_SYSTEM_ICON_WITHIN = 400
_AUTHOR_TAG = "<span class=chatlog__author "
_TIME_WITH_LINK = r"^chatlog__timestamp[^<>]*><a href=#chatlog__message-container-(\d+)>"
_LINK_WITHIN = 200
_DECLARED = re.compile(
    tag("div", "postamble__entry").encode() + rb"\s*Exported ([^<]{1,60}?) message\(s\)"
)


_AUTHOR = {
    "author": pl.String, "full_name": pl.String, "is_bot": pl.Boolean, "author_id": pl.String,
}  # fmt: skip
"""The fields of ``Author``, as columns."""


def place_of(word: str | pl.Expr) -> pl.Expr:
    """Return the place in bytes of a word's first occurrence in ``html``, null if there is none."""
    return pl.col("html").str.find(word, literal=True).cast(pl.Int64)


_HAS_HEADER = (place_of("chatlog__header") < place_of("chatlog__content")).fill_null(
    place_of("chatlog__header").is_not_null()
)


class OddExportError(UserError):
    """A file that is no export that can be read, or not to its end.

    Attributes:
        reason: one of ``EXPORT_REASONS``.
    """

    def __init__(self, reason: str, sentence: str):
        super().__init__(f"{sentence}; {_HOW_TO_EXPORT}")
        self.reason = reason


class DiscordExport:
    """One export of a channel, or one part of a partitioned export.

    Attributes:
        found_messages: how many messages were found so far.
        declared_messages: the count of the closing line ``Exported N message(s)``, known when all
            messages were read; None if the file has no closing line, that is, was cut off.
    """

    def __init__(self, path: Path, on_read: Callable[[int], object] | None = None):
        """Read the export at ``path``; ``on_read`` is told each time how many bytes were read."""
        self.path = Path(path)
        self.found_messages = 0
        self.declared_messages: int | None = None
        self._on_read = on_read

    def messages(self) -> Iterator[pl.DataFrame]:
        """Yield the messages in the file's order, in memory that does not grow with the file.

        Returns:
            Tables of some thousand rows: ``message_id``; ``author`` (the name shown), ``full_name``,
            ``author_id`` and ``is_bot``, null for notices and where the file lost the beginning of
            the group; ``is_system``; ``is_torn``, true where another message begins inside;
            ``is_complete``, false for a message that the end of the file cuts off;
            ``opens_group``; ``html``, what follows the tag of the message's container.

        Raises:
            OddExportError: the file is empty, no export, one by an unsupported version, or damaged.
            UserError: the file is missing.
        """
        author, opens_group, was_torn = None, False, False
        has_messages = has_authors = False
        for ids, bodies, is_complete in self._cut():
            table = _describe(ids, bodies).with_columns(is_complete=pl.lit(is_complete))
            bodies.clear()  # or they would be in memory twice
            opens = table["opens_next"].shift(1, fill_value=opens_group)
            # Only a message that opens a group has a header, unless somebody typed the word.
            others = (~opens).arg_true()
            begins = opens.clone().scatter(others, table[others].select(_HAS_HEADER).to_series())
            begins |= table["is_torn"].shift(1, fill_value=was_torn)
            opens_group, was_torn = table.select("opens_next", "is_torn").row(-1)
            table = table.with_columns(opens_group=opens)
            authors = [author, *_find_authors(table.filter("opens_group"))]
            # Whose the messages are from a place on where one begins without opening a group is lost.
            is_known = pl.when(begins).then(opens).forward_fill().fill_null(True)
            group = table.select(pl.when(is_known).then(opens.cum_sum())).to_series()
            author = None if group[-1] is None else authors[group[-1]]
            table = table.hstack(_author_columns(authors).select(pl.all().gather(group)))
            # Before the first message stands the head of the file.
            table = table.filter(pl.col("message_id") != "").drop("opens_next")
            self.found_messages += len(table)
            has_messages |= table["is_complete"].any()
            has_authors |= table["is_system"].any() or table["author"].is_not_null().any()
            yield table
            del table  # or two tables would be in memory at a time
        if not self.found_messages:
            self._refuse_without_messages()
        if has_messages and not has_authors:
            raise OddExportError(
                "other_tool",
                f"{self.path} names no author in a way that DiscordChatExporter does, so another "
                "tool made it",
            )

    def _cut(self) -> Iterator[tuple[list[bytes], list[bytes], bool]]:
        """Yield (ids, what follows the messages' tags, whether they are complete)."""
        ids, bodies, size_bytes = [b""], [b""], 0
        for block in self._blocks():
            data = bodies.pop() + block
            found = _MESSAGE_TAG.split(data)
            if data.count(_MESSAGE_MARK) != len(found) // 2:
                found = _ODD_MESSAGE_TAG.split(data)
            # What stands before the first tag belongs to the message that was broken off.
            rest, *found = found
            bodies += [rest, *found[1::2]]
            ids += found[0::2]
            size_bytes += len(block)
            if len(bodies[-1]) > LONGEST_MESSAGE_BYTES:
                raise OddExportError(
                    "damaged",
                    f"{self.path} has no new message for {LONGEST_MESSAGE_BYTES >> 20} MB after "
                    f"message number {self.found_messages + len(ids) - 1:,}, so it is damaged "
                    "there",
                )
            if size_bytes > TABLE_BYTES and len(ids) > 1:
                last = ids.pop(), bodies.pop()
                yield ids, bodies, True
                ids, bodies, size_bytes = [last[0]], [last[1]], 0
        last_id, rest = ids.pop(), bodies.pop()
        if ids:
            yield ids, bodies, True
        self.declared_messages = _declared_messages(rest)
        # What follows the last complete tag is a piece of a tag.
        rest = rest[: rest.rfind(b">") + 1]
        # It is complete if its container is closed.
        yield [last_id], [rest], rest.count(b"</div>") > rest.count(b"<div")

    def _blocks(self) -> Iterator[bytes]:
        try:
            with open(self.path, "rb") as file:
                block = file.read(BLOCK_BYTES)
                _check_layout(block, self.path)
                while block:
                    yield block
                    if self._on_read:
                        self._on_read(len(block))
                    block = file.read(BLOCK_BYTES)
        except FileNotFoundError:
            raise UserError(f"{self.path} is missing; put the export there") from None
        except IsADirectoryError:
            raise UserError(f"{self.path} is a folder; name the HTML file of an export") from None

    def _refuse_without_messages(self) -> None:
        """Say what a file has in place of its messages; it may have none, or be cut off before."""
        marks = (_LIKE_A_MESSAGE.search(block) for block in self._blocks())
        mark = next((decode(found[0]) for found in marks if found), "")
        count = self.declared_messages
        if count or (count is None and mark.endswith(">")):
            says = (
                "has no closing line" if count is None else f"says 'Exported {count:,} message(s)'"
            )
            has = f"it has {mark!r} instead" if mark else "it has no tag that is like a message's"
            raise OddExportError(
                "no_message",
                f"{self.path} {says}, but holds no message in the layout of DiscordChatExporter: "
                f"{has}",
            )


def _describe(ids: list[bytes], bodies: list[bytes]) -> pl.DataFrame:
    """Return a table of messages, and what their first and last bytes tell."""
    body = pl.col("html").str
    seems_torn = pl.any_horizontal(body.count_matches(word, literal=True) > 1 for word in _PARTS)
    table = pl.DataFrame({"message_id": texts(ids), "html": texts(bodies)}).with_columns(
        is_system=place_of(_ICON) < _SYSTEM_ICON_WITHIN,
        opens_next=body.tail(_GROUP_TAG_WITHIN).str.contains(_GROUP_TAG_AT_END),
        is_torn=seems_torn,
    )
    is_system = pl.col("is_system").fill_null(False)
    table = change(table, "html", is_system, _is_notice, is_system)
    return change(table, "html", pl.col("is_torn"), _is_torn, pl.col("is_torn"))


def _is_notice(body: str) -> bool:
    return _SYSTEM_ICON.search(body[:_SYSTEM_ICON_WITHIN]) is not None


def _is_torn(body: str) -> bool:
    """Whether another message begins inside: its parts are there, as tags and not as words."""
    return any(len(part.findall(body)) > 1 for part in _PARTS.values())


def change(
    table: pl.DataFrame,
    name: str,
    where: pl.Expr,
    function: Callable[[str], object],
    others: pl.Expr | None = None,
) -> pl.DataFrame:
    """Apply a function to those texts of a column that need it.

    Args:
        table: with the column.
        name: of the column.
        where: whether a text needs it.
        function: gives the new value.
        others: the column into which the values go; by default the same.
    """
    rows = table.select(where.arg_true()).to_series()
    values = [function(text) for text in table[name].gather(rows).to_list()]
    column = table.select(pl.col(name) if others is None else others).to_series()
    return table.with_columns(column.scatter(rows, values) if values else column)


def _find_authors(openers: pl.DataFrame) -> list[Author | None]:
    """Return who wrote the messages that open a group; None for notices.

    A header names the author, then the time, with a link to its own message. Where the first of
    these words in a message make up a header, that is its own; elsewhere (somebody typed one of
    them, or the file is not minified) the message is looked at by itself.
    """
    author, time = place_of(_AUTHOR_TAG), place_of("chatlog__timestamp")
    from_time = pl.col("html").cast(pl.Binary).bin.slice(time, _LINK_WITHIN)
    link = from_time.cast(pl.String, strict=False).str.extract(_TIME_WITH_LINK)
    before = pl.col("html").cast(pl.Binary).bin.slice(author, (time - author).clip(0))
    is_own = link == pl.col("message_id")
    headers = openers.select(pl.when(is_own).then(before)).to_series().to_list()
    authors = [read_author(header) if header else None for header in headers]
    for row in openers["is_system"].not_().arg_true():
        if authors[row] is None:
            authors[row] = find_author(
                openers["html"][row].encode(), openers["message_id"][row].encode()
            )
    return authors


def _author_columns(authors: list[Author | None]) -> pl.DataFrame:
    rows = {author: row for row, author in enumerate(dict.fromkeys(authors))}
    nobody = (None,) * len(_AUTHOR)
    table = pl.DataFrame([author or nobody for author in rows], schema=_AUTHOR, orient="row")
    return table.select(pl.all().gather([rows[author] for author in authors]))


def texts(values: Sequence[bytes | None]) -> pl.Series:
    """Return a column of text; what is not UTF-8 is replaced."""
    try:
        return pl.Series(values, dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series([value and decode(value) for value in values], dtype=pl.String)


def _check_layout(start: bytes, path: Path) -> None:
    """Refuse what is not an export by 2.34 or newer, by the classes in its first bytes."""
    if not start.strip():
        raise OddExportError("empty", f"{path} is empty")
    if b"chatlog__message-container" in start:
        return
    if b"chatlog__message" in start or b"info__guild-name" in start:
        raise OddExportError(
            "too_old", f"{path} was made by a version of DiscordChatExporter older than 2.34"
        )
    raise OddExportError(
        "no_export",
        f"{path} is not an HTML export of DiscordChatExporter, or was cut off before its first "
        "message",
    )


def _declared_messages(end: bytes) -> int | None:
    """Return the count of the closing line, whatever digits and separators its language has."""
    declared = _DECLARED.findall(end)
    digits = re.sub(r"\D", "", html.unescape(decode(declared[-1]))) if declared else ""
    return int(digits) if digits else None
