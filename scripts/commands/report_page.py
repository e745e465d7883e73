"""The report as one page: every table and figure open, its provenance, how stages follow each other."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docutils.core import publish_parts
from jinja2 import Environment

from scripts.analyse.csv_files import read_csv
from scripts.analyse.registry import FIGURES, FORMS, RESULTS, TABLES, Result
from scripts.analyse.table_faces import STYLE
from scripts.commands.lineage import records_in
from scripts.common.code import ROOT
from scripts.common.study import STAGES

CATEGORIES = (
    "Tables of the paper",
    "Figures of the paper",
    "Tables beyond the paper",
    "Figures beyond the paper",
)

LOOK = """\
body { max-width: 76rem; }
nav a, .forms a { margin-right: .9rem; }
section { margin: 2.6rem 0; }
figure { margin: 0; overflow-x: auto; }
figure img { max-width: 100%; height: auto; }
.wide { overflow: auto; max-height: 36rem; }
.flow svg { width: 100%; min-width: 52rem; font: 13px system-ui, sans-serif; }
.flow rect { fill: #eef3f8; stroke: #555; }
.flow path { fill: none; stroke: #0072b2; stroke-width: 1.5; }
.flow path.head { fill: #0072b2; }
#stages td:nth-child(2) { white-space: nowrap; }
summary { cursor: pointer; color: #0a4f8a; }
details td { white-space: normal; overflow-wrap: anywhere; }
"""

POLICY = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
"""What the page may load: pictures that lie beside it, and nothing from elsewhere."""


def write_page(directory: Path) -> Path:
    """Write the page of a run that is over, and return its path.

    Tables are taken from their own pages and figures shown where they lie, so that the page can be
    opened from disk. What does not exist yet is left out.

    Args:
        directory: the run's working directory.
    """
    page = directory / "results/report/index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    there = [result for kind in (TABLES, FIGURES) for result in RESULTS.values() if result.kind == kind
             and (directory / result.target).exists() and (directory / result.provenance).exists()]  # fmt: skip
    banner = next((_provenance(directory, one)["settings"].get("banner", "") for one in there), "")
    groups = {name: [one for one in there if _category(one) == name] for name in CATEGORIES}
    links = [
        f"<p><b>{name}:</b> "
        + " ".join(f'<a href="#{_anchor(one)}">{escape(one.title)}</a>' for one in group)
        for name, group in groups.items()
        if group
    ]
    gallery = (
        '<p><b>To look at prompts and videos:</b> <a href="../gallery/index.html">the gallery</a>'
    )
    body = [
        head_of("TIP-I2V: report"),
        "<h1>TIP-I2V: tables and figures of this run</h1>",
        f'<p class="banner">{escape(banner)}</p>' if banner else "",
        f'<nav aria-label="Results">{"".join(links)}<p><b>The run:</b> '
        '<a href="#stages">stages</a> <a href="#rules">time and memory</a>',
        gallery if (directory / "results/gallery/index.html").exists() else "",
        "</nav>",
        *(
            part
            for name, group in groups.items()
            if group
            for part in (f"<h2>{name}</h2>", *(_section(directory, one) for one in group))
        ),
        *_run(directory),
        "</main></body></html>\n",
    ]
    page.write_text("\n".join(body), encoding="utf-8")
    return page


def _anchor(result: Result) -> str:
    return f"{result.kind}-{result.name}"


def _category(result: Result) -> str:
    """Return under which of ``CATEGORIES`` a result stands."""
    is_papers = re.fullmatch(r"(table|figure)\d+", result.name)
    return CATEGORIES[2 * (not is_papers) + (result.kind == FIGURES)]


def _provenance(directory: Path, result: Result) -> Mapping[str, Any]:
    return json.loads((directory / result.provenance).read_text(encoding="utf-8"))


def _section(directory: Path, result: Result) -> str:
    """Return a result with its caption, and links to its forms and its provenance."""
    files = {FORMS[form]: file for form, file in result.files.items()}
    files = {name: file for name, file in files.items() if (directory / file).exists()}
    files["provenance"] = result.provenance
    forms = " ".join(f'<a href="{_from_page(file)}">{name}</a>' for name, file in files.items())
    if result.kind == FIGURES:
        source, title = _from_page(result.target), escape(result.title)
        shown = f'<figure><img src="{source}" alt="{title}; see its caption"></figure>'
    elif "html" in result.files:
        shown = table_of(directory / result.files["html"])
    else:
        rows = read_csv(directory / result.target)
        table = _table(rows[0] if rows else (), (row.values() for row in rows))
        shown = f'<div class="wide" tabindex="0">{table}</div>'
    provenance = _provenance(directory, result)
    return (
        f'<section id="{_anchor(result)}"><h3>{escape(result.title)}</h3>\n{shown}\n'
        f'{_caption(result, provenance["settings"])}<p class="forms">{forms}</p>'
        f"<details><summary>Where {escape(result.title)} comes from</summary>"
        f"{_table((), _origin(provenance))}</details></section>"
    )


def head_of(title: str) -> str:
    """Return how a page begins: what it may load, how it looks, what it is called."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(title)}</title><style>{STYLE}{LOOK}</style></head><body><main>"
    )


def table_of(page: Path) -> str:
    """Return the table of a page of its own, with its notes, as a part of another page."""
    table = re.search(r"<table>.*(?=</body>)", page.read_text(encoding="utf-8"), re.S)
    return f'<div class="wide" tabindex="0">{table[0] if table else ""}</div>'


def _table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table of texts."""
    head = "".join(f'<th class="name" scope="col">{escape(cell)}</th>' for cell in header)
    lines = ("".join(f'<td class="name">{escape(str(cell))}</td>' for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
    )


def _origin(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a reader asks first of a provenance; the file beside the result has all of it."""
    code = provenance.get("code", {})
    yield "Code", f"commit {code.get('commit')}" + ", edited since" * bool(code.get("dirty"))
    yield "Made on", f"{provenance.get('device')}, Python {provenance.get('python')}"
    if seeds := provenance.get("seeds"):
        yield "Seed", ", ".join(map(str, seeds.values()))
    for name, weights in provenance.get("weights", {}).items():
        if weights:
            yield f"Weights of {name}", ", ".join(f"{key} {one}" for key, one in weights.items())
    for name, checksum in provenance.get("inputs", {}).items():
        yield name, f"SHA-256 {checksum}"


def _from_page(file: str) -> str:
    return f"../{file.removeprefix('results/')}"


def _caption(result: Result, settings: Mapping[str, Any]) -> str:
    """Return what Snakemake's report says of a result, the banner left to the head of the page."""
    template = (ROOT / "rules" / result.caption).read_text(encoding="utf-8")
    job = SimpleNamespace(config={"banner": ""}, params=SimpleNamespace(**settings))
    text = Environment().from_string(template).render(snakemake=job)
    return publish_parts(text, writer="html", settings_overrides={"raw_enabled": False})["body"]


def _run(directory: Path) -> Iterator[str]:
    """Yield how the stages follow each other, and what their rules took."""
    jobs: dict[str, dict[str, list[dict]]] = {stage: defaultdict(list) for stage in STAGES}
    for record in records_in(directory):
        stage = Path(record.get("script", "")).parent.name
        if stage in jobs:
            jobs[stage][record["rule"]].append(record)
    yield '<h2>The run</h2><section id="stages"><h3>Stages</h3><div class="wide flow" tabindex="0">'
    yield f"{_drawing(jobs)}</div>"
    links = {stage: ", ".join(_read_from(stage, jobs)) or "nothing of this run" for stage in jobs}
    rows = [(stage, _sum(rules), links[stage], ", ".join(rules)) for stage, rules in jobs.items()]
    yield f"{_table(('Stage', 'Took', 'Reads what these made', 'Rules'), rows)}</section>"
    yield '<section id="rules"><h3>Time and memory</h3><p>Added up over the jobs of a rule; memory '
    yield "is the most of one job, where it was watched.</p>"
    lines = (
        (stage, rule, f"{len(found):,}", f"{_seconds(found):,.0f}", _memory(directory, rule))
        for stage, rules in jobs.items()
        for rule, found in rules.items()
    )
    yield f"{_table(('Stage', 'Rule', 'Jobs', 'Seconds', 'Memory (MB)'), lines)}</section>"


def _seconds(jobs: Iterable[Mapping[str, Any]]) -> float:
    return sum(job["seconds"] for job in jobs)


def _sum(rules: Mapping[str, list[dict]]) -> str:
    number = sum(map(len, rules.values()))
    return f"{number:,} jobs, {sum(map(_seconds, rules.values())):,.0f} s"


def _read_from(stage: str, jobs: Mapping[str, Mapping[str, list[dict]]]) -> list[str]:
    """Return the stages before one of which its jobs read something."""
    records = {
        name: [job for found in rules.values() for job in found] for name, rules in jobs.items()
    }
    read = {file for job in records[stage] for file in job.get("inputs", ())}
    return [
        name
        for name in STAGES[: STAGES.index(stage)]
        if any(not read.isdisjoint(job.get("outputs", ())) for job in records[name])
    ]


def _drawing(jobs: Mapping[str, Mapping[str, list[dict]]]) -> str:
    """Return the stages as boxes, with an arc from each to those that read what it made."""
    parts, names = [], ", ".join(jobs)
    for place, stage in enumerate(jobs):
        parts.append(
            f'<rect x="{10 + 110 * place}" y="150" width="88" height="46" rx="6"/>'
            f'<text x="{54 + 110 * place}" y="170" text-anchor="middle">{stage}</text>'
            f'<text x="{54 + 110 * place}" y="187" text-anchor="middle" font-size="11">'
            f"{sum(map(len, jobs[stage].values())):,} jobs</text>"
        )
        for source in _read_from(stage, jobs):
            begin, end = 68 + 110 * STAGES.index(source), 40 + 110 * place
            top = 150 - 17 * (place - STAGES.index(source))
            parts.append(f'<path d="M{begin} 150 C{begin} {top} {end} {top} {end} 147"/>')
            parts.append(f'<path class="head" d="M{end - 4} 141 L{end + 4} 141 L{end} 149 Z"/>')
    return (
        f'<svg viewBox="0 25 990 180" role="img" aria-label="The stages in their order: {names}; what '
        f'each reads is told below">{"".join(parts)}</svg>'
    )


def _memory(directory: Path, rule: str) -> str:
    found = [
        directory / f"benchmarks/{rule}.jsonl",
        *(directory / "benchmarks" / rule).rglob("*.jsonl"),
    ]
    lines = [line for path in found if path.exists() for line in path.read_text().splitlines()]
    peaks = [json.loads(line).get("max_rss") for line in lines]
    known = [float(peak) for peak in peaks if peak not in (None, "NA", "-")]
    return f"{max(known):,.0f}" if known else "–"
