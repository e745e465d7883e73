"""What lies where, and which ledgers may go."""

import json
import os
import time
from types import SimpleNamespace

import pyarrow as pa
import pytest

from scripts.commands.disk import main, prune, sizes, unused
from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.common.ledger import LEDGER, FileLedger, JobLedger, RowLedger
from scripts.common.tables import column, table_schema

ROWS = table_schema("rows", "test", column("uuid", pa.string(), "id"))
USED, OLD, PART, OTHER = ("a" * 20, "b" * 20, "c" * 20, "d" * 20)


def record(folder, name, script, outputs, ledgers):
    path = folder / "logs" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    fields = {"script": script, "outputs": outputs, "finished": "2026-11-21", "rule": name}
    path.write_text(json.dumps(fields | ({} if ledgers is None else {"ledgers": ledgers})))


def make(path, size, days_old=30.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    for one in (path, path.parent, path.parent.parent):
        os.utime(one, (time.time() - days_old * 86400,) * 2)


@pytest.fixture
def run(tmp_path):
    """A run whose scores were made anew with another setting, and whose training is under way."""
    scores, tar = "results/evaluation/sway/00000.parquet", "results/videos/sway/00000.tar"
    make(tmp_path / scores, 100)
    make(tmp_path / tar, 1000)
    make(tmp_path / "results/mine.txt", 5)
    ledger = tmp_path / LEDGER
    make(ledger / "evaluate" / OLD / "sway-00000" / "part-1.parquet", 70)
    make(ledger / "evaluate" / PART / "sway-00000" / "part-1.parquet", 70, days_old=1)
    make(ledger / "annotate" / OTHER / "x" / "part-1.parquet", 70)
    make(ledger / "detect" / OTHER / "x" / "part-1.parquet", 70)
    make(ledger / "annotate" / "spending" / "subject" / "day.json", 7)
    used = ledger / "generate" / USED / "sway-00000" / "finished.tar"
    used.parent.mkdir(parents=True)
    os.link(tmp_path / tar, used)
    os.utime(used, (0, 0))
    record(tmp_path, "score_videos", "scripts/evaluate/score_videos.py", [scores], [])
    record(tmp_path, "make", "scripts/generate/generate_videos.py", [tar], [f"generate/{USED}"])
    record(tmp_path, "ask", "scripts/annotate/ask_endpoint.py", [], [])
    record(tmp_path, "score_frames", "scripts/detect/score_frames.py", [], None)
    return tmp_path


def test_a_file_of_two_names_is_counted_once_and_stages_are_those_on_record(run):
    found = sizes(run)
    assert found["generate", "results/videos/sway"] == (1, 1000)
    assert found["generate", "results/.ledger/generate"] == (1, 0)
    assert found["evaluate", "results/evaluation/sway"] == (1, 100)
    assert found["evaluate", "results/.ledger/evaluate"] == (2, 140)
    assert found["-", "results"] == (1, 5)
    assert sum(files for files, _ in found.values()) == 9


def test_what_no_record_names_goes_but_not_what_may_go_on(run):
    """Nor what was paid, nor what records of an older version say nothing of."""
    assert [path.relative_to(run / LEDGER).as_posix() for path in unused(run, 7)] == [
        f"evaluate/{OLD}"
    ]
    assert {path.name for path in unused(run, 0)} == {OLD, PART}
    prune(run, 7)
    left = {path.name for path in (run / LEDGER).glob("*/*")}
    assert left == {USED, PART, OTHER, "spending"}


def test_nothing_goes_while_a_run_is_under_way(run, monkeypatch, capsys):
    (run / ".snakemake/locks").mkdir(parents=True)
    (run / ".snakemake/locks/0.lock").touch()
    with pytest.raises(UserError, match="under way"):
        prune(run, 0)
    monkeypatch.setattr("sys.argv", ["disk", "--prune", "--directory", str(run)])
    assert main() == 1 and "Error:" in capsys.readouterr().err
    assert (run / LEDGER / "evaluate" / OLD).exists()


@pytest.mark.parametrize(
    "open_ledger", [lambda folder: RowLedger(folder, ROWS), FileLedger, JobLedger]
)
def test_a_job_names_the_ledgers_that_it_opened(tmp_path, monkeypatch, open_ledger):
    monkeypatch.setattr(provenance, "LEDGERS", set())
    open_ledger(tmp_path / LEDGER / "trace" / USED / "model")
    job = SimpleNamespace(
        rule="match", scriptdir="scripts/trace", log=[str(tmp_path / "logs/match.log")],
        wildcards={}, input=[], params={},
    )  # fmt: skip
    job.output = type("Files", (list,), {"items": lambda self: {}.items()})()
    provenance.record_job(job, 1.0)
    assert json.loads((tmp_path / "logs/match.json").read_text())["ledgers"] == [f"trace/{USED}"]
