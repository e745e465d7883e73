"""config/annotators.yaml: every entry names a class of its role that takes its settings."""

import inspect

import pytest

from scripts.annotate.openai_endpoint import Service
from scripts.common.backends import find_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets

SHEET = read_sheets(ROOT / "config")["annotators"]
METHODS = {"answer", "embed", "score", "tag"}


@pytest.mark.parametrize("name", SHEET)
def test_an_entry_fits_its_class(name):
    entry = SHEET[name]
    backend = find_backend(entry)
    arguments = {"weights": entry["weights"], "device": "cpu"} | entry.get("settings", {})
    bound = inspect.signature(backend).bind(**arguments)
    assert bound
    assert ("api" in entry["weights"]) == ("service" in entry)
    assert ("question" in entry) == ("question" in inspect.signature(backend).parameters)
    service = Service(**entry.get("service", {}))
    assert "service" not in entry or service.prices.input_usd > 0
    assert METHODS & set(dir(backend))
    assert {"label", "licence"} <= set(entry)
    # What the paper used needs weights or a key; what stands in for it needs neither.
    assert ("package" in entry["weights"]) == entry.get("embedded", False)
    assert ("api" in entry["weights"]) == ("environment" in entry)
