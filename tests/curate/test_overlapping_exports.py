"""However a channel was exported, in parts, twice, the newest first: each message counts once."""

import pytest

from scripts.common.schemas.prompts import PROMPT_REJECTS, PROMPTS
from scripts.common.tables import read_table
from scripts.curate.collect_prompts import collect_prompts
from scripts.curate.extract_messages import extract_messages
from tests.curate.small_export import FIRST_ID, Said, export, generation, in_bold, with_fields

PROMPTS_SAID = ["a cat", "a dog -motion 2", "a cat", "it&#39;s &lt;3", "a cat -seed 5", "a fox"]
MESSAGES = [
    generation(n, in_bold(said) if n % 2 else with_fields(said), author="Pika#6789")
    for n, said in enumerate(PROMPTS_SAID)
]


def collect(folder, parts):
    """Return the prompts of exports given as name -> messages, and why messages gave none."""
    folder.mkdir()
    tables = []
    for name, messages in parts.items():
        path = folder / f"{name}.html"
        path.write_text(export(*[[message] for message in messages]))
        tables.append(folder / "messages" / f"{name}.parquet")
        extract_messages(
            path,
            tables[-1],
            folder / "rejects" / name,
            folder / "states" / name,
            bot_names=["Pika"],
        )
    prompts, rejects = folder / "prompts.parquet", folder / "rejects.parquet"
    counts = collect_prompts(tables, [prompts], rejects, kinds=["image_to_video", "unknown"],
                             user_key="k")  # fmt: skip
    assert counts.lost == 0
    rows = read_table(prompts, PROMPTS).to_pylist()
    for row in rows:
        row["candidates"] = [candidate["message_id"] for candidate in row["candidates"]]
    return rows, counts, read_table(rejects, PROMPT_REJECTS).to_pylist()


@pytest.mark.parametrize(
    ("parts", "twice"),
    [
        ({"part": MESSAGES[:2], "part-2": MESSAGES[2:4], "part-3": MESSAGES[4:]}, 0),
        ({"c": MESSAGES[:2], "a": MESSAGES[2:4], "b": MESSAGES[4:]}, 0),
        ({"b": MESSAGES[2:], "a": MESSAGES[:2]}, 0),
        ({"july": MESSAGES[:4], "august": MESSAGES[2:]}, 2),
        ({"one": MESSAGES, "two": MESSAGES, "three": MESSAGES[1:3]}, 8),
        ({"newest first": MESSAGES[::-1]}, 0),
        ({"newest first": MESSAGES[:3:-1], "oldest first": MESSAGES[:5]}, 1),
    ],
)
def test_the_prompts_are_those_of_one_whole_export(tmp_path, parts, twice):
    whole, _, _ = collect(tmp_path / "whole", {"whole": MESSAGES})
    rows, counts, rejects = collect(tmp_path / "parts", parts)
    assert rows == whole
    assert counts.rejected["same_message"] == twice
    assert sum(row["reason"] == "same_message" for row in rejects) == twice


@pytest.mark.parametrize(("part", "batch"), [(1, 1), (2, 3), (5, 2)])
def test_parts_on_disk_of_any_size_give_the_same_bytes(tmp_path, monkeypatch, part, batch):
    """However the messages are dealt out: copies, earliest messages and candidates are found."""
    again = Said(FIRST_ID + 30, "Pika#6789", is_bot=True, content=in_bold("a dog"), video="z.mp4")
    documents = {
        "a": export(*[[generation(n, in_bold(text))] for n, text in enumerate(WORDS)]),
        "b": export(*[[generation(n, in_bold(WORDS[n]), video=f"b/{n}.mp4")] for n in range(2, 9)]),
        "c": export([again], [generation(31, in_bold(""))]),
    }
    tables = [tmp_path / "messages" / f"{name}.parquet" for name in documents]
    for table, document in zip(tables, documents.values(), strict=True):
        path = tmp_path / f"{table.stem}.html"
        path.write_text(document)
        extract_messages(path, table, tmp_path / "r", tmp_path / "s", bot_names=["Pika"])

    def collect(folder):
        outputs = [folder / f"{bucket}.parquet" for bucket in range(3)]
        counts = collect_prompts(tables, outputs, folder / "rejects.parquet",
                                 kinds=["unknown"], user_key="key")  # fmt: skip
        return (
            counts,
            [path.read_bytes() for path in outputs],
            read_table(folder / "rejects.parquet"),
        )

    expected = collect(tmp_path / "whole")
    assert expected[0].kept == 5 and expected[0].lost == 0
    assert expected[0].rejected == {"same_message": 7, "duplicate_prompt": 5 + 1, "empty_prompt": 1}
    monkeypatch.setattr("scripts.curate.collect_prompts.PART_ROWS", part)
    monkeypatch.setattr("scripts.curate.collect_prompts.BATCH_ROWS", batch)
    assert collect(tmp_path / "parts") == expected


WORDS = ["a cat", "a dog", "a cow", "a cat", "a hen", "a cow", "a dog", "a cat", "a fox", "a cat"]
