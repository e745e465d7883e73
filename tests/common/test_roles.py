"""A type checker holds backends to the protocols of their roles, and callers to what these say."""

import re
import subprocess
import sys

import pytest

from scripts.common.code import ROOT, modules_of
from scripts.common.configuration import read_sheets

ANNOTATORS = {
    "OpenAIEmbedding": "TextEmbedder",
    "MiniLM": "TextEmbedder",
    "SentenceTransformer": "TextEmbedder",
    "ClipPictures": "ImageEmbedder",
    "EfficientNetLite0": "ImageEmbedder",
    "Detoxify": "TextSafety",
    "ProfanityCheck": "TextSafety",
    "PictureSafety": "ImageSafety",
    "OpenNSFW": "ImageSafety",
    "OpenAISubject": "SubjectTagger",
    "ChatSubject": "SubjectTagger",
    "SpacySubject": "SubjectTagger",
    "OpenAIDirection": "DirectionTagger",
    "ChatDirection": "DirectionTagger",
    "SpacyDirection": "DirectionTagger",
}
"""Class -> role, in the one sheet that has several roles."""
ROLES = {"generators": "Generator", "dimensions": "Dimension", "tracers": "Tracer"}


def roles_of(sheet, entry):
    """Return the protocols that an entry's class is held to."""
    module, _, name = entry["backend"].partition(":")
    if sheet == "annotators":
        roles = ["Endpoint" if "api" in entry["weights"] else ANNOTATORS[name]]
    elif sheet == "detectors":
        roles = ["VideoClassifier" if "training" in entry.get("settings", {}) else "Detector"]
        roles = ["ClipDetector"] if entry.get("sees") == "clip" else roles
    else:
        roles = ["Matcher" if entry.get("compares") == "pairs" else ROLES[sheet]]
    files = set(modules_of(module.replace(".", "/") + ".py")) - {"scripts/common/roles.py"}
    if any("def prepare(self" in (ROOT / file).read_text() for file in files):
        roles.append("Preparing" if roles == ["Tracer"] else "PreparesPictures")
    return roles


def built(entry):
    """Return the expression that builds an entry's class as callers do."""
    settings = dict(entry.get("settings") or {})
    weights = entry.get("weights")
    others = "service={}, folder=None, account=None" if "api" in (weights or {}) else 'device="cpu"'
    arguments = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    module, _, name = entry["backend"].partition(":")
    return f"{module}.{name}(weights={weights!r}, {arguments}{', ' if arguments else ''}{others})"


def assignments():
    """Return a module that gives each entry's backend to its roles, and its lines by entry."""
    lines, modules = ["from scripts.common import roles"], set()
    entries = [
        (sheet, name, entry)
        for sheet, named in read_sheets(ROOT / "config").items()
        for name, entry in named.items()
        if "backend" in entry
    ]
    for sheet, name, entry in entries:
        modules.add(entry["backend"].partition(":")[0])
        lines.append(f"{sheet}_{name} = {built(entry)}")
        for role in roles_of(sheet, entry):
            lines.append(f"{sheet}_{name}_{role}: roles.{role} = {sheet}_{name}")
    return "\n".join([*(f"import {module}" for module in sorted(modules)), *lines]) + "\n"


def check(*files):
    """Return what the type checker says of files."""
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", *map(str, files)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode in (0, 1), answer.stdout + answer.stderr
    return answer.stdout


def test_backends_fit_their_roles(tmp_path):
    """And their entries' settings are arguments of theirs, of the right kinds."""
    module = tmp_path / "assignments.py"
    module.write_text(assignments())
    said = check(module)
    lines = module.read_text().splitlines()
    faults = [
        f"{lines[int(number) - 1]}: {fault}"
        for number, fault in re.findall(r"assignments\.py:(\d+): (.*)", said)
    ]
    assert not faults, "\n".join(faults)
    assert "Success" in said


@pytest.mark.parametrize(
    "method",
    [
        "def scores(self, images): return images",
        "def score(self, images, size): return images",
        "def score(self, images: str) -> str: return images",
    ],
    ids=["another name", "one argument too many", "another kind"],
)
def test_a_wrong_backend_is_refused(tmp_path, method):
    module = tmp_path / "wrong.py"
    module.write_text(
        f"from scripts.common import roles\n\nclass Mine:\n    {method}\n\n"
        "mine: roles.Detector = Mine()\n"
    )
    assert "Incompatible types in assignment" in check(module)


def test_callers_use_nothing_that_a_role_does_not_say():
    scripts = (ROOT / "scripts").rglob("*.py")
    callers = [path for path in scripts if "scripts.common.roles import" in path.read_text()]
    roles = re.findall(
        r"^class (\w+)\(Protocol\)", (ROOT / "scripts/common/roles.py").read_text(), re.M
    )
    assert len(callers) > 5 and len(roles) > 8
    faults = re.findall(rf'.*"(?:{"|".join(roles)})" has no attribute.*', check(*callers))
    assert not faults, "\n".join(faults)
