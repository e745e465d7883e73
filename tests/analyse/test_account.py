"""The account: every item is followed through every step; one that is lost stops the workflow."""

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analyse.account import account
from scripts.analyse.export_count import stated_messages
from scripts.analyse.steps import Step, check_sum, follow, listed, write_account
from scripts.common.errors import UserError
from scripts.common.schemas.analyse import ACCOUNT
from scripts.common.tables import read_frame, write_table


def outcomes(**reasons):
    return pd.Series(reasons, dtype=object)


def step_of(read, kept, rejected, name="fetch_videos", part=""):
    return Step("curate", name, "videos", read, kept, Counter(rejected), part)


def test_each_item_is_followed():
    step = follow(
        "curate", "fetch_videos", "videos", ["a", "b", "c"], outcomes(a=None, b="x", c="x"), "pika"
    )
    assert (step.read, step.kept, dict(step.rejected)) == (3, 1, {"x": 2})
    assert step.rows() == [
        {"stage": "curate", "step": "fetch_videos", "part": "pika", "unit": "videos", "read": 3}
        | {"kept": 1, "rejected": 2, "reason": "x", "count": 2}
    ]


def test_what_was_rejected_before_is_not_counted_again():
    step = follow("s", "extract_images", "images", ["a"], outcomes(a=None, gone="no_video"))
    assert (step.read, step.kept, step.rejected.total()) == (1, 1, 0)
    assert step.rows()[0]["reason"] == ""


@pytest.mark.parametrize(
    ("read", "result", "complaint"),
    [
        (["a", "b"], outcomes(a=None), r"1 videos came in and are neither kept .* such as b;"),
        (["a"], outcomes(a=None, b=None), r"1 videos were kept without having come in, such as b"),
        (["a", "a"], outcomes(a=None), r"1 videos came in twice, such as a"),
        (["a"], pd.Series(["x", None], ["a", "a"]), r"1 videos came out twice, such as a"),
    ],
)
def test_a_sum_that_is_off_stops_the_workflow_and_names_the_step(read, result, complaint):
    with pytest.raises(UserError, match=f"account of generate_videos sway: {complaint}"):
        follow("generate", "generate_videos", "videos", read, result, part="sway")


def test_a_count_that_is_off_names_the_step():
    with pytest.raises(
        UserError, match=r"fetch_videos: read 5, but kept 3 \+ rejected 1: 1 videos lost"
    ):
        check_sum(step_of(5, 3, {"x": 1}))
    with pytest.raises(UserError, match="1 videos from nowhere"):
        check_sum(step_of(5, 3, {"x": 3}))


@settings(deadline=None)  # the first table of a process is slow on a busy machine
@given(st.dictionaries(st.text("abcdef", min_size=1), st.sampled_from([None, "x", "y"])))
def test_whatever_is_kept_or_rejected_adds_up(fates):
    result = pd.Series(fates, dtype=object)
    step = follow("s", "r", "items", list(fates), result)
    assert step.read == len(fates) == step.kept + step.rejected.total()
    assert step.rejected == Counter(reason for reason in fates.values() if reason)


def test_listed_items_are_kept_whatever_else_is_said_of_them():
    result = listed(["a"], outcomes(a="not_drawn", b="not_drawn", c=None))
    assert result.isna().to_dict() == {"a": True, "b": False}


def test_the_stages_become_one_csv_with_a_banner(tmp_path):
    first = [step_of(4, 3, {"gone": 1}), step_of(3, 3, {}, "extract_images")]
    write_account(first, tmp_path / "a.parquet")
    write_account([step_of(3, 1, {"cut_off": 1, "no_video": 1}, "embed")], tmp_path / "b.parquet")
    counts = account(
        [tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "funnel.csv", banner="DEMO"
    )
    assert counts.kept == 3
    assert (tmp_path / "funnel.csv").read_text() == (
        "# DEMO\nstage,step,part,unit,read,kept,rejected,reason,count\n"
        "curate,fetch_videos,,videos,4,3,1,gone,1\n"
        "curate,extract_images,,videos,3,3,0,,0\n"
        "curate,embed,,videos,3,1,2,cut_off,1\n"
        "curate,embed,,videos,3,1,2,no_video,1\n"
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"kept": 4}, r"account of fetch_videos: read 5 is not kept 4 \+ rejected 2"),
        ({"count": 1}, r"account of fetch_videos: the reasons add up to 1, not to rejected 2"),
    ],
)
def test_a_wrong_row_stops_the_workflow(tmp_path, changes, complaint):
    write_account([step_of(5, 3, {"gone": 2})], tmp_path / "a.parquet")
    table = read_frame(tmp_path / "a.parquet").assign(**changes)
    write_table(table, tmp_path / "a.parquet", ACCOUNT)
    with pytest.raises(UserError, match=complaint):
        account([tmp_path / "a.parquet"], tmp_path / "funnel.csv", banner="")
    assert not (tmp_path / "funnel.csv").exists()


@pytest.mark.parametrize(
    ("tail", "count"),
    [
        (b"<div class=postamble__entry>Exported 1,072 message(s)</div>", 1072),
        ("<div class=postamble__entry>Exported 12\u202f345 message(s)</div>".encode(), 12345),
        (b'<div class="postamble__entry">\n  Exported 1&#8239;234 message(s)\n</div>', 1234),
        (b"somebody wrote: Exported 7 message(s)", None),
        (b"<div class=postamble__entry>Exp", None),
    ],
)
def test_the_count_that_an_export_states(tmp_path, tail, count):
    export = tmp_path / "export.html"
    export.write_bytes(b"<html>" + b"x" * 100_000 + tail)
    assert stated_messages(export) == count
