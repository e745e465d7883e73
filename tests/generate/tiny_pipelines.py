"""Tiny pipelines of the sheet's models: the real classes, random weights, where an entry looks."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
import yaml
from tokenizers.pre_tokenizers import ByteLevel

from scripts.common.code import ROOT
from scripts.generate.any_pipeline import class_of

PARTS = yaml.safe_load((ROOT / "tests/generate/tiny_parts.yaml").read_text())
BESIDES = ("arguments", "call", "side")
SPECIAL = ["<pad>", "</s>", "<unk>", "<s>", "<|startoftext|>", "<|endoftext|>", "<image>"]
SPECIAL += ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|image_pad|>"]
SPECIAL += ["<|video_pad|>"]
CHAT = "{{ '~' * 108 }}{% for message in messages %}{{ message['content'] }}{% endfor %}"


def save_tiny(name: str, entry: Mapping[str, Any], hub: Path) -> dict[str, Any]:
    """Save the tiny pipeline of an entry into a cache of the hub, each part where it belongs.

    Returns:
        The entry with a video as small as its classes can; nothing else is changed but half
        precision.
    """
    tiny, settings = PARTS[name], entry["settings"]
    save_random(tiny, entry, hub)
    smaller = {"call": settings["call"] | {"num_inference_steps": 2} | tiny["call"]}
    if "width" in settings["size"]:
        side = tiny.get("side", 16)
        smaller["size"] = settings["size"] | {"width": side, "height": side}
    if settings.get("precision") == "float16":  # which takes a minute on a CPU
        smaller["precision"] = "float32"
    return entry | {"settings": settings | smaller}


def save_random(parts: Mapping[str, Any], entry: Mapping[str, Any], hub: Path) -> None:
    """Save the pipeline of an entry, with random weights, into a cache of the hub.

    Args:
        parts: component -> class and arguments, as in tiny_parts.yaml.
        entry: of which each part goes where it says.
        hub: the cache.
    """
    torch.manual_seed(0)
    settings = entry["settings"]
    made = {part: component(**given) for part, given in parts.items() if part not in BESIDES}
    kind = class_of(settings["pipeline"])
    optional = inspect.signature(kind.__init__).parameters
    none = {part: None for part in kind._optional_components if part in optional}
    whole = kind(**none | made | parts.get("arguments", {}))
    elsewhere = {part: given for part, given in settings.get("parts", {}).items() if "hub" in given}
    for part, given in elsewhere.items():
        folder = _snapshot(hub, given) / given.get("subfolder", "")
        made[part].save_pretrained(folder)
        whole.register_modules(**{part: None})
    whole.save_pretrained(_snapshot(hub, entry["weights"]), variant=settings.get("variant"))


class Guardrail:
    """Stands for the package cosmos_guardrail, whose weights are larger than the model's."""

    def to(self, device: Any) -> None:
        """Lie nowhere."""

    def check_text_safety(self, prompt: str) -> bool:
        """Return whether a prompt is let through."""
        self._prompt = prompt
        return "forbidden" not in prompt

    def check_video_safety(self, frames: np.ndarray) -> np.ndarray | None:
        """Return a video with its faces blurred, of which there are none, or nothing."""
        return None if "unsafe" in self._prompt else frames


def _snapshot(hub: Path, weights: Mapping[str, str]) -> Path:
    """Return the folder of a repository's revision in a cache of the hub."""
    folder = hub / f"models--{weights['hub'].replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    commit = weights["revision"] if len(weights["revision"]) == 40 else "a" * 40
    (folder / "refs" / weights["revision"]).write_text(commit)
    return folder / "snapshots" / commit


def component(**given: Any) -> Any:
    """Return a component by its class and arguments, with random weights."""
    package, _, name = given.pop("class").rpartition(".")
    kind = getattr(import_module(f"diffusers.{package}"), name) if package else class_of(name)
    if kind.__name__.endswith("Tokenizer"):
        return _tokenizer(kind)
    if kind.__name__ == "Qwen2VLProcessor":
        pixels = transformers.Qwen2VLImageProcessor()
        return kind(
            pixels, _tokenizer(transformers.Qwen2Tokenizer), transformers.Qwen2VLVideoProcessor()
        )
    transformer, network = (
        issubclass(kind, one) for one in (transformers.PreTrainedModel, torch.nn.Module)
    )
    with torch.device(torch.get_default_device() if network else "cpu"):
        made = kind(kind.config_class(**given)) if transformer else kind(**given)
    if isinstance(made, torch.nn.Module):
        made.eval()
        for weight in made.parameters():  # gates are zero before any training
            if not weight.is_meta and not weight.any():
                torch.nn.init.normal_(weight, std=0.1)
    return made


def _tokenizer(kind: type) -> Any:
    """Return a tokenizer that knows single bytes, and what models put around a prompt."""
    if kind.__name__ == "ByT5Tokenizer":
        return kind()
    words = SPECIAL + sorted(ByteLevel.alphabet())
    if kind.__name__ == "T5Tokenizer":
        return kind(vocab=[(word, 0.0) for word in words], extra_ids=0)
    words += [f"{word}</w>" for word in words] if kind.__name__ == "CLIPTokenizer" else []
    made = kind(vocab={word: place for place, word in enumerate(words)}, merges=[])
    made.add_special_tokens({"pad_token": "<pad>", "additional_special_tokens": SPECIAL[6:]})
    made.chat_template, made.model_max_length = (
        CHAT,
        77 if kind.__name__ == "CLIPTokenizer" else 4096,
    )
    return made
