"""Any endpoint that speaks OpenAI's protocol: embeddings and chat, item by item or in batches."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import openai

from scripts.annotate.shard_annotation import Rejection
from scripts.common.errors import UserError

T = TypeVar("T")

# What a user must mend; trying again does not help.
_CONFIGURATION_FAULTS = (
    openai.AuthenticationError,
    openai.PermissionDeniedError,
    openai.NotFoundError,
)
_REFUSALS = (openai.BadRequestError, openai.UnprocessableEntityError)
_MALFORMED = (
    openai.APIResponseValidationError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)


class Endpoint:
    """One model behind an endpoint; 429, 5xx and broken connections are tried again.

    The library waits as ``Retry-After`` says, or else twice as long each time.
    """

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        *,
        base_url: str | None = None,
        key_variable: str | None = "OPENAI_API_KEY",
        max_retries: int = 8,
        timeout_s: float = 120.0,
        workers: int = 8,
    ):
        """Prepare the connection; nothing is sent.

        Args:
            weights: ``{api: name of the model}``.
            base_url: of the endpoint; OpenAI's by default.
            key_variable: environment variable with the key; None where there is none.
            max_retries: tries after the first one, for each request.
            timeout_s: how long one request may take.
            workers: requests at a time.

        Raises:
            UserError: the entry names no model, or the key is not set.
        """
        if not weights or "api" not in weights:
            raise UserError("the entry names no model; give it weights: {api: name}")
        key = os.environ.get(key_variable) if key_variable else "none"
        if not key:
            raise UserError(f"the environment variable {key_variable} is not set; export it")
        self.model, self._workers = weights["api"], workers
        self._client = openai.OpenAI(
            api_key=key, base_url=base_url, max_retries=max_retries, timeout=timeout_s
        )

    def embed(self, texts: Sequence[str], dimension: int) -> list[np.ndarray | Rejection]:
        """Return a vector of length 1 for each text, or why there is none.

        A batch that the endpoint refuses is halved until the text at fault stands alone.

        Raises:
            UserError: the endpoint failed on all of them, or does not know the key or model.
        """
        found = self._embed(list(texts), dimension)
        self._check_alive(found)
        return found

    def ask(self, instruction: str, texts: Sequence[str], max_tokens: int) -> list[str | Rejection]:
        """Return the answer to each text, or why there is none; errors as ``embed``."""

        def answer(text: str) -> str:
            completion = self._client.chat.completions.create(
                model=self.model,
                messages=[
                    {"role": "system", "content": instruction},
                    {"role": "user", "content": text},
                ],
                temperature=0,
                max_tokens=max_tokens,
            )
            choice = completion.choices[0]
            if choice.finish_reason == "content_filter" or choice.message.refusal:
                return Rejection("refused")
            if not isinstance(choice.message.content, str):
                return Rejection("malformed_answer")
            return choice.message.content

        with ThreadPoolExecutor(self._workers) as pool:
            found = list(pool.map(lambda text: self._guarded(answer, text), texts))
        self._check_alive(found)
        return found

    def _embed(self, texts: list[str], dimension: int) -> list[np.ndarray | Rejection]:
        found = self._guarded(lambda batch: self._vectors(batch, dimension), texts)
        if not isinstance(found, Rejection):
            return found
        if found.reason == "refused" and len(texts) > 1:
            half = len(texts) // 2
            return self._embed(texts[:half], dimension) + self._embed(texts[half:], dimension)
        return [found] * len(texts)

    def _vectors(self, texts: list[str], dimension: int) -> list[np.ndarray | Rejection]:
        response = self._client.embeddings.create(
            model=self.model, input=texts, encoding_format="float"
        )
        # An endpoint may leave out items or mix their order; each says which it is.
        vectors = {item.index: np.asarray(item.embedding, np.float32) for item in response.data}
        found: list[np.ndarray | Rejection] = []
        for number in range(len(texts)):
            vector = vectors.get(number)
            if vector is None or vector.shape != (dimension,) or not np.isfinite(vector).all():
                found.append(Rejection("malformed_answer"))
            else:
                found.append(vector / max(np.linalg.norm(vector), 1e-12))
        return found

    def _guarded(self, work: Callable[..., T], argument: object) -> T | Rejection:
        try:
            return work(argument)
        except _CONFIGURATION_FAULTS as error:
            raise UserError(
                f"the endpoint refuses to work for model '{self.model}': {error.message}; correct "
                "the entry or its key"
            ) from None
        except _REFUSALS:
            return Rejection("refused")
        except openai.RateLimitError as error:
            if error.code == "insufficient_quota":
                raise UserError(
                    f"the account behind the key has no quota left for model '{self.model}'; top "
                    "it up and run again: what is finished is kept"
                ) from None
            return Rejection("service_failed")
        except _MALFORMED:
            return Rejection("malformed_answer")
        except openai.APIError:
            return Rejection("service_failed")

    def _check_alive(self, found: Sequence[object]) -> None:
        dead = Rejection("service_failed")
        if found and all(isinstance(item, Rejection) and item == dead for item in found):
            raise UserError(
                f"the endpoint failed on all {len(found)} items of a batch for model "
                f"'{self.model}', retries included; run again later: what is finished is kept"
            )
