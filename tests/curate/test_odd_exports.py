"""Exports as people have them: forged attachments, other writers' attributes, files that are none."""

import re
import time

import pytest

from scripts.common.errors import UserError
from scripts.common.schemas.curate import EXPORT_REASONS, EXPORTS
from scripts.common.tables import read_table
from scripts.curate.collect_prompts import collect_prompts
from scripts.curate.extract_messages import extract_messages
from scripts.curate.graph import find_exports
from scripts.curate.html_tags import read_attributes
from scripts.curate.message_parts import find_author
from tests.curate.small_export import (
    DRESSES,
    FIRST_ID,
    SHARED,
    Said,
    emoji,
    export,
    generation,
    in_bold,
    mention,
    used,
    with_fields,
)

REAL = [
    path
    for path in sorted((SHARED / "real").glob("*.html")) + sorted((SHARED / "pika").glob("*.html"))
    if path.name != "dce-2.15-legacy-bots.html"
]


def extract(folder, document, **settings):
    """Return messages, (id -> reason) of the others, the row of the export, and the counts."""
    path = folder / "export.html"
    path.write_bytes(document if isinstance(document, bytes) else document.encode())
    tables = [folder / name for name in ("messages", "rejects", "state")]
    counts = extract_messages(path, *tables, **({"bot_names": ["Pika"]} | settings))
    rows, rejects, [state] = (read_table(table).to_pylist() for table in tables)
    assert set(read_table(tables[2], EXPORTS).column_names) == set(EXPORTS.names)
    return rows, {row["message_id"]: row["reason"] for row in rejects}, state, counts


GENERATIONS = [generation(1, with_fields("a cat"), above=used("animate", "ann")),
               generation(2, in_bold(f"a dog {emoji('x')}"), author=None, is_edited=True)]  # fmt: skip


# Which files are exports.


def test_what_was_attached_to_a_message_is_no_export(tmp_path):
    for name in ("a.html", "B.HTML", "c.htm", "sub/d.html", "a.html_Files/forged-1A2B3.html",
                 "sub/d.html_Files/deep/page.html", "notes.txt"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(export(GENERATIONS))
    (tmp_path / "folder.html").mkdir()
    assert set(find_exports(str(tmp_path), made_up=False)) == {"a", "B", "c", "d"}
    found = find_exports(str(tmp_path), ["sub", "*_Files"], made_up=False)
    assert set(found) == {"a", "B", "c"}


def test_the_folder_of_exports_may_itself_be_called_like_a_media_folder(tmp_path):
    (tmp_path / "all_Files").mkdir()
    (tmp_path / "all_Files" / "a.html").touch()
    assert set(find_exports(str(tmp_path / "all_Files"), made_up=False)) == {"a"}


# Who the bot is.


def test_a_borrowed_name_is_no_bot_where_the_id_is_known(tmp_path):
    document = export(
        GENERATIONS,
        [generation(3, in_bold("forged"), author="Pika#0001", user_id=666)],
        [generation(4, in_bold("renamed"), author="Pika Labs#1", user_id=7)],
    )
    rows, rejects, state, _ = extract(tmp_path, document)
    assert [row["prompt"] for row in rows] == ["a cat", "a dog x", "forged"]
    assert state["bot_ids"] == ["666", "7"]
    rows, rejects, state, _ = extract(tmp_path, document, bot_ids=["7"])
    assert [row["prompt"] for row in rows] == ["a cat", "a dog x", "renamed"]
    assert list(rejects.values()) == ["borrowed_name"]


def test_an_id_is_no_bot_without_the_bots_mark(tmp_path):
    person = Said(
        FIRST_ID + 5, "Pika#6789", content=in_bold("typed"), video="https://x.example/y.mp4"
    )
    rows, rejects, _, _ = extract(tmp_path, export([person]), bot_ids=["7"])
    assert (rows, list(rejects.values())) == ([], ["not_a_bot"])


# Attributes as HTML reads them.


def reorder(document):
    """Return a document with the attributes of each tag in the opposite order, quoted."""

    def turn(tag):
        attributes = re.findall(r"\s[^\s\"'<>/=]+(?:=(?:\"[^\"]*\"|'[^']*'|[^\s>]+))?", tag[2])
        quoted = [re.sub(r"^([^=]+)=([^\"'].*)$", r'\1="\2"', each) for each in attributes]
        return f"<{tag[1]}{''.join(reversed(quoted))}>"

    return re.sub(
        r"<(\w+)((?:\s[^\s\"'<>/=]+(?:=(?:\"[^\"]*\"|'[^']*'|[^\s>]+))?)+)\s*>", turn, document
    )


@pytest.mark.parametrize("dress", DRESSES.values(), ids=DRESSES.keys())
def test_attributes_come_in_any_order(tmp_path, dress):
    group = [GENERATIONS[0].__class__(**(vars(GENERATIONS[0]) | {"above": used("animate", "ann", dress)})),
             GENERATIONS[1]]  # fmt: skip
    document = export(
        [Said(FIRST_ID + 8, "ann", content=f"hi {mention('bob')}")], group,
        [Said(FIRST_ID + 9, notice="joined.")], dress=dress,
    )  # fmt: skip
    expected = extract(tmp_path, document)
    assert len(expected[0]) == 2 and expected[0][0]["command"] == "animate"
    turned = reorder(document)
    assert re.search(r"data-message-id=[\"']?\d+[\"']? class=", turned)
    assert extract(tmp_path, turned)[:2] == expected[:2]


@pytest.mark.skipif(not REAL, reason="there are no exports beside the project")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_exports_say_the_same_with_their_attributes_in_another_order(tmp_path, path):
    document = path.read_text(encoding="utf-8")
    assert extract(tmp_path, reorder(document))[:2] == extract(tmp_path, document)[:2]


def test_quoted_values_may_hold_brackets(tmp_path):
    """The exporter's minifier decodes `&lt;` where quotes make that safe."""
    name = "I <3 cats > dogs"
    loved = mention("x").replace('title="x"', f'title="{name}"')
    content = f"{mention('ann')} Prompt: a cat for {loved}\nImage: 1 Attachment\nAuthor: {loved}"
    rows, rejects, _, _ = extract(
        tmp_path,
        export([Said(FIRST_ID, name, content="hello")],
               [generation(1, content, above=used("animate", name))]),
    )  # fmt: skip
    assert list(rejects.values()) == ["not_a_bot"]  # and not no_author
    [row] = rows
    assert (row["prompt"], row["requester"]) == ("a cat for @user", name)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (" a=1 b='2 > 1' c=\"<3\"", {"a": "1", "b": "2 > 1", "c": "<3"}),
        (' title="x" title="y"', {"title": "x"}),
        (" a = 'x' b", {"a": "x"}),
        (" href=/?a=b&amp;c alt=O'Brien", {"href": "/?a=b&c", "alt": "O'Brien"}),
        (' title="src=evil" src=good', {"title": "src=evil", "src": "good"}),
        (' title=""', {"title": ""}),
    ],
)
def test_attributes_are_read_as_html_reads_them(tag, expected):
    assert read_attributes(tag) == expected


# Files that are no exports.

RESERIALISED = export(GENERATIONS).replace("data-message-id", "data-id")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("", "empty"),
        ("<html><p>A page about cats</p>", "no_export"),
        ("<div class=info__guild-name>G</div>", "too_old"),
        (export(GENERATIONS).replace("chatlog__author", "chatlog__name"), "other_tool"),
        (RESERIALISED, "no_message"),
    ],
)
def test_an_odd_file_is_skipped_with_its_reason_or_stops_the_run(tmp_path, document, reason):
    rows, _, state, counts = extract(tmp_path, document, odd_exports="skip")
    assert (rows, state["status"], state["reason"]) == ([], "rejected", reason)
    assert reason in EXPORT_REASONS
    [note] = counts.notes
    assert "export.html" in note and "export the channel again" in note
    with pytest.raises(UserError):
        extract(tmp_path, document, odd_exports="stop")


def test_what_stands_before_the_damage_is_kept(tmp_path, monkeypatch):
    from scripts.curate import discord_export

    monkeypatch.setattr(discord_export, "LONGEST_MESSAGE_BYTES", 10_000)
    monkeypatch.setattr(discord_export, "BLOCK_BYTES", 4_000)
    monkeypatch.setattr(discord_export, "TABLE_BYTES", 1_000)
    groups = [[generation(number, in_bold("a cat"))] for number in range(20)]
    document = export(*groups) + "x" * 30_000
    rows, _, state, counts = extract(tmp_path, document, odd_exports="skip")
    assert (state["reason"], len(rows), state["found_messages"]) == ("damaged", 19, 19)
    assert counts.kept == 19 and "no new message" in counts.notes[0]


def test_no_message_of_many_is_an_error_that_says_what_the_file_looks_like(tmp_path):
    with pytest.raises(UserError, match=r"says 'Exported 2 message\(s\)'.*data-id=") as error:
        extract(tmp_path, RESERIALISED)
    assert "\n" not in str(error.value)


def test_attributes_may_stand_apart_from_their_values(tmp_path):
    document = export(GENERATIONS)
    spaced = re.sub(r"(<(?:div|span|a)[^<>]*?)=", r"\1 = ", document)
    assert " id = " in spaced and spaced != document
    assert extract(tmp_path, spaced)[:2] == extract(tmp_path, document)[:2]


def test_a_file_whose_tags_are_not_known_and_that_has_no_count_is_odd(tmp_path):
    """And not an export that was cut off before its first message, which has nothing to lose."""
    document = export(GENERATIONS)
    shouted = re.sub(r"</?[a-z]+", lambda tag: tag[0].upper(), document)
    with pytest.raises(UserError, match=r"no closing line, but holds no message .*<DIV "):
        extract(tmp_path, shouted)
    cut_off = document[: document.index("data-message-id=")]
    assert "cut off" in extract(tmp_path, cut_off)[3].notes[0]


def test_a_good_export_says_so(tmp_path):
    _, _, state, _ = extract(tmp_path, export(GENERATIONS))
    assert (state["file"], state["status"], state["reason"]) == ("export.html", "ok", None)
    assert (state["found_messages"], state["declared_messages"]) == (2, 2)


# Damage.


def test_a_prompt_with_the_words_of_a_reply_does_not_lose_the_export(tmp_path):
    content = with_fields("a chatlog__reply-author in chatlog__header")
    rows, _, _, _ = extract(tmp_path, export([generation(1, content)]))
    assert [row["prompt"] for row in rows] == ["a chatlog__reply-author in chatlog__header"]


@pytest.mark.parametrize("lost", ["id=chatlog", "data-message-id", "<div id"])
def test_a_message_in_which_another_begins_is_rejected(tmp_path, lost):
    """What the bot said before its video was done is not joined with somebody else's video."""
    first = Said(FIRST_ID + 1, "Pika#6789", is_bot=True, content=with_fields("a cat") + " (12%)")
    second = generation(2, with_fields("a dog", "bob"), author=None)
    after = Said(FIRST_ID + 3, content=in_bold("whose?"), video="https://x.example/y.mp4")
    document = export([first, second, after])
    place = document.index(lost, document.index(str(FIRST_ID + 2)) - 40)
    broken = document[:place] + "#" + document[place + 1 :]
    rows, rejects, _, counts = extract(tmp_path, broken)
    assert (rows, counts.lost) == ([], 1)
    assert rejects == {str(FIRST_ID + 1): "torn", str(FIRST_ID + 3): "no_author"}


@pytest.mark.parametrize("content", [in_bold("my own"), None])
def test_a_group_whose_beginning_is_lost_is_not_given_to_the_author_before(tmp_path, content):
    video = {"content": content, "video": "https://x.example/y.mp4"}
    document = export(
        GENERATIONS, [Said(FIRST_ID + 5, "ann", **video), Said(FIRST_ID + 6, **video)]
    )
    place = document.rindex("chatlog__message-group")
    rows, rejects, _, _ = extract(tmp_path, document[:place] + "#" + document[place + 1 :])
    assert len(rows) == 2
    assert set(rejects.values()) == {"no_author"}


@pytest.mark.parametrize(
    "piece",
    ["chatlog__author ", "<span class=chatlog__author ", '<span class=chatlog__author title="',
     "<span class=chatlog__author title='<span class=chatlog__author title=\"",
     "<span class=chatlog__author title=x>", "<span class=chatlog__author>x</span> ", "<span ='\""],
)  # fmt: skip
def test_the_search_for_an_author_takes_time_that_grows_with_the_message(piece):
    body = piece.encode() * (340_000 // len(piece))
    started = time.process_time()
    assert find_author(body, b"1") is None
    assert time.process_time() - started < 3  # 29 s, when it grew with the square


# What is said at the end.


def test_odd_files_and_ids_that_passed_for_the_bots_are_said_where_all_is_known(tmp_path):
    documents = {"good": export(GENERATIONS), "empty": "", "two": export(
        [generation(3, in_bold("x")), generation(4, in_bold("y"), author="Pika#0001", user_id=66)],
        [generation(5, in_bold("z"), author="Pika#0001", user_id=66)])}  # fmt: skip
    for name, document in documents.items():
        (tmp_path / name).mkdir()
        extract(tmp_path / name, document, odd_exports="skip")
    settings = {
        "messages": [tmp_path / name / "messages" for name in documents],
        "prompts": [tmp_path / "prompts.parquet"], "rejects": tmp_path / "rejects.parquet",
        "kinds": ["image_to_video", "unknown"], "user_key": None,
        "exports": [tmp_path / name / "state" for name in documents],
    }  # fmt: skip
    odd, borrowed = collect_prompts(**settings).notes
    assert odd.startswith("1 of 3 files were no exports") and "export.html (empty)" in odd
    assert "are 7 (in 2), 66 (in 1); put the bot's own" in borrowed
    assert collect_prompts(**settings, bot_ids=["7"]).notes == [odd]
