"""Any endpoint that speaks OpenAI's protocol: the connection, and one request at a time."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import openai

from scripts.annotate.token_costs import Price
from scripts.common.errors import Rejected, UserError

# What a user must mend; trying again does not help.
_CONFIGURATION_FAULTS = (
    openai.AuthenticationError,
    openai.PermissionDeniedError,
    openai.NotFoundError,
)
_REFUSALS = (openai.BadRequestError, openai.UnprocessableEntityError)


@dataclass(frozen=True)
class Service:
    """How a model is reached and what it costs: an entry's ``service``. It decides no answer.

    Attributes:
        base_url: of the endpoint; OpenAI's by default.
        key_variable: environment variable with the key; None where there is none.
        mode: ``synchronous``, or ``batch`` (OpenAI's batch API: within a day, at half the price).
        workers: requests at a time.
        max_retries: tries after the first one, for each request.
        timeout_s: how long one request may take.
        batch_requests: requests of one batch at most (OpenAI's limit is 50,000).
        batch_mb: size of a batch's file at most, in MB (OpenAI's limit is 200).
        batches_at_once: batches in flight at most; fewer where the account's queue is full.
        poll_s: how often a batch is asked after.
        price: as ``Price``; without it nothing is estimated or booked.
    """

    base_url: str | None = None
    key_variable: str | None = "OPENAI_API_KEY"
    mode: str = "synchronous"
    workers: int = 8
    max_retries: int = 8
    timeout_s: float = 120.0
    batch_requests: int = 50_000
    batch_mb: float = 200.0
    batches_at_once: int = 64
    poll_s: float = 60.0
    price: Mapping[str, Any] | None = None

    @property
    def prices(self) -> Price | None:
        """The model's prices, if the entry has them."""
        return Price(**self.price) if self.price else None


class Endpoint:
    """One model behind an endpoint; 429, 5xx and broken connections are tried again.

    The library waits as ``Retry-After`` says, or else twice as long each time.
    """

    def __init__(self, weights: Mapping[str, str] | None, service: Service):
        """Prepare the connection; nothing is sent.

        Args:
            weights: ``{api: name of the model}``.
            service: how it is reached.

        Raises:
            UserError: the entry names no model, or the key is not set.
        """
        if not weights or "api" not in weights:
            raise UserError("the entry names no model; give it weights: {api: name}")
        key = os.environ.get(service.key_variable) if service.key_variable else "none"
        if not key:
            raise UserError(
                f"the environment variable {service.key_variable} is not set; export it"
            )
        self.model = weights["api"]
        self.client = openai.OpenAI(
            api_key=key,
            base_url=service.base_url,
            max_retries=service.max_retries,
            timeout=service.timeout_s,
        )

    def send(self, path: str, body: Mapping[str, Any]) -> dict | Rejected:
        """Return the answer to one request as it came, or why there is none.

        Args:
            path: such as ``/embeddings``.
            body: of the request.

        Raises:
            UserError: the endpoint does not know the key or the model, or the quota is used up.
        """
        try:
            answer = self.client.post(path, cast_to=object, body=dict(body))
        except openai.APIResponseValidationError:
            return Rejected("malformed_answer")
        except openai.APIError as error:
            return self.rejection(error)
        except ValueError:  # not JSON
            return Rejected("malformed_answer")
        return answer if isinstance(answer, dict) else Rejected("malformed_answer")

    def rejection(self, error: openai.APIError) -> Rejected:
        """Return why a request failed.

        Raises:
            UserError: the user must mend it.
        """
        if isinstance(error, _CONFIGURATION_FAULTS):
            raise UserError(
                f"the endpoint refuses to work for model '{self.model}': {error.message}; correct "
                "the entry or its key"
            ) from None
        if isinstance(error, _REFUSALS):
            return Rejected("refused")
        if isinstance(error, openai.RateLimitError) and error.code == "insufficient_quota":
            raise UserError(
                f"the account behind the key has no quota left for model '{self.model}'; top it "
                "up and run again: what is finished is kept"
            ) from None
        return Rejected("service_failed")
