"""An item's image lies in one of the shards that are opened for its video shard."""

from hypothesis import given
from hypothesis import strategies as st

from scripts.common.identity import shard_name, shard_names, shard_of
from scripts.evaluate.image_shards import shards_beside


@given(st.uuids(), st.integers(1, 200), st.integers(1, 200))
def test_no_item_is_missed(uuid, shards, image_shards):
    video_shard = shard_name(shard_of(str(uuid), shards))
    image_shard = shard_name(shard_of(str(uuid), image_shards))
    assert image_shard in shards_beside(video_shard, shards, shard_names(image_shards))


def test_only_what_is_needed_is_opened():
    assert shards_beside("00003", 64, shard_names(64)) == ["00003"]
    assert shards_beside("00001", 100, shard_names(64)) == shard_names(64)[1::4]
    assert shards_beside("00000", 1, shard_names(2)) == ["00000", "00001"]
