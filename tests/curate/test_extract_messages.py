"""From an export to the table of generations, and one reason for every other message."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.common.schemas.curate import MESSAGE_REJECT_REASONS, MESSAGE_REJECTS, MESSAGES
from scripts.common.tables import read_table
from scripts.curate import discord_export
from scripts.curate.extract_messages import extract_messages
from scripts.curate.message_parts import snowflake_ms
from scripts.curate.usual_generation import CONTENT_TAG, match_usual
from tests.curate.small_export import (
    DRESSES,
    FIRST_ID,
    SHARED,
    Said,
    emoji,
    export,
    generation,
    in_bold,
    used,
    with_fields,
)

TRUTHS = sorted((SHARED / "pika").glob("*.truth.jsonl")) or [
    pytest.param(None, marks=pytest.mark.skip(reason="there are no exports beside the project"))
]
REAL = [
    path
    for path in sorted((SHARED / "real").glob("*.html"))
    if path.name != "dce-2.15-legacy-bots.html"
] or [pytest.param(None, marks=pytest.mark.skip(reason="there are no exports beside the project"))]


def extract(folder: Path, document: str | bytes | Path, bots=("Pika",), **settings):
    path = document
    if not isinstance(document, Path):
        path = folder / "export.html"
        path.write_bytes(document if isinstance(document, bytes) else document.encode())
    kept, rejected = folder / "messages.parquet", folder / "rejects.parquet"
    state = folder / "state.parquet"
    counts = extract_messages(path, kept, rejected, state, bot_names=bots, **settings)
    rows = read_table(kept, MESSAGES).to_pylist()
    rejects = read_table(rejected, MESSAGE_REJECTS).to_pylist()
    assert counts.kept == len(rows)
    assert counts.rejected == Counter(row["reason"] for row in rejects)
    assert set(counts.rejected) <= set(MESSAGE_REJECT_REASONS)
    return rows, {row["message_id"]: row["reason"] for row in rejects}, counts


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda path: path and path.name)
def test_every_generation_is_recovered_exactly(tmp_path, truth):
    expected = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    rows, rejects, counts = extract(
        tmp_path, truth.parent / truth.name.replace("truth.jsonl", "html")
    )
    for row in rows:
        row["timestamp_ms"] = round(row["timestamp_utc"].timestamp() * 1000)
    names = {name for row in expected for name in row}
    found = [{name: row[name] for name in names if row[name] is not None} for row in rows]
    assert found == expected
    assert counts.read == len(rows) + len(rejects)
    assert counts.notes == [] and counts.lost == 0


@pytest.mark.parametrize("path", REAL, ids=lambda path: path and path.name)
def test_every_message_of_a_real_export_is_accounted_for(tmp_path, path):
    rows, rejects, counts = extract(tmp_path, path)
    assert rows == []  # there is no Pika in these channels
    assert len(rejects) == counts.declared == counts.seen > 0


CHANNEL = [
    [Said(FIRST_ID + 1, "ann", content="Prompt: is that how it works?", video="https://c/x.mp4")],
    [Said(FIRST_ID + 2, notice="joined the server.")],
    [
        generation(3, with_fields("a cat -motion 2 --v 5"), above=used("animate", "ann")),
        generation(4, in_bold("a dog -ar 16:9", user="bob"), author=None),
        Said(FIRST_ID + 5, content=with_fields("x") + "\nSorry, this request was moderated."),
        generation(6, "Here is news", author=None),
    ],
    [generation(7, in_bold("a castle"), author="Midjourney Bot#9282")],
    [generation(8, with_fields("", user="Unknown"), above=used("animate", "eve"))],
    [Said(FIRST_ID + 9, "Pika", content=in_bold("I am no bot"), video="https://c/y.mp4")],
    [generation(10, in_bold("local"), video="e.html_Files/a%20b-8F7D9.mp4", author="Pika")],
]
REASONS = {
    1: "not_a_bot",
    2: "system_notice",
    5: "no_video",
    6: "no_prompt",
    7: "other_bot",
    9: "not_a_bot",
}


@pytest.mark.parametrize("dress", DRESSES.values(), ids=DRESSES.keys())
def test_each_message_is_a_row_or_has_one_reason(tmp_path, dress):
    rows, rejects, counts = extract(tmp_path, export(*CHANNEL, dress=dress))
    assert {int(number) - FIRST_ID: reason for number, reason in rejects.items()} == REASONS
    assert [int(row["message_id"]) - FIRST_ID for row in rows] == [3, 4, 8, 10]
    assert counts.sentence() == (
        "read 10 = kept 4 + rejected 6 "
        "(not_a_bot 2, system_notice 1, no_video 1, no_prompt 1, other_bot 1)"
    )
    cat, dog, empty, local = rows
    when = datetime.fromtimestamp(snowflake_ms(FIRST_ID + 3) / 1000, UTC)
    assert cat == {
        "message_id": str(FIRST_ID + 3),
        "timestamp_utc": when,
        "requester": "ann",
        "command": cat["command"],
        "prompt": "a cat",
        "negative_prompt": None,
        "motion": 2,
        "guidance_scale": None,
        "aspect_ratio": None,
        "camera": None,
        "fps": None,
        "seed": None,
        "other_parameters": "--v 5",
        "kind": "image_to_video",
        "video": "https://cdn.discordapp.com/attachments/1/3/clip_seed3.mp4",
        "video_name": "clip_seed3.mp4",
        "video_expires_utc": None,
    }
    assert (dog["prompt"], dog["kind"], dog["requester"]) == ("a dog", "unknown", "bob")
    assert dog["aspect_ratio"] == "16:9"
    assert (empty["prompt"], empty["kind"]) == ("", "image_to_video")
    assert local["video"] == "e.html_Files/a%20b-8F7D9.mp4"


def test_the_command_tells_who_asked_where_the_message_does_not(tmp_path):
    rows, _, _ = extract(tmp_path, export(*CHANNEL))
    assert [row["command"] for row in rows] == ["animate", None, "animate", None]
    assert [row["requester"] for row in rows] == ["ann", "bob", "eve", "ann"]


def test_other_bots_can_be_named(tmp_path):
    rows, rejects, _ = extract(tmp_path, export(*CHANNEL), bots=["Midjourney Bot"])
    assert [row["prompt"] for row in rows] == ["a castle"]
    assert Counter(rejects.values())["other_bot"] == 6


def test_the_expiry_of_a_signed_link_is_kept(tmp_path):
    link = "https://cdn.discordapp.com/attachments/1/2/a.mp4?ex=65b1a74c&is=659f324c&hm=ab&"
    rows, _, _ = extract(tmp_path, export([generation(1, in_bold("x"), video=link)]))
    assert rows[0]["video"] == link
    assert rows[0]["video_expires_utc"] == datetime.fromtimestamp(0x65B1A74C, UTC)


def test_a_file_cut_anywhere_invents_nothing_and_hides_nothing(tmp_path):
    document = export(*CHANNEL).encode()
    whole, whole_rejects, _ = extract(tmp_path, document)
    for end in range(document.index(b'"chatlog">'), len(document), 83):
        rows, rejects, counts = extract(tmp_path, document[:end])
        assert rows == whole[: len(rows)]
        assert counts.seen <= 10
        cut = [number for number, reason in rejects.items() if reason == "cut_off"]
        assert len(cut) <= 1
        for number, reason in rejects.items():
            assert reason == whole_rejects.get(number) or [number] == cut
        if b"message(s)" not in document[:end]:
            assert len(counts.notes) == 1
            assert "was cut off" in counts.notes[0]
            assert f"its first {counts.seen} message(s)" in counts.notes[0]


def test_messages_that_an_export_lost_are_counted(tmp_path):
    document = export(*CHANNEL[:2], *CHANNEL[3:], declared="10")
    _, _, counts = extract(tmp_path, document)
    assert (counts.read, counts.seen, counts.lost) == (10, 6, 4)
    assert counts.sentence().endswith("+ missing 4")
    assert "holds 6; export the channel again" in counts.notes[0]


def test_messages_that_nobody_wrote_are_noticed(tmp_path):
    _, _, counts = extract(tmp_path, export(*CHANNEL, declared="9"))
    assert "says 'Exported 9 message(s)' but holds 10" in counts.notes[0]


def test_the_parts_of_a_message_that_lost_its_author(tmp_path):
    document = export(*CHANNEL)
    start = document.index("<div class=chatlog__header>", document.index("joined"))
    end = document.index('<div class="chatlog__content', start)
    _, rejects, counts = extract(tmp_path, document[:start] + document[end:])
    assert counts.rejected["no_author"] == 4
    assert rejects[str(FIRST_ID + 3)] == "no_author"


def test_pieces_of_a_long_table_come_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(discord_export, "BLOCK_BYTES", 2000)
    monkeypatch.setattr(discord_export, "TABLE_BYTES", 2000)
    rows, rejects, _ = extract(tmp_path, export(*CHANNEL))
    assert [int(row["message_id"]) - FIRST_ID for row in rows] == [3, 4, 8, 10]
    assert [int(number) - FIRST_ID for number in rejects] == [1, 2, 5, 6, 7, 9]


PLAIN = "a cat runs -motion 2"


@pytest.mark.parametrize(
    "content",
    [with_fields(PLAIN), with_fields(PLAIN, one_line=True), in_bold(PLAIN),
     with_fields(f"{emoji('😄')} <em>a</em> cat", image=False) + ")",
     with_fields(PLAIN).replace("Prompt:", "<strong>Prompt:</strong>").replace(
         "Image:", "<strong>Image:</strong>").replace("Author:", "<strong>Author:</strong>")],
)  # fmt: skip
def test_messages_as_they_usually_look_take_the_short_cut(content):
    """Else reading would be right, and slow."""
    text = export([generation(1, content, is_edited=True)])
    assert match_usual(text[text.index(CONTENT_TAG) :].encode()) is not None


def test_the_same_export_gives_the_same_bytes(tmp_path):
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        extract(tmp_path / name, export(*CHANNEL))
        files.append((tmp_path / name / "messages.parquet").read_bytes())
    assert files[0] == files[1]


def test_what_is_no_export_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match="is not an HTML export of DiscordChatExporter"):
        extract(tmp_path, "<html>cats</html>")


MEASURE = """
import resource, sys
from pathlib import Path
from scripts.curate.extract_messages import extract_messages
folder = Path(sys.argv[1])
for name in ("small", "large"):
    extract_messages(folder / f"{name}.html", folder / "m", folder / "r", folder / "s", bot_names=["Pika"])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is in other units elsewhere")
def test_memory_does_not_grow_with_the_file(tmp_path):
    def write(name: str, messages: int) -> int:
        groups = [[Said(FIRST_ID + n, "ann", content="x" * 2000)] for n in range(messages)]
        (tmp_path / f"{name}.html").write_text(export(*groups))
        return (tmp_path / f"{name}.html").stat().st_size

    small, large = write("small", 6_000), write("large", 30_000)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    after_small, after_large = (int(line) * 1024 for line in done.stdout.split())
    assert after_large - after_small < (large - small) / 3
