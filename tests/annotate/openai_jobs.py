"""Jobs that annotate by an endpoint: their texts, prices, shards and annotators."""

from scripts.annotate.annotator import Annotator
from scripts.annotate.ask_endpoint import ask_endpoint
from scripts.annotate.text_annotations import TextShard
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


def ask(shard, annotator):
    """Run the rule's function on a shard."""
    outputs = {annotator.annotation: output_of(shard, annotator.annotation)}
    return ask_endpoint(shard, outputs, annotator)
