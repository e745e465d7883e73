"""What several stages share of a configuration."""

from hypothesis import given
from hypothesis import strategies as st

from scripts.common.identity import shard_name, shard_names, shard_of
from scripts.common.study import Study, indexes_of

SHARDS = st.integers(1, 130)


def study_with(shards):
    return Study({"curate": {"shards": shards}, "generate": {"shards": 1}}, {})


@given(uuid=st.uuids(), shards=SHARDS, image_shards=SHARDS)
def test_no_items_image_is_missing_beside_its_video(uuid, shards, image_shards):
    beside = study_with(image_shards).images_beside(shard_name(shard_of(str(uuid), shards)), shards)
    assert f"results/images/{shard_name(shard_of(str(uuid), image_shards))}.tar" in beside


def test_no_more_images_are_read_than_needed():
    assert study_with(64).images_beside("00007", 64) == ["results/images/00007.tar"]
    assert len(study_with(64).images_beside("00007", 100)) == 16
    assert study_with(3).shards == shard_names(3)
    assert indexes_of(["a.tar/b.tar"]) == ["a.tar/b.parquet"]


def test_an_entry_is_what_decides_and_its_weights_content(tmp_path):
    path = tmp_path / "w.pth"
    fields = {"label": "Mine", "licence": "MIT", "backend": "a:B", "weights": {"path": str(path)}}
    study = Study({}, {"tracers": {"mine": fields}})
    entries = []
    for data in (b"one", b"two"):
        path.write_bytes(data)
        entries.append(study.entry("tracers", "mine"))
    assert all(set(entry) == {"backend", "weights", "weights_content"} for entry in entries)
    assert entries[0] != entries[1]
