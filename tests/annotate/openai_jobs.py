"""Jobs that annotate by an endpoint: their texts, prices, shards and annotators."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scripts.annotate.annotate_texts import annotate_texts
from scripts.annotate.annotator import Annotator
from scripts.annotate.submit_batches import submit_batches
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


def in_order(model, texts):
    """Return what a model behind an endpoint says of each text."""
    found = dict(model.answer({str(number): text for number, text in enumerate(texts)}))
    return [found[str(number)] for number in range(len(texts))]


class Shard(NamedTuple):
    """Prompts, and the index of their images."""

    prompts: Path
    index: Path


def make_shard(folder, texts):
    write_prompts(folder / "prompts.parquet", texts)
    return Shard(folder / "prompts.parquet", write_images(folder, "00000", texts)[1])


def annotator_of(server, folder, budget_usd=None, entry=DIRECTION, **service):
    annotation = "subject" if entry.get("question") else "direction"
    terms = {"service": service_of(server, **service), "budget_usd": budget_usd}
    return Annotator(entry, annotation, "00000", terms=terms, ledger_root=folder / "ledger")


def output_of(shard, annotation="direction"):
    return shard.prompts.parent / annotation / "00000.parquet"


def ask(shard, annotator):
    """Run the rule's function on a shard."""
    name = annotator.annotation
    return annotate_texts(
        [shard.prompts],
        [shard.index],
        {name: [output_of(shard, name)]},
        entries={name: annotator.entry},
        shard=annotator.part,
        terms=annotator.terms,
        ledger_root=annotator.ledger_root,
    )


@dataclass(frozen=True)
class Column:
    """The prompts of some shards in a folder, whose directions come by the batch API."""

    folder: Path
    shards: list[list[str]]
    annotator: Annotator

    @classmethod
    def of(cls, server, folder, shards, budget_usd=1.0, **service):
        service = {"price": {"input_usd": 1.0, "as_of": "2026-11-21"}} | service
        return cls(folder, shards, annotator_of(server, folder, budget_usd, **service))

    def write(self):
        for number, texts in enumerate(self.shards):
            write_prompts(self.folder / f"prompts/{number:05d}.parquet", texts)
            write_images(self.folder / "images", f"{number:05d}", texts)
        return self

    @property
    def submitted(self):
        return self.folder / "submitted.parquet"

    @property
    def settings(self):
        entries, job = {"direction": self.annotator.entry}, self.annotator
        return {"entries": entries, "terms": job.terms, "ledger_root": job.ledger_root}

    def paths(self, kind):
        return [self.folder / kind / f"{number:05d}.parquet" for number in range(len(self.shards))]

    def submit(self):
        """Run the one rule, and return its counts and the sizes of the batches in flight."""
        paths = (self.paths("prompts"), self.paths("images"), self.submitted)
        counts = submit_batches(*paths, **self.settings)
        flights = self.folder.glob("ledger/annotate/*/direction-all/batches/*.json")
        return counts, sorted(len(json.loads(path.read_text())["ids"]) for path in flights)

    def fetch(self):
        """Run the other rule, and return its counts."""
        return annotate_texts(
            self.paths("prompts"),
            self.paths("images"),
            {"direction": self.paths("direction")},
            **self.settings,
        )

    def rows(self):
        """Return each shard's rows by UUID."""
        tables = (read_table(path, DIRECTIONS).to_pylist() for path in self.paths("direction"))
        return [{row["uuid"]: row for row in rows} for rows in tables]
