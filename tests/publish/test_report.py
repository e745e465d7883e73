"""The report: every table and figure has a caption, and a real one opens with the banner."""

import os
import re
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import jinja2
import pytest
from docutils.core import publish_parts
from docutils.utils import Reporter

from scripts.common.code import ROOT
from scripts.common.schemas.evaluate import EVALUATION_SUMMARY
from scripts.common.tables import write_table

CAPTIONS = sorted((ROOT / "rules" / "report").glob("*.rst"))
BANNER = "DEMO: made-up channel and tiny stand-in models; these are not results"
DEMO = ["camera_move", "sway", "morph", "shimmer"]


def render(path, banner):
    """Render a caption as the report does; what docutils would warn of is an error."""
    config = {"banner": banner, "source": "demo", "seed": 7, "generate": {"generators": ["pika"]}}
    snakemake = SimpleNamespace(config=config, params=SimpleNamespace(top=25))
    text = jinja2.Template(path.read_text()).render(snakemake=snakemake)
    settings = {"halt_level": Reporter.WARNING_LEVEL, "report_level": Reporter.SEVERE_LEVEL}
    return publish_parts(text, writer="html", settings_overrides=settings)["html_body"]


@pytest.mark.parametrize("path", CAPTIONS, ids=lambda path: path.stem)
def test_captions_are_valid_and_say_when_numbers_are_made_up(path):
    assert "<strong>made up</strong>" in render(path, "made up")
    body = render(path, "")
    assert "made up</strong>" not in body and "{{" not in body
    number = re.fullmatch(r"(table|figure)(\d)", path.stem)
    if number:
        name = f"{number[1].capitalize()} {number[2]}"
        assert f"<strong>{name}</strong>" in body and re.search(r"Section \d|Supplement \d", body)


def test_a_real_report_holds_the_table_its_caption_and_the_banner(tmp_path):
    """Table 7 from made-up means, by the real rule; nothing else is run or asked for."""
    dimensions = re.search(r"dimensions: \[(.*)\]", (ROOT / "config/demo.yaml").read_text())[1]
    means = [
        {"dimension": dimension, "generator": generator, "metric": metric, "value": 0.5}
        | {"items": 60, "rejected": 0, "remarked": 0}
        for dimension in dimensions.split(", ")
        for generator in ["pika", *DEMO]
        for metric in ("mean", "mean_low", "mean_high", "mean_by_frames")
    ]
    write_table(means, tmp_path / "results/evaluation/summary.parquet", EVALUATION_SUMMARY)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", str(ROOT / "config" / "demo.yaml"), "--directory", str(tmp_path)]
    command += ["--cores", "1", "--allowed-rules", "build_table7"]
    for more in ([], ["--report", "results/report.zip"]):
        answer = subprocess.run(
            [*command, *more, "--", "results/tables/table7.csv"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "results/tables/table7.provenance.json").is_file()
    with zipfile.ZipFile(tmp_path / "results/report.zip") as report:
        names = [name.rsplit("/", 1)[1] for name in report.namelist()]
        page = report.read("report/report.html").decode()
    assert sorted(names) == [
        "report.html", "table7.csv", "table7.html", "table7.md", "table7.tex"
    ]  # fmt: skip
    assert "mean score of their videos" in page and "Table 7" in page
    assert page.count(BANNER) >= 2
