"""Estimate what the annotations behind an endpoint will cost, before anything is sent."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.annotate.annotator import Annotator
from scripts.annotate.text_annotations import texts_of
from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import COSTS
from scripts.common.tables import write_table


def estimate_costs(
    prompts: Sequence[Path],
    indexes: Sequence[Path],
    costs: Path,
    *,
    annotators: Mapping[str, Mapping[str, Any]],
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write what each annotation will cost over all shards; refuse more than its budget.

    What is in the ledger is paid for, and costs nothing. Each job keeps the same budget again
    while it runs, by what the endpoint reports.

    Args:
        prompts: tables of ``PROMPTS``, one for each shard.
        indexes: indexes of the images (``ITEM_INDEX``), in the same order.
        costs: table of ``COSTS``.
        annotators: annotation behind an endpoint -> ``entry`` and ``terms`` of its ``Annotator``.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of texts to be sent, with one sentence for each annotation.

    Raises:
        UserError: an annotation would cost more than its budget.
    """
    counts, rows, over = Counts(), [], []
    for annotation, settings in annotators.items():
        annotator = Annotator(annotation=annotation, ledger_root=ledger_root, **settings)
        name, budget = annotator.entry["name"], annotator.terms["budget_usd"]
        model = annotator.backend
        texts, usd, spent = 0, 0.0, model.account.spent_usd
        for paths in zip(prompts, indexes, strict=True):
            left = annotator.left(paths[1].stem, texts_of(*paths))
            texts += len(left)
            usd += sum(model.estimate(left).values())
        counts.keep(texts)
        counts.notes.append(
            f"{annotation}: {texts:,} texts to {name} will cost about ${usd:,.2f}, besides "
            f"${spent:,.2f} spent before; the budget is ${budget:,.2f}"
        )
        if texts and usd + spent > budget:
            over.append(counts.notes[-1])
        rows.append(
            {"annotation": annotation, "annotator": name, "texts": texts}
            | {"estimated_usd": usd, "spent_usd": spent, "budget_usd": budget}
        )
    if over:
        raise UserError(
            f"{'; '.join(over)}; nothing was sent: raise annotate.budget_usd or choose another "
            "annotator"
        )
    write_table(rows, costs, COSTS)
    return counts


if __name__ == "__main__":
    run_job(estimate_costs, snakemake)
