"""Made-up tables of a data set of any size: messages of several exports, and all annotations.

``python -m tests.benchmarks._made_up_tables FOLDER ROWS`` writes them.
"""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from scripts.common.identity import shard_names
from scripts.common.identity_columns import shards_of, uuid_bytes, uuid_texts
from scripts.common.schemas import annotate
from scripts.common.schemas.curate import MESSAGES
from scripts.common.schemas.items import ITEM_INDEX, OK, REJECTED
from scripts.common.tables import write_table

SHARDS = 64
EXPORTS = 10
TEXT_NUMBERS, IMAGE_NUMBERS = 384, 512
RETRIES = 0.2
"""Share of the prompts that were asked for again, by a later message with another seed."""
OVERLAP = 0.03
"""Share of an export's messages that the next one holds as well."""
WITHOUT_IMAGE = 0.02
VARIANTS = 300_000
"""Unique subjects at the paper's size; smaller data sets have fewer."""
PAPER_ROWS = 1_700_000
START_MS = 1_690_000_000_000
WORDS = ["astronaut", "bird", "camera", "cat", "city", "dances", "dragon", "eyes", "flies", "girl",
         "hair", "horse", "in", "light", "moves", "mountain", "of", "on", "rain", "river", "robot",
         "slowly", "smile", "smoke", "the", "turns", "walking", "waves", "with", "zooms"]  # fmt: skip
ENDINGS = [", cinematic, 4k"] * 6 + [", smooth movement, detailed surrounding, realistic"] * 6 + [
    ", 8k", ", vivid colours, highly detailed", " -- \u597d\u304d \u00e9"
]  # fmt: skip
SCORES = ["toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat"]


def write_tables(folder: Path, rows: int, seed: int = 0) -> None:
    """Write all tables of ``rows`` unique prompts from generations with an image.

    Besides, there are retries, messages that two exports share, generations from a text alone,
    and messages without a prompt; some prompts have no image, and some lack an annotation.
    """
    random = np.random.default_rng(seed)
    prompts = _prompts(rows, random)
    _write_messages(folder, prompts, random)
    ids = uuid_bytes(prompts)
    buckets = shards_of(ids, SHARDS)
    variants = np.array([f"Subject {number}" for number in range(_variants(rows))], object)
    for number, shard in enumerate(shard_names(SHARDS)):
        uuids = uuid_texts(ids[buckets == number]).sort()
        has_image = random.random(len(uuids)) >= WITHOUT_IMAGE
        index = folder / "images" / f"{shard}.parquet"
        write_table(_index(uuids, has_image), index, ITEM_INDEX)
        columns = _annotations(uuids.filter(pl.Series(has_image)), variants, random)
        for name, (schema, table) in columns.items():
            path = folder / name / f"{shard}.parquet"
            write_table(table.select(schema.names), path, schema)
    names = {
        "variant": variants, "subject": variants[np.arange(len(variants)) // 3 * 3],
        "count": np.ones(len(variants), np.int64), "cluster": np.full(len(variants), -1, np.int32),
    }  # fmt: skip
    write_table(
        pa.table(names), folder / "subjects.parquet", annotate.SUBJECTS, sort_by=["variant"]
    )


def _variants(rows: int) -> int:
    return max(3, VARIANTS * rows // PAPER_ROWS)


def _prompts(rows: int, random: np.random.Generator) -> pl.Series:
    """Return unique prompts, about as long as people's, one in twenty not in plain ASCII."""

    def draw(texts: list[str]) -> pl.Series:
        return pl.Series(texts).gather(random.integers(len(texts), size=rows))

    words = [draw(WORDS) for _ in range(11)]
    number = pl.int_range(rows).cast(pl.String)
    spoken = pl.concat_str(*words, number, separator=" ")
    return pl.select(spoken + draw(ENDINGS)).to_series()


def _write_messages(folder: Path, prompts: pl.Series, random: np.random.Generator) -> None:
    """Write the messages of ``EXPORTS`` exports, in the order of time."""
    rows = len(prompts)
    order = np.concatenate(
        [random.permutation(rows), random.integers(rows, size=int(rows * RETRIES))]
    )
    total = len(order)
    milliseconds = START_MS + np.arange(total, dtype=np.int64) * 20_000
    users = pl.Series([f"user_{number}" for number in range(max(1, rows // 25))])
    kinds = pl.Series(["image_to_video"] * 6 + ["unknown"])
    table = pl.DataFrame(
        {
            "message_id": pl.Series((milliseconds - 1_420_070_400_000) << 22).cast(pl.String),
            "timestamp_utc": pl.Series(milliseconds).cast(pl.Datetime("ms", "UTC")),
            "requester": users.gather(random.integers(len(users), size=total)),
            "prompt": prompts.gather(order),
            "motion": pl.Series(random.integers(0, 5, size=total), dtype=pl.Int32),
            "guidance_scale": pl.Series(random.choice([8.0, 12.0, 24.0], size=total)),
            "aspect_ratio": pl.Series(["16:9", "1:1", None]).gather(random.integers(3, size=total)),
            "seed": pl.Series(random.integers(0, 2**62, size=total)),
            "kind": kinds.gather(random.integers(len(kinds), size=total)),
            "video_expires_utc": pl.Series(milliseconds + 86_400_000).cast(
                pl.Datetime("ms", "UTC")
            ),
        }
    )
    seed = pl.col("seed").cast(pl.String)
    name = pl.concat_str(pl.col("prompt").str.slice(0, 40).str.replace_all(r"\W", "_"), seed)
    link = pl.concat_str(
        pl.lit("https://cdn.discordapp.com/attachments/1183508299895820390/"), "message_id",
        pl.lit("/"), name, pl.lit(".mp4?ex=65b1a74c&is=659f324c&hm="), seed.hash(1), seed.hash(2),
        seed.hash(3), seed.hash(4), pl.lit("&"),
    )  # fmt: skip
    none = {"command": pl.String, "negative_prompt": pl.String, "other_parameters": pl.String}
    table = table.with_columns(
        *(pl.lit(None, kind).alias(label) for label, kind in none.items()),
        camera=pl.when(pl.int_range(total) % 5 == 0).then(pl.lit(["zoom in"])),
        fps=pl.lit(24, pl.Int32),
        video=link,
        video_name=name,
    )
    # What gives no prompt: texts alone, and a picture without a word.
    others = table.head(total // 20).with_columns(
        pl.lit("text_to_video").alias("kind"), message_id=pl.col("message_id") + "1"
    )
    empty = table.head(total // 100).with_columns(
        pl.lit("").alias("prompt"), message_id=pl.col("message_id") + "2"
    )
    table = pl.concat([table, others, empty]).sort("timestamp_utc", "message_id")
    size = -(-len(table) // EXPORTS)
    for number in range(EXPORTS):
        part = table.slice(number * size, size + int(size * OVERLAP)).select(MESSAGES.names)
        path = folder / "messages" / f"export-{number}.parquet"
        write_table(part.to_arrow(), path, MESSAGES)


def _index(uuids: pl.Series, has_image: np.ndarray) -> pa.Table:
    ok = pl.Series(has_image)
    table = pl.DataFrame({"uuid": uuids}).with_columns(
        *(pl.lit(None).alias(name) for name in ITEM_INDEX.names if name != "uuid"),
    )
    return table.with_columns(
        status=pl.when(ok).then(pl.lit(OK)).otherwise(pl.lit(REJECTED)),
        reason=pl.when(~ok).then(pl.lit("no_video")),
        sha256=pl.when(ok).then(pl.col("uuid").str.replace_all("-", "").repeat_by(2).list.join("")),
        offset=pl.when(ok).then(pl.int_range(len(uuids)) * 1_000_000),
        size_bytes=pl.when(ok).then(pl.lit(700_000)),
    ).to_arrow()


def _annotations(
    uuids: pl.Series, variants: np.ndarray, random: np.random.Generator
) -> dict[str, tuple[pa.Schema, pa.Table]]:
    rows = len(uuids)
    score = random.random(rows, dtype=np.float32)
    offsets = np.arange(rows + 1, dtype=np.int32) * len(SCORES)
    scores = pa.MapArray.from_arrays(
        offsets,
        pa.array(SCORES * rows),
        pa.array(random.random(rows * len(SCORES), dtype=np.float32)),
    )
    verbs = np.array(["move", "zoom", "walk", "blink", "smile", "turn"], object)
    direction = pa.ListArray.from_arrays(
        np.arange(rows + 1, dtype=np.int32) * 2, pa.array(verbs[random.integers(6, size=rows * 2)])
    )
    # One in a thousand failed.
    failed = random.random(rows) < 0.001
    subject = variants[(random.random(rows) ** 3 * len(variants)).astype(int)]
    values = {
        "embeddings/text_embedding": (
            annotate.embeddings(TEXT_NUMBERS),
            {"embedding": _vectors(rows, TEXT_NUMBERS, random)},
        ),
        "embeddings/image_embedding": (
            annotate.embeddings(IMAGE_NUMBERS),
            {"embedding": _vectors(rows, IMAGE_NUMBERS, random)},
        ),
        "annotations/text_embedding": (annotate.EMBEDDED, {}),
        "annotations/image_embedding": (annotate.EMBEDDED, {}),
        "annotations/text_nsfw": (annotate.TEXT_NSFW, {"score": score, "scores": scores}),
        "annotations/image_nsfw": (
            annotate.IMAGE_NSFW,
            {"score": score, "label": np.where(score > 0.99, "NSFW", "Safe").astype(object)},
        ),
        "annotations/subject": (annotate.SUBJECT, {"subject": pa.array(subject, mask=failed)}),
        "annotations/direction": (annotate.DIRECTION, {"verbs": direction}),
    }
    tables = {}
    for name, (schema, columns) in values.items():
        fails = failed if name == "annotations/subject" else np.zeros(rows, bool)
        status = np.where(fails, REJECTED, OK).astype(object)
        reason = np.where(fails, "refused", None)
        common = {"status": status, "reason": pa.array(reason, pa.string())}
        backend = {"backend": np.full(rows, "made_up", object)}
        table = {"uuid": uuids.to_arrow(), **columns, **common, **backend}
        tables[name] = (schema, pa.table(table))
    return tables


def _vectors(rows: int, numbers: int, random: np.random.Generator) -> pa.Array:
    """Return unit vectors, whose digits can be compressed as little as those of real ones."""
    vectors = random.standard_normal((rows, numbers), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kind = pa.list_(pa.field("element", pa.float16(), nullable=False), numbers)
    return pa.FixedSizeListArray.from_arrays(vectors.astype(np.float16).ravel(), type=kind)


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]), int(sys.argv[2]))
