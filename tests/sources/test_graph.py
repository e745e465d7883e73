"""What the rules of published sources ask."""

from types import SimpleNamespace

import pytest

from scripts.commands.check import read_configuration
from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.common.study import Study
from scripts.sources.graph import SourcesGraph
from tests.sources.published import touch_sources


def wildcards(source, shard="00000"):
    return SimpleNamespace(source=source, get={"shard": shard}.get)


@pytest.fixture
def graph(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch_sources(tmp_path)
    return SourcesGraph(Study.of(read_configuration()))


def test_each_source_of_the_paper_says_where_its_layout_was_read(graph):
    for (sheet, name), entry in graph.study.wanted.items():
        if sheet == "sources":
            assert len(entry["layout"]["known"]) > 20, name


def test_archives_are_inputs_of_their_shard_and_loose_files_their_folder(graph, tmp_path):
    assert graph.files(wildcards("disc21")) == ["data/DISC21/references_0.zip"]
    assert graph.files(wildcards("disc21", "00001")) == ["data/DISC21/references_x.zip"]
    assert graph.files(wildcards("vsc22", "00007")) == ["data/VSC22"]
    assert graph.files(wildcards("vidprom")) == ["data/VidProM/VidProM_unique.csv"]
    for name in "0x":
        (tmp_path / f"data/DISC21/references_{name}.zip").unlink()
    with pytest.raises(UserError, match="there is no data/DISC21"):
        graph.files(wildcards("disc21"))


def test_where_a_layout_was_read_decides_nothing(graph):
    assert "known" not in graph.layout(wildcards("disc21"))
    assert (
        graph.kind(wildcards("vsc22")) == "video" and graph.kind(wildcards("disc21")) == "picture"
    )


def test_tars_of_a_source_are_its_own_or_one_for_each_shard(graph):
    study = graph.study
    assert study.source_tars("real_videos") == ["results/sources/real_videos.tar"]
    assert study.source_tars("disc21")[19] == "results/sources/disc21/00019.tar"
    assert len(study.source_indexes("vsc22")) == 64


def test_the_demo_makes_its_prompts_itself():
    demo = SourcesGraph(Study.of(read_configuration(ROOT / "config/demo.yaml")))
    assert demo.pattern(prompts=True) == "none"
    assert "reference_images" in demo.pattern(prompts=False)
