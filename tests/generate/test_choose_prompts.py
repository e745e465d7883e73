"""The prompts that every generator animates."""

from pathlib import Path

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.identity import prompt_uuid
from scripts.common.schemas.generate import CHOSEN
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.tables import read_frame, write_table
from scripts.generate.choose_prompts import choose_prompts


def choose(folder: Path, number: int, evaluated: int, prompts: int, seed: int = 7):
    texts = [f"prompt {place}" for place in range(number)]
    uuids = [prompt_uuid(text) for text in texts]
    pd.DataFrame({"UUID": uuids, "Text_Prompt": texts, "Extra": 1}).to_parquet(
        folder / "dataset.parquet"
    )
    rows = [{"uuid": uuid, "prompt": "", "subject": "cat"} for uuid in uuids[:evaluated]]
    write_table(rows, folder / "tip_eval.parquet", TIP_EVAL)
    counts = choose_prompts(
        folder / "dataset.parquet",
        folder / "tip_eval.parquet",
        folder / "chosen.parquet",
        prompts=prompts,
        seed=seed,
    )
    return counts, read_frame(folder / "chosen.parquet", CHOSEN)


@settings(max_examples=15, deadline=None)
@given(
    number=st.integers(1, 60), prompts=st.integers(1, 70), added=st.integers(0, 15), data=st.data()
)
def test_the_union_of_a_subset_and_tip_eval(tmp_path_factory, number, prompts, added, data):
    folder = tmp_path_factory.mktemp("choose")
    evaluated = data.draw(st.integers(0, number))
    counts, rows = choose(folder, number, evaluated, prompts)
    assert rows["subset"].sum() == min(prompts, number)
    assert rows["tip_eval"].sum() == evaluated
    assert (rows["subset"] | rows["tip_eval"]).all()
    assert counts.kept == len(rows) and not counts.lost
    assert bool(counts.notes) == (number < prompts)
    # Added prompts push out at most as many as they are.
    _, grown = choose(folder, number + added, evaluated, prompts)
    before, after = (set(table.loc[table["subset"], "uuid"]) for table in (rows, grown))
    assert len(before - after) <= added


def test_the_subset_is_uniform_over_subjects_and_depends_on_the_seed(tmp_path):
    first, again, other = (set(choose(tmp_path, 200, 0, 50, seed)[1]["uuid"]) for seed in (1, 1, 2))
    assert first == again
    assert len(first & other) < 30
