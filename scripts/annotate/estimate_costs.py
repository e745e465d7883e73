"""Estimate what the annotations behind an endpoint will cost, before anything is sent."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.annotate.shard_annotation import Annotator, AnnotatorAtWork, read_texts
from scripts.common.errors import UserError
from scripts.common.ledger import finished_items
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import COSTS
from scripts.common.tables import write_table


def estimate_costs(
    prompts: Sequence[Path],
    indexes: Sequence[Path],
    costs: Path,
    annotators: Mapping[str, Annotator],
) -> Counts:
    """Write what each annotation will cost over all shards; refuse more than its budget.

    What is in the ledger is paid for, and costs nothing. Each job keeps the same budget again
    while it runs, by what the endpoint reports.

    Args:
        prompts: tables of ``PROMPTS``, one for each shard.
        indexes: indexes of the images (``ITEM_INDEX``), in the same order.
        costs: table of ``COSTS``.
        annotators: those that lie behind an endpoint, by the annotation that they make.

    Returns:
        Counts of texts to be sent, with one sentence for each annotation.

    Raises:
        UserError: an annotation would cost more than its budget.
    """
    counts, rows = Counts(), []
    for annotation, annotator in annotators.items():
        texts, usd = 0, 0.0
        for table, index in zip(prompts, indexes, strict=True):
            work = AnnotatorAtWork(annotator, annotation, index.stem)
            done = finished_items(work.folder, "uuid")
            left = {u: text for u, text in read_texts(table, index).items() if u not in done}
            texts += len(left)
            usd += sum(work.backend.estimate(left).values())
        spent = work.backend.account.spent_usd
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
        annotators = {
            name: Annotator(batch_size=1, **settings)
            for name, settings in snakemake.params.annotators.items()
        }
        counts = estimate_costs(
            [Path(path) for path in snakemake.input.prompts],
            [Path(path) for path in snakemake.input.indexes],
            Path(snakemake.output.costs),
            annotators,
        )
        log.finish(counts)
