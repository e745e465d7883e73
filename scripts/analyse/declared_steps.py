"""The account of the graph as one declared list: where each rule's items come in and come out.

Stage by stage, in the order of the graph. A step says what ``scripts.analyse.declaration.Step`` says; to
account for a new rule is to declare it here.
"""

from collections.abc import Mapping, Sequence
from itertools import product

from scripts.analyse.declaration import Items, Step, items, rows, step
from scripts.annotate.graph import AnnotateGraph
from scripts.common.schemas.detect import TABLE_3, TABLE_4
from scripts.common.schemas.items import REJECTED
from scripts.common.schemas.split import (
    ALONG,
    DISTRACTOR,
    QUERY,
    REFERENCE,
    SOURCE_IMAGE,
    TEST,
    TRAINING_IMAGE,
)
from scripts.common.schemas.trace import ALONG_SET, REFERENCES
from scripts.common.study import Study
from scripts.detect.graph import DetectGraph

Archives = Mapping[str, Sequence[str]]
"""Name of a released archive -> its tar, and the table of its members."""

CHOSEN = "results/chosen_prompts.parquet"
TIP_EVAL = "results/splits/tip_eval/prompts.parquet"
TRACE_PROMPTS = "results/splits/tip_trace/prompts.parquet"
OF_FRAMES = ["uuid", "part", "frame"]
OF_SOURCE = ["source", "uuid"]


def curate_steps(study: Study, exports: Mapping[str, str], scraped: str) -> list[Step]:
    """Follow every message, prompt, video and image (Section 3).

    What an export says that it holds is what came in. Messages that it says it holds and that are
    not in the file are rejected as ``not_in_the_file``; a file that was cut off says nothing, and
    one whose messages have HTML in them may say less than it seems to hold.

    Args:
        study: the study.
        exports: name of each export -> its HTML file.
        scraped: the generator whose videos the exports hold.
    """
    messages = {name: f"results/messages/{name}.parquet" for name in exports}
    states = [f"results/messages/exports/{name}.parquet" for name in exports]
    prompts = [f"results/prompts/{shard}.parquet" for shard in study.shards]
    videos = [f"results/videos/{scraped}/{shard}.parquet" for shard in study.shards]
    marks = study.watermark_scores
    return [
        step("extract_messages", "exports", out=rows(states)),
        *(
            step("extract_messages", "messages", name, stated=["export", export],
                 out=rows(messages[name]), why=[rows(f"results/rejects/messages/{name}.parquet")],
                 otherwise="not_in_the_file")
            for name, export in exports.items()
        ),
        step("collect_prompts", "messages", read=rows(messages.values()), out=rows(prompts),
             why=[rows("results/rejects/prompts.parquet")]),
        step("fetch_videos", "videos", read=items(prompts), out=items(videos)),
        step("extract_images", "images", read=items(videos), out=items(study.image_indexes)),
        # An image with an overlay stays in the data set, and is counted apart.
        step("score_watermarks", "images without an overlay", read=items(study.image_indexes),
             out=items(marks, unless={"has_overlay": ["true"]}),
             why=[items(marks, where={"has_overlay": ["true"]}, reason="overlay")]),
    ]  # fmt: skip


def release_steps(
    study: Study,
    splits: Sequence[str],
    card: str | None,
    pictures: Archives,
    videos: Mapping[str, Archives],
    all_prompts: Sequence[str],
) -> list[Step]:
    """Follow every released row, every file in the tars, and every prompt to its files.

    Args:
        study: the study.
        splits: that were read, the largest first.
        card: the data set's README.md, which states its rows, if it is there.
        pictures: archives of pictures.
        videos: generator -> archives of its videos.
        all_prompts: generators whose videos of all prompts are wanted.
    """
    released = [f"results/released/rows/{shard}.parquet" for shard in study.shards]
    prompts, chosen = items(released, ["UUID"]), items(CHOSEN)
    steps = [
        step("read_release", "rows", split, out=rows(released, where={"split": [split]}),
             why=[rows("results/rejects/release.parquet", where={"split": [split]})],
             otherwise="not_in_the_files", **({"stated": ["card", card, split]} if card else {}))
        for split in splits
    ]  # fmt: skip
    steps += _steps_of_archives("pictures", pictures, study.image_indexes, [prompts])
    steps.append(step("index_images", "images", read=prompts, out=items(study.image_indexes)))
    for generator, archives in videos.items():
        indexes = study.video_indexes(generator)
        wanted = [prompts, chosen] if generator in all_prompts else [chosen]
        steps += _steps_of_archives("videos", archives, indexes, wanted, generator)
        # A chosen prompt is a prompt: all of them are the prompts.
        steps.append(step("index_videos", "videos", generator, read=wanted[0], out=items(indexes)))
    return steps


def _steps_of_archives(
    unit: str, archives: Archives, indexes: Sequence[str], wanted: list[Items], part: str = ""
) -> list[Step]:
    """Return two steps for each archive: which of its files are good, and which are taken."""
    place = ["uuid", "offset"]
    steps = []
    for name, (tar, members) in archives.items():
        title = f"{part} {name}".strip()
        unwanted = items(members, place, unless={"uuid": wanted}, reason="not_wanted")
        steps += [
            step("list_members", unit, title, read=rows(members), out=rows(members)),
            step("match_members", unit, title, read=items(members, place),
                 out=items(indexes, place, where={"tar": [tar]}), why=[unwanted],
                 otherwise="other_copy"),
        ]  # fmt: skip
    return steps


def annotate_steps(study: Study, annotate: AnnotateGraph) -> list[Step]:
    """Follow every prompt with an image through the annotators and into the data set (Section 3)."""
    illustrated = items(study.image_indexes)
    return [
        *(
            step(annotate.rule_of(name), "prompts", name, read=illustrated,
                 out=items(annotate.tables(name)))
            for name in annotate.annotators
        ),
        step("build_dataset", "prompts", read=illustrated,
             out=items("results/dataset.parquet", ["UUID"]),
             why=[items("results/rejects/dataset.parquet")]),
    ]  # fmt: skip


def generate_steps(study: Study) -> list[Step]:
    """Follow every prompt into the choice, and every chosen one through each generator (Section 3)."""
    return [
        step("choose_prompts", "prompts", read=items(study.choosable, ["UUID"]), out=items(CHOSEN),
             otherwise="not_drawn"),
        *(
            step("generate_videos", "videos", name, read=items(CHOSEN),
                 out=items(study.video_indexes(name)))
            for name in study.generated
        ),
    ]  # fmt: skip


def split_steps(study: Study) -> list[Step]:
    """Follow every prompt, video and picture into the three data sets (Supplements 13 and 15)."""
    dataset = study.choosable
    subset = items(CHOSEN, where={"subset": ["true"]})
    taken = items(dataset, ["Subject"], where={"UUID": items(TIP_EVAL)})
    outside = {name: study.source_indexes(name) for name in study.real_sources + study.text_sources}
    indexes = {name: study.video_indexes(name) for name in study.generators} | outside
    return [
        step("split_tip_eval", "prompts", read=items(dataset, ["UUID"]), out=items(TIP_EVAL),
             why=[items(dataset, ["UUID"], where={"Subject": [None, ""]}, reason="no_subject"),
                  items(dataset, ["UUID"], unless={"Subject": taken}, reason="unpopular_subject")],
             otherwise="not_drawn"),
        step("split_tip_trace", "prompts", read=subset, out=items(TRACE_PROMPTS),
             otherwise="same_bytes"),
        *(
            step("split_tip_id", "videos", name,
                 read=items(index, rejected=True) if name in outside else subset,
                 out=items(f"results/splits/tip_id/{name}.parquet"), why=[items(index)],
                 otherwise="no_video")
            for name, index in indexes.items()
        ),
        *(
            step("sample_trace_frames", "videos", name, read=items(TRACE_PROMPTS),
                 out=items(f"results/splits/tip_trace/{name}.parquet", distinct=True),
                 why=[items(indexes[name])], otherwise="no_video")
            for name in study.generators
        ),
        *_steps_of_pictures(study),
    ]  # fmt: skip


def _steps_of_pictures(study: Study) -> list[Step]:
    """Return the steps to TIP-Trace's source images, training images, references, distractors."""
    sheet = study.config["split"]["tip_trace"]
    lists = [f"results/splits/tip_trace/{name}.parquet"
             for name in ("references", "distractors", "training_images")]  # fmt: skip
    is_query = {"part": [QUERY]}
    steps = [
        step("collect_trace_images", "images", role, read=items(TRACE_PROMPTS, **wanted),
             out=items(lists, where={"role": [role]}), why=[items(study.image_indexes)],
             otherwise="no_image")
        for role, wanted in (
            (SOURCE_IMAGE, {"where": is_query}), (TRAINING_IMAGE, {"unless": is_query})
        )
    ]  # fmt: skip
    # A picture with the bytes of an image prompt, or of an earlier reference, is not taken.
    known = [items(study.image_indexes, ["sha256"], where={"uuid": items(TRACE_PROMPTS)})]
    for role, name in ((REFERENCE, sheet["references"]), (DISTRACTOR, sheet["distractors"])):
        index, there = study.source_indexes(name), {"role": [role]}
        why = [items(index, where={"status": [REJECTED]}),
               items(index, where={"sha256": known}, reason="same_bytes")]  # fmt: skip
        steps.append(
            step("collect_trace_images", "images", role, read=items(index, rejected=True),
                 out=items(lists, where=there), why=why, otherwise="not_drawn")
        )  # fmt: skip
        known = [*known, items(lists, ["sha256"], where=there)]
    return steps


def evaluate_steps(study: Study, dimensions: Sequence[str]) -> list[Step]:
    """Follow every prompt of TIP-Eval through every generator and dimension (Section 5.2)."""
    return [
        step("score_videos", "videos", f"{generator} {dimension}", read=items(TIP_EVAL),
             out=items([f"results/evaluation/{generator}/{shard}.parquet"
                        for shard in study.shards_of(generator)],
                       ["item"], where={"metric": [dimension]}))
        for dimension in dimensions
        for generator in study.generators
    ]  # fmt: skip


def detect_steps(study: Study, detect: DetectGraph) -> list[Step]:
    """Follow every test video of TIP-ID through every detector, and into the measures (Section 5.3)."""
    outside = study.real_sources + study.text_sources
    trained = list(product(detect.settings, study.generators))
    steps = [
        step("score_frames", "videos", f"{detector} {source}", read=_tested([source], ["uuid"]),
             out=_frame_scores(detector, [source]), otherwise="not_drawn")
        for detector in detect.detectors
        for source in detect.scored_sources
    ]  # fmt: skip
    steps += [
        step("classify_videos", "videos", f"{setting} {generator}",
             read=_tested([generator, *outside], OF_SOURCE),
             out=_class_scores(setting, generator, [generator, *outside]),
             otherwise="not_drawn")
        for setting, generator in trained
    ]  # fmt: skip
    tables = [
        (TABLE_3, detector, generator, _frame_scores(detector, [generator, *study.real_sources]))
        for detector, generator in product(detect.detectors, study.generators)
    ]
    tables += [
        (TABLE_4, setting, generator, _class_scores(setting, generator, [generator, *outside]))
        for setting, generator in trained
    ]
    for table, setting, generator, scores in tables:
        number = {"table": [table], "setting": [setting], "generator": [generator]}
        measured = rows(
            "results/detect/metrics.parquet", where=number, counts=["items", "rejected"]
        )
        steps.append(
            step("measure_detection", "videos", f"{setting} {generator}", read=scores,
                 out=measured, why=[scores], otherwise="not_drawn")
        )  # fmt: skip
    return steps


def _tested(sources: Sequence[str], key: Sequence[str]) -> Items:
    files = [f"results/splits/tip_id/{source}.parquet" for source in sources]
    return items(files, key, where={"split": [TEST]})


def _frame_scores(detector: str, sources: Sequence[str]) -> Items:
    files = [f"results/detect/scores/{source}.parquet" for source in sources]
    return items(files, where={"detector": [detector]})


def _class_scores(setting: str, generator: str, sources: Sequence[str]) -> Items:
    files = [f"results/detect/classes/{source}.parquet" for source in sources]
    return items(files, OF_SOURCE, where={"setting": [setting], "generator": [generator]})


def trace_steps(
    study: Study,
    frames: Mapping[str, Sequence[str]],
    features: Mapping[str, Mapping[str, Sequence[str]]],
    *,
    anew: bool = False,
) -> list[Step]:
    """Follow every frame and picture of TIP-Trace through every tracer (Section 5.4).

    Args:
        study: the study.
        frames: generator -> indexes of its decoded frames.
        features: model -> set -> shards of features; the first set is the references, the others
            are searched: queries of a generator, or distractors.
        anew: whether a re-ranker scores the matches of frames and distractors once more.
    """
    listed = {name: f"results/splits/tip_trace/{name}.parquet"
              for name in [*study.generators, REFERENCES, "distractors"]}  # fmt: skip
    pictures = {name: items(indexes, where={"part": [QUERY]}) for name, indexes in frames.items()}
    # Features name a frame of several by its video and its number, so these are counted.
    along = {ALONG_SET.format(name): rows(indexes, where={"part": [ALONG]})
             for name, indexes in frames.items()}  # fmt: skip
    return [
        *(
            step("decode_frames", "frames", name, read=items(listed[name], OF_FRAMES),
                 out=items(indexes, OF_FRAMES))
            for name, indexes in frames.items()
        ),
        *(
            step("extract_features", "images", f"{model} {name}",
                 out=(rows if name in along else items)(shards),
                 read=along.get(name) or pictures.get(name) or items(listed[name]))
            for model, sets in features.items()
            for name, shards in sets.items()
        ),
        *(
            step("match_queries", "queries", f"{model} {name}", read=items(shards),
                 out=items(f"results/trace/matches/{model}.parquet", ["query"],
                           where={"set": [name]}, distinct=True))
            for model, sets in features.items()
            for name, shards in sets.items()
            if name != REFERENCES
        ),
        *(
            step("rerank_matches", "queries", f"{model} {name}",
                 **{side: items(f"results/trace/{folder}/{model}.parquet", ["query"],
                                where={"set": [name]}, distinct=True)
                    for side, folder in (("read", "matches"), ("out", "reranked"))})
            for model, sets in features.items()
            for name in sets
            if anew and name in listed and name != REFERENCES
        ),
    ]  # fmt: skip
