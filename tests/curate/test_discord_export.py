"""The stream reader of Discord exports: layouts, groups, damage, hostile content."""

import pytest

from scripts.common.errors import UserError
from scripts.curate import discord_export
from scripts.curate.discord_export import DiscordExport
from scripts.curate.message_parts import (
    Video,
    snowflake_ms,
)
from tests.curate.export_rows import read, rows_of
from tests.curate.small_export import (
    DRESSES,
    FIRST_ID,
    SHARED,
    Said,
    container,
    export,
    generation,
    in_bold,
    replied,
    used,
    with_fields,
)

REAL = sorted((SHARED / "real").glob("*.html")) or [
    pytest.param(
        None, marks=pytest.mark.skip(reason="there are no real exports beside the project")
    )
]
NEW = [path for path in REAL if not str(path).endswith("legacy-bots.html")]


def conversation(dress=DRESSES["minified"]) -> list[list[Said]]:
    return [
        [
            Said(FIRST_ID + 1, "ann", content="hello"),
            Said(FIRST_ID + 2, content="a holiday", video="https://cdn/x.mp4", is_edited=True),
        ],
        [Said(FIRST_ID + 3, notice="joined the server.")],
        [
            generation(4, with_fields("a cat"), above=used("animate", "ann", dress)),
            generation(5, in_bold("a dog"), author=None, is_edited=True),
        ],
        [Said(FIRST_ID + 6, "bob#1234", content="thanks", above=replied("a dog", dress))],
        [Said(FIRST_ID + 7, "Midjourney Bot#9282", is_bot=True, content="<strong>a</strong>")],
    ]


@pytest.mark.parametrize("dress", DRESSES.values(), ids=DRESSES.keys())
def test_every_dress_of_the_layout_gives_the_same_messages(tmp_path, dress):
    messages, source = read(tmp_path, export(*conversation(dress), dress=dress))
    assert [message.message_id - FIRST_ID for message in messages] == [1, 2, 3, 4, 5, 6, 7]
    assert source.declared_messages == source.found_messages == 7
    assert all(message.is_complete for message in messages)
    assert [message.is_system for message in messages] == [False, False, True, *[False] * 4]
    authors = [
        message.author and (message.author.full_name, message.author.is_bot) for message in messages
    ]
    assert authors == [
        ("ann", False),
        ("ann", False),
        None,
        ("Pika#6789", True),
        ("Pika#6789", True),
        ("bob#1234", False),
        ("Midjourney Bot#9282", True),
    ]
    assert messages[3].author.name == "Pika"
    content, video = messages[3].content_and_video()
    assert content == with_fields("a cat")
    assert video == Video(
        "https://cdn.discordapp.com/attachments/1/4/clip_seed4.mp4", "clip_seed4.mp4"
    )
    assert messages[4].content_and_video()[0] == in_bold("a dog")
    assert messages[1].content_and_video()[1].location == "https://cdn/x.mp4"
    assert messages[6].content_and_video() == ("", None)
    commands = [message.interaction() for message in messages]
    assert (commands[3].command, commands[3].user) == ("animate", "ann")
    assert commands[:3] + commands[4:] == [None] * 6  # the reply of bob is no command


def test_windows_line_ends_are_read(tmp_path):
    messages, source = read(tmp_path, export(*conversation()).replace("\n", "\r\n"))
    assert [message.message_id - FIRST_ID for message in messages] == [1, 2, 3, 4, 5, 6, 7]
    assert source.declared_messages == 7


def test_the_newest_may_come_first(tmp_path):
    """In this order of 2.47 a group's newest message, which stands first, names the author."""
    groups = [
        [Said(FIRST_ID + 7, "bob", content="thanks", above=replied("a dog"))],
        [generation(6, in_bold("a dog")), generation(5, with_fields("a cat"), author=None)],
        [Said(FIRST_ID + 4, notice="joined."), Said(FIRST_ID + 3, notice="pinned a message.")],
        [Said(FIRST_ID + 2, "ann", content="you?"), Said(FIRST_ID + 1, content="hello")],
    ]
    messages, source = read(tmp_path, export(*groups))
    assert [message.message_id - FIRST_ID for message in messages] == [7, 6, 5, 4, 3, 2, 1]
    assert [message.author and message.author.name for message in messages] == [
        "bob", "Pika", "Pika", None, None, "ann", "ann",
    ]  # fmt: skip
    assert source.declared_messages == 7


def test_every_byte_is_reported_as_read(tmp_path, monkeypatch):
    monkeypatch.setattr(discord_export, "BLOCK_BYTES", 1000)
    path = tmp_path / "export.html"
    path.write_text(export(*conversation()))
    reported = []
    list(DiscordExport(path, on_read=reported.append).messages())
    assert sum(reported) == path.stat().st_size
    assert len(reported) > 2


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_blocks_may_end_anywhere(tmp_path, monkeypatch, size):
    whole, _ = read(tmp_path, export(*conversation()))
    original = discord_export._check_layout
    document = export(*conversation()).encode()
    monkeypatch.setattr(discord_export, "BLOCK_BYTES", size)
    monkeypatch.setattr(discord_export, "TABLE_BYTES", 3 * size)
    # The layout is decided by the first block, which is larger than any head in real life.
    monkeypatch.setattr(discord_export, "_check_layout", lambda _, path: original(document, path))
    assert read(tmp_path, document)[0] == whole


@pytest.mark.parametrize("path", NEW, ids=str)
def test_every_message_of_a_real_export_is_found(path):
    source = DiscordExport(path)
    messages = rows_of(source)
    assert len(messages) == source.declared_messages == source.found_messages
    assert len({message.message_id for message in messages}) == len(messages)
    assert all(message.author or message.is_system for message in messages)
    times = [snowflake_ms(message.message_id) for message in messages]
    assert times == sorted(times)


@pytest.mark.parametrize("path", NEW, ids=str)
def test_content_and_authors_agree_with_a_parser_that_builds_a_tree(path):
    selectolax = pytest.importorskip("selectolax.lexbor", reason="selectolax is not installed")
    tree = selectolax.LexborHTMLParser(path.read_text(encoding="utf-8"))
    expected = []
    for group in tree.css(".chatlog__message-group"):
        author = group.css_first(".chatlog__author")
        tag = group.css_first(".chatlog__author-tag")
        for node in group.css(".chatlog__message-container"):
            video = node.css_first(".chatlog__attachment > video > source")
            expected.append(
                (
                    int(node.attributes["data-message-id"]),
                    author and author.attributes["title"],
                    tag is not None,
                    video and video.attributes["src"],
                )
            )
    found = []
    for message in rows_of(DiscordExport(path)):
        author, video = message.author, message.content_and_video()[1]
        found.append(
            (
                message.message_id,
                author and author.full_name,
                bool(author and author.is_bot),
                video and video.location,
            )
        )
    assert found == expected


# What cannot be read is refused in one sentence.

OLD = '<html><body><div class="chatlog"><div class="chatlog__message-group">'
OTHER_TOOL = export([Said(1, "ann", content="hi")]).replace(
    "chatlog__author", "chatlog__author-name"
)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "is empty; export the channel again"),
        (" \n", "is empty; export the channel again"),
        (OLD + '<div class="chatlog__messages">', "older than 2.34; export the channel again"),
        ("<div class=info__guild-name>G</div>", "older than 2.34; export the channel again"),
        ("<html><body><p>A page about cats</p></body></html>", "is not an HTML export"),
        ('{"guild": {"id": "1"}, "messages": []}', "is not an HTML export"),
        (export().encode("utf-16"), "is not an HTML export"),
        (b"\x00\x01\x02\xff" * 100, "is not an HTML export"),
        (OTHER_TOOL, "another tool made it; export the channel again"),
    ],
)
def test_what_is_no_export_of_a_known_layout_is_refused(tmp_path, document, words):
    with pytest.raises(UserError, match=words) as error:
        read(tmp_path, document)
    assert "export.html" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_real_old_export_is_refused():
    path = SHARED / "real" / "dce-2.15-legacy-bots.html"
    if not path.exists():
        pytest.skip("there are no real exports beside the project")
    with pytest.raises(UserError, match=r"older than 2\.34; export the channel again"):
        list(DiscordExport(path).messages())


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(UserError, match=r"none\.html is missing"):
        list(DiscordExport(tmp_path / "none.html").messages())
    with pytest.raises(UserError, match="is a folder"):
        list(DiscordExport(tmp_path).messages())


def test_a_channel_without_messages_is_an_export(tmp_path):
    messages, source = read(tmp_path, export())
    assert messages == []
    assert source.declared_messages == source.found_messages == 0


# Damage.


def test_a_file_cut_anywhere_gives_what_stands_before_the_cut(tmp_path):
    text = export(*conversation())
    whole, _ = read(tmp_path, text)
    document = text.encode()
    ends = []
    for said in (said for group in conversation() for said in group):
        written = container(said).encode()
        ends.append(document.index(written) + len(written))
    # Every place around the end of a message and in the last lines, and every ninth elsewhere.
    places = set(range(document.index(b"</style>"), len(document), 9))
    places |= {end + step for end in ends for step in range(-30, 10)}
    places |= set(range(ends[-1], len(document)))
    for end in sorted(places):
        messages, source = read(tmp_path, document[:end])
        ids = [message.message_id for message in messages]
        assert ids == [message.message_id for message in whole[: len(ids)]]
        complete = [message for message in messages if message.is_complete]
        assert len(complete) == sum(position <= end for position in ends)
        assert len(messages) - len(complete) <= 1
        for message, original in zip(complete, whole, strict=False):
            assert (message.author, message.is_system) == (original.author, original.is_system)
            assert message.content_and_video() == original.content_and_video()
        is_counted = end >= document.index(b"message(s)") + len(b"message(s)")
        assert source.declared_messages == (7 if is_counted else None)


@pytest.mark.parametrize(
    "written",
    ["1072", "1,072", "1.072", "1&#160;072", "1\u00a0072", "1\u202f072", "1’072", "1&#39;072",
     "1&#x66C;072", "1٬072", "١٬٠٧٢", "१,०७२", "1٬072\u200f"],
)  # fmt: skip
def test_the_count_may_be_written_as_in_any_country(tmp_path, written):
    _, source = read(tmp_path, export(*conversation(), declared=written))
    assert source.declared_messages == 1072


def test_millions_in_the_indian_way(tmp_path):
    _, source = read(tmp_path, export(*conversation(), declared="12,34,567"))
    assert source.declared_messages == 1_234_567


def test_bytes_that_are_not_utf8_cost_one_character_each(tmp_path):
    document = export([generation(1, with_fields("a c&#255;t"))]).encode()
    document = document.replace(b"c&#255;t", b"c\xfft").replace(b"clip_seed1", b"clip\x80seed1")
    messages, _ = read(tmp_path, document)
    content, video = messages[0].content_and_video()
    assert "a c\ufffdt" in content
    assert video.name == "clip\ufffdseed1.mp4"


def test_the_loss_of_a_groups_beginning_leaves_no_wrong_author(tmp_path):
    document = export(*conversation())
    start = document.index("<div class=chatlog__message-group>", document.index("joined"))
    header = document.index("<div class=chatlog__message-aside>", start)
    end = document.index('<div class="chatlog__content', header)
    messages, _ = read(tmp_path, document[:header] + document[end:])
    assert [message.author for message in messages[3:5]] == [None, None]


def test_endless_rubbish_is_an_error_and_not_endless_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(discord_export, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(discord_export, "LONGEST_MESSAGE_BYTES", 20_000)
    document = export(*conversation()).replace("thanks", "x" * 50_000)
    with pytest.raises(UserError, match="damaged there; export the channel again"):
        read(tmp_path, document)
    with pytest.raises(UserError, match="damaged there; export the channel again"):
        read(tmp_path, export(*conversation()).replace("thanks", " data-message-id=" * 5000))
