"""From messages to unique prompts, to videos proved by decoding, to first frames."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from scripts.common.identity import prompt_uuid, shard_of
from scripts.common.pictures import decode_picture
from scripts.common.schemas.curate import MESSAGES
from scripts.common.schemas.prompts import PROMPT_REJECTS, PROMPTS
from scripts.common.shards import Shard
from scripts.common.tables import fit, read_table, write_table
from scripts.common.video import UnreadableVideo, encode_video, read_frames
from scripts.curate.candidate_videos import local_file
from scripts.curate.collect_prompts import collect_prompts
from scripts.curate.export_files import find_exports
from scripts.curate.extract_images import extract_images
from scripts.curate.fetch_videos import fetch_videos

START = datetime(2023, 8, 1, tzinfo=UTC)


def message(number, prompt, kind="image_to_video", requester="ann", video=None, expires=None):
    return {
        "message_id": str(1000 + number),
        "timestamp_utc": START + timedelta(minutes=number),
        "requester": requester,
        "prompt": prompt,
        "kind": kind,
        "video": video or f"a.html_Files/{number}.mp4",
        "video_name": f"{number}.mp4",
        "video_expires_utc": expires,
    }


def collect(folder, exports, shards=2, kinds=("image_to_video", "unknown"), key="k"):
    paths = []
    for name, rows in exports.items():
        paths.append(folder / "messages" / f"{name}.parquet")
        write_table(fit(rows, MESSAGES), paths[-1], MESSAGES)
    prompts = [folder / "prompts" / f"{shard:05d}.parquet" for shard in range(shards)]
    counts = collect_prompts(
        paths, prompts, folder / "rejects.parquet", kinds=list(kinds), user_key=key
    )
    rows = {row["prompt"]: row for row in read_table(prompts, PROMPTS).to_pylist()}
    rejects = read_table(folder / "rejects.parquet", PROMPT_REJECTS).to_pylist()
    return counts, prompts, rows, {row["message_id"]: row["reason"] for row in rejects}


def test_each_prompt_is_kept_once_and_every_message_accounted_for(tmp_path):
    exports = {
        "b": [message(3, "a  cat\nwalks", requester="ben"), message(5, "", requester="cy")],
        "a": [
            message(1, "a cat walks"),
            message(2, "a dog", kind="text_to_video"),
            message(4, "a dog", kind="unknown"),
            message(3, "a cat walks", requester="ben"),  # the export overlaps with b
        ],
    }
    counts, prompts, rows, rejects = collect(tmp_path, exports)
    assert set(rows) == {"a cat walks", "a dog"}
    assert rejects == {
        "1002": "text_to_video", "1003": "same_message", "1005": "empty_prompt"
    } | {"1003": rejects["1003"]}  # fmt: skip
    assert (counts.read, counts.kept, counts.rejected.total()) == (6, 2, 4)
    assert counts.rejected["duplicate_prompt"] == counts.rejected["same_message"] == 1
    cat = rows["a cat walks"]
    assert cat["uuid"] == prompt_uuid("a cat walks")
    assert cat["timestamp_utc"] == START + timedelta(minutes=1)
    assert [candidate["message_id"] for candidate in cat["candidates"]] == ["1001", "1003"]
    for shard, path in enumerate(prompts):
        ids = read_table(path, PROMPTS)["uuid"].to_pylist()
        assert all(shard_of(uuid, len(prompts)) == shard for uuid in ids)


def test_users_are_hashed_with_a_key_or_not_at_all(tmp_path):
    exports = {"a": [message(1, "one"), message(2, "two"), message(3, "three", requester="ben")]}
    hashed = {p: r["user_id"] for p, r in collect(tmp_path / "1", exports)[2].items()}
    other = {p: r["user_id"] for p, r in collect(tmp_path / "2", exports, key="l")[2].items()}
    none = {p: r["user_id"] for p, r in collect(tmp_path / "3", exports, key=None)[2].items()}
    assert hashed["one"] == hashed["two"] != hashed["three"]
    assert hashed["one"] != other["one"]
    assert set(none.values()) == {None}


@pytest.fixture
def media(tmp_path):
    folder = tmp_path / "exports"
    files = folder / "a.html_Files"
    files.mkdir(parents=True)
    frames = np.full((6, 16, 24, 3), 90, np.uint8)
    frames[0] = 200
    good = encode_video(frames, 24, crf=12)
    (files / "1.mp4").write_bytes(good)
    (files / "2.mp4").write_bytes(good[: len(good) // 2])
    (files / "3.mp4").write_bytes(b"")
    (files / "5.mp4").write_bytes(good)
    (tmp_path / "secret.mp4").write_bytes(good)
    return folder


def fetch(folder, media, rows):
    _, prompts, _, _ = collect(folder, {"a": rows}, shards=1)
    tar, index = folder / "videos" / "00000.tar", folder / "videos" / "00000.parquet"
    counts = fetch_videos(
        prompts[0], tar, index, folder / "candidates.parquet",
        exports={"a": str(media / "a.html")}, ledger_root=folder / "ledger",
    )  # fmt: skip
    return counts, Shard(tar, index)


def test_every_prompt_has_a_video_or_a_reason(tmp_path, media):
    link = "https://cdn.discordapp.com/attachments/1/2/x.mp4"
    rows = [
        message(1, "good"),
        message(2, "cut off"),
        message(3, "empty"),
        message(4, "missing"),
        message(5, "broken first"),
        message(6, "expired", video=link, expires=START),
        message(7, "unsigned", video=link),
        message(8, "traversal", video="../secret.mp4"),
    ]
    rows[4]["video"] = "a.html_Files/none.mp4"
    rows.append(message(9, "broken first", video="a.html_Files/5.mp4"))  # a retry that is there
    counts, shard = fetch(tmp_path, media, rows)
    reasons = {
        prompt: shard.rows[prompt_uuid(prompt)]["reason"] for prompt in {r["prompt"] for r in rows}
    }
    assert reasons == {
        "good": None, "cut off": "undecodable", "empty": "empty_file", "missing": "missing_file",
        "broken first": None, "expired": "link_expired", "unsigned": "link_not_local",
        "traversal": "unsafe_path",
    }  # fmt: skip
    assert (counts.read, counts.kept) == (8, 2)
    row = shard.rows[prompt_uuid("good")]
    assert (row["frames"], row["fps"], row["width"], row["height"]) == (6, 24.0, 24, 16)


def test_a_failed_video_is_tried_again_by_the_next_run_and_a_good_one_is_not(tmp_path, media):
    rows = [message(1, "good"), message(4, "missing")]
    fetch(tmp_path, media, rows)
    file = media / "a.html_Files" / "1.mp4"
    file.rename(media / "a.html_Files" / "4.mp4")
    _, shard = fetch(tmp_path, media, rows)
    assert len(shard.uuids) == 2


def test_media_paths_stay_in_the_exports_folder(media):
    assert local_file("a.html_Files/1%2Emp4", media).name == "1.mp4"
    for path in ("../secret.mp4", "/etc/passwd", "a.html_Files/%2e%2e/%2e%2e/secret.mp4"):
        with pytest.raises(UnreadableVideo, match="unsafe_path"):
            local_file(path, media)


def test_image_prompts_are_the_exact_first_frames(tmp_path, media):
    _, shard = fetch(tmp_path, media, [message(1, "good"), message(4, "missing")])
    tar, index = tmp_path / "images" / "00000.tar", tmp_path / "images" / "00000.parquet"
    counts = extract_images(shard.tar, shard.index, tar, index, ledger_root=tmp_path / "ledger")
    assert counts.sentence() == "read 2 = kept 1 + rejected 1 (no_video 1)"
    uuid = prompt_uuid("good")
    picture = decode_picture(Shard(tar, index).read(uuid))
    assert np.array_equal(picture, read_frames(shard.read(uuid), [0])[0])


def test_exports_are_found_and_named(tmp_path):
    for name in ("G - C [1].html", "G - C [1] [part 2].html", "sub/G_C_1.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_exports(str(tmp_path), made_up=False)
    assert set(found) == {"G-C-1", "G-C-1-part-2", "G-C-1-2"}
    assert find_exports(str(tmp_path / "none"), made_up=False) == {}
