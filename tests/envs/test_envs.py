"""Each environment alone: ``make test-envs`` (``ENVS=tabular`` for one).

Of each file of ``envs/`` a fresh virtual environment is made, with what it names and nothing else
(Python is this one, not conda-forge's). In it are imported the scripts of the rules that use it, and
the classes of the sheets that such rules find by name.
"""

import os
import subprocess
import sys

import pytest

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from tests.common.test_environments import ENVIRONMENTS, pins_of, rules_of

WANTED = os.environ.get("ENVS", "").split()
SHEETS = {"annotators": "models", "dimensions": "evaluation", "detectors": "models",
          "tracers": "models", "generators": "video"}  # fmt: skip
"""Sheet -> environment of its classes, where an entry names none (``envs``)."""


@pytest.fixture(
    scope="module", params=[path for path in ENVIRONMENTS if path.stem in (WANTED or path.stem)],
    ids=lambda path: path.stem,
)  # fmt: skip
def environment(request, tmp_path_factory):
    """A fresh environment: its name and its Python."""
    folder = tmp_path_factory.mktemp(request.param.stem)
    pins = folder / "pins.txt"
    pins.write_text("".join(f"{n}=={v}\n" for n, v in pins_of(request.param).items()))
    uv = [sys.executable, "-m", "uv"]
    subprocess.run(
        [*uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True
    )
    python = folder / "venv/bin/python"
    install = ["pip", "install", "--quiet", "--no-deps", "--python", python, "-r", pins]
    subprocess.run([*uv, *install], check=True)
    return request.param.stem, python


def modules_of(name):
    """Return the modules that jobs of an environment begin with."""
    found = {script.removesuffix(".py").replace("/", ".") for script in rules_of(name)}
    for sheet, entries in read_sheets(ROOT / "config").items():
        for entry in entries.values():
            if "backend" in entry and entry.get("envs", SHEETS.get(sheet)) == name:
                found.add(entry["backend"].partition(":")[0])
    return sorted(found)


def test_scripts_and_classes_need_nothing_that_it_does_not_name(environment):
    name, python = environment
    modules = modules_of(name)
    program = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    answer = subprocess.run(
        [python, "-c", program, *modules], cwd=ROOT, env=clean, capture_output=True, text=True
    )
    assert answer.returncode == 0, f"{name}.yaml: {answer.stderr[-1500:]}"
    print(
        f"\n{name}: {len(modules)} modules with {len(pins_of(ROOT / f'envs/{name}.yaml'))} packages"
    )
