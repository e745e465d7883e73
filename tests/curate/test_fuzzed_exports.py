"""Damaged exports: no damage stops the reader, joins two messages, or is read in two ways."""

import random
import re

import pytest

from scripts.common.schemas.curate import MESSAGE_REJECT_REASONS
from scripts.curate import discord_export, extract_messages
from scripts.curate.discord_export import DiscordExport, OddExportError
from tests.curate.small_export import (
    DRESSES,
    FIRST_ID,
    Said,
    emoji,
    export,
    generation,
    in_bold,
    mention,
    replied,
    typed,
    used,
    with_fields,
)

TRIALS = 120
"""Of each kind of damage; all together take half a minute of one core."""
WORDS = [
    "chatlog__reply-author", "chatlog__header", "chatlog__content", "chatlog__author ",
    "chatlog__message-container", "chatlog__message-primary", "chatlog__message-aside",
    "chatlog__message-group", "chatlog__timestamp", "data-message-id=1", "<video class=", "</div>",
    "<span class=chatlog__author title=", "Prompt:", "Author:", "Image: 1 Attachment", '"', "<", ">",
    "Message: 1 Attachment", "-motion 2", "&quot;", "&#", "</strong> - ", "used /animate",
]  # fmt: skip


def channel(dress, note=""):
    """Return a channel of two people and the bot; ``note`` is typed into everything."""
    note = typed(note)
    groups = []
    for start in range(0, 60, 10):
        groups += [
            [
                Said(FIRST_ID + start + 1, "ann", content=f"hello {note}"),
                Said(FIRST_ID + start + 2, content="my holiday", video="https://cdn.example/x.mp4"),
            ],
            [
                generation(start + 3, with_fields(f"a cat {note} {start} -gs 9", "ann"),
                           above=used("animate", "ann", dress)),
                generation(start + 4, in_bold(f"dog {note} {start} {emoji('x')} -motion 2", "bob"),
                           author=None, is_edited=True),
                Said(FIRST_ID + start + 5, content=f"<strong>q</strong> - {mention('ann')} (12%)"),
            ],
            [Said(FIRST_ID + start + 6, notice="joined the server.")],
            [Said(FIRST_ID + start + 7, "bob#1234", content=f"{note}", above=replied(note, dress))],
            [generation(start + 8, with_fields(f"a {note}hat {start}", "eve", one_line=True))],
            [Said(FIRST_ID + start + 9, "Other#1", is_bot=True, content="x", video="https://y/z.mp4")],
        ]  # fmt: skip
    return export(*groups, dress=dress).encode()


def rows_of(path, *, usual):
    """Return the kept rows and (id, reason) of the others; ``usual`` takes the short cuts."""
    with pytest.MonkeyPatch.context() as patch:
        if not usual:
            patch.setattr(extract_messages, "match_usual", lambda content: None)
            patch.setattr(discord_export, "_AUTHOR_TAG", "\x00")
            patch.setattr(discord_export, "_MESSAGE_TAG", discord_export._ODD_MESSAGE_TAG)
        source, kept, rejected = DiscordExport(path), [], []
        try:
            for table in source.messages():
                good, bad = extract_messages._read_messages(table, bot_names=["Pika"], bot_ids=[])
                kept += good.rows(named=True)
                rejected += bad.rows()
        except OddExportError as error:
            rejected.append((None, error.reason))
    assert source.found_messages == len(kept) + sum(name is not None for name, _ in rejected)
    return kept, rejected


def read(folder, document):
    path = folder / "export.html"
    path.write_bytes(document)
    kept, rejected = rows_of(path, usual=True)
    assert (kept, rejected) == rows_of(path, usual=False)
    return kept


def flip(document, random):
    place = random.randrange(document.index(b'"chatlog">'), len(document))
    other = random.choice(b"\x00\x20<>\"'&=/-a0\xff")
    return document[:place] + bytes([other]) + document[place + 1 :]


def flip_bit(document, random):
    place = random.randrange(document.index(b'"chatlog">'), len(document))
    byte = document[place] ^ (1 << random.randrange(8))
    return document[:place] + bytes([byte]) + document[place + 1 :]


def cut(document, random):
    start = random.randrange(document.index(b'"chatlog">'), len(document))
    return document[:start] + document[start + random.randrange(1, 3000) :]


def splice(document, random):
    start, other = random.randrange(len(document)), random.randrange(len(document))
    return document[:start] + document[other : other + random.randrange(1, 3000)] + document[start:]


def insert_word(document, random):
    place = random.randrange(document.index(b'"chatlog">'), len(document))
    return document[:place] + random.choice(WORDS).encode() + document[place:]


def of_messages(rows):
    """Return id -> (prompt, video)."""
    return {row["message_id"]: (row["prompt"], row["video"]) for row in rows}


@pytest.mark.parametrize("damage", [flip, flip_bit, insert_word])
def test_a_damaged_place_never_joins_two_messages(tmp_path, damage):
    document = channel(DRESSES["minified"])
    truth = of_messages(read(tmp_path, document))
    assert len(truth) == 18
    chance = random.Random(damage.__name__)
    for _ in range(TRIALS):
        broken = damage(document, chance)
        for message, (prompt, video) in of_messages(read(tmp_path, broken)).items():
            assert message in truth, "an id, once damaged, differs from its copy in the same tag"
            is_same = [prompt == truth[message][0], video == truth[message][1]]
            assert any(is_same), (prompt, video, truth[message])
            others = [values for name, values in truth.items() if name != message]
            assert all(prompt != other[0] and video != other[1] for other in others), message


@pytest.mark.parametrize("dress", ["minified", "2.34, not minified"])
@pytest.mark.parametrize("damage", [cut, splice])
def test_cuts_and_splices_are_read_in_one_way(tmp_path, damage, dress):
    document = channel(DRESSES[dress])
    truth = of_messages(read(tmp_path, document))
    chance = random.Random(f"{damage.__name__} {dress}")
    for _ in range(TRIALS // 2):
        found = of_messages(read(tmp_path, damage(document, chance)))
        wrong = [name for name, values in found.items() if truth.get(name) != values]
        # Where a cut goes from the middle of one message into that of another, none can tell.
        assert len(wrong) <= 1 + (damage is splice)


@pytest.mark.parametrize("word", WORDS)
def test_words_of_the_layout_are_text_where_somebody_typed_them(tmp_path, word):
    rows = read(tmp_path, channel(DRESSES["minified"], word))
    assert len(rows) == 18
    if not re.search("Author|Prompt|Image|Message|motion", word):
        assert f"a cat {word} 0".split() == rows[0]["prompt"].split()


def test_every_reason_is_of_the_closed_list(tmp_path):
    document, chance = channel(DRESSES["minified"]), random.Random("reasons")
    path, seen = tmp_path / "export.html", set()
    for _ in range(40):
        path.write_bytes(cut(flip(document, chance), chance))
        seen |= {reason for _, reason in rows_of(path, usual=True)[1]}
    assert seen <= set(MESSAGE_REJECT_REASONS) | {"no_message"}
