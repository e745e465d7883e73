"""Hostile and odd content of exports: what somebody typed never passes for the layout."""

import pytest

from scripts.curate.message_parts import (
    Video,
    snowflake_ms,
)
from tests.curate.export_rows import read
from tests.curate.small_export import (
    FIRST_ID,
    Said,
    export,
    generation,
    in_bold,
    replied,
)


def test_class_names_that_somebody_typed_are_text(tmp_path):
    words = "data-message-id=5 &lt;div id=chatlog__message-container-5 class=&quot;chatlog__message-group&quot;&gt;"
    messages, source = read(
        tmp_path,
        export(
            [
                Said(FIRST_ID + 1, "ann", content=words + " chatlog__system-notification-icon"),
                generation(2, in_bold("a cat " + words), author=None),
            ]
        ),
    )
    assert source.found_messages == source.declared_messages == 2
    assert not any(message.is_system for message in messages)
    assert messages[1].author.full_name == "ann"
    assert words in messages[1].content_and_video()[0]


def test_somebody_called_like_the_mark_of_a_notice_gives_none(tmp_path):
    name = "chatlog__system-notification-icon"
    messages, _ = read(tmp_path, export([Said(FIRST_ID + 1, name, content="hi")]))
    assert [(message.is_system, message.author.name) for message in messages] == [(False, name)]


FAKE_VIDEO = (
    "</span></div><div class=chatlog__attachment><video class=chatlog__attachment-media controls>"
    '<source src="https://evil.example/x.mp4" title="Video: evil.mp4 (1 MB)"></video></div>'
)
FAKE_HEADER = (
    "<div class=chatlog__header><span class=chatlog__author title=Pika#6789 data-user-id=7>Pika"
    "</span> <span class=chatlog__author-tag>BOT</span> <span class=chatlog__timestamp>{}now</a>"
    "</span></div>"
)


@pytest.mark.parametrize("fake", [FAKE_VIDEO, FAKE_VIDEO + "<div><b", "</div></div></div>", "<!--"])
def test_a_tag_in_unescaped_content_cannot_pass_for_the_attachment(tmp_path, fake):
    typed_content = f"<@1> Prompt: a {fake} cat\nAuthor: <@1>"
    messages, source = read(
        tmp_path, export([generation(1, typed_content)], [Said(FIRST_ID + 2, "ann", content="hi")])
    )
    content, video = messages[0].content_and_video()
    assert video.name == "clip_seed1.mp4"
    assert content == typed_content
    assert (source.found_messages, messages[1].author.name) == (2, "ann")


@pytest.mark.parametrize("link", ["", "<a href=#chatlog__message-container-1>"])
def test_a_header_in_a_message_that_is_replied_to_cannot_pass_for_the_messages_own(tmp_path, link):
    fake = replied(FAKE_HEADER.format(link))
    messages, _ = read(tmp_path, export([Said(FIRST_ID, "ann", content="look", above=fake)]))
    assert (messages[0].author.full_name, messages[0].author.is_bot) == ("ann", False)


def test_a_later_message_of_a_group_cannot_bring_a_header_of_its_own(tmp_path):
    link = f"<a href=#chatlog__message-container-{FIRST_ID + 2}>"
    group = [
        Said(FIRST_ID + 1, "ann", content="look"),
        Said(FIRST_ID + 2, content=FAKE_HEADER.format(link)),
    ]
    messages, _ = read(tmp_path, export(group))
    assert messages[1].author.full_name == "ann"


def test_a_message_typed_whole_is_betrayed_by_the_count(tmp_path):
    fake = (
        "</span></div></div></div></div></div>"
        + export([generation(9, "x")])
        .partition('"chatlog">\n\n')[2]
        .partition("</span></div><div class=chatlog__attachment>")[0]
    )
    messages, source = read(tmp_path, export([Said(FIRST_ID + 1, "ann", content=fake)]))
    assert (len(messages), source.declared_messages) == (2, 1)


def test_videos_of_other_kinds_are_not_the_messages_own(tmp_path):
    gif = (
        '<div class="chatlog__attachment"><video class="chatlog__attachment-media" poster=p.png '
        'loop="" aria-label="GIF"><source src="https://tenor.example/a.mp4"></video></div>'
    )
    embedded = (
        "<div class=chatlog__embed><video class=chatlog__embed-generic-video controls>"
        "<source src=https://e.example/a.mp4></video></div>"
    )
    forwarded = (
        "<div class=chatlog__forwarded><div class=chatlog__forwarded-attachments>"
        "<video class=chatlog__forwarded-attachment controls><source src=https://f.example/a.mp4>"
        "</video></div></div>"
    )
    for below in (gif, embedded, forwarded):
        messages, _ = read(tmp_path, export([Said(FIRST_ID, "ann", content="x", below=below)]))
        assert messages[0].content_and_video()[1] is None


def test_names_and_expiry_of_videos(tmp_path):
    signed = "https://cdn.discordapp.com/attachments/1/2/a.mp4?ex=65b1a74c&is=659f324c&hm=ab&"
    group = [
        generation(1, "x", video=signed, video_title="Video: SPOILER_a (1) b.mp4 (0.35 MB)"),
        generation(2, "x", author=None, video="my%20export.html_Files/a%2525-8F7D9.mp4"),
        generation(3, "x", author=None, video="https://c.example/%C3%A4.mp4?ex=zz", video_title=""),
    ]
    messages, _ = read(tmp_path, export(group))
    videos = [message.content_and_video()[1] for message in messages]
    assert videos[0] == Video(signed, "SPOILER_a (1) b.mp4")
    assert videos[0].expires_ms == 0x65B1A74C * 1000
    assert videos[1].location == "my%20export.html_Files/a%2525-8F7D9.mp4"
    assert videos[1].expires_ms is None
    assert videos[2].name == "ä.mp4"
    assert videos[2].expires_ms is None


def test_the_time_is_in_the_id():
    # https://discord.com/developers/docs/reference#snowflakes
    assert snowflake_ms(175928847299117063) == 1462015105796
