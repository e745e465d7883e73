"""A small release of a made-up stage, with tars, splits, videos and embeddings."""

import json
from pathlib import Path

import yaml

from scripts.common.code import ROOT
from scripts.common.schemas.prompts import PARAMETERS
from scripts.common.schemas.split import TIP_EVAL, TIP_ID
from scripts.common.shards import Shard, ShardItem, write_shard
from scripts.common.tables import write_table
from scripts.common.video import VideoProperties
from scripts.publish.describe_release import describe_release
from scripts.publish.lay_out_release import lay_out_release
from tests.annotate.made_up_dataset import Stage
from tests.sources.published import video

CLIP = VideoProperties(32, 16, 8.0, 2, 0.25, "h264")
SHEET = yaml.safe_load((ROOT / "config/croissant.yaml").read_text(encoding="utf-8"))
SETTINGS = {
    "sheet": {name: SHEET[name] for name in ("context", "dataset")},
    "annotators": {"text_nsfw": "Detoxify", "subject": "A tagger (abc)"},
    "origin": "an export", "licence": "cc-by-nc-4.0", "banner": "MADE UP",
}  # fmt: skip
LINEAGE = [
    ("pack_dataset", ["results/dataset.parquet", "results/images/00000.tar"], []),
    ("build_dataset", ["results/prompts/00000.parquet", "results/images/00000.parquet",
                       "results/annotations/text_nsfw/00000.parquet", "results/subjects.parquet",
                       "results/annotations/image_nsfw/00000.parquet",
                       "results/annotations/direction/00000.parquet"],
     ["results/dataset.parquet"]),
    ("annotate", ["results/prompts/00000.parquet", "results/images/00000.tar"],
     ["results/annotations/text_nsfw/00000.parquet", "results/subjects.parquet",
      "results/annotations/image_nsfw/00000.parquet",
      "results/annotations/direction/00000.parquet"]),
    ("extract_images", ["results/videos/pika/00000.tar"],
     ["results/images/00000.tar", "results/images/00000.parquet"]),
    ("fetch_videos", ["results/prompts/00000.parquet"], ["results/videos/pika/00000.tar"]),
    ("collect_prompts", ["results/messages/a.parquet", "../config/removals.txt"],
     ["results/prompts/00000.parquet"]),
    ("extract_messages", ["data/exports/secret-channel.html"], ["results/messages/a.parquet"]),
]  # fmt: skip
"""Rule, inputs, outputs."""


class SmallRelease:
    """What ``make results/release`` leaves of a stage of five prompts."""

    def __init__(self, folder: Path):
        """Make everything in ``folder``; the release is ``path``."""
        stage = Stage(folder)
        stage.build()
        packed = stage.pack()
        self.path = path = packed[0].parents[1]
        self.rows = stage.rows()
        uuids = sorted(row["UUID"] for row in self.rows.values())
        vectors = [stage.pack_embeddings(name)[0] for name in ("Text", "Image")]
        write_table([{"UUID": uuid} for uuid in uuids], path / "parameters.parquet", PARAMETERS)
        tar, index = folder / "videos/pika/00000.tar", folder / "videos/pika/00000.parquet"
        data = {uuid: video(2, value=number) for number, uuid in enumerate(uuids)}
        write_shard(tar, index, [ShardItem(uuid, one, CLIP) for uuid, one in data.items()], "mp4")
        shown, judged = folder / "prompts.parquet", folder / "pika.parquet"
        write_table(
            [{"uuid": row["UUID"], "prompt": text, "subject": "Cat"} for text, row in self.rows.items()],
            shown, TIP_EVAL,
        )  # fmt: skip
        places = Shard(tar, index)
        write_table(
            [{"uuid": uuid, "group": uuid, "label": "image_generated", "source": "pika",
              "split": "train", "tar": str(tar), **{key: places.rows[uuid][key] for key in ("offset", "size_bytes")}} for uuid in uuids],
            judged, TIP_ID,
        )  # fmt: skip
        pictures = [(one, one.with_suffix(".parquet")) for one in stage.tars]
        linked = [tar, index, *(file for both in pictures for file in both)]
        names = [
            "pika_videos_tar/pika_videos_00000",
            *(f"image_prompt_tar/{one.stem}" for one in stage.tars),
        ]
        links = [path / f"{name}.{form}" for name in names for form in ("tar", "parquet")]
        splits = [path / "splits/tip_eval/prompts.parquet", path / "splits/tip_id/pika.parquet"]
        videos = [path / "videos/pika-00000.parquet"]
        self.counts = lay_out_release(
            linked, [shown, judged], [tar], links, splits, videos,
            places={str(tar): f"{names[0]}.tar"}, generators=["pika"],
        )  # fmt: skip
        self.files = [*packed, *vectors, path / "parameters.parquet", *links, *splits, *videos]
        self.packed = packed
        self.lineage = folder / "run"
        for number, (rule, inputs, outputs) in enumerate(LINEAGE):
            record = {"rule": rule, "inputs": inputs, "outputs": outputs or list(map(str, packed))}
            record |= {
                "script": f"{rule}.py",
                "code": "abc",
                "finished": "2026-01-01T00:00:00+00:00",
            }
            (self.lineage / "logs").mkdir(parents=True, exist_ok=True)
            (self.lineage / f"logs/{number}.json").write_text(json.dumps(record))
        self.describe()

    def describe(self, **changes):
        """Write card, Croissant file and checksums."""
        described = [self.path / name for name in ("README.md", "croissant.json", "SHA256SUMS")]
        settings = SETTINGS | changes
        return describe_release(
            self.packed, self.files, *described, directory=self.lineage, **settings
        )
