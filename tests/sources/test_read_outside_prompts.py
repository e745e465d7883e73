"""Prompts of other data sets, from the tables that their publishers give."""

import polars as pl
import pytest

from scripts.common.errors import UserError
from scripts.common.schemas.sources import OUTSIDE_PROMPTS
from scripts.common.tables import read_table
from scripts.sources.read_outside_prompts import read_outside_prompts

UUID = "6a83eb92-faa0-572b-9e1f-67dec99b711d"


def read(tmp_path, *files, seed=1, **layout):
    out = tmp_path / "prompts.parquet"
    counts = read_outside_prompts(
        files, out, source="mine", layout=layout, label="Mine", seed=seed
    )  # fmt: skip
    return counts, read_table(out, OUTSIDE_PROMPTS).to_pylist()


def test_vidprom(tmp_path):
    path = tmp_path / "VidProM_unique.csv"
    path.write_text(
        "uuid,prompt,time,toxicity\n"
        f'{UUID},"Flying among  clouds,\nand ""stars""",Sun Sep  3 12:27:44 2023,0.00129\n'
        f"{UUID},again,Sun Sep  3 12:27:44 2023,0\n3ba1adf3-5254-59fb-a13e-57e6aa161626,,x,0\n"
    )
    counts, rows = read(tmp_path, path, prompt="prompt", id="uuid")
    assert rows == [{"uuid": UUID, "prompt": 'Flying among clouds, and "stars"', "dataset": "Mine"}]
    assert counts.rejected == {"duplicate_uuid": 1, "empty_prompt": 1}


def test_diffusiondb(tmp_path):
    path = tmp_path / "metadata.parquet"
    pl.DataFrame({"image_name": ["a.png", "b.png"], "prompt": ["an owl", "an owl"]}).write_parquet(path)  # fmt: skip
    counts, rows = read(tmp_path, path, prompt="prompt")
    assert [row["prompt"] for row in rows] == ["an owl"]
    assert counts.sentence() == "read 2 = kept 1 + rejected 1 (duplicate_uuid 1)"


def test_panda70m(tmp_path):
    """Captions of a video's clips are the text of a Python list, which is read and not run."""
    path = tmp_path / "panda70m_testing.csv"
    path.write_text(
        "videoID,url,timestamp,caption,matching_score\n"
        """x,https://y,"[['0:00', '0:05']]","['It is a rally car.', ""A man's shop.""]",[0.4]\n"""
        """z,https://y,[],"[__import__('os').remove('x')]",[]\n"""
    )
    _, rows = read(tmp_path, path, prompt="caption")
    texts = {row["prompt"] for row in rows}
    assert {"It is a rally car.", "A man's shop."} < texts and len(texts) == 3
    counts, part = read(tmp_path, path, prompt="caption", items=2)
    assert len(part) == 2 and counts.rejected == {"not_drawn": 1}


def test_a_part_is_a_seeded_choice(tmp_path):
    path = tmp_path / "metadata.parquet"
    pl.DataFrame({"prompt": [f"owl {n}" for n in range(60)]}).write_parquet(path)
    every = [row["uuid"] for row in read(tmp_path, path, prompt="prompt")[1]]
    drawn = [
        tuple(row["uuid"] for row in read(tmp_path, path, prompt="prompt", items=9, seed=seed)[1])
        for seed in (1, 2, 1)
    ]
    assert drawn[0] == drawn[2] != drawn[1] and tuple(every[:9]) not in drawn


def test_a_column_that_is_not_there_is_a_sentence(tmp_path):
    (tmp_path / "a.csv").write_text("text\nx\n")
    with pytest.raises(UserError, match=r"a\.csv: the columns prompt cannot be read .*; correct"):
        read(tmp_path, tmp_path / "a.csv", prompt="prompt")
