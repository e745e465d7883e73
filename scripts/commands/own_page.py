"""The page of one's own videos: what was scored, means, leaderboard, and each video's scores."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.analyse.paper_table import NOTHING
from scripts.analyse.table_faces import html_row
from scripts.commands.report_page import head_of, table_of
from scripts.common.schemas.evaluate import REASONS, REMARKS, SCORES
from scripts.common.schemas.items import OK
from scripts.common.tables import read_frame

LISTED = 1000
"""Videos that the page lists; the table of scores has all."""


def write_own_page(
    folder: Path, name: str, dimensions: Sequence[Mapping[str, Any]], tables: Sequence[str]
) -> Path:
    """Write ``report.html`` beside what was made of a folder of videos, and return its path.

    Args:
        folder: with ``scores.parquet``, the tables' pages, and perhaps ``figure6.png``.
        name: what the videos are called.
        dimensions: in order: ``entry`` and ``label``.
        tables: names of the tables that have a page.
    """
    scores = read_frame([folder / "scores.parquet"], SCORES)
    parts = [
        f"<p>{scores['item'].nunique():,} videos. What is no number has a reason; a mean stands on the "
        "videos that were scored.</p>",
        _table(["Dimension", "Scored", "Not scored", "Remarks"], _counts(scores, dimensions)),
        *(f"<section>{table_of(folder / f'{table}.html')}</section>" for table in tables),
    ]
    if (folder / "figure6.png").exists():
        picture = base64.b64encode((folder / "figure6.png").read_bytes()).decode()
        text = "Means of all dimensions, from the worst of these generators to the best"
        source = f"data:image/png;base64,{picture}"  # one file, which can be sent
        parts.append(f'<figure style="max-width: 40rem"><img src="{source}" alt="{text}"></figure>')
    header = ["Video", "Frames", *(dimension["label"] for dimension in dimensions)]
    parts += ["<h2>Each video</h2>", _table(header, _videos(scores, dimensions))]
    if scores["item"].nunique() > LISTED:
        parts.append(f"<p>The first {LISTED:,}; scores.parquet has all.</p>")
    page = folder / "report.html"
    page.write_text(
        f"{head_of(f'{name}: own videos')}<h1>Videos of {escape(name)}</h1>"
        + "\n".join(parts)
        + "</main></body></html>\n",
        encoding="utf-8",
    )
    return page


def _counts(scores: pd.DataFrame, dimensions: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    rows = []
    for dimension in dimensions:
        own = scores[scores["metric"] == dimension["entry"]]
        reasons, remarks = own["reason"].value_counts(), own["remark"].value_counts()
        rows.append([
            dimension["label"],
            f"{(own['status'] == OK).sum():,}",
            "; ".join(f"{count:,}: {REASONS[reason]}" for reason, count in reasons.items()),
            "; ".join(f"{count:,}: {REMARKS[remark]}" for remark, count in remarks.items()),
        ])  # fmt: skip
    return rows


def _videos(scores: pd.DataFrame, dimensions: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    shown = scores["value"].map("{:.3f}".format).where(scores["status"] == OK, scores["reason"])
    cells = scores.assign(shown=shown).pivot(index="item", columns="metric", values="shown")
    frames = dict(zip(scores["item"], scores["frames"], strict=True))
    return [
        [str(item), NOTHING if pd.isna(frames[item]) else f"{frames[item]:.0f}",
         *(row[dimension["entry"]] for dimension in dimensions)]
        for item, row in cells.head(LISTED).iterrows()
    ]  # fmt: skip


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = "".join(html_row(cells, {0}, "td") for cells in rows)
    return (
        f'<div class="wide" tabindex="0"><table><thead>{html_row(header, {0}, "th")}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
