"""Finished splits of a made-up study, which a test may spoil before it checks them."""

import pandas as pd

from scripts.common.identity import item_uuid
from scripts.common.schemas.split import TIP_ID, TRACE_FRAMES, TRACE_IMAGES, TRACE_PROMPTS
from scripts.common.tables import read_frame, write_table
from scripts.split.check_splits import check_splits
from scripts.split.collect_trace_images import collect_trace_images
from scripts.split.sample_trace_frames import sample_trace_frames
from scripts.split.split_tip_id import split_tip_id
from scripts.split.split_tip_trace import split_tip_trace
from tests.split.made_up import prompt_ids, write_chosen, write_index

GENERATORS = ("pika", "morph")
PROMPTS = prompt_ids(20)
SEED = 11
LABELS = {"vsc22": "real", "vidprom": "text_generated"}
SCHEMAS = {
    "tip_id/pika": TIP_ID,
    "tip_id/morph": TIP_ID,
    "tip_id/vsc22": TIP_ID,
    "tip_id/vidprom": TIP_ID,
    "tip_trace/prompts": TRACE_PROMPTS,
    "tip_trace/morph": TRACE_FRAMES,
    "tip_trace/references": TRACE_IMAGES,
    "tip_trace/distractors": TRACE_IMAGES,
    "tip_trace/training_images": TRACE_IMAGES,
}


class Splits:
    """A folder of finished splits, which a test may spoil before it checks them."""

    def __init__(self, folder):
        self.folder = folder
        self.chosen = write_chosen(folder / "chosen.parquet", PROMPTS, prompt_ids(23)[20:])
        real = [item_uuid("real", str(place)) for place in range(12)]
        text = [item_uuid("text", str(place)) for place in range(10)]
        self.indexes = {
            "pika": write_index(folder / "in/pika.parquet", PROMPTS),
            "morph": write_index(folder / "in/morph.parquet", PROMPTS, rejected=PROMPTS[:2]),
            "vsc22": write_index(
                folder / "in/vsc22.parquet", real, groups=[f"v{place // 3}" for place in range(12)]
            ),
            "vidprom": write_index(folder / "in/vidprom.parquet", text, rejected=text[:1]),
        }
        for source, index in self.indexes.items():
            split_tip_id(
                [index],
                self.path(f"tip_id/{source}"),
                source=source,
                label=LABELS.get(source, "image_generated"),
                tars=["a.tar"],
                test_share=0.3,
                seed=SEED,
                chosen=self.chosen,
            )
        prompts = self.path("tip_trace/prompts")
        self.images = write_index(folder / "in/images.parquet", PROMPTS, frames=1)
        split_tip_trace(self.chosen, [self.images], prompts, query_prompts=6, seed=SEED)
        for generator in GENERATORS:
            sample_trace_frames(
                prompts,
                [self.indexes[generator]],
                self.path(f"tip_trace/{generator}"),
                generator=generator,
                tars=["a.tar"],
                frames_per_video=3,
                along={"prompts": 2, "frames": 2},
                seed=SEED,
            )
        self.outside = [
            write_index(
                folder / f"in/{name}.parquet", [item_uuid(name, str(i)) for i in range(5)], frames=1
            )
            for name in ("references", "distractors")
        ]
        collect_trace_images(
            prompts,
            [self.images],
            *([one] for one in self.outside),
            self.path("tip_trace/references"),
            self.path("tip_trace/distractors"),
            self.path("tip_trace/training_images"),
            image_tars=["images.tar"],
            reference_tars=["r.tar"],
            distractor_tars=["d.tar"],
            max_references=4,
            max_distractors=4,
            seed=SEED,
        )

    def path(self, name):
        return self.folder / "splits" / f"{name}.parquet"

    def read(self, name):
        return read_frame(self.path(name), SCHEMAS[name])

    def write(self, name, rows):
        write_table(rows, self.path(name), SCHEMAS[name])

    def check(self):
        self.notes = []
        return check_splits(
            self.chosen,
            [self.path(f"tip_id/{source}") for source in self.indexes],
            self.path("tip_trace/prompts"),
            [self.path(f"tip_trace/{generator}") for generator in GENERATORS],
            [
                self.path(f"tip_trace/{name}")
                for name in ("references", "distractors", "training_images")
            ],
            self.folder / "leakage.csv",
            self.folder / "coverage.csv",
            sources={
                source: {
                    "label": LABELS.get(source, "image_generated"),
                    "indexes": [index],
                    "tars": ["a.tar"],
                }
                for source, index in self.indexes.items()
            },
            pictures={
                name: {"indexes": [index], "tars": [tar]}
                for name, index, tar in (
                    ("images", self.images, "images.tar"),
                    ("references", self.outside[0], "r.tar"),
                    ("distractors", self.outside[1], "d.tar"),
                )
            },
            note=self.notes.append,
        )

    def broken(self):
        rows = pd.read_csv(self.folder / "leakage.csv")
        return set(rows.loc[rows["violations"] > 0, "rule"])
