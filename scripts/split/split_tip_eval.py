"""Choose TIP-Eval: the most popular subjects, each with the same number of prompts (Section 5.2)."""

from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.identity import seeded_order
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.tables import read_frame, write_table


def split_tip_eval(
    dataset: Path, tip_eval: Path, *, subjects: int, prompts_per_subject: int, seed: int
) -> Counts:
    """Choose TIP-Eval from the data set.

    A subject's popularity is the number of its prompts; equally popular ones come by name. Within
    a subject prompts are chosen by seeded rank. Subjects with fewer prompts than are wanted of
    each are left out, so that every subject weighs the same.

    Args:
        dataset: the data set, columns ``UUID``, ``Text_Prompt``, ``Subject``.
        tip_eval: output (``TIP_EVAL``).
        subjects: number of subjects; the paper's is 1,000.
        prompts_per_subject: the paper's is 10.
        seed: of the run.

    Raises:
        UserError: no subject has that many prompts.
    """
    table = read_frame(dataset, columns=["UUID", "Text_Prompt", "Subject"])
    table.columns = ["uuid", "prompt", "subject"]
    if table.empty:
        raise UserError(
            f"{dataset} has no prompts; see the logs of curate, and where its prompts went"
        )
    named = table[table["subject"].fillna("").str.strip() != ""]
    sizes = named["subject"].value_counts()
    large = sizes[sizes >= prompts_per_subject]
    popular = sorted(large.index, key=lambda subject: (-large[subject], subject))[:subjects]
    if not popular:
        raise UserError(
            f"{dataset}: no subject has {prompts_per_subject} prompts; lower "
            "split.tip_eval.prompts_per_subject"
        )
    candidates = named[named["subject"].isin(popular)]
    drawn = {
        uuid
        for _, uuids in candidates.groupby("subject")["uuid"]
        for uuid in seeded_order(uuids, seed, "tip_eval")[:prompts_per_subject]
    }
    write_table(candidates[candidates["uuid"].isin(drawn)], tip_eval, TIP_EVAL)
    counts = Counts(kept=len(drawn), declared=len(table))
    counts.reject("no_subject", len(table) - len(named))
    counts.reject("unpopular_subject", len(named) - len(candidates))
    counts.reject("not_drawn", len(candidates) - len(drawn))
    if len(popular) < subjects:
        counts.notes.append(
            f"TIP-Eval has {len(popular):,} subjects instead of {subjects:,}: no more have "
            f"{prompts_per_subject} prompts"
        )
    return counts


if __name__ == "__main__":
    run_job(split_tip_eval, snakemake)
