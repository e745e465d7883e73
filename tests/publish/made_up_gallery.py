"""A gallery of made-up prompts, some of them hostile, with videos of two generators."""

from contextlib import chdir
from pathlib import Path

import numpy as np

from scripts.common.code import ROOT
from scripts.common.identity import prompt_uuid
from scripts.common.schemas.annotate import NSFW, PACKED_DATASET, SAFE, packed_embeddings
from scripts.common.schemas.detect import CLASS_SCORES, FRAME_SCORES
from scripts.common.schemas.evaluate import SCORES
from scripts.common.schemas.prompts import PARAMETERS
from scripts.common.schemas.trace import MATCHES
from scripts.common.shards import ShardItem, Shards, write_shard
from scripts.common.tables import write_table
from scripts.common.video import encode_video, probe_video
from scripts.publish.build_gallery import build_gallery
from scripts.publish.gallery.graph import SITE
from scripts.publish.pack_dataset import encode_preview
from tests.annotate.made_up import picture

HOSTILE = [
    "<script>window.hacked = 1</script> moon",
    '<img src=x onerror="window.hacked = 2"> moon',
    "\"'><svg onload=window.hacked=3> moon </script><!-- ]]>",
    "javascript:window.hacked=4 moon \u2028 \u202e evil",
]
OTHERS = [
    "a dragon wakes, slow zoom", "two cats walk", "月と猫 on the moon", "ЛУНА над морем",
    "an astronaut waves", "astronauts walk on the moon", "naked figure, moon",
]  # fmt: skip
TEXTS = [*HOSTILE, *OTHERS, *(f"filler number {number} of the sea" for number in range(60))]
GENERATORS = ("pika", "sway")
DRAGON, CATS, UNSAFE = OTHERS[0], OTHERS[1], OTHERS[-1]
WITH_VIDEOS = [*HOSTILE, DRAGON, CATS, UNSAFE]
LABELS = {
    "generators": {"pika": "Pika", "sway": "Sway <b>"},
    "dimensions": {"motion": "Motion"},
    "judges": {"spectrum": "Spectrum", "same_domain": "VideoMAE", "phash": "Perceptual hash"},
}


def make_gallery(results: Path, texts: list[str] = TEXTS, *, copied: int = 6, shards: int = 2):
    """Make the gallery of a results folder from tables of these texts; return where it lies."""
    results.mkdir(parents=True)
    with chdir(results.parent):
        make_in(Path("results"), texts, copied, shards)
    return results / "gallery"


def make_in(results: Path, texts: list[str], copied: int, shards: int) -> None:
    """Make it where paths are those of the workflow."""
    rows = [row_of(number, text) for number, text in enumerate(texts)]
    packed, vectors = [], []
    for shard in range(shards):
        mine = [row for row in rows if int(row["UUID"].replace("-", ""), 16) % shards == shard]
        mine.sort(key=lambda row: row["UUID"])
        packed.append(results / f"dataset/data/Full-{shard:05d}.parquet")
        write_table(mine, packed[-1], PACKED_DATASET)
        vectors += [(row["UUID"], vector_of(row["Text_Prompt"])) for row in mine]
    embeddings = results / "dataset/Embedding/Full_Text_Embedding.parquet"
    columns = [{"UUID": uuid, "Text_Embedding": vector} for uuid, vector in vectors]
    write_table(columns, embeddings, packed_embeddings("Text", 4), sort_by=[])
    parameters = results / "dataset/parameters.parquet"
    write_table([typed_of(row["UUID"], row["Text_Prompt"]) for row in rows], parameters, PARAMETERS)
    leaderboard = results / "tables/leaderboard.html"
    leaderboard.parent.mkdir(parents=True, exist_ok=True)
    leaderboard.write_text(
        "<body><table><caption>Means.</caption><tr><td>0.976</td></tr></table></body>"
    )
    build_gallery(
        packed,
        embeddings,
        parameters,
        **verdict_tables(results),
        leaderboard=leaderboard,
        site=[path for path in (ROOT / SITE).iterdir() if path.suffix in (".html", ".css", ".js")],
        gallery=results / "gallery",
        videos={name: videos_of(results, name) for name in GENERATORS},
        labels=LABELS,
        banner="made up <script>window.hacked = 5</script>",
        copied=copied,
        nearest=3,
    )


def row_of(number: int, text: str) -> dict:
    return {
        "UUID": prompt_uuid(text),
        "Text_Prompt": text,
        "Image_Prompt": {"bytes": encode_preview(picture(text), 48, 75), "path": "x.jpg"},
        "Subject": text if text in HOSTILE else text.split()[1].title(),
        "Timestamp": f"2024-01-{1 + number % 28:02d} 10:00:00",
        "Text_NSFW": 0.9 if text == UNSAFE else 0.1,
        "Image_NSFW": NSFW if number == 20 else SAFE,
        "Direction": "walk,wave" if "walk" in text else "",
    }


def typed_of(uuid: str, text: str) -> dict:
    if text == DRAGON:
        return {"UUID": uuid, "camera": ["zoom in"], "motion": 3, "guidance_scale": 12.0}
    return {"UUID": uuid, "negative_prompt": "<i>ugly</i> hands" if text == CATS else None}


def vector_of(text: str) -> np.ndarray:
    """The dragon and the cats are nearest to each other."""
    seed = "animals" if text in (DRAGON, CATS) else text
    random = np.random.default_rng(sum(map(ord, seed)))
    vector = random.normal(size=4) + (text == CATS) * 0.01
    return (vector / np.linalg.norm(vector)).astype(np.float16)


def videos_of(results: Path, generator: str) -> Shards:
    """Return videos of WITH_VIDEOS; the generators' differ in length."""
    frames = 8 if generator == "pika" else 16
    colours = np.linspace(0, 255, frames).astype(np.uint8)
    data = encode_video([np.full((32, 48, 3), colour, np.uint8) for colour in colours], 8)
    uuids = sorted(map(prompt_uuid, WITH_VIDEOS))
    items = [ShardItem(uuid, data, probe_video(data)) for uuid in uuids]
    folder = results / "videos" / generator
    write_shard(folder / "00000.tar", folder / "00000.parquet", items, "mp4")
    shards = Shards([folder / "00000.tar"], [folder / "00000.parquet"])
    return shards


def verdict_tables(results: Path) -> dict[str, list[Path]]:
    """Write what was said: of the dragon all were fooled by Sway, and none by Pika."""
    ok = {"status": "ok"}
    uuid, other = prompt_uuid(DRAGON), prompt_uuid(CATS)
    said = {"evaluation": (SCORES, []), "scores": (FRAME_SCORES, []), "classes": (CLASS_SCORES, []),
            "matches": (MATCHES, [])}  # fmt: skip
    for generator in GENERATORS:
        bad = generator == "sway"
        score = {"generator": generator, "item": uuid, "metric": "motion", "value": 0.25}
        said["evaluation"][1].append(score | ok)
        frame = {"uuid": uuid, "source": generator, "detector": "spectrum"}
        said["scores"][1].append(frame | {"score": 0.5 if bad else 0.51} | ok)
        answers = (0.2, 0.5, 0.3) if bad else (0.1, 0.4, 0.5)
        names = ("p_real", "p_text_generated", "p_image_generated")
        clip = {"uuid": uuid, "source": generator, "label": "image_generated"}
        clip |= {"setting": "same_domain", "generator": generator} | dict(
            zip(names, answers, strict=True)
        )
        said["classes"][1].append(clip | ok)
        for rank in (1, 2):
            found = uuid if (rank == 1) != bad else other
            match = {"set": generator, "query": uuid, "role": "query", "rank": rank}
            said["matches"][1].append(
                match | {"reference": found, "score": 0.9 / rank, "is_match": found == uuid} | ok
            )
    paths = {}
    for name, (schema, rows) in said.items():
        paths[name] = results / f"said/{name}/phash.parquet"
        write_table(rows, paths[name], schema)
    return {
        "scores": [paths["evaluation"]], "frame_scores": [paths["scores"]],
        "class_scores": [paths["classes"]], "matches": [paths["matches"]],
    }  # fmt: skip
