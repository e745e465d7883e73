"""Outside sources as they are published: every member has a row, wherever it lies."""

import tarfile
import zipfile

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.common.identity import item_uuid
from scripts.common.schemas.items import PLACED_INDEX
from scripts.common.shards import Shards
from scripts.common.video import probe_video, read_frames
from scripts.sources import index_source as module
from scripts.sources.index_source import index_source
from tests.sources.published import jpeg, link, pack_folder, pack_tar, pack_zip, video

UUID = "6a83eb92-faa0-572b-9e1f-67dec99b711d"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Index files of the working directory; returns the counts and what readers find."""
    monkeypatch.chdir(tmp_path)

    def run(*files, kind="picture", source="mine", shards=1, **layout):
        tars = [tmp_path / f"out/{shard:05d}.tar" for shard in range(shards)]
        indexes = [tar.with_suffix(".parquet") for tar in tars]
        counts = [
            index_source(
                tar, path, source=source, kind=kind, shard=tar.stem, seed=3,
                layout={"files": list(files), "shards": shards} | layout,
                ledger_root=tmp_path / "ledger",
            )
            for tar, path in zip(tars, indexes, strict=True)
        ]  # fmt: skip
        return sum(counts[1:], counts[0]), Shards(tars, indexes)

    return run


def test_a_video_of_vidprom_keeps_its_uuid_and_stays_in_its_tar(tmp_path, index):
    clip = video(24)
    pack_tar(tmp_path / "VidProM/pika_videos/pika_videos_1.tar",
             {f"pika_videos/pika-{UUID}.mp4": clip, "pika_videos/readme.txt": b"hello"})  # fmt: skip
    counts, items = index("VidProM/pika_videos/*.tar", kind="video")
    assert counts.sentence() == "read 1 = kept 1 + rejected 0"
    row = items.rows[UUID]
    assert row["tar"] == "VidProM/pika_videos/pika_videos_1.tar"
    assert (row["frames"], row["fps"], row["width"], row["codec"]) == (24, 8.0, 32, "h264")
    assert items.read(UUID) == clip
    with tarfile.open(tmp_path / "out/00000.tar") as tar:
        assert tar.getnames() == []


def test_pictures_of_disc21_lie_in_zips_stored_or_packed(tmp_path, index):
    some = {f"images/references/R{n:06d}.jpg": jpeg(n) for n in range(4)}
    names = list(some)
    pack_zip(tmp_path / "references_0.zip", {name: some[name] for name in names[:2]})
    pack_zip(tmp_path / "references_1.zip", {name: some[name] for name in names[2:]},
             zipfile.ZIP_DEFLATED)  # fmt: skip
    counts, items = index("references_*.zip", source="disc21", members=r"(^|/)R_?\d{6}\.jpg$")
    assert counts.kept == 4
    for number, name in enumerate(names):
        uuid = item_uuid("disc21", f"R{number:06d}")
        assert items.read(uuid) == some[name]
        stays = items.rows[uuid]["tar"] == "references_0.zip"
        assert stays == (number < 2), "what is packed is copied, and nothing else"
        assert items.rows[uuid]["height"] == 12 and items.rows[uuid]["codec"] == "jpeg"


@pytest.mark.parametrize("packing", ["folder", "tar", "tar.gz"])
def test_pictures_of_open_images_are_the_same_however_they_are_packed(tmp_path, index, packing):
    some = {f"validation/{n:016x}.jpg": jpeg(n) for n in range(5)}
    if packing == "folder":
        pack_folder(tmp_path / "OpenImages", some)
        files = "OpenImages/**/*.jpg"
    else:
        files = f"validation.{packing}"
        pack_tar(tmp_path / files, some, "w:gz" if packing == "tar.gz" else "w")
    counts, items = index(files, source="open_images")
    assert counts.kept == 5
    assert {items.read(uuid) for uuid in items.uuids} == set(some.values())
    assert items.uuids == sorted(item_uuid("open_images", f"{n:016x}") for n in range(5))


def test_only_what_a_list_names_is_taken(tmp_path, index):
    pack_folder(tmp_path, {f"validation/{n:016x}.jpg": jpeg(n) for n in range(3)})
    (tmp_path / "images.csv").write_text(f"ImageID,Subset\n{1:016x},validation\n")
    _, items = index("validation/*.jpg", table={"file": "images.csv", "column": "ImageID"})
    assert items.uuids == [item_uuid("mine", f"{1:016x}")]
    with pytest.raises(UserError, match=r"images.csv: the columns Name cannot be read"):
        index("validation/*.jpg", table={"file": "images.csv", "column": "Name"})


def test_samples_of_a_webdataset(tmp_path, index):
    pack_tar(tmp_path / "a.tar", {"000.jpg": jpeg(1), "000.json": b"{}", "001.png": jpeg(2, form="PNG")})  # fmt: skip
    counts, items = index("*.tar")
    assert counts.sentence() == "read 2 = kept 2 + rejected 0"
    assert {row["codec"] for row in items.rows.values()} == {"jpeg", "png"}


def test_prompt_images_of_vbench_and_aigcbench(tmp_path, index):
    names = [f"crop/{ratio}/a squirrel: eating, fast!.jpg" for ratio in ("1-1", "16-9")]
    pack_zip(tmp_path / "crop.zip", {name: jpeg(n) for n, name in enumerate(names)})
    counts, items = index("crop.zip", members="(^|/)16-9/")
    assert counts.sentence() == "read 1 = kept 1 + rejected 0", "other ratios are no members"
    assert items.read(items.uuids[0]) == jpeg(1)
    pack_folder(tmp_path / "t2i", {"265_Amidst the lush canopy, a panda.png": jpeg(9, form="PNG")})
    assert index("t2i/**/*.png")[0].kept == 1


def test_real_videos_are_cut_into_pieces_in_one_decoding(tmp_path, index, monkeypatch):
    long, short = video(8 * 7, fps=8, size=(34, 18)), video(16)
    pack_folder(tmp_path / "VSC22/dataset_train/refs", {"R100000.mp4": long, "R100001.mp4": short})
    cuts = []
    cut = module.cut_video
    monkeypatch.setattr(module, "cut_video", lambda *a, **k: cuts.append(1) or cut(*a, **k))
    counts, items = index("VSC22/dataset_*/*/*.mp4", kind="video", source="vsc22", segment_s=3)
    assert counts.sentence() == "read 3 = kept 2 + rejected 1 (too_short 1)"
    assert len(cuts) == 1
    origin = item_uuid("vsc22", "R100000")
    whole = read_frames(long).astype(int)
    for piece in range(2):
        uuid = item_uuid("vsc22", f"{origin}/{piece}")
        row, found = items.rows[uuid], probe_video(items.read(uuid))
        assert row["group"] == origin
        assert (found.frames, found.fps, found.width, found.height) == (24, 8.0, 34, 18)
        assert (row["frames"], row["fps"], row["duration_s"]) == (24, 8.0, 3.0)
        there = read_frames(items.read(uuid)).astype(int)
        assert np.abs(there - whole[24 * piece : 24 * piece + 24]).mean() < 3
    assert items.rows[item_uuid("vsc22", "R100001")]["reason"] == "too_short"
    _, items = index("VSC22/dataset_*/*/*.mp4", kind="video", source="vsc22", segment_s=2)
    assert {row["duration_s"] for row in items.rows.values()} == {2.0}, "cut anew, not recalled"
    assert len(items.rows) == 3 + 1


def test_broken_members_have_reasons_and_the_others_are_taken(tmp_path, index):
    good = jpeg(1, (400, 300))
    members = {"good.jpg": good, "cut.jpg": good[:600], "empty.jpg": b"", "text.jpg": b"<html>",
               "sub/good.jpg": jpeg(2)}  # fmt: skip
    counts, items = index(str(pack_tar(tmp_path / "a.tar", members)))
    assert items.uuids == [item_uuid("mine", "good")]
    assert counts.rejected == {"undecodable": 2, "empty_file": 1, "duplicate_member": 1}
    assert len(items.rows) == 5
    broken = {"no.mp4": b"\0" * 300, "cut.mp4": video(24)[:-400], "yes.mp4": video(24, value=9)}
    counts, items = index(str(pack_tar(tmp_path / "b.tar", broken)), kind="video", source="b")
    assert counts.kept == 1 and counts.rejected == {"undecodable": 2}


@pytest.mark.parametrize("packing", ["tar", "tar.gz"])
def test_of_an_archive_that_is_cut_off_the_beginning_is_taken(tmp_path, index, packing):
    some = {f"{n}.jpg": np.random.default_rng(n).bytes(3000) + jpeg(n) for n in range(9)}
    some = {name: jpeg(n) + data for n, (name, data) in enumerate(some.items())}
    path = pack_tar(tmp_path / f"a.{packing}", some, "w:gz" if packing == "tar.gz" else "w")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 45 // 100])
    counts, items = index(path.name)
    assert 2 <= counts.kept <= 5 and sum(counts.rejected.values()) == 1
    assert "cut off or damaged" in counts.notes[0]
    assert all(items.read(uuid) for uuid in items.uuids)
    if packing == "tar":  # between two members, and with another's bytes for a header
        end = 2 * (512 + -(-len(some["0.jpg"]) // 512) * 512)
        for damage in (whole[:end], whole[:end] + b"x" * 512 + whole[end + 512 :]):
            path.write_bytes(damage)
            counts, _ = index(path.name)
            assert counts.kept == 2 and f"no mark of its end at byte {end:,}" in counts.notes[0]


def test_names_and_links_lead_nowhere(tmp_path, index):
    secret = pack_folder(tmp_path, {"secret/photo.jpg": jpeg(7)}) / "secret/photo.jpg"
    members = {
        "../../up.jpg": jpeg(1), "/etc/absolute.jpg": jpeg(2), "C:\\drive.jpg": jpeg(3),
        "soft.jpg": link("soft.jpg", str(secret)),
        "hard.jpg": link("hard.jpg", "../secret/photo.jpg", tarfile.LNKTYPE),
        "fifo.jpg": link("fifo.jpg", "", tarfile.FIFOTYPE), "fine.jpg": jpeg(4), ".": b"x", "": b"x",
    }  # fmt: skip
    before = {path for path in tmp_path.rglob("*")}
    for packing, mode in (("a.tar", "w"), ("b.tgz", "w:gz")):
        path = pack_tar(tmp_path / packing, members, mode)
        counts, items = index(path.name, source=packing)
        assert counts.rejected == {"unsafe_path": 3, "not_a_file": 3}
        assert items.uuids == [item_uuid(packing, "fine")]
    entry = zipfile.ZipInfo("soft.jpg")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr(entry, str(secret))
        archive.writestr("../up.jpg", jpeg(1))
    counts, _ = index("c.zip")
    assert counts.rejected == {"not_a_file": 1, "unsafe_path": 1}
    new = {path for path in tmp_path.rglob("*")} - before
    assert not [path for path in new if path.suffix == ".jpg"]


def test_bombs_are_not_unpacked(tmp_path, index, monkeypatch):
    pack_zip(tmp_path / "a.zip", {"zeros.jpg": bytes(10**6), "fine.jpg": jpeg(1)}, zipfile.ZIP_DEFLATED)  # fmt: skip
    counts, _ = index("a.zip")
    assert (counts.kept, counts.rejected) == (1, {"decompression_bomb": 1})
    pack_tar(tmp_path / "b.tar.gz", {"fine.jpg": jpeg(1), "zeros.jpg": bytes(10**6)}, "w:gz")
    counts, _ = index("b.tar.gz", source="b")
    assert counts.kept == 1 and "far more than its size" in counts.notes[0]
    lying = (tmp_path / "a.zip").read_bytes().replace((10**6).to_bytes(4, "little"), (900).to_bytes(4, "little"))  # fmt: skip
    (tmp_path / "c.zip").write_bytes(lying)
    counts, _ = index("c.zip", source="c")
    assert counts.kept == 1 and counts.rejected.keys() <= {"decompression_bomb", "damaged_member"}
    monkeypatch.setitem(module.__dict__, "MOST_MEGAPIXELS", 1e-4)
    pack_folder(tmp_path / "v", {"a.mp4": video(24)})
    counts, _ = index("v/*.mp4", kind="video", segment_s=3, source="d")
    assert counts.rejected == {"too_many_pixels": 1}


def test_entries_of_a_zip_that_lie_on_each_other_are_bombs(tmp_path, index):
    path = pack_zip(tmp_path / "a.zip", {f"{n}.jpg": jpeg(n, (64, 64)) for n in range(9)})
    with zipfile.ZipFile(path) as archive:
        [first, *_] = archive.infolist()
        end = archive.start_dir
    data = bytearray(path.read_bytes())
    entry, size = data[end:], first.compress_size
    assert size > 300
    offsets, place = [], 0
    while (place := entry.find(b"PK\x01\x02", place)) >= 0:
        offsets.append(place)
        place += 4
    for place in offsets:  # all say that they are the whole archive
        data[end + place + 20 : end + place + 28] = 2 * end.to_bytes(4, "little")
        data[end + place + 42 : end + place + 46] = bytes(4)
    path.write_bytes(data)
    counts, _ = index("a.zip")
    assert counts.rejected["decompression_bomb"] >= 8


def test_an_entry_of_a_zip_without_its_header_is_damaged_alone(tmp_path, index):
    path = pack_zip(tmp_path / "a.zip", {f"{n}.jpg": jpeg(n) for n in range(3)})
    data = bytearray(path.read_bytes())
    second = data.find(b"PK\x03\x04", 4)
    data[second : second + 4] = b"xxxx"
    path.write_bytes(data)
    counts, _ = index("a.zip")
    assert (counts.kept, counts.rejected) == (2, {"damaged_member": 1})


def test_playlists_called_videos_are_not_opened(tmp_path, index):
    (tmp_path / "a.mp4").write_text("#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    counts, _ = index("a.mp4", kind="video")
    assert counts.rejected == {"undecodable": 1}


def test_what_is_no_archive_is_a_sentence(tmp_path, index):
    (tmp_path / "a.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(UserError, match=r"a\.tar cannot be read .* take it out of 'files'"):
        index("a.tar")
    with pytest.raises(UserError, match=r"there is no b/\*\.zip; 'make fetch' gets it"):
        index("b/*.zip")


def test_shards_are_all_and_a_part_is_a_seeded_choice(tmp_path, index):
    pack_folder(tmp_path / "p", {f"{n:02d}.jpg": jpeg(n) for n in range(20)})
    _, everything = index("p/*.jpg")
    _, split = index("p/*.jpg", shards=3)
    assert split.uuids == everything.uuids
    counts, part = index("p/*.jpg", shards=3, items=7)
    assert len(part.uuids) == 7 and counts.rejected == {"not_drawn": 13}
    assert part.uuids == index("p/*.jpg", shards=3, items=7)[1].uuids
    assert set(part.uuids) < set(everything.uuids)


def test_a_killed_job_goes_on_at_the_next_piece(tmp_path, index, monkeypatch):
    pack_folder(tmp_path / "v", {f"{n}.mp4": video(48, value=n) for n in range(3)})
    arguments = {"kind": "video", "segment_s": 3}
    cut, cuts = module.cut_video, []

    def dies(data, seconds, **settings):
        cuts.append(data)
        if len(cuts) == 2:
            raise KeyboardInterrupt
        return cut(data, seconds, **settings)

    monkeypatch.setattr(module, "cut_video", dies)
    with pytest.raises(KeyboardInterrupt):
        index("v/*.mp4", **arguments)
    tried = len(cuts)  # the thread that reads ahead may have begun another
    counts, _ = index("v/*.mp4", **arguments)
    assert counts.kept == 6 and len(cuts) == tried + 2, "the first video is not cut again"
    first = (tmp_path / "out/00000.tar").read_bytes(), (tmp_path / "out/00000.parquet").read_bytes()
    index("v/*.mp4", **arguments)
    assert len(cuts) == tried + 2, "nothing is cut again"
    assert first == (
        (tmp_path / "out/00000.tar").read_bytes(),
        (tmp_path / "out/00000.parquet").read_bytes(),
    )
    (tmp_path / "v/1.mp4").write_bytes(video(48, value=99))
    index("v/*.mp4", **arguments)
    assert len(cuts) == tried + 3, "another file is another video"


def test_an_index_has_its_schema(tmp_path, index):
    from scripts.common.tables import read_table

    pack_folder(tmp_path, {"p/a.jpg": jpeg(1), "p/b.jpg": b"x"})
    index("p/*.jpg")
    table = read_table(tmp_path / "out/00000.parquet", PLACED_INDEX)
    assert table["tar"].to_pylist().count("p/a.jpg") == 1
