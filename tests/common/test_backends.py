"""What an entry of a sheet needs is found missing without importing it."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.backends import check_packages
from scripts.common.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
MINILM = {"backend": "scripts.annotate.minilm:MiniLM"}


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("scripts.annotate.minilm:Nothing", "has no class 'Nothing'"),
        ("scripts.annotate.nowhere:MiniLM", "module 'scripts.annotate.nowhere' is missing"),
        ("no_such_package.models:Model", "module 'no_such_package' is missing"),
    ],
)
def test_a_wrong_backend_is_named(backend, words):
    with pytest.raises(UserError, match=words):
        check_packages({"backend": backend})


def test_a_missing_package_is_named(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name != "torch" and found(name))
    with pytest.raises(UserError, match="module 'torch' is missing; install it"):
        check_packages(MINILM)


def test_the_check_of_the_demo_imports_nothing_heavy(tmp_path):
    """It runs alone at the start of every make demo."""
    code = (
        "import sys; from scripts.commands.check import main; "
        f"sys.argv[1:] = ['--config', 'config/demo.yaml', '--directory', {str(tmp_path)!r}]; "
        "assert main() == 0; heavy = {'torch', 'pandas', 'sklearn', 'spacy'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_plan_imports_nothing_heavy():
    """Each run and each dry run imports what the rules do, and so does each job of a cluster."""
    text = "".join(path.read_text() for path in ROOT.glob("rules/*.smk"))
    modules = sorted(set(re.findall(r"^from (scripts[\w.]+) import", text, re.M)))
    heavy = {"torch", "pandas", "sklearn", "scipy", "spacy", "polars", "matplotlib"}
    code = f"import sys, {', '.join(modules)}; heavy = {heavy} & set(sys.modules); assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
