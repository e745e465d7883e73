"""A rule and the function of its script agree by names."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import (
    InputFiles,
    Log,
    OutputFiles,
    Params,
    ResourceList,
    Wildcards,
)

from scripts.common.job import arguments_of, run_job
from scripts.common.rule_log import Counts


def job(folder=Path(), gpu=0, **params):
    def named(kind, **values):
        return kind(fromdict=values)

    return SimpleNamespace(
        rule="describe",
        scriptdir=str(folder),
        input=named(InputFiles, pictures=["a.tar", "b.tar"], table="t.parquet", absent=[]),
        output=named(OutputFiles, out="o.parquet"),
        params=named(Params, code="abc", entry={"backend": "x"}, **params),
        wildcards=named(Wildcards, shard="00012", generator="pika"),
        resources=named(ResourceList, gpu=gpu),
        log=Log([str(folder / "rule.log")]),
        threads=3,
    )


def describe(
    pictures: Sequence[Path],
    table: Path,
    out: Path,
    absent: Path | None,
    *,
    entry: Mapping,
    shard: int,
    generator: str,
    threads: int,
    device: str,
    ledger_root: Path = Path("ledger"),
) -> Counts:
    return Counts(kept=len(pictures))


def test_each_argument_gets_what_the_rule_has_of_its_name():
    assert arguments_of(describe, job()) == {
        "pictures": [Path("a.tar"), Path("b.tar")],
        "table": Path("t.parquet"),
        "out": Path("o.parquet"),
        "absent": None,
        "entry": {"backend": "x"},
        "shard": 12,
        "generator": "pika",
        "threads": 3,
        "device": "cpu",
    }
    assert arguments_of(describe, job(gpu=2))["device"] == "auto"


def test_one_file_is_a_list_where_a_list_is_wanted():
    def take(table: Sequence[Path], entry: Mapping) -> Counts: ...

    assert arguments_of(take, job())["table"] == [Path("t.parquet")]


def test_a_function_may_take_lines_for_the_log():
    def take(table: Path, entry: Mapping, note: Callable[[str], None]) -> Counts: ...

    assert arguments_of(take, job(), note=print)["note"] is print


def test_a_rule_that_does_not_agree_is_refused():
    with pytest.raises(TypeError, match="describe takes no 'sede'; rule describe"):
        arguments_of(describe, job(sede=1))

    def wants(entry: Mapping, epsilon: float) -> Counts: ...

    with pytest.raises(TypeError, match="wants 'epsilon', which the rule lacks"):
        arguments_of(wants, job())


def test_the_log_is_closed_with_the_counts(tmp_path):
    run_job(describe, job(tmp_path))
    assert "read 2 = kept 2 + rejected 0" in (tmp_path / "rule.log").read_text()


def test_what_starts_its_own_threads_takes_no_more_than_the_rule_has(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    run_job(lambda entry: Counts(), job(tmp_path))
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_gpus_are_told_as_they_are_asked_for():
    def train(entry: Mapping, gpus: int = 0, devices: int = 0) -> Counts:
        return Counts()

    for asked, found in ((0, (0, 1)), (8, (8, 8))):
        arguments = arguments_of(train, job(gpu=asked))
        assert (arguments["gpus"], arguments["devices"]) == found


def test_what_a_script_says_itself_comes_before_its_rule_and_as_it_is():
    found = arguments_of(describe, job(), table=Path("other"), pictures={"a": 1}, shard=3)
    assert found["table"] == Path("other") and found["pictures"] == {"a": 1}
    wanted = job()
    wanted.wildcards = Wildcards(
        fromdict={"shard": "no number", "generator": "pika"}
    )  # an output, say, of the name of a setting
    assert arguments_of(describe, wanted, shard=3)["shard"] == 3 == found["shard"]
