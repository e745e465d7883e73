"""The four faces of a table of the paper: CSV, Markdown, LaTeX and HTML."""

import csv
import html
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.analyse.paper_table import Number, PaperTable, Row, Section, difference, mean_of

NOTHING = "–"
"""What a reader sees where there is no number."""

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


def write_paper_table(table: PaperTable, faces: Iterable[Path], banner: str) -> None:
    """Write a table's faces, each with the banner if there is one.

    Args:
        table: the table.
        faces: files to write; the suffix (.csv, .md, .tex, .html) says which face.
        banner: a line that says what kind of data this is; empty for none.
    """
    writers = {".csv": to_csv, ".md": to_markdown, ".tex": to_tex, ".html": to_html}
    for path in faces:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(writers[path.suffix](table, banner), encoding="utf-8")


def to_csv(table: PaperTable, banner: str) -> str:
    """Return the table as CSV, rounded as the paper rounds.

    The paper's columns come first; then ``entry`` and ``embedded`` name the backend, and
    ``items_<generator>`` the items on which each number stands; then, where a row is the paper's
    too, ``paper_<column>`` and ``difference_<column>``, and what else the rows have. A banner is a
    first line that begins with ``#`` (pandas: ``comment="#"``).
    """
    names = list(table.columns)
    columns = [*names, *(["average"] if table.average else [])]
    header = [*table.keys, *columns]
    header += ["entry", "embedded", *(f"items_{name}" for name in names)]
    compared = any(row.paper for row in table.rows)
    for what in ("paper", "difference") if compared else ():
        header += [f"{what}_{name}" for name in columns]
    more = list(dict.fromkeys(name for row in table.rows for name in row.more))
    header += more
    lines = []
    for row in table.rows:
        numbers = [_cell(value, table, "") for value in _numbers(row, table)]
        items = ["" if count is None else str(count) for count in row.items]
        line = [*row.keys, *numbers, row.entry, str(row.embedded).lower(), *items]
        if compared:
            paper = row.paper or ("",) * len(columns)
            line += [*paper, *(map(difference, numbers, paper))]
        lines.append([*line, *(row.more.get(name, "") for name in more)])
    return csv_text(header, lines, banner)


def csv_text(header: Sequence[str], lines: Iterable[Sequence[str]], banner: str) -> str:
    """Return CSV with a banner as its first line; texts with a ``#`` are quoted."""
    text = io.StringIO()
    if banner:
        text.write(f"# {_one_line(banner)}\n")
    writer = csv.writer(text, lineterminator="\n")
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for cells in [header, *lines]:
        (quoting if any("#" in str(cell) for cell in cells) else writer).writerow(cells)
    return text.getvalue()


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file as texts; a banner is passed over."""
    with open(path, encoding="utf-8", newline="") as file:
        lines = file.readlines()
    return list(csv.DictReader(lines[1:] if lines and lines[0].startswith("#") else lines))


def to_markdown(table: PaperTable, banner: str) -> str:
    """Return the table as Markdown, one table for each section."""
    lines = [f"> **{_markdown(banner)}**", ""] if banner else []
    lines += [f"**Table {table.number}.** {_markdown(table.caption)}", ""]
    for section in [*table.sections, *table.supplements]:
        header, trailing = _header(section, table)
        lines.append("| " + " | ".join(map(_markdown, header + trailing)) + " |")
        names = len(section.header)
        rule = [":---"] * names + ["---:"] * (len(header) - names)
        rule += [":---" if title == "Backend" else "---:" for title in trailing]
        lines.append("|" + "|".join(rule) + "|")
        for leading, numbers, ending in _shown_rows(section, table):
            cells = [*leading, *numbers, *ending]
            lines.append("| " + " | ".join(map(_markdown, cells)) + " |")
        lines.append("")
    lines += [_markdown(note) + "  " for note in table.notes]
    return "\n".join(lines).rstrip() + "\n"


def to_tex(table: PaperTable, banner: str) -> str:
    """Return the table as LaTeX (package booktabs)."""
    first = table.sections[0]
    header, trailing = _header(first, table)
    names = len(first.header)
    layout = "l" * names + "r" * (len(header) - names)
    layout += "".join("l" if title == "Backend" else "r" for title in trailing)
    caption = _tex(table.caption)
    if banner:
        caption += rf" \textbf{{{_tex(banner)}}}"
    lines = [f"% {_one_line(banner)}"] if banner else []
    lines += [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}"]
    lines += [rf"\label{{tab:{table.number}}}", rf"\begin{{tabular}}{{{layout}}}", r"\toprule"]
    for number, section in enumerate([*table.sections, *table.supplements]):
        header, trailing = _header(section, table)
        if number:
            lines.append(r"\midrule")
        lines += [" & ".join(map(_tex, header + trailing)) + r" \\", r"\midrule"]
        for position, (leading, numbers, ending) in enumerate(_shown_rows(section, table)):
            if position and names > 1 and leading[0]:
                lines.append(r"\midrule")
            lines.append(" & ".join(map(_tex, [*leading, *numbers, *ending])) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize {_tex(' '.join(table.notes))}"] if table.notes else []
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def to_html(table: PaperTable, banner: str) -> str:
    """Return the table as a page of its own, for a browser and for the report."""
    title = f"Table {table.number}"
    lines = ["<!doctype html>", '<html lang="en"><head><meta charset="utf-8">']
    lines += [f"<title>{title}</title>", f"<style>\n{STYLE}</style></head><body>"]
    lines += [f'<p class="banner">{html.escape(banner)}</p>'] if banner else []
    lines += ["<table>", f"<caption><b>{title}.</b> {html.escape(table.caption)}</caption>"]
    for section in [*table.sections, *table.supplements]:
        header, trailing = _header(section, table)
        names = len(section.header)
        left = {*range(names), *(len(header) + i for i, t in enumerate(trailing) if t == "Backend")}
        lines += ["<tbody>", _html_row(header + trailing, left, "th", ' class="header"')]
        for leading, numbers, ending in _shown_rows(section, table):
            if names > 1 and leading[0]:
                lines += ["</tbody>", "<tbody>"]
            lines.append(_html_row([*leading, *numbers, *ending], left, "td"))
        lines.append("</tbody>")
    lines.append("</table>")
    lines += [f'<p class="note">{html.escape(note)}</p>' for note in table.notes]
    return "\n".join([*lines, "</body></html>"]) + "\n"


def _header(section: Section, table: PaperTable) -> tuple[list[str], list[str]]:
    columns = [*section.header, *table.columns.values(), *(["Avg."] if table.average else [])]
    return columns, ["Items", *(["Backend"] if _has_stand_ins(table) else [])]


def _shown_rows(
    section: Section, table: PaperTable
) -> Iterable[tuple[list[str], list[str], list[str]]]:
    """Yield leading cells, numbers and trailing cells; a group is named in its first row only."""
    group = None
    for row in section.rows:
        leading = list(row.cells)
        if len(leading) > 1:
            group, leading[0] = leading[0], "" if leading[0] == group else leading[0]
        numbers = [*row.texts] or _compared_cells(row, table)
        ending = [_span(row.items)]
        if _has_stand_ins(table):
            ending.append(f"{row.entry} (embedded)" if row.embedded else row.entry)
        yield leading, numbers, ending


def _compared_cells(row: Row, table: PaperTable) -> list[str]:
    """Return each number as readers see it, with the paper's and the difference in brackets."""
    values = _numbers(row, table)
    shown = [_cell(value, table, NOTHING) for value in values]
    for place, paper in enumerate(row.paper):
        if paper:
            change = difference(_cell(values[place], table, ""), paper)
            beside = f"{paper}, {change.replace('-', MINUS)}" if change else paper
            shown[place] += f" ({beside})"
    return shown


def _has_stand_ins(table: PaperTable) -> bool:
    return any(row.embedded for row in table.rows)


def _numbers(row: Row, table: PaperTable) -> list[Number]:
    return [*row.values, *([mean_of(row.values)] if table.average else [])]


def _cell(value: Number, table: PaperTable, nothing: str) -> str:
    return nothing if value is None else table.shown(value)


def _span(items: Sequence[int | None]) -> str:
    known = sorted({count for count in items if count is not None})
    if not known:
        return NOTHING
    return f"{known[0]:,}" if len(known) == 1 else f"{known[0]:,}–{known[-1]:,}"


def _html_row(cells: Sequence[str], left: set[int], tag: str, attributes: str = "") -> str:
    shown = (
        f"<{tag}{' class=name' if place in left else ''}>{html.escape(cell)}</{tag}>"
        for place, cell in enumerate(cells)
    )
    return f"<tr{attributes}>{''.join(shown)}</tr>"


def _markdown(text: str) -> str:
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", _one_line(text))


def _tex(text: str) -> str:
    return "".join(TEX_ESCAPES.get(character, character) for character in _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())
