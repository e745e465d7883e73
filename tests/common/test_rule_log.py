import errno
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.common.rule_log import Counts, rule_log


def test_the_last_line_adds_up(tmp_path, capsys):
    counts = Counts()
    counts.keep(266)
    counts.reject("not_a_bot", 712)
    counts.reject("no_video", 94)
    with rule_log(tmp_path / "logs" / "x.log") as log:
        log.info("parsing")
        log.finish(counts)
    last = (tmp_path / "logs" / "x.log").read_text().splitlines()[-1]
    assert last.endswith("read 1,072 = kept 266 + rejected 806 (not_a_bot 712, no_video 94)")
    assert capsys.readouterr().err == ""


def test_a_shortfall_is_shown_to_the_user(tmp_path, capsys):
    counts = Counts(kept=2, declared=5)
    with rule_log(tmp_path / "x.log") as log:
        log.finish(counts)
    assert "missing 3" in capsys.readouterr().err


def test_counts_add_up_over_parts():
    total = Counts(kept=1, declared=3) + Counts(kept=2)
    assert (total.kept, total.read, total.lost) == (3, 5, 2)


def test_a_users_error_is_one_sentence_without_a_traceback(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop, rule_log(tmp_path / "x.log"):
        raise UserError("a.html is no export; export the channel again")
    assert stop.value.code == 1
    assert capsys.readouterr().err == "Error: a.html is no export; export the channel again\n"
    assert "Traceback" not in (tmp_path / "x.log").read_text()


def test_any_other_error_leaves_its_traceback_in_the_log(tmp_path):
    with pytest.raises(ZeroDivisionError), rule_log(tmp_path / "x.log"):
        raise ZeroDivisionError
    assert "Traceback" in (tmp_path / "x.log").read_text()


def test_a_job_that_failed_leaves_no_record(tmp_path):
    """One of a lineage would say that it made what it did not."""
    job = SimpleNamespace(log=[str(tmp_path / "logs/x.log")])
    with pytest.raises(SystemExit), rule_log(job):
        raise UserError("no")
    assert not list(tmp_path.rglob("*.json"))


def test_every_script_leaves_a_record():
    """A log opened by its path alone would leave a gap in the lineage of all that comes after."""
    scripts = [path for path in (ROOT / "scripts").rglob("*.py") if "__main__" in path.read_text()]
    opened = [re.findall(r"with rule_log\((.+?)\)", path.read_text()) for path in scripts]
    assert {how for found in opened for how in found} <= {"snakemake", "job"}


@pytest.mark.parametrize("error", [
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results/x.tar"),
    RuntimeError("underlying IO error: No space left on device (os error 28)"),
    OSError(errno.EROFS, os.strerror(errno.EROFS)),
])  # fmt: skip
def test_a_disk_that_takes_nothing_is_one_sentence_with_the_place(error, tmp_path, capsys):
    with pytest.raises(SystemExit), rule_log(tmp_path / "x.log"):
        raise error
    [said] = capsys.readouterr().err.splitlines()
    assert str(getattr(error, "filename", None) or Path.cwd()) in said
    assert "and run again: finished items are kept" in said


@pytest.mark.parametrize("error, left", [
    (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), set()),
    (ZeroDivisionError(), {"torn.parquet"}),  # which Snakemake sees to, or keeps when asked to
])  # fmt: skip
def test_a_full_disk_leaves_no_torn_output(error, left, tmp_path, capsys):
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    (tmp_path / "folder").mkdir()
    outputs = [str(tmp_path / name) for name in ("torn.parquet", "folder", "not_begun.tar")]
    job = SimpleNamespace(log=[str(tmp_path / "x.log")], output=outputs)
    with pytest.raises((SystemExit, ZeroDivisionError)), rule_log(job):
        raise error
    assert {path.name for path in tmp_path.iterdir()} == left | {"folder", "x.log"}


def test_a_log_that_the_disk_does_not_take_hides_no_error(capsys):
    with pytest.raises(SystemExit), rule_log("/dev/full") as log:
        log.info("what nobody will read")
        raise UserError("a.html is no export")
    assert capsys.readouterr().err == "Error: a.html is no export\n"
