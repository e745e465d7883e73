"""The last words of a run: what it kept, and what nobody may overlook."""

from collections import Counter
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from scripts.analyse.closing import Job, jobs_done, last_words
from scripts.analyse.funnel import Kept, read_funnel, read_log, sum_up
from scripts.common.rule_log import Counts, rule_log

FUNNEL = """# made up
stage,step,part,unit,read,kept,rejected,reason,count
curate,extract_messages,a,messages,10,6,4,not_a_bot,3
curate,extract_messages,a,messages,10,6,4,no_video,1
curate,extract_messages,b,messages,5,5,0,,0
curate,fetch_videos,,videos,11,9,2,undecodable,2
curate,score_watermarks,,images without an overlay,9,0,9,overlay,9
generate,generate_videos,svd,videos,7,0,7,generation_failed,7
generate,generate_videos,sway,videos,7,7,0,,0
trace,match_queries,sscd pika,queries,0,0,0,,0
trace,match_queries,sscd svd,queries,4,4,0,,0
"""


@pytest.fixture
def finished(tmp_path):
    """Write the log of a job as its rule does, and return the job."""

    def write(rule, stage, kept, part="", shard="00000", **rejected):
        log = tmp_path / "logs" / rule / part / f"{shard}.log"
        with rule_log(log) as lines:
            lines.finish(Counts(kept=kept, rejected=Counter(rejected)))
        return Job(rule, stage, part, log.relative_to(tmp_path))

    return write


def test_a_run_with_the_account_is_told_by_it(tmp_path):
    (tmp_path / "results/tables").mkdir(parents=True)
    (tmp_path / "results/tables/funnel.csv").write_text(FUNNEL)
    lines, warnings = last_words([Job("account", "analyse", "", None)], tmp_path)
    assert lines == [
        "What came of it, kept of read:",
        "  curate    extract_messages 11 of 15 messages: not a bot 3, no video 1",
        "            fetch_videos 9 of 11 videos: undecodable 2",
        "            score_watermarks 0 of 9 images without an overlay: overlay 9",
        "  generate  generate_videos 7 of 14 videos: generation failed 7",
        "  trace     all 4 queries",
        "  where to look: results/tables/funnel.csv, and logs/<rule> for each job",
    ]
    # An image with an overlay stays in the data set; a model without a single video does not.
    assert len(warnings) == 1
    assert warnings[0].startswith(
        "WARNING: generate_videos svd kept NONE of 7 videos (generation failed 7)"
    )
    assert warnings[0].endswith("see logs/generate_videos")


def test_a_run_without_it_is_told_by_its_logs_and_not_by_an_old_account(tmp_path, finished):
    (tmp_path / "results/tables").mkdir(parents=True)
    (tmp_path / "results/tables/funnel.csv").write_text(FUNNEL)
    jobs = [
        finished("score_videos", "evaluate", 5, "sway", no_video=1_200),
        finished("fetch_videos", "curate", 0, "pika", "00000", undecodable=2, link_expired=1),
        finished("fetch_videos", "curate", 1, "pika", "00001", undecodable=1),
        finished("plot_figure1", "analyse", 3, not_shown=37),
        Job("tables", "", "", None),
        Job("embed_texts", "annotate", "", tmp_path / "no such log"),
    ]
    lines, warnings = last_words(jobs, tmp_path)
    assert lines[1:3] == [
        "  curate    fetch_videos 1 of 5: undecodable 3, link expired 1",
        "  evaluate  score_videos 5 of 1,205: no video 1,200",
    ]
    assert len(lines) == 4 and "logs/<rule>" in lines[3]
    assert warnings == []  # one shard of a generator may be empty, a generator may not
    (tmp_path / "logs/fetch_videos/pika/00001.log").unlink()
    _, warnings = last_words(jobs, tmp_path)
    assert "fetch_videos pika kept NONE of 3 items (undecodable 2, link expired 1)" in warnings[0]


def test_where_nothing_was_done_nothing_is_said(tmp_path):
    assert last_words([], tmp_path) == ([], [])
    assert last_words([Job("plot_figure4", "analyse", "", None)], tmp_path) == ([], [])


def test_nothing_read_is_no_warning_and_many_are_cut(tmp_path, finished):
    empty = [finished("score_videos", "evaluate", 0, "none")]
    assert last_words(empty, tmp_path)[1] == []
    jobs = [finished("score_videos", "evaluate", 0, f"m{n}", no_video=1) for n in range(12)]
    _, warnings = last_words(jobs, tmp_path)
    assert len(warnings) == 9 and warnings[-1].startswith("WARNING: 4 more")


def test_only_the_steps_that_lost_most_are_named_in_the_order_of_the_graph(tmp_path, finished):
    losses = {"a": 1, "b": 50, "c": 90, "d": 70}
    jobs = [finished(f"rule_{name}", "split", 100 - n, no_video=n) for name, n in losses.items()]
    lines, _ = last_words(jobs, tmp_path)
    assert [line.split()[0] for line in lines[2:4]] == ["rule_c", "rule_d"]
    assert lines[1].split()[:2] == ["split", "rule_b"]
    assert lines[4].strip() == "and 1 more that rejected a smaller share"


@pytest.mark.parametrize(
    "counts",
    [
        Counts(kept=3),
        Counts(kept=1_234, rejected=Counter(no_video=5_000, not_a_bot=1)),
        Counts(kept=2, rejected=Counter(no_video=1), declared=9),
    ],
)
def test_a_closing_line_is_read_as_it_was_written(tmp_path, counts):
    with rule_log(tmp_path / "a.log") as log:
        log.finish(counts)
    read = read_log(tmp_path / "a.log", "curate", "rule", "part")
    assert (read.read, read.kept, read.reasons) == (counts.read, counts.kept, counts.rejected)
    (tmp_path / "a.log").write_text("12:00:00 something else")
    assert read_log(tmp_path / "a.log", "curate", "rule", "part") is None


def test_parts_are_summed_up(tmp_path):
    (tmp_path / "funnel.csv").write_text(FUNNEL)
    steps = {step.step: step for step in sum_up(read_funnel(tmp_path / "funnel.csv"))}
    assert list(steps)[:2] == ["extract_messages", "fetch_videos"]
    messages = Counter(not_a_bot=3, no_video=1)
    assert steps["extract_messages"] == Kept(
        "curate", "extract_messages", "", "messages", 15, 11, messages
    )


def test_only_what_this_run_finished_counts():
    def job(name, script, **wildcards):
        job = Mock(wildcards=wildcards, log=["logs/a.log"] * bool(script))
        job.rule = SimpleNamespace(name=name, script=script)
        return job

    done = job("score_videos", "../scripts/evaluate/score_videos.py", generator="a", shard="00001")
    failed, collecting = job("fetch_videos", "../scripts/curate/fetch_videos.py"), job("all", None)
    older = job("extract_images", "../scripts/curate/extract_images.py")
    planned = [done, failed, collecting]
    dag = SimpleNamespace(
        finished_jobs=iter([done, collecting, older]),
        needrun_jobs=lambda exclude_finished: [j for j in planned if not exclude_finished],
    )
    found = jobs_done(dag)
    assert [(j.rule, j.stage, j.part) for j in found] == [
        ("score_videos", "evaluate", "a"), ("all", "", "")
    ]  # fmt: skip


def test_exports_and_their_messages_make_no_sum(tmp_path):
    funnel = tmp_path / "funnel.csv"
    exports = "curate,extract_messages,,exports,3,2,1,not_an_export,1\n"
    head, rows = FUNNEL.split("curate", 1)
    funnel.write_text(f"{head}{exports}curate{rows}")
    first, second, *_ = sum_up(read_funnel(funnel))
    assert first.sentence() == "2 of 3 exports" and first.reasons == {"not_an_export": 1}
    assert second.sentence() == "11 of 15 messages"
