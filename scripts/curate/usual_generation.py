"""A short cut for generations that look as most of them do: read in columns, not one by one.

One regular expression finds all there is in a message in fields or in bold, in a minified file;
everything else is left to `content_and_video` and `read_generation`. What both can read comes out
the same, at a fifth of the cost here, because a column is decoded, cleaned and split in a few
calls. Single rows that need more (tags, a rare entity, odd white space, the words of a field) go
through the functions that all others go through.
"""

import html
import re
from collections.abc import Sequence
from functools import lru_cache

import polars as pl

from scripts.curate.discord_export import change, texts
from scripts.curate.message_parts import FILE_SIZE, LINK_EXPIRY
from scripts.curate.message_text import LONGEST_TEXT, NOBODY, fold, without_tags
from scripts.curate.pika_message import IMAGE_TO_VIDEO, TEXT_TO_VIDEO, UNKNOWN, cut_fields
from scripts.curate.pika_parameters import split_parameters

# What was typed: text and the tags of markdown, but for the bot's own bold labels, the end of its
# bold, and control characters, which have a meaning in marked text. The sign `+` behind a
# repetition forbids to try it shorter, which can find nothing here.
_TEXT = rb"[^<\x00-\x08\x0e-\x1f]*+"
_TAG = (
    rb"<(?!strong>(?:Image|Message|Author):|/strong> - <span)"
    rb"(?:(?:img|/?(?:a|em|u|s|code|strong))\b[^<>\x00-\x08\x0e-\x1f]*+>"
    rb'|span class="chatlog__markdown-spoiler\b[^<>\x00-\x1f]*+>[^<\x00-\x08\x0e-\x1f]*+</span>)'
)
_PARTS = {
    b"typed": rb"(%s(?:%s%s)*+)" % (_TEXT, _TAG, _TEXT),
    b"mention": rb'<span class="chatlog__markdown-mention" title="([^"\x00-\x1f]*)">[^<]*</span>',
}
_FIELDS = (
    rb"(?:%(mention)s )?(?:<strong>)?Prompt:(?:</strong>)?%(typed)s"
    rb"((?<=\s)<strong>Image:</strong> 1 Attachment\s+)?"
    rb"(?:(?<=\sAuthor: )|(?<=\s)(?<!Author: )<strong>Author:</strong> )%(mention)s\)?" % _PARTS
)
_BOLD = rb"<strong>(?![^<]*Prompt:)%(typed)s</strong> - %(mention)s" % _PARTS
_USUAL = re.compile(
    rb'<div class="chatlog__content chatlog__markdown"><span class=chatlog__markdown-preserve>'
    rb"(?:%s|%s)</span>"
    rb"(?: <span class=chatlog__edited-timestamp [^<>]*>[^<]*</span>)?</div>"
    rb"<div class=chatlog__attachment><video class=chatlog__attachment-media controls>"
    rb'<source src=(?:"([^"]+)"|([^\s"\'<>=]+)) alt="Video attachment" title="Video: ([^"]*)">'
    % (_FIELDS, _BOLD)
)
CONTENT_TAG = '<div class="chatlog__content'
_PIECES = (
    "mentioned", "fields", "image_label", "author",
    "bold", "signature",
    "quoted_location", "bare_location", "video_name",
)  # fmt: skip
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'"}
_IMAGE_FIELD = r"(?:^|\s)Image: 1 Attachment$"
_ODD_SPACE = r"\s\s|[^\S ]"
_FROM_FIRST_DASH_ON = r"(?:^| )([^ –—-]*[–—-].*)$"
_TIME = pl.Datetime("ms", "UTC")
_PARAMETERS = {
    "negative_prompt": pl.String,
    "motion": pl.Int32,
    "guidance_scale": pl.Float64,
    "aspect_ratio": pl.String,
    "camera": pl.List(pl.String),
    "fps": pl.Int32,
    "seed": pl.Int64,
    "other_parameters": pl.String,
}
GENERATION = {
    "prompt": pl.String,
    **_PARAMETERS,
    "kind": pl.String,
    "requester": pl.String,
    "video": pl.String,
    "video_name": pl.String,
    "video_expires_utc": _TIME,
}
"""The columns of ``MESSAGES`` that say what was generated."""


_split = lru_cache(maxsize=1 << 13)(split_parameters)


def match_usual(content: bytes) -> tuple[bytes | None, ...] | None:
    """Return the pieces of a message, for ``read_usual``; None if it does not look as usual.

    Args:
        content: what the message's container holds from ``CONTENT_TAG`` on.
    """
    found = _USUAL.match(content)
    if found is None or found.end() >= LONGEST_TEXT:
        return None
    # Of several attachments, which may all be damage, the content goes on to the last.
    return None if content.find(b"chatlog__attachment", found.end()) >= 0 else found.groups()


def read_usual(pieces: Sequence[bytes | None]) -> pl.DataFrame:
    """Return ``GENERATION`` of the pieces of messages, one message's after the other's."""
    found = pl.DataFrame(
        {name: texts(pieces[place :: len(_PIECES)]) for place, name in enumerate(_PIECES)}
    )
    user = pl.col("author", "mentioned", "signature").replace([NOBODY, ""], [None, None])
    table = found.select(
        "video_name",
        typed=pl.coalesce("bold", pl.col("fields").str.strip_suffix("Author: ")),
        has_image=pl.col("image_label").is_not_null(),
        is_bold=pl.col("bold").is_not_null(),
        requester=pl.coalesce(user),
        video=pl.coalesce("quoted_location", "bare_location"),
    )
    table = change(table, "typed", pl.col("typed").str.contains("<", literal=True), without_tags)
    table = _unescape(table, ["typed", "requester", "video", "video_name"])
    table = _split_parameters(_fold(_cut_fields(table)))
    expiry = pl.col("video").str.extract(LINK_EXPIRY).str.to_integer(base=16, dtype=pl.Int64)
    return table.with_columns(
        pl.col("video_name").str.replace(FILE_SIZE, ""),
        kind=pl.when("has_image").then(pl.lit(IMAGE_TO_VIDEO))
        .when("is_bold").then(pl.lit(UNKNOWN))
        .otherwise(pl.lit(TEXT_TO_VIDEO)),
        video_expires_utc=(expiry * 1000).cast(_TIME),
    ).select(GENERATION.keys())  # fmt: skip


def _unescape(table: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Make columns as ``html.unescape`` makes texts."""
    known, meant = list(_ENTITIES), list(_ENTITIES.values())
    for name in names:
        text = pl.col(name).str
        is_rare = text.replace_many(known, [""] * len(known)).str.contains("&", literal=True)
        table = change(table, name, is_rare, html.unescape, text.replace_many(known, meant))
    return table


def _cut_fields(table: pl.DataFrame) -> pl.DataFrame:
    """Cut the fields off the end of what was typed, and note whether they name an image."""
    typed = pl.col("typed").str.strip_chars_end()
    has_image = pl.col("has_image") | typed.str.contains(_IMAGE_FIELD)
    table = table.with_columns(typed.str.replace(_IMAGE_FIELD, ""), has_image=has_image)
    others = pl.col("typed").str.contains_any(["Image:", "Message:"])
    is_named = others & ~pl.col("has_image")
    table = change(table, "typed", is_named, _names_image, pl.col("has_image"))
    return change(table, "typed", others, _without_fields)


def _names_image(text: str) -> bool:
    return "Image:" in cut_fields(text)[1]


def _without_fields(text: str) -> str:
    return cut_fields(text)[0]


def _fold(table: pl.DataFrame) -> pl.DataFrame:
    """Make what was typed as ``fold`` makes it."""
    table = table.with_columns(pl.col("typed").str.strip_chars())
    return change(table, "typed", pl.col("typed").str.contains(_ODD_SPACE), fold)


def _split_parameters(table: pl.DataFrame) -> pl.DataFrame:
    """Part what was typed into prompt and parameters; users give few different combinations."""
    table = table.with_columns(tail=pl.col("typed").str.extract(_FROM_FIRST_DASH_ON))
    tails = table["tail"].drop_nulls().unique()
    rests, parameters = zip(*map(_split, tails.to_list()), strict=True) if len(tails) else ((), ())
    values = zip(*parameters, strict=True) if parameters else [()] * len(_PARAMETERS)
    columns = dict(zip(("tail", "rest", *_PARAMETERS), (tails, rests, *values), strict=True))
    known = pl.DataFrame(columns, schema={"tail": pl.String, "rest": pl.String, **_PARAMETERS})
    head = pl.col("typed").str.strip_suffix(pl.col("tail").fill_null("")).str.strip_chars_end()
    prompt = pl.concat_str(head, "rest", separator=" ", ignore_nulls=True).str.strip_chars()
    return table.join(known, on="tail", how="left", maintain_order="left").with_columns(
        prompt=prompt
    )
