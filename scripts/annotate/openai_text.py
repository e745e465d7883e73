"""What the paper asks of OpenAI's models: embeddings, subjects, directions (Section 3)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scripts.annotate.openai_endpoint import Endpoint
from scripts.annotate.shard_annotation import Rejection

DIRECTION_INSTRUCTION = (
    "Extract verbs in a given sentence, return their base form, separated by commas, and do not "
    "return anything else. If there is no verb, please return ' '."
)
"""The paper's prompt (Supplement 10), word for word."""

SUBJECT_INSTRUCTION = (
    "A user wants to turn an image into a video and gives the following text. Name the subject of "
    "the video in at most three words, and do not return anything else. If there is no subject, "
    "please return ' '."
)
"""Ours: the paper's prompt for subjects is not published."""

_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*(?: [^\W\d_]+(?:['’-][^\W\d_]+)*){0,2}")


class OpenAIEmbedding:
    """Embeds texts; a TextEmbedder whose rows may be rejections."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        dimension: int = 3072,
        **endpoint: Any,
    ):
        """Prepare the endpoint.

        Args:
            weights: ``{api: name of the model}``.
            device: not used.
            dimension: length of the model's vectors.
            endpoint: settings of ``Endpoint``; its errors.
        """
        self.dimension = dimension
        self._endpoint = Endpoint(weights, **endpoint)

    def embed(self, texts: Sequence[str]) -> list[np.ndarray | Rejection]:
        """Return for each text float32 of length 1, or why there is none."""
        return self._endpoint.embed(texts, self.dimension)


class OpenAISubject:
    """Names what a prompt wants to see animated; a SubjectTagger whose items may be rejections."""

    def __init__(
        self, weights: Mapping[str, str] | None = None, device: str = "cpu", **endpoint: Any
    ):
        """Prepare the endpoint; ``endpoint`` are settings of ``Endpoint``; its errors."""
        self._endpoint = Endpoint(weights, **endpoint)

    def tag(self, texts: Sequence[str]) -> list[str | Rejection]:
        """Return one subject for each text; empty where the model finds none."""
        answers = self._endpoint.ask(SUBJECT_INSTRUCTION, texts, max_tokens=32)
        return [a if isinstance(a, Rejection) else parse_subject(a) for a in answers]


class OpenAIDirection:
    """Names what a prompt wants to happen; a DirectionTagger whose items may be rejections."""

    def __init__(
        self, weights: Mapping[str, str] | None = None, device: str = "cpu", **endpoint: Any
    ):
        """Prepare the endpoint; ``endpoint`` are settings of ``Endpoint``; its errors."""
        self._endpoint = Endpoint(weights, **endpoint)

    def tag(self, texts: Sequence[str]) -> list[list[str] | Rejection]:
        """Return the verbs of each text in base form, in order, each once."""
        answers = self._endpoint.ask(DIRECTION_INSTRUCTION, texts, max_tokens=256)
        return [a if isinstance(a, Rejection) else parse_verbs(a) for a in answers]


def parse_subject(answer: str) -> str | Rejection:
    """Return the subject in an answer; a sentence instead of a name is malformed."""
    name = _bare(answer)
    if "\n" in name or len(name) > 60 or len(name.split()) > 6:
        return Rejection("malformed_answer")
    return name[:1].upper() + name[1:]


def parse_verbs(answer: str) -> list[str] | Rejection:
    """Return the verbs in an answer; anything but verbs between commas is malformed."""
    verbs = [_bare(part).lower() for part in _bare(answer).split(",")]
    verbs = [verb for verb in verbs if verb]
    if not all(_WORDS.fullmatch(verb) for verb in verbs):
        return Rejection("malformed_answer")
    return list(dict.fromkeys(verbs))


def _bare(text: str) -> str:
    return text.strip().strip("'\"‘’“”`.").strip()
