"""A model behind an endpoint at work: costs, budget, requests at once or in batches.

Nothing here decides an answer; what does is in ``openai_text``, whose classes build on this one.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.annotate.openai_batches import Batches
from scripts.annotate.openai_endpoint import Endpoint, Service
from scripts.annotate.token_costs import BATCH, Account, estimate_tokens
from scripts.common.errors import Rejected, UserError
from scripts.common.prefetch import work_ahead

_HOPELESS = 20
"""Requests that fail one after the other, retries included, before a job gives up."""
_MESSAGE_TOKENS = 6
"""Tokens that the format of a message adds, at most: 3 and its role, and 3 before the answer."""


class OpenAIModel:
    """Puts texts into requests, sends them, and reads their answers.

    A subclass says what is asked and how an answer is read.
    """

    path = "/chat/completions"
    texts_per_request = 1

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        service: Mapping[str, Any] | None = None,
        folder: Path | None = None,
        account: Account | None = None,
    ):
        """Prepare the endpoint; nothing is sent.

        Args:
            weights: ``{api: name of the model}``.
            device: not used.
            service: settings of ``Service``.
            folder: where batches in flight are written down; needed for the batch API alone.
            account: to which the costs are booked.

        Raises:
            UserError: as ``Endpoint`` and ``Service``.
        """
        self._service = Service(**(service or {}))
        self.endpoint = Endpoint(weights, self._service)
        self._folder, self.account = folder, account or Account()

    def request(self, texts: list[str]) -> dict[str, Any]:
        """Return the body of a request for ``texts_per_request`` texts or fewer."""
        raise NotImplementedError

    def read_values(self, answer: dict, number: int) -> list[Any]:
        """Return the values of ``number`` texts in an answer; whatever it raises is malformed."""
        raise NotImplementedError

    def tokens(self, text: str) -> tuple[int, int]:
        """Return how many tokens are sent for a text and may come back, on the high side."""
        body = self.request([text])
        messages = body.get("messages", [])
        sent = sum(estimate_tokens(message["content"]) + _MESSAGE_TOKENS for message in messages)
        sent += sum(map(estimate_tokens, body.get("input", [])))
        # An answer names words of its text, and a comma after each; vectors cost nothing.
        return sent, min(estimate_tokens(text) + 8, body.get("max_tokens", 0))

    def estimate(self, texts: Mapping[str, str]) -> dict[str, float]:
        """Return what each text will cost in US dollars; 0 where no price is known."""
        return {item: self._cost(*self.tokens(text)) for item, text in texts.items()}

    def submit(self, texts: Mapping[str, str]) -> int:
        """Send texts by the batch API, as many as may be in flight, and wait for no answer.

        What an earlier run has in flight is not sent again; ``answer`` sends what is left.

        Args:
            texts: by the item's id.

        Returns:
            How many texts are in flight.

        Raises:
            UserError: the budget does not cover them, or the endpoint does not work.
        """
        batches = self._batches(texts)
        self._reserve(batches.texts)
        stop = batches.fill(self.account.find_overrun)
        if stop:
            self.account.close(in_flight=bool(batches.flights))
            raise stop
        return sum(len(flight.ids) for flight in batches.flights)

    def answer(
        self, texts: Mapping[str, str], keep: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[str, Any]]:
        """Yield each text's value, or why there is none, as answers come.

        What all of them will cost is printed first.

        Args:
            texts: by the item's id.
            keep: puts on disk what was yielded; called before a batch that was paid for is
                forgotten.

        Raises:
            UserError: the budget does not cover them (no more is sent then), or the endpoint does
                not work.
        """
        if self._service.mode == BATCH:
            yield from self._receive_batches(texts, keep)
        else:
            yield from self._send_at_once(texts)

    def _reserve(self, texts: Mapping[str, str]) -> dict[str, float]:
        """Reserve what texts will cost, say so, and return the cost of each."""
        costs, price = self.estimate(texts), self._service.prices
        what = f"{len(texts):,} texts to {self.endpoint.model} ({self._service.mode})"
        if price is None and self.account.budget_usd is not None:
            raise UserError(
                f"{what}: its entry has no price, so that the budget cannot be kept; give it "
                "service.price (0 where it costs nothing), or no budget"
            )
        total = sum(costs.values())
        if price is not None:
            how = f"tokens estimated, on the high side; prices of {price.as_of}"
            print(f"{what}: about ${total:,.2f} ({how})", file=sys.stderr)
        self.account.reserve(total)
        return costs

    def _send_at_once(self, texts: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
        stop: list[UserError] = []
        failures = tried = 0
        costs, workers = self._reserve(texts), self._service.workers

        def affordable() -> Iterator[list[str]]:
            items = list(texts)
            for start in range(0, len(items), self.texts_per_request):
                if stop or (error := self.account.find_overrun()):
                    stop[:] = stop or [error]
                    return
                yield items[start : start + self.texts_per_request]

        def work(items: list[str]) -> list[tuple[str, Any]]:
            return self._ask(items, [texts[item] for item in items], costs)

        try:
            for found in work_ahead(work, affordable(), workers=workers, ahead=2 * workers):
                yield from found
                tried += 1
                reasons = {getattr(value, "reason", None) for _, value in found}
                failures = failures + 1 if reasons == {"service_failed"} else 0
                if failures == _HOPELESS:
                    break  # what is under way is paid for, and comes to nothing
        finally:
            self.account.close()
        if stop:
            raise stop[0]
        if failures and failures in (tried, _HOPELESS):
            raise UserError(
                f"the endpoint failed on {failures} requests one after the other for model "
                f"'{self.endpoint.model}', retries included; run again later: what is finished "
                "is kept"
            )

    def _ask(
        self, items: list[str], texts: list[str], costs: Mapping[str, float]
    ) -> list[tuple[str, Any]]:
        """Return the values of one request; one that is refused is halved to the text at fault."""
        answer = self.endpoint.send(self.path, self.request(texts))
        if answer == Rejected("refused") and len(items) > 1:
            half = len(items) // 2
            left = self._ask(items[:half], texts[:half], costs)
            return left + self._ask(items[half:], texts[half:], costs)
        self._book(answer, sum(costs[item] for item in items))
        return list(zip(items, self._read(answer, len(items)), strict=True))

    def _batches(self, texts: Mapping[str, str]) -> Batches:
        if self._folder is None:
            raise UserError("the batch API is for annotations; set 'service.mode: synchronous'")
        return Batches(self.endpoint, self._service, self.path, self._folder, texts, self.request)

    def _receive_batches(
        self, texts: Mapping[str, str], keep: Callable[[], None]
    ) -> Iterator[tuple[str, Any]]:
        batches = self._batches(texts)
        yield from list(batches.rejected.items())
        costs = self._reserve(batches.texts)
        try:
            for item, answer in batches.answers(self.account.find_overrun, keep):
                self._book(answer, costs[item])
                (value,) = self._read(answer, 1)
                if isinstance(value, Rejected):
                    batches.rejected[item] = value
                yield item, value
        finally:
            self.account.close(in_flight=bool(batches.flights))

    def _cost(self, sent: float, answered: float) -> float:
        price = self._service.prices
        return price.cost(sent, answered, self._service.mode) if price else 0.0

    def _book(self, answer: dict | Rejected, reserved_usd: float) -> None:
        """Book what an answer cost by the usage that the endpoint reports, else as estimated."""
        usd = 0.0 if isinstance(answer, Rejected) else reserved_usd
        if answer == Rejected("malformed_answer"):
            usd = reserved_usd  # it was answered, and so paid for
        if isinstance(answer, dict):
            try:
                usage = answer["usage"]
                sent, answered = usage["prompt_tokens"], usage.get("completion_tokens") or 0
                usd = self._cost(float(sent), float(answered))
            except (AttributeError, KeyError, TypeError, ValueError):
                pass  # an endpoint that does not say
        self.account.pay(usd, reserved_usd)

    def _read(self, answer: dict | Rejected, number: int) -> list[Any]:
        if isinstance(answer, Rejected):
            return [answer] * number
        try:
            return self.read_values(answer, number)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return [Rejected("malformed_answer")] * number
