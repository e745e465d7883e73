"""What the paper asks of OpenAI's models: embeddings, subjects, directions (Section 3).

This module and ``prompt_answers`` decide an answer: what is asked, and how an answer is read. How
it is estimated, sent and paid for decides none: a change there must not cost money
(``openai_model``).
"""

import base64
from typing import Any

import numpy as np

from scripts.annotate.openai_model import OpenAIModel
from scripts.annotate.prompt_answers import (
    DIRECTION_INSTRUCTION,
    parse_subject,
    parse_verbs,
    subject_question,
)
from scripts.common.errors import Rejected


class OpenAIEmbedding(OpenAIModel):
    """Embeds texts: float32 of length 1."""

    path = "/embeddings"
    texts_per_request = 256

    def __init__(self, *model: Any, dimension: int = 3072, **settings: Any):
        """Prepare the endpoint for vectors of so many numbers; the rest as ``OpenAIModel``."""
        super().__init__(*model, **settings)
        self.dimension = dimension

    def request(self, texts: list[str]) -> dict[str, Any]:
        # As numbers in text, the vectors of a batch would take twice the space.
        return {"model": self.endpoint.model, "input": texts, "encoding_format": "base64"}

    def read_values(self, answer: dict, number: int) -> list[np.ndarray | Rejected]:
        # An endpoint may leave out items or mix their order; each says which it is.
        vectors = {item["index"]: _vector(item["embedding"]) for item in answer["data"]}
        found: list[np.ndarray | Rejected] = []
        for place in range(number):
            vector = vectors.get(place)
            if vector is None or vector.shape != (self.dimension,) or not np.isfinite(vector).all():
                found.append(Rejected("malformed_answer"))
            else:
                found.append(vector / max(np.linalg.norm(vector), 1e-12))
        return found


class _OpenAITagger(OpenAIModel):
    """Asks one question about each text."""

    instruction: str
    max_tokens: int

    def request(self, texts: list[str]) -> dict[str, Any]:
        return {
            "model": self.endpoint.model,
            "messages": [
                {"role": "system", "content": self.instruction},
                {"role": "user", "content": texts[0]},
            ],
            "temperature": 0,
            "max_tokens": self.max_tokens,
        }

    def read_values(self, answer: dict, number: int) -> list[Any]:
        choice = answer["choices"][0]
        message = choice["message"]
        if choice.get("finish_reason") == "content_filter" or message.get("refusal"):
            return [Rejected("refused")]
        if choice.get("finish_reason") == "length":
            return [Rejected("malformed_answer", "cut off")]
        return [self._parse(message["content"])]


class OpenAISubject(_OpenAITagger):
    """Names what a prompt wants to see animated; empty where the model finds nothing."""

    max_tokens = 32
    _parse = staticmethod(parse_subject)

    def __init__(self, *model: Any, question: str | None = None, **settings: Any):
        """Prepare the endpoint to ask it a question; the rest as ``OpenAIModel``."""
        self.instruction = subject_question(question)
        super().__init__(*model, **settings)


class OpenAIDirection(_OpenAITagger):
    """Names what a prompt wants to happen: verbs in base form, in order, each once."""

    instruction = DIRECTION_INSTRUCTION
    max_tokens = 256
    _parse = staticmethod(parse_verbs)


def _vector(value: str | list[float]) -> np.ndarray:
    """Return a vector that came as base64 of little-endian float32, or as numbers."""
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), "<f4").astype(np.float32)
    return np.asarray(value, np.float32)
