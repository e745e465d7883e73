"""The account: every item is followed through every step; one that is lost stops the workflow."""

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analyse.account import account
from scripts.analyse.declaration import Step, files_of, items
from scripts.analyse.export_count import stated_messages
from scripts.analyse.steps import Follower, Sum
from scripts.common.errors import UserError
from scripts.common.schemas.analyse import ACCOUNT
from scripts.common.tables import read_frame, write_table


def declared(rule="fetch_videos", part="", **sides):
    return Step(rule=rule, unit="videos", part=part, **sides)


@pytest.fixture
def follow(tmp_path):
    """Write items that come in and their fates, and follow them."""
    tables = {name: str(tmp_path / f"{name}.parquet") for name in ("read", "out", "why")}

    def run(read, out, why=(), rule="generate_videos", **sides):
        pd.DataFrame({"uuid": pd.Series(list(read), dtype=str)}).to_parquet(tables["read"])
        for name, fates in (("out", out), ("why", why)):
            rows = pd.DataFrame(
                [(uuid, "rejected" if reason else "ok", reason) for uuid, reason in fates],
                columns=["uuid", "status", "reason"],
            ).astype({"reason": "string"})
            rows.to_parquet(tables[name])
        if why:
            sides["why"] = [items(tables["why"])]
        step = declared(rule, read=items(tables["read"]), out=items(tables["out"]), **sides)
        return Follower().follow(step)

    return run


def test_each_item_is_followed(follow):
    sum = follow("abc", [("a", None), ("b", "undecodable"), ("c", "undecodable")], part="pika")
    assert (sum.read, sum.kept, dict(sum.rejected)) == (3, 1, {"undecodable": 2})
    assert sum.rows("curate") == [
        {"stage": "curate", "step": "generate_videos", "part": "pika", "unit": "videos", "read": 3}
        | {"kept": 1, "rejected": 2, "reason": "undecodable", "count": 2}
    ]


def test_what_was_rejected_before_is_not_counted_again(follow):
    sum = follow("a", [("a", None), ("gone", "no_video")])
    assert (sum.read, sum.kept, sum.rejected.total()) == (1, 1, 0)
    assert sum.rows("curate")[0]["reason"] == ""


@pytest.mark.parametrize(
    ("read", "out", "complaint"),
    [
        ("ab", [("a", None)], r"1 videos came in and are neither kept .* such as b;"),
        ("a", [("a", None), ("b", None)], r"1 videos were kept without having come in, such as b"),
        ("aa", [("a", None)], r"1 videos came in twice, such as a"),
        ("a", [("a", "no_video"), ("a", None)], r"1 videos came out twice, such as a"),
    ],
)
def test_a_sum_that_is_off_stops_the_workflow_and_names_the_step(follow, read, out, complaint):
    with pytest.raises(UserError, match=f"account of generate_videos sway: {complaint}"):
        follow(read, out, part="sway")


def test_a_count_that_is_off_names_the_step():
    for kept, rejected, words in (
        (3, 1, r"read 5, but kept 3 \+ rejected 1: 1 videos lost"),
        (3, 3, "1 videos from nowhere"),
    ):
        sum = Sum(declared(), 5, kept, Counter(no_video=rejected))
        with pytest.raises(UserError, match=f"fetch_videos: .*{words}|{words}"):
            sum.checked()


@settings(deadline=None)  # the first table of a process is slow on a busy machine
@given(st.dictionaries(st.text("abcdef", min_size=1), st.sampled_from([None, "x", "y"])))
def test_whatever_is_kept_or_rejected_adds_up(tmp_path_factory, fates):
    table = tmp_path_factory.mktemp("fates") / "table.parquet"
    rows = [(key, "rejected" if reason else "ok", reason) for key, reason in fates.items()]
    frame = pd.DataFrame(rows, columns=["uuid", "status", "reason"]).astype("string")
    frame.to_parquet(table)
    step = declared(read=items(str(table), rejected=True), out=items(str(table)))
    sum = Follower().follow(step)
    assert sum.read == len(fates) == sum.kept + sum.rejected.total()
    assert sum.rejected == Counter(reason for reason in fates.values() if reason)


def test_reasons_come_from_where_the_item_was_last_seen(follow):
    """What came out is kept whatever else is said of it; then the first reason counts."""
    out, why = [("a", None), ("b", "undecodable")], [("a", "empty_file"), ("b", "empty_file")]
    sum = follow("abc", out, [*why, ("c", "empty_file")])
    assert (sum.kept, dict(sum.rejected)) == (1, {"undecodable": 1, "empty_file": 1})


def test_otherwise_is_only_said_of_what_nobody_knows(follow):
    sum = follow("ab", [("a", None)], otherwise="not_drawn")
    assert dict(sum.rejected) == {"not_drawn": 1}
    with pytest.raises(UserError, match="neither kept nor rejected, such as b"):
        follow("ab", [("a", None)], [("b", None)], otherwise="not_drawn")


def test_a_rejected_row_without_a_reason_still_is_rejected(tmp_path):
    rows = pd.DataFrame(
        {"uuid": ["a"], "status": ["rejected"], "reason": pd.Series([None], dtype=str)}
    )
    rows.to_parquet(tmp_path / "t.parquet")
    table = str(tmp_path / "t.parquet")
    sum = Follower().follow(declared(read=items(table, rejected=True), out=items(table)))
    assert (sum.kept, dict(sum.rejected)) == (0, {"no_reason": 1})


def test_an_account_depends_on_every_file_that_it_reads():
    inner = items("inner", where={"uuid": [items("innermost"), items("other")]})
    step = declared(
        read=items(["a", "b"], unless={"uuid": inner}), out=items("a"), why=[items("why")],
        stated=["card", "README.md", "Full"],
    )  # fmt: skip
    files = {"a", "b", "inner", "innermost", "other", "why", "README.md"}
    assert set(files_of([step])) == files and len(files_of([step])) == len(files)


def write_account(sums, path):
    write_table([row for sum in sums for row in sum.rows("curate")], path, ACCOUNT)


def test_the_stages_become_one_csv_with_a_banner(tmp_path):
    first = [
        Sum(declared(), 4, 3, Counter(no_video=1)),
        Sum(declared("extract_images"), 3, 3),
    ]
    write_account(first, tmp_path / "a.parquet")
    second = Sum(declared("embed"), 3, 1, Counter(undecodable=1, no_video=1))
    write_account([second], tmp_path / "b.parquet")
    counts = account(
        [tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "funnel.csv", banner="DEMO"
    )
    assert counts.kept == 3
    assert (tmp_path / "funnel.csv").read_text() == (
        "# DEMO\nstage,step,part,unit,read,kept,rejected,reason,count\n"
        "curate,fetch_videos,,videos,4,3,1,no_video,1\n"
        "curate,extract_images,,videos,3,3,0,,0\n"
        "curate,embed,,videos,3,1,2,no_video,1\n"
        "curate,embed,,videos,3,1,2,undecodable,1\n"
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"kept": 4}, r"account of fetch_videos: read 5 is not kept 4 \+ rejected 2"),
        ({"count": 1}, r"account of fetch_videos: the reasons add up to 1, not to rejected 2"),
    ],
)
def test_a_wrong_row_stops_the_workflow(tmp_path, changes, complaint):
    write_account([Sum(declared(), 5, 3, Counter(no_video=2))], tmp_path / "a.parquet")
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
