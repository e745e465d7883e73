"""The report as one page: every table and figure open, what was kept, what each stage took."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docutils.core import publish_parts
from jinja2 import Environment

from scripts.analyse.closing import STAGES
from scripts.analyse.registry import FIGURES, FORMS, TABLES, Result, results_of
from scripts.analyse.table_faces import STYLE
from scripts.common.code import ROOT

FLOW = (*STAGES, "analyse", "publish")
"""The stages, in the order of the graph."""

LOOK = """\
body { max-width: 76rem; }
nav a, .forms a { margin-right: .9rem; }
section { margin: 2.6rem 0; }
figure { margin: 0; overflow-x: auto; }
figure img { max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
.flow { display: flex; flex-wrap: wrap; gap: 1.4rem; list-style: none; padding: 0; }
.flow li { border: 1px solid #777; border-radius: .5rem; padding: .5rem .8rem; position: relative; }
.flow li + li::before { content: "→"; position: absolute; left: -1.2rem; }
.flow small { display: block; color: #555; }
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
    there = [result for kind in (TABLES, FIGURES) for result in results_of(kind)
             if (directory / result.target).exists() and (directory / result.provenance).exists()]  # fmt: skip
    sections = [_section(directory, result) for result in there]
    banner = next((_settings(directory, result).get("banner", "") for result in there), "")
    links = " ".join(f'<a href="#{_anchor(one)}">{escape(one.title)}</a>' for one in there)
    body = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>TIP-I2V: report</title><style>{STYLE}{LOOK}</style></head><body><main>",
        "<h1>TIP-I2V: tables and figures of this run</h1>",
        f'<p class="banner">{escape(banner)}</p>' if banner else "",
        f'<nav aria-label="Results">{links} <a href="#run">The run</a></nav>',
        *sections,
        *_run(directory),
        "</main></body></html>\n",
    ]
    page.write_text("\n".join(body), encoding="utf-8")
    return page


def _anchor(result: Result) -> str:
    return f"{result.kind}-{result.name}"


def _settings(directory: Path, result: Result) -> Mapping[str, Any]:
    text = (directory / result.provenance).read_text(encoding="utf-8")
    return json.loads(text)["settings"]


def _section(directory: Path, result: Result) -> str:
    """Return a result with its caption, and links to its forms and its provenance."""
    files = {FORMS[form]: file for form, file in result.files.items()}
    files = {name: file for name, file in files.items() if (directory / file).exists()}
    files["provenance"] = result.provenance
    forms = " ".join(f'<a href="{_from_page(file)}">{name}</a>' for name, file in files.items())
    shown = ""
    if result.kind == FIGURES:
        source, title = _from_page(result.target), escape(result.title)
        shown = (
            f'<figure><img loading="lazy" src="{source}" alt="{title}; see its caption"></figure>'
        )
    elif "html" in result.files:
        shown = table_of(directory / result.files["html"])
    return (
        f'<section id="{_anchor(result)}"><h2>{escape(result.title)}</h2>\n{shown}\n'
        f'{_caption(directory, result)}<p class="forms">{forms}</p></section>'
    )


def table_of(page: Path) -> str:
    """Return the table of a page of its own, with its notes, as a part of another page."""
    table = re.search(r"<table>.*(?=</body>)", page.read_text(encoding="utf-8"), re.S)
    return f'<div class="wide" tabindex="0">{table[0] if table else ""}</div>'


def _from_page(file: str) -> str:
    return f"../{file.removeprefix('results/')}"


def _caption(directory: Path, result: Result) -> str:
    """Return what Snakemake's report says of a result, the banner left to the head of the page."""
    template = (ROOT / "rules" / result.caption).read_text(encoding="utf-8")
    settings = SimpleNamespace(**_settings(directory, result))
    job = SimpleNamespace(config={"banner": ""}, params=settings)
    text = Environment().from_string(template).render(snakemake=job)
    return publish_parts(text, writer="html", settings_overrides={"raw_enabled": False})["body"]


def _run(directory: Path) -> Iterator[str]:
    """Yield how the stages follow each other, and what their rules took."""
    jobs: dict[str, dict[str, list[dict]]] = {stage: defaultdict(list) for stage in FLOW}
    for path in sorted((directory / "logs").rglob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        stage = Path(record.get("script", "")).parent.name
        if stage in jobs:
            jobs[stage][record["rule"]].append(record)
    yield '<section id="run"><h2>The run</h2><ol class="flow">'
    for stage, rules in jobs.items():
        seconds = sum(job["seconds"] for found in rules.values() for job in found)
        number = sum(map(len, rules.values()))
        yield f"<li><b>{stage}</b><small>{number:,} jobs, {seconds:,.0f} s</small></li>"
    yield '</ol><div class="wide" tabindex="0"><table><caption>What rules took, added up over their jobs; '
    yield "memory is the most of one job, where it was watched.</caption><thead><tr>"
    yield '<th class="name">Stage</th><th class="name">Rule</th><th>Jobs</th><th>Seconds</th>'
    yield "<th>Memory (MB)</th></tr></thead><tbody>"
    for stage, rules in jobs.items():
        for rule, found in rules.items():
            seconds, memory = sum(job["seconds"] for job in found), _memory(directory, rule)
            cells = f"<td>{len(found):,}</td><td>{seconds:,.0f}</td><td>{memory}</td>"
            yield f'<tr><td class="name">{stage}</td><td class="name">{escape(rule)}</td>{cells}</tr>'
    yield "</tbody></table></div></section>"


def _memory(directory: Path, rule: str) -> str:
    found = [
        directory / f"benchmarks/{rule}.jsonl",
        *(directory / "benchmarks" / rule).rglob("*.jsonl"),
    ]
    lines = [line for path in found if path.exists() for line in path.read_text().splitlines()]
    peaks = [json.loads(line).get("max_rss") for line in lines]
    known = [float(peak) for peak in peaks if peak not in (None, "NA", "-")]
    return f"{max(known):,.0f}" if known else "–"
