"""Jobs that annotate by an endpoint: their texts, prices, shards and annotators."""

import json
from dataclasses import dataclass
from pathlib import Path

from scripts.annotate.annotator import Annotator
from scripts.annotate.ask_endpoint import ask_endpoint
from scripts.annotate.submit_batches import submit_batches
from scripts.annotate.text_annotations import TextShard
from scripts.common.schemas.annotate import DIRECTION as DIRECTIONS
from scripts.common.tables import read_table
from tests.annotate.made_up import write_images, write_prompts

PRICE = {"input_usd": 100.0, "output_usd": 1000.0, "batch_share": 0.5, "as_of": "2026-11-21"}
VERBS = {"a": ["walk"], "b": ["run"], "c": ["swim"], "d": ["fly"], "e": []}
TEXTS = [f"prompt number {number} walks" for number in range(50)]
MODEL = {"api": "gpt-4o-2024-08-06"}
DIRECTION = {
    "name": "gpt_4o_direction",
    "backend": "scripts.annotate.openai_text:OpenAIDirection",
    "weights": MODEL,
}
SUBJECT = {
    "name": "gpt_4o_subject",
    "backend": "scripts.annotate.openai_text:OpenAISubject",
    "weights": MODEL,
    "question": "What is to move?",
}


def service_of(server, **service):
    defaults = {"base_url": server.base_url, "mode": "batch", "poll_s": 0.01, "max_retries": 2}
    return defaults | service


def make_shard(folder, texts):
    write_prompts(folder / "prompts.parquet", texts)
    _, index = write_images(folder, "00000", texts)
    return TextShard(folder / "prompts.parquet", index)


def annotator_of(server, folder, budget_usd=None, entry=DIRECTION, **service):
    annotation = "subject" if entry.get("question") else "direction"
    settings = {"budget_usd": budget_usd, "ledger_root": folder / "ledger"}
    return Annotator(entry, annotation, "00000", service=service_of(server, **service), **settings)


def output_of(shard, annotation="direction"):
    return shard.prompts.parent / annotation / "00000.parquet"


def settings_of(annotator):
    """Return what the rules' functions take of an annotator."""
    names = ("entry", "service", "budget_usd", "ledger_root")
    return {name: getattr(annotator, name) for name in names}


def ask(shard, annotator):
    """Run the rule's function on a shard."""
    return ask_endpoint(
        [shard.prompts],
        [shard.index],
        [output_of(shard, annotator.annotation)],
        annotation=annotator.annotation,
        shard=annotator.part,
        **settings_of(annotator),
    )


@dataclass(frozen=True)
class Column:
    """The prompts of some shards in a folder, whose directions come by the batch API."""

    folder: Path
    shards: list[list[str]]
    settings: dict

    @classmethod
    def of(cls, server, folder, shards, budget_usd=1.0, **service):
        service = {"price": {"input_usd": 1.0, "as_of": "2026-11-21"}} | service
        settings = settings_of(annotator_of(server, folder, budget_usd, **service))
        return cls(folder, shards, {"annotation": "direction"} | settings)

    def write(self):
        for number, texts in enumerate(self.shards):
            write_prompts(self.folder / f"prompts/{number:05d}.parquet", texts)
            write_images(self.folder / "images", f"{number:05d}", texts)
        return self

    @property
    def submitted(self):
        return self.folder / "submitted.parquet"

    def paths(self, kind):
        return [self.folder / kind / f"{number:05d}.parquet" for number in range(len(self.shards))]

    def submit(self):
        """Run the one rule, and return its counts and the sizes of the batches in flight."""
        paths = map(self.paths, ("prompts", "images"))
        counts = submit_batches(*paths, self.submitted, **self.settings)
        flights = self.folder.glob("ledger/annotate/*/direction-all/batches/*.json")
        return counts, sorted(len(json.loads(path.read_text())["ids"]) for path in flights)

    def fetch(self):
        """Run the other rule, and return its counts."""
        paths = map(self.paths, ("prompts", "images", "direction"))
        return ask_endpoint(*paths, **self.settings)

    def rows(self):
        """Return each shard's rows by UUID."""
        tables = (read_table(path, DIRECTIONS).to_pylist() for path in self.paths("direction"))
        return [{row["uuid"]: row for row in rows} for rows in tables]
