"""Every run ends by saying what it kept; what kept nothing of something is a warning."""

import os
import subprocess
import sys

import pytest
import yaml

from scripts.common.code import ROOT
from tests.curate.small_export import export, generation, with_fields


@pytest.fixture
def run(tmp_path):
    """Run the workflow on an export of three generations whose videos are links to nowhere."""
    messages = [[generation(n, with_fields(f"a cat {n}"))] for n in range(3)]
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports/pika.html").write_text(export(*messages))
    curate = {"exports": "exports", "shards": 1, "links": {"fetch": False}}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"curate": curate}))

    def snakemake(*arguments):
        command = [sys.executable, "-m", "snakemake", "--directory", str(tmp_path), "--cores", "1"]
        command += [*arguments, "--configfile", str(tmp_path / "my.yaml")]
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        answer = subprocess.run(
            command, cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return answer.returncode, answer.stdout

    return snakemake


def test_a_run_without_a_usable_video_ends_with_a_warning(run, tmp_path):
    target = "results/videos/pika/00000.parquet"
    code, said = run(target, "-n")
    assert code == 0 and "What came of it" not in said
    code, said = run(target)
    assert code == 0
    assert "curate    fetch_videos 0 of 3: link not local 3" in said
    assert "WARNING: fetch_videos pika kept NONE of 3 items (link not local 3)" in said
    code, said = run(target)
    assert code == 0 and "Nothing to be done" in said and "What came of it" not in said
    # A run that fails says as well what it had done.
    settings = yaml.safe_load((tmp_path / "my.yaml").read_text())
    settings["curate"]["links"]["mirror"] = "no/such/folder"
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(settings))
    for table in ("messages/pika", "prompts/00000"):
        (tmp_path / f"results/{table}.parquet").unlink()
    code, said = run(target)
    assert code != 0
    assert "curate    all 3 items, and all that 1 more steps read" in said
    assert "kept NONE" not in said  # it is not this run that said so
