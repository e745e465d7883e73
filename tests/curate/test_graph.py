"""Curate's wiring from exports: what its rules ask."""

import os
import re
from types import SimpleNamespace

import pytest

from scripts.common.errors import UserError
from scripts.common.fingerprints import fingerprint
from scripts.common.study import Study
from scripts.curate.graph import CurateGraph


def graph(folder, source="discord_exports", generators=("pika", "svd"), **curate):
    settings = {
        "exports": str(folder), "media_folders": ["*_Files"], "shards": 2,
        "links": {"fetch": True, "fresh_table": ""},
    }  # fmt: skip
    sheet = {"pika": {"scraped": True}, "svd": {}, "other_bot": {"scraped": True}}
    config = {"source": source, "curate": settings | curate,
              "generate": {"generators": list(generators)}}  # fmt: skip
    return CurateGraph(Study(config, {"generators": sheet}))


def test_each_export_has_its_files(tmp_path):
    for name in ("b [1].html", "a.html", "{x}.html"):
        (tmp_path / name).touch()
    curate = graph(tmp_path)
    assert list(curate.exports) == ["a", "b-1", "x"]
    assert curate.all_messages(None) == [f"results/messages/{n}.parquet" for n in curate.exports]
    one = SimpleNamespace(export="x")
    assert curate.export_input(one) == "results/exports/x.html" == curate.export_inputs["x"]
    assert curate.export_path(one) == str(tmp_path / "{x}.html")
    assert curate.export_input(SimpleNamespace(export="a")) == str(tmp_path / "a.html")
    assert curate.export_pattern == r"a|b\-1|x"


def test_names_with_which_nothing_can_deal_are_given_up(tmp_path):
    """Long ones in files' names; in Snakemake's lists, names of bytes that are no text."""
    for name in ("lo" * 120, "lo" * 119):
        (tmp_path / f"{name}.html").touch()
    with open(os.fsencode(tmp_path) + b"/x\xff.html", "wb"):
        pass
    curate = graph(tmp_path)
    assert [len(name) for name in curate.exports] == [109, 109, 1]
    assert curate.export_inputs["x"] == "results/exports/x.html"
    assert len(fingerprint(path=curate.exports["x"])) == 20
    assert not any(re.search(r"(.+?)\1{19}$", name) for name in curate.exports), "Snakemake minds"


def test_a_folder_without_exports_is_said_when_prompts_are_wanted(tmp_path):
    curate = graph(tmp_path)
    assert curate.export_pattern == "none"
    with pytest.raises(UserError, match=r"holds no \.html file"):
        curate.all_messages(None)


def test_videos_are_of_the_one_scraped_generator(tmp_path):
    assert graph(tmp_path).generator == "pika"
    with pytest.raises(UserError, match=r"\(pika, other_bot\) name exactly one"):
        _ = graph(tmp_path, generators=["svd"]).generator
