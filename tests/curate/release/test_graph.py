"""Curate's wiring from the released data set: what its rules ask."""

from types import SimpleNamespace

import pytest

from scripts.common.errors import UserError
from scripts.common.study import Study
from scripts.curate.release.graph import ReleaseGraph
from tests.curate.release.small_release import make_release


def graph(folder, *, annotations=("text_embedding", "subject"), **release):
    settings = {"folder": str(folder), "full": True, "subset": True, "pictures": ["tars", "parquet"],
                "all_pika_videos": False}  # fmt: skip
    sheet = {"pika": {"scraped": True, "released": "pika"}, "svd": {"released": "svd"}, "mine": {}}
    config = {
        "source": "release", "release": settings | release, "curate": {"shards": 2},
        "generate": {"generators": ["pika", "svd", "mine"], "shards": 3},
    }  # fmt: skip
    return ReleaseGraph(Study(config, {"generators": sheet}, annotations))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("release"))


def test_pictures_come_from_the_first_place_that_has_one(folder):
    release = graph(folder)
    names = list(release.pictures)
    tars = [name for name in names if not name.startswith("data/")]
    assert names[: len(tars)] == tars and tars[0].startswith("image_prompt_tar/")
    assert names[len(tars) :] == [
        "data/Full-00000-of-00002", "data/Full-00001-of-00002", "data/Subset-00000-of-00001",
        "data/Eval-00000-of-00001",
    ]  # fmt: skip
    first = SimpleNamespace(table="Full-00001-of-00002")
    better = release.better_pictures(first)
    assert better == [f"results/released/members/{name}.parquet" for name in tars]
    last = release.better_pictures(SimpleNamespace(table="Eval-00000-of-00001"))
    assert last == better + [
        f"results/released/pictures/{name[5:]}.parquet" for name in names[-4:-1]
    ]


def test_videos_are_those_of_the_wildcards_generator(folder):
    release, svd = graph(folder), SimpleNamespace(generator="svd")
    assert all("svd_videos" in tar for tar in release.video_tars(svd))
    members = release.video_members(svd)
    assert [path.split("members/")[1] for path in members] == [
        f"{name}.parquet" for name in release.videos("svd")
    ]
    assert release.animated(svd) == ["results/chosen_prompts.parquet"]
    assert release.study.video_shards(svd) == 3


def test_only_pika_has_videos_of_all_prompts(folder):
    assert graph(folder).with_all_prompts == []
    release = graph(folder, all_pika_videos=True)
    everything = release.animated(SimpleNamespace(generator="pika"))
    assert everything[1:] == ["results/prompts/00000.parquet", "results/prompts/00001.parquet"]
    assert release.animated(SimpleNamespace(generator="svd")) == everything[:1]


def test_annotations_are_values_or_tables_of_their_own(folder):
    release = graph(folder)
    assert (release.values, release.embeddings) == (["subject"], ["text_embedding"])
    tables = release.embedding_tables(SimpleNamespace(embedding="text_embedding"))
    assert tables[0].endswith("Embedding/Full_Text_Embedding.parquet")


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(UserError, match="holds no Full-00000-of-NNNNN"):
        _ = graph(tmp_path).tables
    with pytest.raises(UserError, match="holds no tar of image prompts"):
        _ = graph(tmp_path, pictures=["tars"]).pictures
