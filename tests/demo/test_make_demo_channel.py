"""The demo's made-up channel: the same bytes from the same seed, in the exporter's grammar."""

import html
import itertools
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import sha256_of
from scripts.common.tables import read_table
from scripts.common.video import probe_video, read_frames
from scripts.curate.extract_messages import extract_messages
from scripts.demo import export_html
from scripts.demo.channel import PIKA, SPAN, USERS
from scripts.demo.generations import FAULTS, plan_generations
from scripts.demo.make_demo_channel import make_demo_channel
from scripts.demo.motions import MARGIN, MOTIONS, animate, canvas_size
from scripts.demo.photographs import PHOTOGRAPHS, photograph
from scripts.demo.prompts import SIZES, different_ideas, image_ideas
from scripts.demo.scenes import SCENES
from scripts.demo.subjects import ACTIONS, SUBJECTS
from scripts.demo.times import snowflake, timestamp_of
from scripts.demo.treatments import TREATMENTS, treat
from scripts.demo.warps import Step

GENERATIONS, SEED = 40, 7
EXPORTS = ("demo-animate.html", "demo-create.html", "demo-create [part 2].html")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    """One small channel, shared by the tests that only read it."""
    folder = tmp_path_factory.mktemp("exports")
    counts = make_demo_channel(folder, generations=GENERATIONS, seed=SEED)
    assert counts.read == GENERATIONS
    assert counts.lost == 0
    return folder


@pytest.fixture(scope="module")
def truth(channel):
    return [json.loads(line) for line in open(channel / "truth.jsonl", encoding="utf-8")]


def checksums(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


def test_another_process_makes_the_same_bytes(channel, tmp_path):
    """And it leaves no media of a run before."""
    for name in ("demo-animate.html_Files", "demo-create.html_Files"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stale-00000.mp4").write_bytes(b"old")
    code = (
        "from pathlib import Path; from scripts.demo.make_demo_channel import make_demo_channel;"
        f"make_demo_channel(Path({str(tmp_path)!r}), generations={GENERATIONS}, seed={SEED}, threads=2)"
    )
    environment = os.environ | {"PYTHONHASHSEED": "123"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment)
    assert checksums(tmp_path) == checksums(channel)


def test_a_rule_has_each_list_and_template_that_its_code_opens():
    """An edit of one makes the channel up anew."""
    rules = (ROOT / "rules/demo.smk").read_text()
    named = set(re.findall(r"\b(\w+)\b", rules.partition("rule make_demo_sources")[0]))
    lists = {path.stem for path in (ROOT / "scripts/demo").glob("*.csv")}
    assert lists
    assert lists <= named
    assert "scripts/demo/export.html.j2" in rules
    assert rules.count("scripts/demo/phrases.csv") == 1


def test_another_seed_gives_other_prompts():
    plans = [plan_generations(GENERATIONS, seed, USERS) for seed in (1, 2)]
    texts = [{generation.idea.text for generation in plan} for plan in plans]
    assert len(texts[0] & texts[1]) < GENERATIONS // 2


def test_media_list_names_every_media_file(channel):
    listed = dict(
        reversed(line.split("  ", 1))
        for line in (channel / "media.sha256").read_text(encoding="utf-8").splitlines()
    )
    media = {name: value for name, value in checksums(channel).items() if "_Files/" in name}
    assert listed == media


def test_parser_recovers_exactly_what_was_made_up(channel, truth, tmp_path):
    found = []
    for name in EXPORTS:
        messages, rejects = tmp_path / "messages.parquet", tmp_path / "rejects.parquet"
        extract_messages(
            channel / name, messages, rejects, tmp_path / "state.parquet", bot_names=["Pika"]
        )
        rows = read_table(messages).to_pylist()
        text = (channel / name).read_text(encoding="utf-8")
        declared = int(re.search(r"Exported ([\d,]+) message", text)[1].replace(",", ""))
        assert len(rows) + read_table(rejects).num_rows == declared
        found += rows
    options = ("motion", "guidance_scale", "aspect_ratio", "camera", "fps", "seed")
    assert len(found) == len(truth)
    for row, wanted in zip(found, truth, strict=True):
        assert row["message_id"] == wanted["message_id"]
        assert row["timestamp_utc"].timestamp() * 1000 == wanted["timestamp_ms"]
        for key in ("prompt", "kind", "video", "video_name", "requester"):
            assert row[key] == wanted[key]
        for key in (*options, "negative_prompt"):
            assert (row[key] or None) == (wanted.get(key) or None), key


def test_sound_videos_last_3_s_and_broken_ones_are_there(channel, truth):
    faults = Counter()
    for row in truth:
        if row["video"].startswith("https://"):
            faults["expired_link"] += 1
            continue
        try:
            properties = probe_video(channel / row["video"])
        except Rejected as error:
            faults[error.reason] += 1
            continue
        assert (properties.frames, properties.fps, properties.codec) == (72, 24.0, "h264")
        assert (properties.width, properties.height) in SIZES.values()
    # A truncated file is undecodable too: its index lies at the end.
    assert faults == {"missing_file": 1, "empty_file": 1, "undecodable": 2, "expired_link": 1}


def test_videos_move_and_retries_differ(channel, truth):
    sound = [row for row in truth if (channel / row["video"]).is_file()]
    by_prompt = {}
    for row in sound:
        by_prompt.setdefault((row["prompt"], row.get("aspect_ratio")), []).append(row)
    several = [rows for rows in by_prompt.values() if len(rows) > 1 and rows[0]["prompt"]]
    assert several
    for rows in several:
        assert len({sha256_of(channel / row["video"]) for row in rows}) == len(rows)
    for rows in list(by_prompt.values())[:6]:
        try:
            first, last = read_frames(channel / rows[0]["video"], [0, 71]).astype(int)
        except Rejected:
            continue
        assert np.abs(first - last).mean() > 0.3


def test_truth_lies_in_the_papers_span(truth):
    assert len(truth) == GENERATIONS
    assert len({row["message_id"] for row in truth}) == GENERATIONS
    for row in truth:
        when = datetime.fromtimestamp(row["timestamp_ms"] / 1000, UTC)
        assert SPAN[0] <= when <= datetime(2024, 11, 1, tzinfo=UTC)
        assert timestamp_of(int(row["message_id"])) == row["timestamp_ms"]


def test_everything_says_that_it_is_made_up(channel, truth):
    for name in EXPORTS:
        text = (channel / name).read_text(encoding="utf-8")
        assert "made up" in text.partition("<body>")[0]
        assert "made-up demo channel" in text
    assert all(row["requester"].startswith("made_up_") for row in truth)


def test_lists_that_hold_too_few_prompts_are_named():
    same = itertools.repeat(image_ideas(20, 1)[-1])
    with pytest.raises(
        UserError, match=r"2 different prompts.*set curate\.demo\.generations lower"
    ):
        different_ideas(same, 2, set(), "prompts about 'sunset'")


@pytest.fixture(scope="module")
def plan():
    """The demo's own plan, nothing of it drawn."""
    return plan_generations(240, 20241107, USERS)


def test_plan_holds_what_the_demo_needs(plan):
    assert len(plan) == 240
    with_picture = [g for g in plan if g.kind != "text_to_video" and g.idea.spans]
    sound = {g.idea.text: g.idea.subject for g in with_picture if not g.fault}
    assert 145 <= len(sound) <= 170
    popular = [name for name, count in Counter(sound.values()).items() if count >= 6]
    assert len(popular) >= 12
    assert {g.fault for g in plan} == {"", *FAULTS}
    assert {g.kind for g in plan} == {"image_to_video", "text_to_video", "unknown"}
    assert {g.spelling for g in plan} == {"-", "--", "- "}
    assert any(not g.idea.spans for g in plan)
    marks = {span.mark for g in plan for span in g.idea.spans}
    assert {"em", "emoji", "link", "strong"} <= marks
    retried = Counter(g.idea.text for g in with_picture)
    assert sum(count - 1 for count in retried.values()) > 30


def test_broken_prompts_are_not_retried(plan):
    broken = {g.idea.text for g in plan if g.fault}
    assert len(broken) == sum(bool(g.fault) for g in plan)
    assert not broken & {g.idea.text for g in plan if not g.fault}


def test_no_two_prompts_share_a_picture():
    ideas = image_ideas(160, 3)
    assert len({idea.picture for idea in ideas}) == len(ideas)
    assert len({idea.text.casefold() for idea in ideas}) == len(ideas)


def test_subjects_name_what_exists():
    for subject in SUBJECTS:
        assert subject.singular or subject.plural
        assert set(subject.actions) <= set(ACTIONS)
        assert {view.scene for view in subject.views} <= {*SCENES, *PHOTOGRAPHS}
    assert {action.motion for action in ACTIONS.values()} <= set(MOTIONS)


@pytest.mark.parametrize("motion", MOTIONS)
def test_motion_starts_from_the_picture_and_leaves_it(motion):
    size = (96, 54)
    picture = photograph("cat").resize(canvas_size(size))
    frames = animate(picture, size, motion, strength=1, seed=4, frames=12).astype(int)
    edge = [round(side * (1 - 1 / MARGIN) / 2) for side in picture.size]
    box = (edge[0], edge[1], picture.width - edge[0], picture.height - edge[1])
    middle = np.asarray(picture.resize(size, box=box)).astype(int)
    # Particles stand in front from the beginning; the rest is resampled a little differently.
    assert np.median(np.abs(frames[0] - middle)) <= 4
    assert max(np.abs(frame - frames[0]).mean() for frame in frames) > 1
    again = animate(picture, size, motion, strength=1, seed=5, frames=12)
    assert (again != frames).any()


@pytest.mark.parametrize(
    ("motion", "point", "comes_from"),
    [
        ("pan_left", (0, 0), lambda u, v: u < 0 and v == 0),
        ("pan_right", (0, 0), lambda u, v: u > 0 and v == 0),
        ("pan_up", (0, 0), lambda u, v: u == 0 and v < 0),
        ("pan_down", (0, 0), lambda u, v: u == 0 and v > 0),
        ("zoom_in", (1, 0), lambda u, v: 0 < u < 1),
        ("zoom_out", (1, 0), lambda u, v: u > 1),
        ("rotate_cw", (1, 0), lambda u, v: v < 0),  # what was above goes to the right
        ("rotate_ccw", (1, 0), lambda u, v: v > 0),
    ],
)
def test_the_camera_moves_as_the_prompt_says(motion, point, comes_from):
    """TIP-Camera measures these."""
    assert comes_from(*MOTIONS[motion].warp(*point, Step(1.0, 1.0, 0.2, 1.5)))


def test_treatments_differ_from_each_other():
    picture = photograph("cat").resize((96, 64))
    results = [np.asarray(treat(picture, name)).astype(int) for name in TREATMENTS]
    for index, one in enumerate(results):
        for other in results[:index]:
            assert np.abs(one - other).mean() > 4


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(PHOTOGRAPHS, "nothing", ("no_such_package", "a.png"))
    with pytest.raises(UserError, match="no_such_package"):
        photograph("nothing")


# A number cannot stand for what Unicode will never assign.
@given(st.text(st.characters(exclude_categories=["Cn", "Cs"])))
def test_encoding_is_undone_by_unescaping(text):
    encoded = export_html.encode(text)
    assert html.unescape(encoded) == html.unescape(html.escape(text))
    assert not set("<>\"'") & set(encoded)


def test_encoding_writes_latin_accents_as_numbers():
    assert export_html.encode("una niña & 'ein Löwe' 猫") == (
        "una ni&#241;a &amp; &#39;ein L&#246;we&#39; 猫"
    )


def test_media_names_are_cut_to_42_characters():
    """The name and the cut are those of an export in the real exporter's manner."""
    name = "a_knight_on_a_horse_hair_blowing_in_the_wind__camera_orbit_seed654519379233104049.mp4"
    path = export_html.media_path("x.html_Files", f"https://host/1/2/{name}?ex=1&is=2", name)
    assert re.fullmatch(
        r"x\.html_Files/a_knight_on_a_horse_hair_blowing_in_th-[0-9A-F]{5}\.mp4", path
    )
    assert path == export_html.media_path("x.html_Files", f"https://host/1/2/{name}?ex=9", name)


def test_groups_end_with_the_author_the_time_or_a_reply():
    start, minute = 1_700_000_000_000, 60_000
    numbers = iter(range(100))

    def message(minutes, author=PIKA, **more):
        number = snowflake(start + int(minutes * minute), next(numbers))
        return export_html.Message(number, author, "text", **more)

    reply = export_html.Reply(USERS[0], "used /create")
    rows = [
        message(0),
        message(6.9),
        message(14.5),
        message(15, USERS[0]),
        message(15.5),
        message(16, reply=reply),
        message(17),
        message(18, notice=("join-icon", "joined the server.")),
        message(19),
    ]
    text = export_html.render_export(
        rows, export_html.Locale("en-GB", 0), guild="g", channel="c", topic="t"
    )
    groups = re.findall(r"<div class=chatlog__message-group>.*", text)
    assert [group.count("data-message-id") for group in groups] == [2, 1, 1, 1, 2, 1, 1]


def test_times_are_written_in_the_language_of_the_exporter():
    moment = 1_722_556_805_000  # 2 August 2024, 00:00:05 UTC
    american = export_html.Locale("en-US", -7)
    assert american.short(moment) == "8/1/2024 5:00\u202fPM"
    assert american.long(moment) == "Thursday, August 1, 2024 5:00\u202fPM"
    british = export_html.Locale("en-GB", 0)
    assert british.short(moment) == "02/08/2024 00:00"
    assert british.long(moment) == "02 August 2024 00:00"


def test_snowflake_holds_its_millisecond():
    chance = random.Random(1)
    for _ in range(50):
        moment = chance.randrange(1_600_000_000_000, 1_800_000_000_000)
        assert timestamp_of(snowflake(moment, chance.getrandbits(30))) == moment
