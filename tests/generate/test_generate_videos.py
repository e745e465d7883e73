"""Every wanted video gets a row, and a killed run resumes."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest

from scripts.common.code import ROOT
from scripts.common.errors import Rejected, UserError
from scripts.common.identity import derived_seed, prompt_uuid
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.schemas.items import GENERATED_INDEX
from scripts.common.segments import PATTERN, items_in
from scripts.common.shards import Shard, ShardItem, Shards, write_shard
from scripts.common.tables import read_table
from scripts.common.video import read_frames
from scripts.generate.generate_videos import _checked, generate_videos
from tests.generate.made_up import picture, write_prompts

SCRIPTED = "tests.generate.scripted_generators:Scripted"


@pytest.fixture
def run(tmp_path):
    """Run the rule's function on texts; return its counts, the index's rows and the record."""

    def generate(inputs, **changes):
        record = tmp_path / "record.txt"
        record.write_text("")
        entry = {"backend": SCRIPTED, "settings": {"record": str(record)}} | changes.pop(
            "entry", {}
        )
        notes = []
        out = tmp_path / "out" / f"{changes.get('generator', 'scripted')}.tar"
        settings = {"generator": "scripted", "shard": "00000", "shards": 1, "seed": 4} | changes
        counts = generate_videos(
            **inputs,
            tar=out,
            index=out.with_suffix(".parquet"),
            entry=entry,
            ledger_root=tmp_path / "ledger",
            note=notes.append,
            **settings,
        )
        lines = [line.split(" ", 1)[1] for line in record.read_text().splitlines()]
        made = [line.rsplit(" ", 1) for line in lines if line != "loaded"]
        return counts, Shard(out, out.with_suffix(".parquet")), dict(made), notes

    return generate


def test_every_wanted_prompt_has_a_row_and_the_others_are_done(tmp_path, run):
    texts = ["a cat", "a dog", "will fail", "odd size", "float frames", "broken", "nothing"]
    inputs = write_prompts(tmp_path, texts, without_image=["nothing"])
    counts, shard, made, _ = run(inputs)
    reasons = {text: shard.rows[prompt_uuid(text)]["reason"] for text in texts}
    assert reasons == {
        "a cat": None,
        "a dog": None,
        "will fail": "generation_failed",
        "odd size": "generation_failed",
        "float frames": "generation_failed",
        "broken": "undecodable",
        "nothing": "no_image",
    }
    assert (counts.read, counts.kept, counts.lost) == (7, 2, 0)
    assert counts.rejected == {"generation_failed": 3, "undecodable": 1, "no_image": 1}
    assert set(made) == {"a cat", "a dog", "will fail", "odd size", "float frames"}
    assert any("RuntimeError: an odd shape" in note and "\n" not in note for note in counts.notes)


def test_what_shows_nothing_is_no_video(tmp_path, run):
    paths = write_prompts(tmp_path, ["a blank wall", "nan", "a frozen sea", "a cat", "a dog"])
    counts, shard, _, _ = run(paths)
    assert counts.kept == 2
    assert dict(counts.rejected) == {"blank_video": 1, "not_a_number": 1, "frozen_video": 1}
    assert shard.rows[prompt_uuid("a frozen sea")]["reason"] == "frozen_video"


def test_what_a_generator_lets_hear_is_in_its_file(tmp_path, run):
    _, shard, _, _ = run(write_prompts(tmp_path, ["a song", "a cat"]))
    for text, tracks in (("a song", 1), ("a cat", 0)):
        with av.open(io.BytesIO(shard.read(prompt_uuid(text)))) as container:
            assert len(container.streams.audio) == tracks
            assert len(list(container.decode(video=0))) == 3


def test_what_hardly_moves_is_a_video():
    frames = np.zeros((3, 4, 4, 3), np.uint8)
    for reason in ("blank_video", "frozen_video"):
        with pytest.raises(Rejected, match=reason):
            _checked(frames)
        frames[2, 0, 0] += 2  # a rounding
        with pytest.raises(Rejected, match=reason):
            _checked(frames)
        frames[2] = frames[0]
        frames[:, :, 0] = 90
    frames[2, 0, 0] = 93
    assert _checked(frames) is frames
    assert _checked(frames[:1]).shape == (1, 4, 4, 3), "a single frame stands still by nature"


def test_a_shard_is_made_in_one_way_and_its_index_says_which(tmp_path, run):
    inputs = write_prompts(tmp_path, ["a cat", "nothing"], without_image=["nothing"])
    fast = {
        "entry": {"settings": {"record": str(tmp_path / "record.txt"), "cache": {"class": "C"}}}
    }
    for changes, speed in (({}, "fidelity"), (fast, "fast")):
        _, shard, made, _ = run(inputs, **changes)
        assert set(made) == {"a cat"}, "nothing is taken over from the other way"
        assert read_table(shard.index, GENERATED_INDEX)["speed"].to_pylist() == [speed] * 2


def test_the_row_describes_the_video_and_the_seed_is_the_prompts_own(tmp_path, run):
    inputs = write_prompts(tmp_path, ["a cat", "a slow dog"])
    _, shard, made, _ = run(inputs)
    uuid, slow = prompt_uuid("a cat"), shard.rows[prompt_uuid("a slow dog")]
    assert (slow["fps"], slow["duration_s"], slow["frames"]) == (5.0, 3 / 5, 3)
    row = shard.rows[uuid]
    assert (row["width"], row["height"], row["fps"], row["frames"]) == (16, 16, 8.0, 3)
    assert (row["duration_s"], row["codec"]) == (3 / 8, "h264")
    assert read_frames(shard.read(uuid)).shape == (3, 16, 16, 3)
    seeds = {text: str(derived_seed(4, "scripted", prompt_uuid(text))) for text in made}
    assert made == seeds and len(set(made.values())) == 2


def test_shards_part_the_prompts_and_read_images_of_other_shards(tmp_path, run):
    texts = [f"scene {place}" for place in range(9)]
    inputs = write_prompts(tmp_path, texts, image_shards=2)
    found = []
    for shard in ("00000", "00001", "00002"):
        found += run(inputs, shard=shard, shards=3)[1].uuids
    assert sorted(found) == sorted(map(prompt_uuid, texts))


def test_a_second_run_makes_nothing_and_gives_the_same_bytes(tmp_path, run):
    inputs = write_prompts(tmp_path, ["a cat", "a dog"])
    _, shard, made, _ = run(inputs)
    assert len(made) == 2
    first = shard.tar.read_bytes(), shard.index.read_bytes()
    _, shard, made, notes = run(inputs)
    assert not made
    assert notes == ["scripted 00000: made 0 videos, recalled 2"]
    shutil.rmtree(tmp_path / "ledger")
    _, again, made, _ = run(inputs)
    assert len(made) == 2
    assert first == (shard.tar.read_bytes(), shard.index.read_bytes())
    assert first == (again.tar.read_bytes(), again.index.read_bytes())


def test_added_prompts_cost_only_themselves_and_failed_ones_are_tried_again(tmp_path, run):
    run(write_prompts(tmp_path, ["a cat", "will fail"]))
    _, shard, made, _ = run(write_prompts(tmp_path, ["a cat", "will fail", "a dog"]))
    assert set(made) == {"will fail", "a dog"}
    assert len(shard.uuids) == 2


def test_another_setting_or_another_image_makes_the_video_again(tmp_path, run):
    inputs = write_prompts(tmp_path, ["a cat", "a dog"])
    run(inputs)
    assert set(run(inputs, seed=5)[2]) == {"a cat", "a dog"}
    assert not run(inputs)[2]
    images = Shards(inputs["images"], inputs["image_indexes"])
    items = []
    for text in sorted(["a cat", "a dog"], key=prompt_uuid):
        data = images.read(prompt_uuid(text))
        if text == "a dog":
            data = encode_png(picture("another dog"))
        items.append(ShardItem(prompt_uuid(text), data, picture_properties(picture(text))))
    write_shard(inputs["images"][0], inputs["image_indexes"][0], items, "png")
    assert set(run(inputs)[2]) == {"a dog"}


def test_a_machine_that_only_fails_stops_the_job_and_keeps_what_is_done(tmp_path, run):
    texts = [f"scene {place}" for place in range(3)]
    run(write_prompts(tmp_path, texts))
    inputs = write_prompts(tmp_path, texts + [f"fail {place}" for place in range(12)])
    with pytest.raises(UserError, match=r"'scripted' failed 10 times in a row.*an odd shape"):
        run(inputs)
    _, shard, made, _ = run(write_prompts(tmp_path, texts))
    assert len(shard.uuids) == 3 and not made


def test_failures_that_others_part_stop_nothing(tmp_path, run):
    texts = [f"{'fail' if place % 2 else 'scene'} {place}" for place in range(40)]
    counts, _, made, _ = run(write_prompts(tmp_path, texts))
    assert counts.kept == 20 and len(made) == 40


def test_a_lack_of_memory_is_the_machines_fault_and_makes_no_row(tmp_path, run):
    inputs = write_prompts(tmp_path, ["a cat", "too large", "a dog"])
    with pytest.raises(UserError, match="memory does not suffice for one item"):
        run(inputs)
    assert not (tmp_path / "out").exists()


def test_a_generator_is_loaded_only_where_something_is_left(tmp_path, run):
    inputs = write_prompts(tmp_path, ["nothing"], without_image=["nothing"])
    counts, _, _, _ = run(inputs)
    assert counts.rejected == {"no_image": 1}
    assert not (tmp_path / "record.txt").read_text()


def test_a_killed_run_resumes_at_the_next_video(tmp_path, run):
    texts = [f"scene {place}" for place in range(12)]
    inputs = write_prompts(tmp_path, texts)
    record = tmp_path / "killed.txt"
    record.write_text("")
    entry = {"backend": SCRIPTED, "settings": {"record": str(record), "seconds": 0.1}}
    program = f"""
from pathlib import Path, PosixPath
from scripts.generate.generate_videos import generate_videos
generate_videos(**{inputs!r}, tar=Path({str(tmp_path / "k.tar")!r}),
    index=Path({str(tmp_path / "k.parquet")!r}), entry={entry!r}, generator="scripted",
    shard="00000", shards=1, seed=4, ledger_root=Path({str(tmp_path / "ledger")!r}))
"""
    killed = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    deadline = time.monotonic() + 60

    def kept():
        return [one for path in (tmp_path / "ledger").rglob(PATTERN) for one in items_in(path)]

    while len(kept()) < 3:
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    done = len(kept())
    assert 3 <= done < 12
    record.write_text("")
    before = time.monotonic()
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    made = [line for line in record.read_text().splitlines() if "scene" in line]
    assert len(made) == 12 - done
    assert time.monotonic() - before < 60
    resumed = Shard(tmp_path / "k.tar", tmp_path / "k.parquet")
    assert resumed.uuids == sorted(map(prompt_uuid, texts))
    _, whole, _, _ = run(inputs)
    assert all(
        np.array_equal(read_frames(resumed.read(uuid)), read_frames(whole.read(uuid)))
        for uuid in whole.uuids
    )
