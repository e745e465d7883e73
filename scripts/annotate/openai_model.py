"""A model behind an endpoint at work: costs, budget, requests at once or in batches.

Nothing here decides an answer; what does is in ``openai_text``, whose classes build on this one.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.annotate.openai_batches import Batches
from scripts.annotate.openai_endpoint import Endpoint, Service
from scripts.annotate.token_costs import BATCH, Account, Bill, token_counter
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
        self._folder, self.account = folder, account
        self._counter = token_counter(self.endpoint.model)
        self._bill = Bill(self._service.prices, self._service.mode, account)

    def request(self, texts: list[str]) -> dict[str, Any]:
        """Return the body of a request for ``texts_per_request`` texts or fewer."""
        raise NotImplementedError

    def read_values(self, answer: dict, number: int) -> list[Any]:
        """Return the values of ``number`` texts in an answer; whatever it raises is malformed."""
        raise NotImplementedError

    def tokens(self, text: str) -> tuple[int, int]:
        """Return how many tokens are sent for a text, and how many may come back."""
        count, _ = self._counter
        body = self.request([text])
        messages = body.get("messages", [])
        sent = sum(count(message["content"]) + _MESSAGE_TOKENS for message in messages)
        sent += sum(map(count, body.get("input", [])))
        # An answer names words of its text, and a comma after each; vectors cost nothing.
        return sent, min(count(text) + 8, body.get("max_tokens", 0))

    def estimate(self, texts: Mapping[str, str]) -> dict[str, float]:
        """Return what each text will cost in US dollars; 0 where no price is known."""
        return {item: self._bill.estimate(*self.tokens(text)) for item, text in texts.items()}

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
            UserError: the budget does not cover them (nothing was sent then, or no more is sent),
                or the endpoint does not work.
        """
        costs, (_, how) = self.estimate(texts), self._counter
        what = f"{len(texts):,} texts to {self.endpoint.model} ({self._service.mode})"
        price = self._service.prices
        if price is None and self.account is not None and self.account.budget_usd is not None:
            raise UserError(
                f"{what}: its entry has no price, so that the budget cannot be kept; give it "
                "service.price (0 where it costs nothing), or no budget"
            )
        if price is not None:
            total = sum(costs.values())
            print(f"{what}: about ${total:,.2f} ({how}; prices of {price.as_of})", file=sys.stderr)
            if self.account is not None:
                self.account.reserve(total, what)
        try:
            if self._service.mode == BATCH:
                yield from self._send_batches(texts, costs, keep)
            else:
                yield from self._send_at_once(texts, costs)
        finally:
            if self.account is not None:
                self.account.save()
        if self.account is not None:
            self.account.settle()

    def _send_at_once(
        self, texts: Mapping[str, str], costs: Mapping[str, float]
    ) -> Iterator[tuple[str, Any]]:
        stop: list[UserError] = []
        failures = tried = 0

        def affordable() -> Iterator[list[str]]:
            items = list(texts)
            for start in range(0, len(items), self.texts_per_request):
                if stop or (error := self._find_overrun()):
                    stop[:] = stop or [error]
                    return
                yield items[start : start + self.texts_per_request]

        def work(items: list[str]) -> list[tuple[str, Any]]:
            return self._ask(items, [texts[item] for item in items], costs)

        workers = self._service.workers
        for found in work_ahead(work, affordable(), workers=workers, ahead=2 * workers):
            yield from found
            tried += 1
            failures = failures + 1 if all(_is_failure(value) for _, value in found) else 0
            if failures == _HOPELESS:
                break  # what is under way is paid for, and comes to nothing
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
        refused = answer == Rejected("refused")
        if refused and len(items) > 1:
            half = len(items) // 2
            left = self._ask(items[:half], texts[:half], costs)
            return left + self._ask(items[half:], texts[half:], costs)
        self._book(answer, sum(costs[item] for item in items))
        return list(zip(items, self._read(answer, len(items)), strict=True))

    def _send_batches(
        self, texts: Mapping[str, str], costs: Mapping[str, float], keep: Callable[[], None]
    ) -> Iterator[tuple[str, Any]]:
        if self._folder is None:
            raise UserError("the batch API is for annotations; set 'service.mode: synchronous'")
        batches = Batches(self.endpoint, self._service, self.path, self._folder)
        requests = {item: self.request([text]) for item, text in texts.items()}
        for item, answer in batches.answers(requests, self._find_overrun, keep):
            self._book(answer, costs[item])
            yield item, self._read(answer, 1)[0]

    def _book(self, answer: dict | Rejected, reserved_usd: float) -> None:
        if isinstance(answer, dict):
            self._bill.book(answer.get("usage"), reserved_usd)
        elif answer.reason == "malformed_answer":
            self._bill.book(None, reserved_usd)  # it was answered, and so paid for
        elif self.account is not None:
            self.account.pay(0.0, reserved_usd)

    def _find_overrun(self) -> UserError | None:
        return self.account.find_overrun() if self.account is not None else None

    def in_order(self, texts: Sequence[str]) -> list[Any]:
        """Return each text's value, in the order of the texts."""
        found = dict(self.answer({str(number): text for number, text in enumerate(texts)}))
        return [found[str(number)] for number in range(len(texts))]

    def _read(self, answer: dict | Rejected, number: int) -> list[Any]:
        if isinstance(answer, Rejected):
            return [answer] * number
        try:
            return self.read_values(answer, number)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return [Rejected("malformed_answer")] * number


def _is_failure(value: Any) -> bool:
    return isinstance(value, Rejected) and value.reason == "service_failed"
