"""Jobs that annotate by an endpoint: their texts, prices, shards and annotators."""

from scripts.annotate.shard_annotation import Annotator, TextShard

from tests.annotate.made_up import write_images, write_prompts

PRICE = {"input_usd": 100.0, "output_usd": 1000.0, "batch_share": 0.5, "as_of": "2026-11-21"}
VERBS = {"a": ["walk"], "b": ["run"], "c": ["swim"], "d": ["fly"], "e": []}
TEXTS = [f"prompt number {number} walks" for number in range(50)]


def service_of(server, **service):
    defaults = {"base_url": server.base_url, "mode": "batch", "poll_s": 0.01, "max_retries": 2}
    return defaults | service


def make_shard(folder, texts):
    write_prompts(folder / "prompts.parquet", texts)
    _, index = write_images(folder, "00000", texts)
    return TextShard(folder / "prompts.parquet", index, folder / "direction" / "00000.parquet")


def annotator_of(server, folder, budget_usd=None, **service):
    entry = {
        "name": "gpt_4o_direction",
        "backend": "scripts.annotate.openai_text:OpenAIDirection",
        "weights": {"api": "gpt-4o-2024-08-06"},
    }
    settings = {"budget_usd": budget_usd, "ledger_root": folder / "ledger"}
    return Annotator(entry, 64, service=service_of(server, **service), **settings)
