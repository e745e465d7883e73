"""Each stage's account as it is declared, on the smallest files that have something to account for."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from scripts.analyse import declared_steps as declared
from scripts.analyse.account_stage import account_stage
from scripts.analyse.declaration import files_of
from scripts.annotate.graph import AnnotateGraph
from scripts.common.errors import UserError
from scripts.common.schemas import annotate, curate, detect, evaluate, generate, split, trace
from scripts.common.schemas.items import ITEM_INDEX
from scripts.common.schemas.prompts import PROMPT_REJECTS, PROMPTS
from scripts.common.schemas.watermark import WATERMARKS
from scripts.common.study import Study
from scripts.common.tables import read_frame, write_table
from scripts.detect.graph import DetectGraph

RESULTS = Path("results")


@pytest.fixture(autouse=True)
def study(tmp_path, monkeypatch):
    """One scraped and two made generators, all in one shard, and the folder of their results."""
    monkeypatch.chdir(tmp_path)
    sources = {name: {"tar": f"data/{name}.tar"} for name in ("real", "refs", "others")}
    config = {
        "source": "discord_exports",
        "curate": {"shards": 1},
        "generate": {"generators": ["sway", "morph"], "shards": 1, "prompts": 2},
        "split": {
            "tip_eval": {"subjects": 1, "prompts_per_subject": 1},
            "tip_id": {"real": ["real"], "text_generated": []},
            "tip_trace": {"references": "refs", "distractors": "others"},
        },
        "detect": {"detectors": ["fft"], "missing_weights": "stop"},
        "annotate": {
            "annotators": {"text_embedding": "minilm", "subject": "spacy"},
            "subjects": {"embedder": "minilm"},
        },
    }
    generators = {"pika": {"scraped": True}, "sway": {}, "morph": {}}
    annotators = {"minilm": {}, "spacy": {}}
    sheets = {"generators": generators, "sources": sources, "annotators": annotators}
    return Study(config, sheets)


def write(path: Path | str, schema: pa.Schema, rows: list[dict], **common) -> Path:
    """Write rows of a schema; what a row does not name is an empty value of the column's type."""
    empty = {field.name: _empty(field) for field in schema}
    write_table([empty | common | row for row in rows], RESULTS / path, schema)
    return RESULTS / path


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


def frame(path: str, **columns: list) -> None:
    """Write a table of no schema."""
    (RESULTS / path).parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_parquet(RESULTS / path)


def sums(steps: list) -> dict[str, tuple]:
    """Return the account of some steps: step and part -> read, kept, reasons."""
    assert all(Path(file).exists() for file in files_of(steps))
    account_stage(Path("account.parquet"), stage="curate", steps=steps)
    return {
        f"{step} {part}".strip(): (
            int(rows["read"].iloc[0]),
            int(rows["kept"].iloc[0]),
            {row.reason: row.count for row in rows[["reason", "count"]].itertuples() if row.reason},
        )
        for (step, part), rows in read_frame("account.parquet").groupby(
            ["step", "part"], sort=False
        )
    }


@pytest.fixture
def curated(study):
    """Three messages of which two are one prompt, and one export that states one more."""
    Path("channel.html").write_text("<div class=postamble__entry>Exported 5 message(s)</div>")
    write("messages/channel.parquet", curate.MESSAGES, [{"message_id": str(i)} for i in (1, 2, 3)])
    rejects = [{"message_id": "9", "reason": "no_video"}]
    write("rejects/messages/channel.parquet", curate.MESSAGE_REJECTS, rejects)
    write(
        "messages/exports/channel.parquet",
        curate.EXPORTS,
        [{"file": "a", "status": "ok", "reason": None}],
    )
    write("prompts/00000.parquet", PROMPTS, [{"uuid": "a"}, {"uuid": "b"}])
    rejects = [{"message_id": "3", "reason": "duplicate_prompt"}]
    write("rejects/prompts.parquet", PROMPT_REJECTS, rejects)
    index("videos/pika/00000.parquet", a=None, b="undecodable")
    index("images/00000.parquet", a=None, b="no_video")
    write("watermark/scores/00000.parquet", WATERMARKS, statuses(a=None))
    return declared.curate_steps(study, {"channel": "channel.html"}, "pika")


def test_curate(curated):
    assert sums(curated) == {
        "extract_messages": (1, 1, {}),
        "extract_messages channel": (5, 3, {"no_video": 1, "not_in_the_file": 1}),
        "collect_prompts": (3, 2, {"duplicate_prompt": 1}),
        "fetch_videos": (2, 1, {"undecodable": 1}),
        "extract_images": (1, 1, {}),
        "score_watermarks": (1, 1, {}),
    }
    marked = [row | {"score": 0.9, "has_overlay": True} for row in statuses(a=None)]
    write("watermark/scores/00000.parquet", WATERMARKS, marked)
    assert sums(curated)["score_watermarks"] == (1, 0, {"overlay": 1})
    odd = {"file": "a", "status": "rejected", "reason": "no_export"}
    write("messages/exports/channel.parquet", curate.EXPORTS, [odd])
    assert sums(curated)["extract_messages"] == (1, 0, {"no_export": 1})
    Path("channel.html").write_text("cut off")
    assert sums(curated)["extract_messages channel"] == (4, 3, {"no_video": 1})


def test_curate_a_prompt_lost_between_messages_and_prompts(curated):
    write("prompts/00000.parquet", PROMPTS, [{"uuid": "a"}])
    with pytest.raises(UserError, match=r"collect_prompts: read 3, but kept 1 \+ rejected 1"):
        sums(curated)


def test_curate_a_video_lost(curated):
    index("videos/pika/00000.parquet", a=None)
    with pytest.raises(UserError, match="fetch_videos: 1 videos came in and are neither"):
        sums(curated)


def test_annotate(study):
    index("images/00000.parquet", a=None, b=None, c="no_video")
    graph = AnnotateGraph(study)
    for name in graph.annotators:
        fates = statuses(a=None, b="refused" if name == "subject" else None)
        write(f"annotations/{name}/00000.parquet", annotate.SUBJECT, fates)
    frame("dataset.parquet", UUID=["a"])
    rejects = [{"uuid": "b", "reason": "not_annotated"}, {"uuid": "c", "reason": "no_image"}]
    write("rejects/dataset.parquet", annotate.DATASET_REJECTS, rejects)
    found = sums(declared.annotate_steps(study, graph))
    assert found["annotate_texts text_embedding"] == (2, 2, {})
    assert found["annotate_texts subject"] == (2, 1, {"refused": 1})
    assert found["build_dataset"] == (2, 1, {"not_annotated": 1})


def test_generate(study):
    frame("dataset.parquet", UUID=["a", "b", "c"])
    write("chosen_prompts.parquet", generate.CHOSEN, [{"uuid": "a"}, {"uuid": "b"}])
    index("videos/sway/00000.parquet", a=None, b="generation_failed")
    index("videos/morph/00000.parquet", a=None, b=None)
    assert sums(declared.generate_steps(study)) == {
        "choose_prompts": (3, 2, {"not_drawn": 1}),
        "generate_videos sway": (2, 1, {"generation_failed": 1}),
        "generate_videos morph": (2, 2, {}),
    }
    write("chosen_prompts.parquet", generate.CHOSEN, [{"uuid": "z"}])
    with pytest.raises(UserError, match="choose_prompts: 1 prompts were kept without having"):
        sums(declared.generate_steps(study))


@pytest.fixture
def splits(study):
    """Four prompts, a generator whose video of one is missing, and outside items."""
    frame("dataset.parquet", UUID=list("abcd"), Subject=["cat", "cat", "dog", None])
    chosen = [{"uuid": uuid, "subset": uuid != "d"} for uuid in "abcd"]
    write("chosen_prompts.parquet", generate.CHOSEN, chosen)
    write("splits/tip_eval/prompts.parquet", split.TIP_EVAL, [{"uuid": "a"}])
    for name in ("sway", "morph"):
        ids = [{"uuid": "a"}, {"uuid": "b"}]
        write(f"splits/tip_id/{name}.parquet", split.TIP_ID, ids)
        index(f"videos/{name}/00000.parquet", a=None, b=None, c="generation_failed")
        frames = [{"uuid": "a", "part": "query"}, {"uuid": "b", "part": "train", "frame": 1}]
        frames.append(frames[1] | {"frame": 2})
        write(f"splits/tip_trace/{name}.parquet", split.TRACE_FRAMES, frames)
    write("splits/tip_id/real.parquet", split.TIP_ID, [{"uuid": "s1"}])
    parts = [{"uuid": uuid, "part": "query" if uuid == "a" else "train"} for uuid in "abc"]
    write("splits/tip_trace/prompts.parquet", split.TRACE_PROMPTS, parts)
    lists = {
        "references": {"a": "source_image", "r1": "reference"},
        "distractors": {"d1": "distractor"},
        "training_images": {"b": "training_image", "c": "training_image"},
    }
    for name, pictures in lists.items():
        rows = [{"uuid": uuid, "role": role, "sha256": uuid} for uuid, role in pictures.items()]
        write(f"splits/tip_trace/{name}.parquet", split.TRACE_IMAGES, rows)
    index("images/00000.parquet", a=None, b=None, c=None)
    index("../data/real.parquet", s1=None, s2="undecodable")
    index("../data/refs.parquet", r1=None, r2=None, b=None)
    index("../data/others.parquet", d1=None, d2="empty_file", r1=None)
    return declared.split_steps(study)


def test_split(splits):
    found = sums(splits)
    assert {name: sum for name, sum in found.items() if "morph" not in name} == {
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


def test_split_a_good_video_that_is_in_no_part(splits):
    write("splits/tip_id/sway.parquet", split.TIP_ID, [{"uuid": "a"}])
    with pytest.raises(UserError, match=r"split_tip_id sway: 1 videos came in .* such as b"):
        sums(splits)


def test_split_a_video_of_which_nobody_knows(splits):
    index("videos/sway/00000.parquet", a=None, b=None)
    assert sums(splits)["split_tip_id sway"] == (3, 2, {"no_video": 1})


def test_evaluate(study):
    write("splits/tip_eval/prompts.parquet", split.TIP_EVAL, [{"uuid": "a"}, {"uuid": "b"}])
    rows = [
        {"metric": "dover", "item": "a", "status": "ok"},
        {"metric": "dover", "item": "b", "status": "rejected", "reason": "no_video"},
        {"metric": "moves", "item": "a", "status": "ok"},
        {"metric": "moves", "item": "b", "status": "ok"},
    ]
    write("evaluation/sway/00000.parquet", evaluate.SCORES, rows, generator="sway")
    write("evaluation/morph/00000.parquet", evaluate.SCORES, rows[2:], generator="morph")
    steps = declared.evaluate_steps(study, ["moves", "dover"])
    assert sums(steps[:3]) == {
        "score_videos sway moves": (2, 2, {}),
        "score_videos morph moves": (2, 2, {}),
        "score_videos sway dover": (2, 1, {"no_video": 1}),
    }
    with pytest.raises(UserError, match="score_videos morph dover: 2 videos came in"):
        sums(steps)


@pytest.fixture
def detection(study):
    """A generator with two test videos, another one, and a real source with three."""
    for source, label, uuids in (
        ("sway", "image_generated", ["a", "b"]),
        ("morph", "image_generated", ["a"]),
        ("real", "real", ["s1", "s2", "s3"]),
    ):
        rows = [{"uuid": uuid, "split": "test"} for uuid in uuids]
        rows.append({"uuid": "z", "split": "train"})
        write(f"splits/tip_id/{source}.parquet", split.TIP_ID, rows, label=label, source=source)
    scored = {"sway": statuses(a=None, b="undecodable"), "morph": statuses(a=None),
              "real": statuses(s1=None, s2=None, s3=None)}  # fmt: skip
    for source, rows in scored.items():
        of = {"source": source, "detector": "fft"}
        other = [row | {"detector": "other"} for row in rows]
        write(f"detect/scores/{source}.parquet", detect.FRAME_SCORES, [*rows, *other], **of)
        of = {"source": source, "setting": "same_domain", "generator": "sway"}
        other = [row | {"generator": "morph"} for row in rows]
        write(f"detect/classes/{source}.parquet", detect.CLASS_SCORES, [*rows, *other], **of)
    measured = [
        {"table": table, "setting": setting, "generator": "sway", "metric": metric}
        for table, setting in (("table3", "fft"), ("table4", "same_domain"))
        for metric in ("accuracy", "mAP")
    ]
    write("detect/metrics.parquet", detect.METRICS, measured, items=2, rejected=1)
    steps = declared.detect_steps(study, DetectGraph(study))
    wanted = ("fft sway", "fft real", "same_domain sway")
    return [step for step in steps if step["part"] in wanted]


def test_detect(detection):
    measured = (5, 2, {"not_drawn": 2, "undecodable": 1})
    assert sums(detection) == {
        "score_frames fft sway": (2, 1, {"undecodable": 1}),
        "score_frames fft real": (3, 3, {}),
        "classify_videos same_domain sway": (5, 4, {"undecodable": 1}),
        "measure_detection fft sway": measured,
        "measure_detection same_domain sway": measured,
    }


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"rejected": 0}, "read 4, but kept 2"),
        ({"items": 5}, "read 5, but kept 5"),
        ({"table": "table4"}, "results/detect/metrics.parquet has no row of it"),
    ],
)
def test_detect_a_measure_that_counts_otherwise(detection, changes, complaint):
    path = RESULTS / "detect/metrics.parquet"
    write_table(read_frame(path).assign(**changes), path, detect.METRICS)
    with pytest.raises(UserError, match=f"measure_detection fft sway: {complaint}"):
        sums(detection)


@pytest.fixture
def tracing(study):
    """A query and a training frame of one generator, two distractors, one source image."""
    frames = [{"uuid": "a", "part": "query"}, {"uuid": "b", "part": "train", "frame": 3}]
    write("splits/tip_trace/sway.parquet", split.TRACE_FRAMES, frames)
    decoded = write("frames.parquet", trace.FRAME_INDEX, frames, status="ok")
    pictures = {
        "references": [{"uuid": "a", "role": "source_image"}],
        "distractors": [{"uuid": "d1", "role": "distractor"}, {"uuid": "d2", "role": "distractor"}],
    }
    for name, rows in pictures.items():
        write(f"splits/tip_trace/{name}.parquet", split.TRACE_IMAGES, rows)
    described = {
        "references": statuses(a=None),
        "sway": statuses(a=None),
        "distractors": statuses(d1=None, d2="undecodable"),
    }
    features = {
        name: [
            str(write(f"features/{name}/{shard}.parquet", annotate.SUBJECT, rows[shard::2]))
            for shard in range(2)
        ]
        for name, rows in described.items()
    }
    found = [
        {"set": "sway", "query": "a", "status": "ok", "rank": 1},
        {"set": "sway", "query": "a", "status": "ok", "rank": 2},
        {"set": "distractors", "query": "d1", "status": "ok", "rank": 1},
        {"set": "distractors", "query": "d2", "status": "rejected", "reason": "undecodable"},
    ]
    write("trace/matches/vit.parquet", trace.MATCHES, found)
    return declared.trace_steps(study, {"sway": [str(decoded)]}, {"vit": features})


def test_trace(tracing):
    assert sums(tracing) == {
        "decode_frames sway": (2, 2, {}),
        "extract_features vit references": (1, 1, {}),
        "extract_features vit sway": (1, 1, {}),
        "extract_features vit distractors": (2, 1, {"undecodable": 1}),
        "match_queries vit sway": (1, 1, {}),
        "match_queries vit distractors": (1, 1, {}),
    }


def test_trace_a_query_that_nobody_searched_for(tracing):
    rows = [{"set": "distractors", "query": "d1", "status": "ok", "rank": 1}]
    write("trace/matches/vit.parquet", trace.MATCHES, rows)
    with pytest.raises(UserError, match=r"match_queries vit sway: 1 queries came in .* such as a"):
        sums(tracing)
