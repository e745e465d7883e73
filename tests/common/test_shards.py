import tarfile

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.pictures import decode_picture, encode_png, picture_properties
from scripts.common.shards import Shard, ShardItem, Shards, write_shard


def picture(value):
    return np.full((4, 6, 3), value, np.uint8)


def items(*values):
    return [
        ShardItem(f"id-{v}", encode_png(picture(v)), picture_properties(picture(v))) for v in values
    ] + [ShardItem("id-lost", reason="undecodable")]


def test_items_come_back_and_every_wanted_one_has_a_row(tmp_path):
    tar, index = tmp_path / "s.tar", tmp_path / "s.parquet"
    counts = write_shard(tar, index, items(1, 2), "png")
    assert counts.sentence() == "read 3 = kept 2 + rejected 1 (undecodable 1)"
    shard = Shard(tar, index)
    assert shard.uuids == ["id-1", "id-2"] and "id-lost" not in shard
    assert np.array_equal(decode_picture(shard.read("id-2")), picture(2))
    assert shard.rows["id-lost"]["reason"] == "undecodable"
    with tarfile.open(tar) as archive:
        assert archive.getnames() == ["id-1.png", "id-2.png"]
    with pytest.raises(KeyError):
        shard.read("id-lost")


def test_equal_items_give_equal_bytes(tmp_path):
    for name in "ab":
        write_shard(tmp_path / f"{name}.tar", tmp_path / f"{name}.parquet", items(1, 2), "png")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_damaged_or_missing_tar_is_named(tmp_path):
    tar, index = tmp_path / "s.tar", tmp_path / "s.parquet"
    write_shard(tar, index, items(1), "png")
    tar.write_bytes(tar.read_bytes()[:540])
    with pytest.raises(UserError, match=r"s\.tar does not hold id-1"):
        Shard(tar, index).read("id-1")
    tar.unlink()
    with pytest.raises(UserError, match=r"s\.tar is missing"):
        Shard(tar, index).read("id-1")


def test_several_shards_read_as_one(tmp_path):
    paths = [(tmp_path / f"{n}.tar", tmp_path / f"{n}.parquet") for n in (1, 2)]
    for value, (tar, index) in enumerate(paths, 1):
        write_shard(tar, index, items(value)[:1], "png")
    shards = Shards(*zip(*paths, strict=True))
    assert shards.uuids == ["id-1", "id-2"]
    assert [decode_picture(data)[0, 0, 0] for _, data in shards] == [1, 2]
    assert shards.reason("id-3") == "no_video"
    assert shards.tar_of("id-2") == paths[1][0]
