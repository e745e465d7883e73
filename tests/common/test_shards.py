import tarfile

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.index_rows import IndexRows
from scripts.common.pictures import decode_picture, encode_png, picture_properties
from scripts.common.schemas.items import ITEM_INDEX
from scripts.common.shards import Shard, ShardItem, Shards, write_shard
from scripts.common.tables import read_table, write_table


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
    assert shards.rows["id-2"]["tar"] == str(paths[1][0])


def random_indexes(folder, seed, files=3):
    """Write indexes that share some ids; return their paths and what a dict holds of them."""
    random = np.random.default_rng(seed)
    paths, expected = [], {}
    for number in range(files):
        rows = []
        for uuid in sorted({f"id-{value}" for value in random.integers(0, 60, size=30)}):
            is_ok = bool(random.random() < 0.7)
            row = {name: None for name in ITEM_INDEX.names} | {"uuid": uuid, "group": "g"}
            row |= {"status": "ok", "sha256": f"{number}-{uuid}", "offset": number, "fps": 2.5}
            rows.append(row if is_ok else row | {"status": "rejected", "reason": "no_video"})
        paths.append(folder / f"{number}.parquet")
        write_table(rows, paths[-1], ITEM_INDEX)
        expected |= {row["uuid"]: (number, row) for row in rows}
    return paths, expected


@pytest.mark.parametrize("seed", range(5))
def test_the_rows_of_indexes_are_those_of_a_dict(tmp_path, seed):
    paths, expected = random_indexes(tmp_path, seed)
    rows = IndexRows([read_table(path, ITEM_INDEX) for path in paths])
    plain = {uuid: row for uuid, (_, row) in expected.items()}
    assert len(rows) == len(plain) and list(rows) == sorted(plain)
    assert dict(rows.items()) == plain
    assert list(rows.values()) == [plain[uuid] for uuid in sorted(plain)]
    assert rows.uuids == sorted(uuid for uuid, row in plain.items() if row["status"] == "ok")
    for uuid in [f"id-{value}" for value in range(-1, 61)] + ["", "id-", "jd", "好"]:
        assert (uuid in rows) == (uuid in plain)
        assert rows.get(uuid) == plain.get(uuid)
        assert rows.is_ok(uuid) == (plain.get(uuid, {}).get("status") == "ok")
        if uuid in plain:
            assert rows.file_of(uuid) == expected[uuid][0]
        else:
            with pytest.raises(KeyError):
                rows.file_of(uuid)


def test_no_index_has_no_rows():
    for rows in (IndexRows([]), IndexRows([ITEM_INDEX.empty_table()])):
        assert len(rows) == 0 and list(rows.items()) == [] and rows.uuids == []
        assert "id-1" not in rows and not rows.is_ok("id-1")
