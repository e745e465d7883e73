"""Every command that a page tells its reader to type is run as it stands there.

Snakemake's are run with ``-n`` appended, two at a time, in a copy of the workflow with stand-ins for
a user's files. The few of ``ONLY_PARSED`` are read by the tool that they name and not run; each says why.
"""

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.common.code import ROOT
from scripts.common.schemas.evaluate import EVALUATION_SUMMARY
from scripts.common.tables import write_table
from scripts.common.video import encode_video
from tests.curate.release.small_release import make_release
from tests.evaluate.moving_pictures import pan
from tests.sources.published import touch_sources
from tests.workflow.demo_copy import copy_workflow

PAGES = ("README.md", "config/README.md", "CONTRIBUTING.md")
PROGRAMS = ("snakemake", "make", "python", "ruff", "snakefmt")
ONLY_PARSED = {
    "make demo": "the whole graph, in minutes; the tests of partial reruns run it",
    "make test": "it runs this test",
    "make bench": "minutes for each benchmark",
    "make show": "it serves until it is stopped; tests/commands/test_report_page.py asks its server",
    "make tables": "it wants a finished run; tests/workflow/test_capsule_of_the_demo.py runs it",
    "make fetch": "it asks the network; tests/commands/test_fetch.py runs it against a server here",
    "make lock": "it asks the package registry",
}
"""How commands begin that are not run, and why."""
DRY = {"python -m pytest": " --collect-only"}
"""What is appended to commands that would take long."""


def commands_of(page):
    """Return the commands of a page: lines of its code blocks, and code in its tables and text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S):
        found += re.sub(r" *\\\n *", " ", block).splitlines()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    found += [re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", prose)]
    commands = [re.sub(r"\s+#.*", "", line).strip() for line in found]
    return [one for one in commands if one.partition(" ")[0] in PROGRAMS and " " in one]


COMMANDS = sorted({command for page in PAGES for command in commands_of(page)})
PLANNED = [command for command in COMMANDS if command.startswith("snakemake")]


def is_only_parsed(command):
    return any(command.startswith(beginning) for beginning in ONLY_PARSED)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A copy of the workflow as a user has it: exports, sources, a release, settings, a demo."""
    root = copy_workflow(tmp_path_factory.mktemp("typed"))
    (root / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (root / ".venv" / name).symlink_to(Path(sys.prefix, name))
    (root / ".venv/installed").touch()
    settings = re.search(
        r"^```yaml\n(# my\.yaml\n.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S
    )
    (root / "my.yaml").write_text(settings[1])
    # Fewer shards plan sooner; nothing else is other than in the paper's configuration.
    paper = (root / "config/config.yaml").read_text()
    (root / "config/config.yaml").write_text(re.sub(r"\bshards: \d+", "shards: 2", paper))
    stand_ins = [Path("data/exports/pika.html"), Path("demo/results/tables/table5.csv")]
    touch_sources(root)
    for path in stand_ins:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    write_table(
        [], root / "results/evaluation/summary.parquet", EVALUATION_SUMMARY
    )  # as somebody made it
    make_release(root / "data/TIP-I2V", full=False, later=True)
    (root / "my_videos").mkdir()
    moving = encode_video(list(pan(5, 4, height=64, width=96)), 8.0)
    (root / "my_videos/one.mp4").write_bytes(moving)
    record = {"rule": "build_table5", "inputs": ["results/trace/metrics.parquet"], "code": "abc"}
    record |= {"outputs": ["results/tables/table5.csv"], "finished": "2026-01-01T00:00:00+00:00"}
    (root / "demo/logs").mkdir()
    (root / "demo/logs/build_table5.json").write_text(json.dumps(record | {"script": "x.py"}))
    return root


def typed(command, place):
    """Run a command in the place by a shell, as somebody types it who has the tools on the path."""
    environment = {key: value for key, value in os.environ.items() if key != "OPENAI_API_KEY"} | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(place / "no-hub"),
    }
    return subprocess.run(
        command, shell=True, cwd=place, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.fixture(scope="module")
def plans(place):
    """What Snakemake answers to each of its commands, two at a time: each takes one core."""
    with ThreadPoolExecutor(2) as pool:
        yield {one: pool.submit(typed, one + " -n", place) for one in PLANNED}


@pytest.mark.parametrize("command", PLANNED)
def test_what_is_typed_is_planned(command, plans):
    answer = plans[command].result()
    said = answer.stdout[-3000:]
    assert answer.returncode == 0 and "Traceback" not in said, said
    assert re.search(r"^total +\d+$", answer.stdout, re.M), said
    assert re.search(r" -n\b| --cores | --profile ", command), "without cores nothing runs"


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if not is_only_parsed(one) and one not in PLANNED]
)
def test_a_command_runs_as_typed(command, place):
    dry = next((words for start, words in DRY.items() if command.startswith(start)), "")
    answer = typed(command + dry, place)
    said = answer.stdout[-3000:]
    assert "Traceback" not in said
    if command.startswith("make check"):
        # No stand-in has the weights of the paper's models: each must be named, and nothing else.
        faults = re.findall(r"^missing: (.*)$", answer.stdout, re.M)
        assert faults and all(re.match(r"config/\w+\.yaml: ", fault) for fault in faults), said
    elif command.startswith("make lineage"):
        assert "results/tables/table5.csv  (build_table5, 2026-01-01" in said
    else:
        assert answer.returncode == 0, said


@pytest.mark.parametrize("command", [one for one in COMMANDS if is_only_parsed(one)])
def test_what_is_not_run_is_read_by_its_tool(command, place):
    words = shlex.split(command)
    answer = typed(command + " -n", place)
    assert answer.returncode == 0, answer.stdout
    modules = re.findall(r"python -m (\S+)", answer.stdout)
    for module in modules:
        assert importlib.util.find_spec(module), f"{command} calls {module}, which is not there"
    if words[1] == "bench":
        [name] = re.findall(r"-m tests\.benchmarks (\w+)", answer.stdout)
        assert (ROOT / f"tests/benchmarks/{name}.py").is_file()


def test_pages_have_commands_of_every_kind():
    """A page that is laid out in another way must not lose its tests."""
    assert set(ONLY_PARSED) == {
        beginning for beginning in ONLY_PARSED for one in COMMANDS if one.startswith(beginning)
    }
    assert len([one for one in COMMANDS if one.startswith("snakemake")]) >= 10
    for page in PAGES:
        assert commands_of(page), page


def test_targets_do_not_follow_a_configuration():
    """``--configfile`` takes every name after it: a target there is a second configuration."""
    for command in COMMANDS:
        if found := re.search(r"--configfile (.*?)(?= -|$)", command):
            assert len(found[1].split()) == 1, command
