import gzip
import tarfile

import polars as pl
import pytest

from scripts.common.errors import UserError
from scripts.common.fingerprints import sha256_of
from scripts.common.pictures import decode_picture
from scripts.common.schemas.items import ITEM_INDEX, REASONS
from scripts.common.schemas.release import MEMBER_REASONS, RELEASED_MEMBERS
from scripts.common.shards import Shard, Shards, read_index
from scripts.common.tables import read_table
from scripts.curate.release.index_released import index_released
from scripts.curate.release.list_members import list_members
from scripts.curate.release.released_members import find_uuid
from scripts.curate.release.unpack_pictures import unpack_pictures
from scripts.split.indexes import read_items
from tests.curate.release.small_release import (
    picture,
    prompt_id,
    rows_of,
    video,
    write_rows,
    write_tar,
)


def listed(tar, kind="picture", decode=False):
    """List a tar; return the counts and its rows by name."""
    out = tar.with_suffix(".parquet")
    counts = list_members(tar, out, kind=kind, decode=decode, ledger_root=tar.parent / "ledger")
    rows = read_table(out, RELEASED_MEMBERS).to_pylist()
    assert counts.lost == 0
    assert {row["reason"] for row in rows} - {None} <= set(MEMBER_REASONS)
    return counts, {row["name"]: row for row in rows}


def names_in(tar):
    """Return the names of a tar's members."""
    with tarfile.open(tar) as archive:
        return archive.getnames()


@pytest.mark.parametrize(
    "name",
    ["{}.png", "./{}.png", "image_prompt_1/{}.jpg", "pika_{}_0.png", "{}/first.png", "a/b/{}"],
)
def test_a_uuid_is_found_wherever_the_name_has_it(name):
    assert find_uuid(name.format(prompt_id(1))) == prompt_id(1)
    assert find_uuid(name.format(prompt_id(1).upper())) == prompt_id(1)


def test_a_longer_number_is_no_uuid():
    assert find_uuid(f"a{prompt_id(1)}.png") is None
    assert find_uuid(f"{prompt_id(1)}0.png") is None
    assert find_uuid("000001.png") is None


@pytest.mark.parametrize("decode", [False, True])
def test_each_member_has_its_place_checksum_and_properties(tmp_path, decode):
    data = {number: video(number) for number in range(3)}
    tar = tmp_path / "svd_videos_subset.tar"
    write_tar(tar, {f"svd/{prompt_id(number)}.mp4": video for number, video in data.items()})
    counts, rows = listed(tar, "video", decode)
    assert counts.kept == 3 and not counts.notes
    whole = tar.read_bytes()
    for number, bytes_ in data.items():
        row = rows[f"svd/{prompt_id(number)}.mp4"]
        assert row["uuid"] == prompt_id(number)
        assert whole[row["offset"] : row["offset"] + row["size_bytes"]] == bytes_
        assert row["sha256"] == sha256_of(bytes_)
        assert (row["width"], row["height"], row["frames"], row["fps"]) == (32, 32, 4, 8)
        assert row["codec"] == "h264"


def test_what_is_no_picture_of_a_prompt_is_counted_by_reason(tmp_path):
    good, other = prompt_id(1), prompt_id(2)
    write_tar(
        tmp_path / "t.tar",
        {
            f"{good}.png": picture(1),
            f"again/{good}.png": picture(2),
            f"._{other}.png": b"left by a copying program",
            f"{other}.json": b"{}",
            "list.txt": b"",
            f"{prompt_id(3)}.png": b"",
            f"{prompt_id(4)}.png": b"no picture",
            f"{prompt_id(5)}": picture(5),
        },
    )
    counts, rows = listed(tmp_path / "t.tar")
    assert counts.kept == 2
    assert counts.rejected == {
        "duplicate_member": 1, "hidden_file": 1, "other_kind": 1, "no_uuid": 1, "empty_file": 1,
        "undecodable": 1,
    }  # fmt: skip
    assert rows[prompt_id(5)]["codec"] == "png"


def test_only_decoding_finds_a_picture_that_is_cut(tmp_path):
    write_tar(tmp_path / "t.tar", {f"{prompt_id(1)}.png": picture(1)[:-60]})
    assert listed(tmp_path / "t.tar")[0].kept == 1
    assert listed(tmp_path / "t.tar", decode=True)[0].rejected == {"undecodable": 1}


@pytest.mark.parametrize(
    ("cut", "kept", "rejected", "word"),
    [
        (lambda data, last: data[: last - 512], 2, 0, "ends at byte"),  # between two members
        (lambda data, last: data[: last - 300], 2, 0, "ends at byte"),  # inside a header
        (lambda data, last: data[: last + 40], 2, 1, "ends at byte"),  # inside a file
        (lambda data, last: data[: last - 512] + b"x" * 4096, 2, 0, "is damaged at byte"),
    ],
)
def test_a_cut_tar_gives_what_it_has_and_says_so(tmp_path, cut, kept, rejected, word):
    tar = tmp_path / "t.tar"
    write_tar(tar, {f"{prompt_id(number)}.png": picture(number) for number in range(3)})
    last = listed(tar)[1][f"{prompt_id(2)}.png"]["offset"]
    tar.write_bytes(cut(tar.read_bytes(), last))
    counts, rows = listed(tar)
    assert (counts.kept, counts.rejected["cut_off"]) == (kept, rejected)
    assert word in counts.notes[0] and "download it again" in counts.notes[0]
    assert {rows[f"{prompt_id(number)}.png"]["status"] for number in range(2)} == {"ok"}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty; download it again"),
        (gzip.compress(b"x" * 2000, mtime=0), "is compressed.*unpack it"),
        (b"<html>not found</html>" * 100, "is no tar .*download it again"),
    ],
)
def test_a_file_that_is_no_tar_is_refused(tmp_path, data, sentence):
    (tmp_path / "t.tar").write_bytes(data)
    with pytest.raises(UserError, match=sentence):
        listed(tmp_path / "t.tar")


def test_a_tar_without_any_uuid_is_refused_with_what_was_found(tmp_path):
    write_tar(
        tmp_path / "t.tar", {f"frames/{number:06d}.png": picture(number) for number in range(3)}
    )
    with pytest.raises(
        UserError, match="none of its 3 members is named by a UUID, such as 'frames/000000"
    ):
        listed(tmp_path / "t.tar")


def test_links_in_a_tar_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        link = tarfile.TarInfo(f"{prompt_id(1)}.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert listed(tmp_path / "t.tar")[0].rejected == {"other_kind": 1}


def test_a_killed_listing_goes_on_at_the_next_member(tmp_path, monkeypatch):
    tar = tmp_path / "t.tar"
    write_tar(tar, {f"{prompt_id(number)}.png": picture(number) for number in range(70)})
    looked_at = []

    def inspect(member, data, kind, *, decode):
        if len(looked_at) == 40:
            raise KeyboardInterrupt
        looked_at.append(member.uuid)
        return original(member, data, kind, decode=decode)

    import scripts.curate.release.list_members as rule

    original = rule.inspect
    monkeypatch.setattr(rule, "inspect", inspect)
    with pytest.raises(KeyboardInterrupt):
        listed(tar)
    monkeypatch.setattr(
        rule, "inspect", lambda *a, **k: looked_at.append(a[0].uuid) or original(*a, **k)
    )
    counts, rows = listed(tar)
    assert counts.kept == 70
    assert len(looked_at) == 70  # none that was finished is read again
    assert [row["sha256"] for row in rows.values()] == [
        sha256_of(picture(number)) for number in sorted(range(70), key=prompt_id)
    ]


@pytest.fixture
def archives(tmp_path):
    """Return two tars of pictures and their members; the second has what the first lacks."""
    wanted = {"image_prompt_1": [0, 1], "subset_image_prompt_1": [1, 2, 9]}
    for name, numbers in wanted.items():
        tar = tmp_path / f"{name}.tar"
        write_tar(tar, {f"{prompt_id(number)}.png": picture(number) for number in numbers})
        listed(tar)
    return [tmp_path / f"{name}.tar" for name in wanted]


def index(archives, tmp_path, numbers):
    """Index some prompts' images; return the counts and the shard."""
    rows = tmp_path / "rows.parquet"
    pl.DataFrame({"uuid": [prompt_id(number) for number in numbers]}).write_parquet(rows)
    members = [tar.with_suffix(".parquet") for tar in archives]
    tar, out = tmp_path / "images" / "00000.tar", tmp_path / "images" / "00000.parquet"
    places = [str(tar) for tar in archives]
    counts = index_released([rows], members, places, tar, out, shard="00000", shards=1)
    return counts, tar, out


def test_items_are_read_where_they_lie(archives, tmp_path):
    counts, tar, out = index(archives, tmp_path, [0, 1, 2, 3])
    assert (counts.read, counts.kept) == (4, 3)
    assert counts.rejected == {"no_member": 1}
    shard = Shard(tar, out)
    for number, home in ((0, 0), (1, 0), (2, 1)):
        assert shard.read(prompt_id(number)) == picture(number)
        assert shard.rows[prompt_id(number)]["tar"] == str(archives[home])
        assert decode_picture(Shards([tar], [out]).read(prompt_id(number))).shape == (40, 40, 3)
    assert Shards([tar], [out]).reason(prompt_id(3)) == "no_member"
    assert not names_in(tar)  # nothing was copied
    items = read_items([out], [str(tar)], {prompt_id(2), prompt_id(3), prompt_id(4)})
    places = dict(zip(items["uuid"], items["tar"], strict=True))
    assert places[prompt_id(2)] == str(archives[1])
    assert read_table(out, ITEM_INDEX)["reason"].drop_null().to_pylist() == ["no_member"]


def test_a_released_tar_that_is_gone_or_changed_is_named(archives, tmp_path):
    _, tar, out = index(archives, tmp_path, [0])
    data = archives[0].read_bytes()
    archives[0].write_bytes(b"x" * len(data))
    with pytest.raises(UserError, match=r"image_prompt_1.tar does not hold .* delete the index"):
        Shard(tar, out).read(prompt_id(0))
    archives[0].unlink()
    with pytest.raises(UserError, match=r"image_prompt_1.tar is missing; .* put it back"):
        Shard(tar, out).read(prompt_id(0))


def test_a_bad_member_gives_way_to_a_good_copy_or_gives_its_reason(tmp_path):
    bad, good = tmp_path / "bad.tar", tmp_path / "good.tar"
    write_tar(bad, {f"{prompt_id(0)}.png": b"no", f"{prompt_id(1)}.png": b"no",
                    f"._{prompt_id(2)}.png": b"no"})  # fmt: skip
    write_tar(good, {f"{prompt_id(0)}.png": picture(0)})
    listed(bad), listed(good)
    counts, tar, out = index([bad, good], tmp_path, [0, 1, 2])
    assert Shard(tar, out).read(prompt_id(0)) == picture(0)
    assert counts.rejected == {"undecodable": 1, "no_member": 1}
    assert set(counts.rejected) <= set(REASONS)


def test_without_any_tar_every_prompt_is_rejected(tmp_path):
    counts, tar, out = index([], tmp_path, [0, 1])
    assert counts.rejected == {"no_member": 2} and not Shard(tar, out).uuids


def test_a_shard_of_videos_holds_the_prompts_of_its_bucket(tmp_path):
    videos = tmp_path / "svd_videos_subset.tar"
    write_tar(videos, {f"{prompt_id(number)}.mp4": video(number) for number in range(5)})
    listed(videos, "video")
    wanted = tmp_path / "chosen.parquet"
    pl.DataFrame({"uuid": [prompt_id(number) for number in range(6)]}).write_parquet(wanted)
    rows = []
    for shard in ("00000", "00001"):
        tar, out = tmp_path / f"{shard}.tar", tmp_path / f"{shard}.parquet"
        index_released([wanted, wanted], [videos.with_suffix(".parquet")], [str(videos)], tar, out,
                     shard=shard, shards=2)  # fmt: skip
        rows += read_index(out, tar).to_pylist()
    assert sorted(row["uuid"] for row in rows) == sorted(prompt_id(number) for number in range(6))
    assert [row["uuid"] for row in rows if row["reason"]] == [prompt_id(5)]


def test_small_pictures_stand_in_where_no_tar_has_one(archives, tmp_path):
    table = tmp_path / "Full-00000-of-00001.parquet"
    columns = rows_of([0, 2, 5, 5, 6, 7])
    columns["UUID"][4] = "nobody"
    columns["Image_Prompt"][5] = {"bytes": b"no picture", "path": None}
    write_rows(table, columns)
    tar, members = tmp_path / "pictures.tar", tmp_path / "pictures.parquet"
    known = [tar.with_suffix(".parquet") for tar in archives]
    counts = unpack_pictures(table, known, tar, members, decode=True)
    assert (counts.read, counts.kept) == (6, 1)
    assert counts.rejected == {
        "in_another_archive": 2, "duplicate_member": 1, "no_uuid": 1, "undecodable": 1
    }  # fmt: skip
    assert names_in(tar) == [f"{prompt_id(5)}.jpg"]
    _, shard_tar, out = index([*archives, tar], tmp_path, [0, 5, 7])
    shard = Shard(shard_tar, out)
    assert shard.read(prompt_id(5)) == picture(5, 16, "JPEG")  # byte for byte
    assert shard.read(prompt_id(0)) == picture(0)
    assert shard.rows[prompt_id(7)]["reason"] == "undecodable"
