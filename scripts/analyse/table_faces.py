"""The four faces of a table of the paper: CSV, Markdown, LaTeX and HTML."""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from scripts.analyse.csv_files import csv_text, one_line
from scripts.analyse.faces import with_faces
from scripts.analyse.paper_table import NOTHING, Number, PaperTable, Row, difference
from scripts.common.rule_log import Counts

MINUS = "−"

TEX_ESCAPES = {
    MINUS: "$-$",
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "–": "--",
}

STYLE = """\
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1.5rem; color: #1b1b1b; }
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; }
caption { text-align: left; padding-bottom: .8rem; }
th, td { padding: .28rem .7rem; text-align: right; font-variant-numeric: tabular-nums; }
td { white-space: nowrap; }
th.name, td.name { text-align: left; white-space: normal; }
tbody tr:first-child > * { border-top: 1px solid #777; }
thead th, tr.header th { font-weight: 600; border-bottom: 1px solid #777; }
.banner { background: #fff3cd; border: 1px solid #b8860b; padding: .5rem .8rem; font-weight: 600; }
.note { color: #555; font-size: .9rem; }
"""


def laid_out(build: Callable[..., PaperTable]) -> Callable[..., Counts]:
    """Return a function that writes the table that ``build`` returns into ``faces``.

    ``banner`` stands on each of them (``with_faces``).
    """
    return with_faces(build, write_paper_table)


def write_paper_table(table: PaperTable, faces: Iterable[Path], banner: str) -> Counts:
    """Write a table's faces, each with the banner if there is one.

    Args:
        table: the table.
        faces: files to write; the suffix (.csv, .md, .tex, .html) says which face.
        banner: a line that says what kind of data this is; empty for none.

    Returns:
        Counts of numbers.
    """
    writers = {".csv": to_csv, ".md": to_markdown, ".tex": to_tex, ".html": to_html}
    for path in faces:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(writers[path.suffix](table, banner), encoding="utf-8")
    return table.counts()


def to_csv(table: PaperTable, banner: str) -> str:
    """Return the table as CSV, rounded as the paper rounds.

    The paper's columns come first; then ``entry`` and ``embedded`` name the backend, and
    ``items_<generator>`` the items on which each number stands; then, where a row is the paper's
    too, ``paper_<column>`` and ``difference_<column>``, and what else the rows have.
    """
    names = [generator["entry"] for generator in table.generators]
    columns = [*names, *(["average"] if table.average else [])]
    header = [*table.keys, *columns]
    if table.counted:
        header += ["entry", "embedded", *(f"items_{name}" for name in names)]
    compared = [row for row in table.rows if row.paper]
    for what in ("paper", "difference") if compared else ():
        header += [f"{what}_{name}" for name in columns]
    more = list(dict.fromkeys(name for row in table.rows for name in row.more))
    lines = []
    for section in table.sections:
        for row in section.rows:
            numbers = [_cell(value, table, "") for value in table.numbers(row)]
            line = [*section.block, *row.cells, *numbers]
            if table.counted:
                line += [row.entry, str(row.embedded).lower()]
                line += ["" if count is None else str(count) for count in row.items]
            if compared:
                paper = row.paper or ("",) * len(columns)
                line += [*paper, *(map(difference, numbers, paper))]
            lines.append([*line, *(row.more.get(name, "") for name in more)])
    return csv_text([*header, *more], lines, banner)


def to_markdown(table: PaperTable, banner: str) -> str:
    """Return the table as Markdown, one table for each section."""

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(map(_markdown, cells)) + " |"

    lines = [f"> **{_markdown(banner)}**", ""] if banner else []
    lines += [f"**{table.title}.** {_markdown(table.caption)}", ""]
    for header, left, rows in _sections(table):
        sides = (":---" if place in left else "---:" for place in range(len(header)))
        lines += [line(header), f"|{'|'.join(sides)}|", *(line(cells) for _, cells in rows), ""]
    lines += [_markdown(note) + "  " for note in table.all_notes]
    return "\n".join(lines).rstrip() + "\n"


def to_tex(table: PaperTable, banner: str) -> str:
    """Return the table as LaTeX (package booktabs)."""

    def line(cells: Iterable[str]) -> str:
        return " & ".join(map(_tex, cells)) + r" \\"

    sections = list(_sections(table))
    header, left, _ = sections[0]
    layout = "".join("l" if place in left else "r" for place in range(len(header)))
    caption = _tex(table.caption)
    if banner:
        caption += rf" \textbf{{{_tex(banner)}}}"
    lines = [f"% {one_line(banner)}"] if banner else []
    lines += [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}"]
    lines += [rf"\label{{tab:{table.number}}}", rf"\begin{{tabular}}{{{layout}}}", r"\toprule"]
    for number, (header, _, rows) in enumerate(sections):
        lines += [r"\midrule"] * bool(number) + [line(header), r"\midrule"]
        for position, (is_group, cells) in enumerate(rows):
            lines += [r"\midrule"] * bool(position and is_group) + [line(cells)]
    lines += [r"\bottomrule", r"\end{tabular}"]
    if table.all_notes:
        lines.append(rf"\par\footnotesize {_tex(' '.join(table.all_notes))}")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def to_html(table: PaperTable, banner: str) -> str:
    """Return the table as a page of its own, for a browser and for the report."""
    title = table.title
    lines = ["<!doctype html>", '<html lang="en"><head><meta charset="utf-8">']
    lines += [f"<title>{title}</title>", f"<style>\n{STYLE}</style></head><body>"]
    lines += [f'<p class="banner">{html.escape(banner)}</p>'] if banner else []
    lines += ["<table>", f"<caption><b>{title}.</b> {html.escape(table.caption)}</caption>"]
    for header, left, rows in _sections(table):
        lines += ["<tbody>", html_row(header, left, "th", ' class="header"')]
        for is_group, cells in rows:
            lines += ["</tbody>", "<tbody>"] * is_group + [html_row(cells, left, "td")]
        lines.append("</tbody>")
    lines.append("</table>")
    lines += [f'<p class="note">{html.escape(note)}</p>' for note in table.all_notes]
    return "\n".join([*lines, "</body></html>"]) + "\n"


def _sections(table: PaperTable) -> Iterator[tuple[list[str], set[int], list]]:
    """Yield each section as readers see it.

    That is its header, which columns are set to the left, and its rows: whether a group begins,
    which is named in its first row only, and the cells.
    """
    labels = [generator["label"] for generator in table.generators]
    backend = any(row.embedded for row in table.rows)
    for section in [*table.sections, *table.supplements]:
        names = len(section.header)
        header = [*section.header, *labels, *(["Avg."] if table.average else [])]
        header += ["Items"] * table.counted + ["Backend"] * backend
        left = {*range(names), *([len(header) - 1] if backend else [])}
        rows, group = [], None
        for row in section.rows:
            is_group = names > 1 and row.cells[0] != group
            group = row.cells[0]
            leading = row.cells if names == 1 or is_group else ("", *row.cells[1:])
            cells = [*leading, *(row.texts or _compared_cells(row, table))]
            cells += [_span(row.items)] * table.counted
            rows.append((is_group, cells + [row.entry + " (embedded)" * row.embedded] * backend))
        yield header, left, rows


def _compared_cells(row: Row, table: PaperTable) -> list[str]:
    """Return each number as readers see it, with the paper's and the difference in brackets."""
    values = table.numbers(row)
    shown = [_cell(value, table, NOTHING) for value in values]
    for place, paper in enumerate(row.paper):
        if paper:
            change = difference(_cell(values[place], table, ""), paper)
            shown[place] += f" ({paper}, {change.replace('-', MINUS)})" if change else f" ({paper})"
    return shown


def _cell(value: Number, table: PaperTable, nothing: str) -> str:
    return nothing if value is None else table.shown(value)


def _span(items: Sequence[int | None]) -> str:
    known = sorted({count for count in items if count is not None})
    if not known:
        return NOTHING
    return f"{known[0]:,}" if len(known) == 1 else f"{known[0]:,}–{known[-1]:,}"


def html_row(cells: Sequence[str], left: set[int], tag: str, attributes: str = "") -> str:
    """Return a row of a page's table; the cells at some places are set to the left."""
    shown = (
        f"<{tag}{' class=name' if place in left else ''}>{html.escape(cell)}</{tag}>"
        for place, cell in enumerate(cells)
    )
    return f"<tr{attributes}>{''.join(shown)}</tr>"


def _markdown(text: str) -> str:
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", one_line(text))


def _tex(text: str) -> str:
    return "".join(TEX_ESCAPES.get(character, character) for character in one_line(text))
