"""From messages to unique prompts, to videos proved by decoding, to first frames."""

import hmac
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from scripts.common.errors import Rejected
from scripts.common.identity import normalise_prompt, prompt_uuid, shard_of
from scripts.common.schemas.curate import MESSAGES
from scripts.common.schemas.prompts import PARAMETERS, PROMPT_REJECTS, PROMPTS
from scripts.common.shards import Shard
from scripts.common.tables import fit, read_table, write_table
from scripts.common.video import encode_video
from scripts.curate.candidate_videos import local_file
from scripts.curate.collect_parameters import collect_parameters
from scripts.curate.collect_prompts import collect_prompts
from scripts.curate.extract_messages import extract_messages
from scripts.curate.fetch_videos import fetch_videos
from scripts.curate.graph import find_exports
from scripts.curate.removal_list import RemovalList
from tests.curate.candidates import LINKS
from tests.curate.small_export import export, generation, with_fields

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


def collect(folder, exports, shards=2, kinds=("image_to_video", "unknown"), key="k", **settings):
    paths = []
    for name, rows in exports.items():
        paths.append(folder / "messages" / f"{name}.parquet")
        write_table(fit(rows, MESSAGES), paths[-1], MESSAGES)
    prompts = [folder / "prompts" / f"{shard:05d}.parquet" for shard in range(shards)]
    rejects = folder / "rejects.parquet"
    counts = collect_prompts(paths, prompts, rejects, kinds=list(kinds), user_key=key, **settings)
    rows = {row["prompt"]: row for row in read_table(prompts, PROMPTS).to_pylist()}
    rejects = read_table(rejects, PROMPT_REJECTS).to_pylist()
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
    found = [(candidate["message_id"], candidate["export"]) for candidate in cat["candidates"]]
    assert found == [("1001", "a"), ("1003", "a"), ("1003", "b")] and cat["messages"] == 2
    for shard, path in enumerate(prompts):
        ids = read_table(path, PROMPTS)["uuid"].to_pylist()
        assert all(shard_of(uuid, len(prompts)) == shard for uuid in ids)


def test_each_copy_of_a_message_leaves_its_video_as_a_candidate(tmp_path):
    link = "https://cdn.discordapp.com/attachments/1/2/x.mp4?ex={}"
    day = timedelta(days=1)
    first = message(1, "a cat", video=link.format(1), expires=START)
    exports = {
        "a": [first, message(2, "a dog", kind="text_to_video"), message(3, "a cat")],
        "b": [first | {"video": link.format(2), "video_expires_utc": START + day}],
        "c": [first, message(2, "a dog"), first | {"video": "c.html_Files/1.mp4"}],
        "d": [first | {"prompt": "**a cat**"}],  # an export that read otherwise what was typed
    }
    counts, _, rows, _ = collect(tmp_path, exports)
    assert counts.rejected == {"same_message": 5, "duplicate_prompt": 1, "text_to_video": 1}
    assert (counts.read, counts.kept) == (8, 1) and set(rows) == {"a cat"}
    found = [(c["export"], c["video"], c["video_expires_utc"]) for c in rows["a cat"]["candidates"]]
    assert found == [
        ("a", link.format(1), START),
        ("b", link.format(2), START + day),
        ("c", "c.html_Files/1.mp4", START),
        ("a", "a.html_Files/3.mp4", None),
    ]
    assert rows["a cat"]["messages"] == 2


def test_the_prompts_are_those_that_reading_message_by_message_gives(tmp_path):
    """A plain reading of the rules, one message at a time, beside the columns."""
    random = np.random.default_rng(1)
    texts = [
        "a",
        "a ",
        " a",
        "a\u0301",
        "\u00e1",
        "b\nc",
        "b c",
        "",
        "  ",
        "d\x1fe",
        "d e",
        "好 き",
    ]
    exports = {
        name: [
            message(
                number,
                texts[number % 7 if number % 3 else random.integers(len(texts))],
                kind=["image_to_video", "unknown", "text_to_video"][number % 5 % 3],
                requester=f"user {number % 4}",
                video=f"{name}/{number}.mp4",
            )
            for number in random.permutation(80)[:50].tolist()
        ]
        for name in "xyz"
    }
    counts, prompts, rows, _ = collect(tmp_path, exports, shards=3)
    messages = [row | {"export": name} for name, part in exports.items() for row in part]
    first, kept, reasons = {}, {}, Counter()
    for row in sorted(messages, key=lambda row: (row["timestamp_utc"], row["export"])):
        origin = first.setdefault(row["message_id"], row)
        prompt = normalise_prompt(origin["prompt"])
        is_usable = origin["kind"] != "text_to_video" and prompt
        if is_usable:
            candidates = kept.setdefault(prompt, (origin, []))[1]
            if row["kind"] != "text_to_video":
                candidates.append(row["video"])
        if origin is not row:
            reasons["same_message"] += 1
        elif origin["kind"] == "text_to_video":
            reasons["text_to_video"] += 1
        elif not prompt:
            reasons["empty_prompt"] += 1
        elif kept[prompt][0] is not origin:
            reasons["duplicate_prompt"] += 1
    assert counts.rejected == reasons and len(rows) == len(kept) > 3
    for prompt, (origin, videos) in kept.items():
        row = rows[prompt]
        assert row["uuid"] == prompt_uuid(prompt)
        assert row["timestamp_utc"] == origin["timestamp_utc"]
        assert [candidate["video"] for candidate in row["candidates"]] == videos
        ids = read_table(prompts[shard_of(row["uuid"], 3)], PROMPTS)["uuid"].to_pylist()
        assert row["uuid"] in ids
        assert (
            row["user_id"]
            == hmac.new(b"k", origin["requester"].encode(), "sha256").hexdigest()[:32]
        )


def test_what_the_removal_list_names_is_left_out_and_counted(tmp_path):
    """A user's prompts are those that the user was the first to type."""
    exports = {
        "a": [
            message(1, "a cat walks"),
            message(2, "a cat walks", requester="ben"),
            message(3, "a dog", requester="ben"),
            message(4, "the sea", requester="ben"),
            message(5, "the sea"),
            message(6, "rain", requester=None),
        ]
    }
    ben = hmac.digest(b"k", b"ben", "sha256").hex()[:32]
    removals = RemovalList(frozenset({prompt_uuid("a cat walks")}), frozenset({ben}))
    counts, _, rows, rejects = collect(tmp_path, exports, removals=removals)
    assert set(rows) == {"rain"}
    assert counts.lost == 0 and counts.rejected == {"removed": 3, "duplicate_prompt": 2}
    assert {number for number, reason in rejects.items() if reason == "removed"} == {
        "1001", "1003", "1004"
    }  # fmt: skip


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


LOCAL = LINKS | {"fetch": False, "max_mb": 100, "max_megapixels": 20_000}


def fetch(folder, media, rows):
    _, prompts, _, _ = collect(folder, {"a": rows}, shards=1)
    tar, index = folder / "videos" / "00000.tar", folder / "videos" / "00000.parquet"
    counts = fetch_videos(
        prompts[0], tar, index, folder / "candidates.parquet",
        exports={"a": str(media / "a.html")}, links=LOCAL, ledger_root=folder / "ledger",
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


def test_a_video_that_only_the_second_export_holds_is_found(tmp_path, media):
    link = "https://cdn.discordapp.com/attachments/1/2/x.mp4"
    exports = {"a": [message(1, "a cat", video=link)], "b": [message(1, "a cat")]}
    _, prompts, _, _ = collect(tmp_path, exports, shards=1)
    tar, index = tmp_path / "videos" / "00000.tar", tmp_path / "videos" / "00000.parquet"
    paths = {name: str(media / f"{name}.html") for name in exports}
    counts = fetch_videos(
        prompts[0], tar, index, tmp_path / "candidates.parquet",
        exports=paths, links=LOCAL, ledger_root=tmp_path / "ledger",
    )  # fmt: skip
    assert counts.sentence() == "read 1 = kept 1 + rejected 0"


def test_media_paths_stay_in_the_exports_folder(media):
    assert local_file("a.html_Files/1%2Emp4", media).name == "1.mp4"
    for path in ("../secret.mp4", "/etc/passwd", "a.html_Files/%2e%2e/%2e%2e/secret.mp4"):
        with pytest.raises(Rejected, match="unsafe_path"):
            local_file(path, media)


def test_exports_are_found_and_named(tmp_path):
    for name in ("G - C [1].html", "G - C [1] [part 2].html", "sub/G_C_1.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_exports(str(tmp_path), made_up=False)
    assert set(found) == {"G-C-1", "G-C-1-part-2", "G-C-1-2"}
    assert find_exports(str(tmp_path / "none"), made_up=False) == {}


def test_what_users_asked_for_lies_beside_the_data_set(tmp_path):
    typed = {
        "a cat -camera zoom in -motion 4 -gs 15.5 -neg blurry, dull -ar 16:9 -fps 8": (
            ["zoom in"], 4, 15.5, "blurry, dull", "16:9", 8),
        "a dog": (None,) * 6,
        "left out -motion 2": None,
    }  # fmt: skip
    path, table = tmp_path / "export.html", tmp_path / "messages.parquet"
    path.write_text(export(*[[generation(n, with_fields(text))] for n, text in enumerate(typed)]))
    extract_messages(path, table, tmp_path / "r", tmp_path / "s", bot_names=["Pika"])
    shards = [tmp_path / "prompts" / f"{number}.parquet" for number in range(2)]
    collect_prompts([table], shards, tmp_path / "rejects", kinds=["image_to_video"], user_key=None)
    ids = {text: prompt_uuid(text.partition(" -")[0]) for text in typed}
    wanted = sorted(ids[text] for text, values in typed.items() if values)
    pl.DataFrame({"UUID": wanted, "Subject": ["x"] * 2}).write_parquet(tmp_path / "dataset.parquet")
    counts = collect_parameters(
        shards, tmp_path / "dataset.parquet", tmp_path / "parameters.parquet"
    )
    assert counts.sentence() == "read 2 = kept 2 + rejected 0"
    rows = read_table(tmp_path / "parameters.parquet", PARAMETERS).to_pylist()
    assert [row["UUID"] for row in rows] == wanted
    names = ["camera", "motion", "guidance_scale", "negative_prompt", "aspect_ratio", "fps"]
    found = {row["UUID"]: tuple(row[name] for name in names) for row in rows}
    assert found == {ids[text]: values for text, values in typed.items() if values}
