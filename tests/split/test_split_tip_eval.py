"""TIP-Eval: popular subjects, equally many prompts each."""

from collections import Counter

import pytest

from scripts.common.errors import UserError
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.tables import read_frame
from scripts.split.split_tip_eval import split_tip_eval
from tests.split.made_up import write_dataset

SUBJECTS = ["cat"] * 9 + ["dog"] * 7 + ["sea"] * 7 + ["ship"] * 3 + ["fox"] * 2 + [""] * 20 + [None]


@pytest.fixture
def choose(tmp_path):
    def run(listed=SUBJECTS, **settings):
        write_dataset(tmp_path / "dataset.parquet", listed)
        settings = {"subjects": 3, "prompts_per_subject": 4, "seed": 1} | settings
        counts = split_tip_eval(tmp_path / "dataset.parquet", tmp_path / "out.parquet", **settings)
        return counts, read_frame(tmp_path / "out.parquet", TIP_EVAL)

    return run


def test_most_popular_subjects_with_equally_many_prompts(choose):
    counts, rows = choose()
    assert Counter(rows["subject"]) == {"cat": 4, "dog": 4, "sea": 4}
    assert counts.sentence() == (
        "read 49 = kept 12 + rejected 37 (no_subject 21, not_drawn 11, unpopular_subject 5)"
    )
    assert not counts.notes


def test_equally_popular_subjects_come_by_name(choose):
    assert set(choose(subjects=2)[1]["subject"]) == {"cat", "dog"}


def test_fewer_subjects_than_asked_for_are_said(choose):
    counts, rows = choose(subjects=1000, prompts_per_subject=3)
    assert set(rows["subject"]) == {"cat", "dog", "sea", "ship"}
    assert counts.notes == ["TIP-Eval has 4 subjects instead of 1,000: no more have 3 prompts"]


def test_a_data_set_without_prompts_says_where_to_look(choose):
    with pytest.raises(UserError, match=r"dataset.parquet has no prompts; see the logs of curate"):
        choose(listed=[])


def test_no_subject_with_that_many_prompts_is_an_error(choose):
    with pytest.raises(UserError, match=r"no subject has 10 prompts; lower split\.tip_eval"):
        choose(prompts_per_subject=10)


def test_the_choice_within_a_subject_is_seeded_and_kept_when_prompts_are_added(choose):
    first, again, other = (set(choose(seed=seed)[1]["uuid"]) for seed in (1, 1, 2))
    assert first == again != other
    before = choose(["cat"] * 30, subjects=1, prompts_per_subject=10)[1]["uuid"]
    after = choose(["cat"] * 33, subjects=1, prompts_per_subject=10)[1]["uuid"]
    assert len(set(before) - set(after)) <= 3
