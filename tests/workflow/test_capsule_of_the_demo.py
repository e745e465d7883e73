"""The capsule of the demo gives the tables again."""

import csv
import os
import shutil
import subprocess
import sys

import pytest
import yaml

REBUILT = [f"tables/table{number}.{form}" for number in (3, 4, 5, 7)
           for form in ("csv", "md", "tex", "html")]  # fmt: skip
REBUILT += ["figures/figure6.png", "figures/figure6.pdf"]


@pytest.mark.demo
def test_the_tables_come_out_byte_for_byte_and_another_lab_gets_a_row(demo, tmp_path):
    assert demo.snakemake("results/capsule").returncode == 0
    capsule = tmp_path / "capsule"
    shutil.copytree(demo.results / "capsule", capsule)

    def rebuilt():
        command = [sys.executable, "-m", "scripts.commands.capsule", str(capsule)]
        run = subprocess.run(command, cwd=demo.root, env=os.environ, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        return {name: (capsule / "results" / name).read_bytes() for name in REBUILT}

    assert rebuilt() == {name: (demo.results / name).read_bytes() for name in REBUILT}
    # Theirs are the hash's features under another name: the row has the same numbers.
    features = capsule / "results/trace/features"
    shutil.copytree(features / "perceptual_hash", features / "theirs")
    config = yaml.safe_load((capsule / "config.yaml").read_text())
    config["trace"]["tracers"].append("theirs")
    (capsule / "config.yaml").write_text(yaml.safe_dump(config))
    sheet = (demo.root / "config/tracers.yaml").read_text()
    entry = '\ntheirs: {label: Theirs, backend: "scripts.trace.perceptual_hash:PerceptualHash"}\n'
    with demo.edited("config/tracers.yaml", sheet, sheet + entry):
        rows = rebuilt()["tables/table5.csv"].decode().splitlines()
    cells = {row["method"]: row for row in csv.DictReader(rows[1:])}
    theirs, known = cells["Theirs"], cells["Perceptual hash"]
    anew = {name for name in known if name.startswith("muAP_reranked_")}
    assert len(anew) == 5 and all(known[name] for name in anew)
    # There are no pictures from which their matches could be scored anew.
    assert {theirs[name] for name in anew} == {""}
    named = {"group", "method", "entry", "embedded"}
    assert theirs.keys() == known.keys()
    for name in theirs.keys() - anew - named:
        assert theirs[name] == known[name], name
