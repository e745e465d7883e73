"""Estimate what the annotations behind an endpoint will cost, before anything is sent."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scripts.annotate.annotator import Annotator
from scripts.annotate.text_annotations import TextShard
from scripts.common.errors import UserError
from scripts.common.ledger import finished_items
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import COSTS
from scripts.common.tables import write_table


def estimate_costs(
    prompts: Sequence[Path],
    indexes: Sequence[Path],
    costs: Path,
    annotators: Sequence[Annotator],
) -> Counts:
    """Write what each annotation will cost over all shards; refuse more than its budget.

    What is in the ledger is paid for, and costs nothing. Each job keeps the same budget again
    while it runs, by what the endpoint reports.

    Args:
        prompts: tables of ``PROMPTS``, one for each shard.
        indexes: indexes of the images (``ITEM_INDEX``), in the same order.
        costs: table of ``COSTS``.
        annotators: those that lie behind an endpoint, whatever part they are of.

    Returns:
        Counts of texts to be sent, with one sentence for each annotation.

    Raises:
        UserError: an annotation would cost more than its budget.
    """
    counts, rows = Counts(), []
    for annotator in annotators:
        annotation, model = annotator.annotation, annotator.backend
        texts, usd = 0, 0.0
        for shard in map(TextShard, prompts, indexes):
            done = finished_items(replace(annotator, part=shard.name).folder, "uuid")
            left = {uuid: text for uuid, text in shard.texts().items() if uuid not in done}
            texts += len(left)
            usd += sum(model.estimate(left).values())
        spent = model.account.spent_usd
        counts.keep(texts)
        counts.notes.append(
            f"{annotation}: {texts:,} texts to {annotator.entry['name']} will cost about "
            f"${usd:,.2f}, besides ${spent:,.2f} spent before; the budget is "
            f"${annotator.budget_usd:,.2f}"
        )
        rows.append(
            {"annotation": annotation, "annotator": annotator.entry["name"], "texts": texts}
            | {"estimated_usd": usd, "spent_usd": spent, "budget_usd": annotator.budget_usd}
        )
    over = [
        note
        for row, note in zip(rows, counts.notes, strict=True)
        if row["texts"] and row["estimated_usd"] + row["spent_usd"] > row["budget_usd"]
    ]
    if over:
        raise UserError(
            f"{'; '.join(over)}; nothing was sent: raise annotate.budget_usd or choose another "
            "annotator"
        )
    write_table(rows, costs, COSTS)
    return counts


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        annotators = [
            Annotator(annotation=name, part="costs", **settings)
            for name, settings in snakemake.params.annotators.items()
        ]
        counts = estimate_costs(
            [Path(path) for path in snakemake.input.prompts],
            [Path(path) for path in snakemake.input.indexes],
            Path(snakemake.output.costs),
            annotators,
        )
        log.finish(counts)
