"""Each stage's account, on the smallest files that have something to account for."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from scripts.analyse.account_annotate import RULES, account_annotate
from scripts.analyse.account_curate import account_curate
from scripts.analyse.account_detect import account_detect
from scripts.analyse.account_evaluate import account_evaluate
from scripts.analyse.account_generate import account_generate
from scripts.analyse.account_split import account_split
from scripts.analyse.account_trace import account_trace
from scripts.common.errors import UserError
from scripts.common.schemas import annotate, curate, detect, evaluate, generate, split, trace
from scripts.common.schemas.items import ITEM_INDEX
from scripts.common.schemas.prompts import PROMPT_REJECTS, PROMPTS
from scripts.common.schemas.watermark import WATERMARKS
from scripts.common.tables import read_frame, write_table


def write(path: Path, schema: pa.Schema, rows: list[dict], **common) -> Path:
    """Write rows of a schema; what a row does not name is an empty value of the column's type."""
    empty = {field.name: _empty(field) for field in schema}
    write_table([empty | common | row for row in rows], path, schema)
    return path


def _empty(field: pa.Field) -> object:
    if field.nullable:
        return None
    if pa.types.is_string(field.type):
        return ""
    return [] if pa.types.is_list(field.type) else False if pa.types.is_boolean(field.type) else 0


def index(path: Path, **fates: str | None) -> Path:
    """Write an index: item -> reason, None where it is there; its checksum is its name."""
    rows = [
        {"uuid": uuid, "status": "rejected" if reason else "ok", "reason": reason, "sha256": uuid}
        for uuid, reason in fates.items()
    ]
    return write(path, ITEM_INDEX, rows)


def statuses(**fates: str | None) -> list[dict]:
    return [
        {"uuid": uuid, "status": "rejected" if reason else "ok", "reason": reason}
        for uuid, reason in fates.items()
    ]


def sums(account: Path) -> dict[str, tuple]:
    """Return step and part -> read, kept, reasons."""
    table = read_frame(account)
    return {
        f"{step} {part}".strip(): (
            int(rows["read"].iloc[0]),
            int(rows["kept"].iloc[0]),
            {row.reason: row.count for row in rows[["reason", "count"]].itertuples() if row.reason},
        )
        for (step, part), rows in table.groupby(["step", "part"], sort=False)
    }


@pytest.fixture
def curated(tmp_path):
    """Three messages of which two are one prompt, and one export that states one more."""
    export = tmp_path / "channel.html"
    export.write_text("<div class=postamble__entry>Exported 5 message(s)</div>")
    messages = write(
        tmp_path / "m.parquet", curate.MESSAGES, [{"message_id": str(i)} for i in (1, 2, 3)]
    )
    rejects = write(
        tmp_path / "r.parquet", curate.MESSAGE_REJECTS, [{"message_id": "9", "reason": "no_video"}]
    )
    return {
        "exports": {"channel": (export, messages, rejects)},
        "prompts": [write(tmp_path / "p.parquet", PROMPTS, [{"uuid": "a"}, {"uuid": "b"}])],
        "prompt_rejects": write(
            tmp_path / "pr.parquet",
            PROMPT_REJECTS,
            [{"message_id": "3", "reason": "duplicate_prompt"}],
        ),
        "video_indexes": [index(tmp_path / "v.parquet", a=None, b="undecodable")],
        "image_indexes": [index(tmp_path / "i.parquet", a=None, b="no_video")],
        "watermarks": [write(tmp_path / "w.parquet", WATERMARKS, statuses(a=None))],
    }


def test_curate(curated, tmp_path):
    account_curate(**curated, account=tmp_path / "account.parquet")
    assert sums(tmp_path / "account.parquet") == {
        "extract_messages channel": (5, 3, {"no_video": 1, "not_in_the_file": 1}),
        "collect_prompts": (3, 2, {"duplicate_prompt": 1}),
        "fetch_videos": (2, 1, {"undecodable": 1}),
        "extract_images": (1, 1, {}),
        "score_watermarks": (1, 1, {}),
    }
    marked = [row | {"score": 0.9, "has_overlay": True} for row in statuses(a=None)]
    write(tmp_path / "w.parquet", WATERMARKS, marked)
    account_curate(**curated, account=tmp_path / "account.parquet")
    assert sums(tmp_path / "account.parquet")["score_watermarks"] == (1, 0, {"overlay": 1})


def test_curate_a_prompt_lost_between_messages_and_prompts(curated, tmp_path):
    write(tmp_path / "p.parquet", PROMPTS, [{"uuid": "a"}])
    with pytest.raises(UserError, match=r"collect_prompts: read 3, but kept 1 \+ rejected 1"):
        account_curate(**curated, account=tmp_path / "account.parquet")


def test_curate_a_video_lost(curated, tmp_path):
    index(tmp_path / "v.parquet", a=None)
    with pytest.raises(UserError, match="fetch_videos: 1 videos came in and are neither"):
        account_curate(**curated, account=tmp_path / "account.parquet")


def test_annotate(tmp_path):
    done = write(tmp_path / "n.parquet", annotate.SUBJECT, statuses(a=None, b=None))
    refused = write(tmp_path / "t.parquet", annotate.SUBJECT, statuses(a=None, b="refused"))
    pd.DataFrame({"UUID": ["a"]}).to_parquet(tmp_path / "dataset.parquet")
    rejects = write(
        tmp_path / "rejects.parquet",
        annotate.DATASET_REJECTS,
        [{"uuid": "b", "reason": "not_annotated"}, {"uuid": "c", "reason": "no_image"}],
    )
    account_annotate(
        [index(tmp_path / "i.parquet", a=None, b=None, c="no_video")],
        {name: [refused if name == "subject" else done] for name in RULES},
        tmp_path / "dataset.parquet",
        rejects,
        tmp_path / "account.parquet",
    )
    found = sums(tmp_path / "account.parquet")
    assert found["embed_texts"] == (2, 2, {})
    assert found["tag_subjects"] == (2, 1, {"refused": 1})
    assert found["build_dataset"] == (2, 1, {"not_annotated": 1})


def test_generate(tmp_path):
    pd.DataFrame({"UUID": ["a", "b", "c"]}).to_parquet(tmp_path / "dataset.parquet")
    chosen = write(tmp_path / "c.parquet", generate.CHOSEN, [{"uuid": "a"}, {"uuid": "b"}])
    videos = index(tmp_path / "v.parquet", a=None, b="generation_failed")
    account_generate(
        tmp_path / "dataset.parquet", chosen, {"sway": [videos]}, tmp_path / "account.parquet"
    )
    assert sums(tmp_path / "account.parquet") == {
        "choose_prompts": (3, 2, {"not_drawn": 1}),
        "generate_videos sway": (2, 1, {"generation_failed": 1}),
    }


def test_generate_a_prompt_from_nowhere(tmp_path):
    pd.DataFrame({"UUID": ["a"]}).to_parquet(tmp_path / "dataset.parquet")
    chosen = write(tmp_path / "c.parquet", generate.CHOSEN, [{"uuid": "z"}])
    with pytest.raises(UserError, match="choose_prompts: 1 prompts were kept without having"):
        account_generate(tmp_path / "dataset.parquet", chosen, {}, tmp_path / "account.parquet")


@pytest.fixture
def splits(tmp_path):
    """Four prompts, one generator whose video of one is missing, and outside items."""
    dataset = pd.DataFrame({"UUID": list("abcd"), "Subject": ["cat", "cat", "dog", None]})
    dataset.to_parquet(tmp_path / "dataset.parquet")
    chosen = [{"uuid": uuid, "subset": uuid != "d"} for uuid in "abcd"]
    parts = [{"uuid": uuid, "part": "query" if uuid == "a" else "train"} for uuid in "abc"]
    frames = [{"uuid": "a", "part": "query"}, {"uuid": "b", "part": "train", "frame": 1}]
    frames.append(frames[1] | {"frame": 2})
    images = [
        {"uuid": "a", "role": "source_image", "sha256": "a"},
        {"uuid": "b", "role": "training_image", "sha256": "b"},
        {"uuid": "c", "role": "training_image", "sha256": "c"},
        {"uuid": "r1", "role": "reference", "sha256": "r1"},
        {"uuid": "d1", "role": "distractor", "sha256": "d1"},
    ]
    for name in ("sway", "real"):
        (tmp_path / name).mkdir()
    return {
        "dataset": tmp_path / "dataset.parquet",
        "chosen": write(tmp_path / "chosen.parquet", generate.CHOSEN, chosen),
        "tip_eval": write(tmp_path / "eval.parquet", split.TIP_EVAL, [{"uuid": "a"}]),
        "tip_id": {
            "sway": write(
                tmp_path / "sway" / "id.parquet", split.TIP_ID, [{"uuid": "a"}, {"uuid": "b"}]
            ),
            "real": write(tmp_path / "real" / "id.parquet", split.TIP_ID, [{"uuid": "s1"}]),
        },
        "trace_prompts": write(tmp_path / "parts.parquet", split.TRACE_PROMPTS, parts),
        "trace_frames": {"sway": write(tmp_path / "frames.parquet", split.TRACE_FRAMES, frames)},
        "trace_images": [write(tmp_path / "images.parquet", split.TRACE_IMAGES, images)],
        "account": tmp_path / "account.parquet",
        "indexes": {
            "sway": [index(tmp_path / "sway.parquet", a=None, b=None, c="generation_failed")],
            "real": [index(tmp_path / "real.parquet", s1=None, s2="undecodable")],
        },
        "image_indexes": [index(tmp_path / "im.parquet", a=None, b=None, c=None)],
        "outside": {
            "reference": index(tmp_path / "ref.parquet", r1=None, r2=None, b=None),
            "distractor": index(tmp_path / "dis.parquet", d1=None, d2="empty_file", r1=None),
        },
    }


def test_split(splits):
    account_split(**splits)
    assert sums(splits["account"]) == {
        "split_tip_eval": (4, 1, {"no_subject": 1, "not_drawn": 1, "unpopular_subject": 1}),
        "split_tip_trace": (3, 3, {}),
        "split_tip_id sway": (3, 2, {"generation_failed": 1}),
        "split_tip_id real": (2, 1, {"undecodable": 1}),
        "sample_trace_frames sway": (3, 2, {"generation_failed": 1}),
        "collect_trace_images source_image": (1, 1, {}),
        "collect_trace_images training_image": (2, 2, {}),
        "collect_trace_images reference": (3, 1, {"not_drawn": 1, "same_bytes": 1}),
        "collect_trace_images distractor": (3, 1, {"empty_file": 1, "same_bytes": 1}),
    }


def test_split_a_good_video_that_is_in_no_part(splits, tmp_path):
    write(tmp_path / "sway" / "id.parquet", split.TIP_ID, [{"uuid": "a"}])
    with pytest.raises(UserError, match=r"split_tip_id sway: 1 videos came in .* such as b"):
        account_split(**splits)


def test_evaluate(tmp_path):
    wanted = write(tmp_path / "e.parquet", split.TIP_EVAL, [{"uuid": "a"}, {"uuid": "b"}])
    rows = [
        {"generator": "sway", "metric": "dover", "item": "a", "status": "ok"},
        {"generator": "sway", "metric": "dover", "item": "b", "status": "rejected"}
        | {"reason": "no_video"},
    ]
    scores = write(tmp_path / "s.parquet", evaluate.SCORES, rows)
    account_evaluate(wanted, [scores], tmp_path / "account.parquet")
    assert sums(tmp_path / "account.parquet") == {
        "score_videos sway dover": (2, 1, {"no_video": 1})
    }
    write(tmp_path / "s.parquet", evaluate.SCORES, rows[:1])
    with pytest.raises(UserError, match="score_videos sway dover: 1 videos came in"):
        account_evaluate(wanted, [scores], tmp_path / "account.parquet")


@pytest.fixture
def detection(tmp_path):
    """A generator with one test video, another one, and a real source with two."""

    def part(source, label, *uuids):
        rows = [{"uuid": uuid, "split": "test"} for uuid in uuids] + [
            {"uuid": "z", "split": "train"}
        ]
        path = tmp_path / f"{source}.parquet"
        return write(path, split.TIP_ID, rows, label=label, source=source)

    splits = {
        "sway": part("sway", "image_generated", "a", "b"),
        "morph": part("morph", "image_generated", "a"),
        "real": part("real", "real", "s1", "s2", "s3"),
    }
    fates = {
        "sway": {"a": None, "b": "undecodable"},
        "real": {"s1": None, "s2": None, "s3": None},
    }
    frame_scores = [
        write(tmp_path / f"fft-{name}.parquet", detect.FRAME_SCORES, statuses(**of),
              detector="fft", source=name)
        for name, of in fates.items()
    ]  # fmt: skip
    class_scores = [
        write(tmp_path / f"classes-{name}.parquet", detect.CLASS_SCORES, statuses(**of),
              setting="same_domain", generator="sway", source=name)
        for name, of in fates.items()
    ]  # fmt: skip
    metrics = [
        {"table": table, "setting": setting, "generator": "sway", "metric": metric}
        for table, setting in (("table3", "fft"), ("table4", "same_domain"))
        for metric in ("accuracy", "mAP")
    ]
    return {
        "splits": splits,
        "frame_scores": frame_scores,
        "class_scores": class_scores,
        "metrics": write(tmp_path / "m.parquet", detect.METRICS, metrics, items=2, rejected=1),
        "account": tmp_path / "account.parquet",
    }


def test_detect(detection):
    account_detect(**detection)
    measured = (5, 2, {"not_drawn": 2, "undecodable": 1})
    assert sums(detection["account"]) == {
        "score_frames fft sway": (2, 1, {"undecodable": 1}),
        "score_frames fft real": (3, 3, {}),
        "classify_videos same_domain sway": (5, 4, {"undecodable": 1}),
        "measure_detection fft sway": measured,
        "measure_detection same_domain sway": measured,
    }


def test_detect_a_measure_that_counts_otherwise(detection, tmp_path):
    table = read_frame(tmp_path / "m.parquet").assign(rejected=0)
    write_table(table, tmp_path / "m.parquet", detect.METRICS)
    with pytest.raises(UserError, match="measure_detection fft sway: read 4, but kept 2"):
        account_detect(**detection)


@pytest.fixture
def tracing(tmp_path):
    """A query and a training frame of one generator, two distractors, one source image."""
    frames = [{"uuid": "a", "part": "query"}, {"uuid": "b", "part": "train", "frame": 3}]
    decoded = [row | {"status": "ok"} for row in frames]
    pictures = {
        "references": [{"uuid": "a", "role": "source_image"}],
        "distractors": [{"uuid": "d1", "role": "distractor"}, {"uuid": "d2", "role": "distractor"}],
    }
    described = {
        "sway": statuses(a=None),
        "references": statuses(a=None),
        "distractors": statuses(d1=None, d2="undecodable"),
    }
    found = [
        {"set": "sway", "query": "a", "status": "ok", "rank": 1},
        {"set": "sway", "query": "a", "status": "ok", "rank": 2},
        {"set": "distractors", "query": "d1", "status": "ok", "rank": 1},
        {"set": "distractors", "query": "d2", "status": "rejected", "reason": "undecodable"},
    ]
    return {
        "trace_frames": {"sway": write(tmp_path / "f.parquet", split.TRACE_FRAMES, frames)},
        "frame_indexes": {"sway": [write(tmp_path / "x.parquet", trace.FRAME_INDEX, decoded)]},
        "trace_images": {
            name: write(tmp_path / f"{name}.parquet", split.TRACE_IMAGES, rows)
            for name, rows in pictures.items()
        },
        "features": {
            ("vit", name): [
                write(tmp_path / f"vit-{name}-{shard}.parquet", annotate.SUBJECT, rows[shard::2])
                for shard in range(2)
            ]
            for name, rows in described.items()
        },
        "matches": {"vit": write(tmp_path / "matches.parquet", trace.MATCHES, found)},
        "account": tmp_path / "account.parquet",
    }


def test_trace(tracing):
    account_trace(**tracing)
    assert sums(tracing["account"]) == {
        "decode_frames sway": (2, 2, {}),
        "extract_features vit sway": (1, 1, {}),
        "extract_features vit references": (1, 1, {}),
        "extract_features vit distractors": (2, 1, {"undecodable": 1}),
        "match_queries vit sway": (1, 1, {}),
        "match_queries vit distractors": (1, 1, {}),
    }


def test_trace_a_query_that_nobody_searched_for(tracing, tmp_path):
    rows = [{"set": "distractors", "query": "d1", "status": "ok", "rank": 1}]
    write(tmp_path / "matches.parquet", trace.MATCHES, rows)
    with pytest.raises(UserError, match=r"match_queries vit sway: 1 queries came in .* such as a"):
        account_trace(**tracing)
