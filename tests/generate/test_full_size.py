"""Models in full size: as many parameters as their entries' weights_gb say, counted without memory."""

import pytest
import torch
import yaml

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from tests.generate.tiny_pipelines import BESIDES, component

SHEET = read_sheets(ROOT / "config")["generators"]
FULL = yaml.safe_load((ROOT / "tests/generate/full_parts.yaml").read_text())
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
BESIDE_GB = {"cosmos_predict2": 1.6}
"""The guardrail's: Qwen3Guard-Gen-0.6B (0.75 billion parameters with its embedding) and a RetinaFace."""


@pytest.mark.parametrize("name", [name for name in FULL if name != "shared"])
def test_the_size_of_weights_is_their_parameters_times_their_bytes(name):
    settings, total = SHEET[name]["settings"], BESIDE_GB.get(name, 0.0)
    for part, given in FULL[name].items():
        if part in BESIDES or given["class"].endswith(("Tokenizer", "Scheduler", "Processor")):
            continue
        with torch.device("meta"):
            number = sum(weight.numel() for weight in component(**given).parameters())
        own = settings.get("parts", {}).get(part, {})
        precision = own.get("precision", settings.get("precision", "bfloat16"))
        total += number * BYTES[precision] / 1e9
    assert SHEET[name]["weights_gb"] == pytest.approx(total, rel=0.03)
