"""Tables 1 and 2: this study's data set and benchmark beside others, fact by fact."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.analyse.paper_table import PaperTable, Row, Section
from scripts.analyse.table_faces import laid_out
from scripts.common.job import run_job
from scripts.common.schemas.annotate import DATASET
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.tables import read_frame


@laid_out
def build_overview(
    dataset: Path,
    prompts: Path,
    *,
    number: str,
    layout: Mapping[str, Any],
    known: Mapping[str, str],
    beside: Sequence[Mapping[str, Any]],
) -> PaperTable:
    """Lay out a comparison of data sets; ours is counted, theirs is as published.

    Args:
        dataset: table of ``DATASET``; an image prompt belongs to each of its rows.
        prompts: table of ``TIP_EVAL``.
        number: the paper's, such as "1".
        layout: of the table, as ``config/paper/tables.yaml`` has it.
        known: our facts that the configuration tells: fact -> text.
        beside: the other data sets, in order: ``label``, ``facts``, ``citation``.
    """
    ours = {"label": layout["ours"], "facts": {**count_facts(dataset, prompts), **known}}
    # The paper's own stands first where it is a column, and last where it is a row.
    sets = [*beside, ours] if layout.get("by_row") else [ours, *beside]
    facts = layout["facts"]
    cells = [[each["facts"].get(fact) for fact in facts] for each in sets]
    names, columns = [each["label"] for each in sets], list(facts.values())
    if not layout.get("by_row"):
        names, columns, cells = columns, names, list(map(list, zip(*cells, strict=True)))
    rows = [Row([name], row, [None] * len(row)) for name, row in zip(names, cells, strict=True)]
    published = "; ".join(f"{each['label']} ({each['citation']})" for each in beside)
    return PaperTable.of(
        layout,
        [{"entry": name, "label": name, "embedded": False} for name in columns],
        [Section([layout["keys"][0].capitalize()], rows)],
        number=number,
        counted=False,
        notes=[f"As published: {published}."],
    )


def count_facts(dataset: Path, prompts: Path) -> dict[str, str]:
    """Return what the data set and TIP-Eval tell of themselves, as the paper prints it."""
    rows = read_frame(dataset, DATASET, ["Text_Prompt", "Image_Prompt", "Timestamp"])
    chosen = read_frame(prompts, TIP_EVAL)
    months = pd.to_datetime(rows["Timestamp"].agg(["min", "max"])).dt.strftime("%b %Y").unique()
    return {
        "text_prompts": f"{rows['Text_Prompt'].nunique():,}",
        "image_prompts": f"{rows['Image_Prompt'].nunique():,}",
        "time_span": " ~ ".join(months),
        "subjects": f"{chosen['subject'].nunique():,}",
        "prompts": f"{len(chosen):,}",
    }


if __name__ == "__main__":
    run_job(build_overview, snakemake)
