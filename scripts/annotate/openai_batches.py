"""OpenAI's batch API: files of requests that are answered within a day at half the price.

What is in flight is written down before it is sent, so that a job that was killed asks after the
same batch again instead of sending, and paying, twice.
"""

import hashlib
import json
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import openai
from openai.types import Batch

from scripts.annotate.openai_endpoint import Endpoint, Service
from scripts.common.errors import Rejected, UserError
from scripts.common.ledger import write_atomically

_TAG = "tip_i2v"
_ENDED = ("completed", "expired", "cancelled", "failed")
_ROUNDS = 3
"""How often an item is sent that comes back without an answer; each time costs only if answered."""

Answer = dict | Rejected


@dataclass
class _Flight:
    """A batch to be sent or, as its file in the ledger says, that was sent.

    Attributes:
        ids: custom ids of its requests.
        round: how often these have been sent, with this batch.
        alone: whether it was sent when the queue had room for one of these at most.
        tag: in the batch's metadata, by which it is found if the job was killed before it knew
            the batch's id.
        batch: the batch's id; None until the endpoint has answered.
    """

    ids: list[str]
    round: int = 1
    alone: bool = False
    tag: str = ""
    batch: str | None = None


class Batches:
    """Texts on their way to an endpoint and back.

    Attributes:
        texts: the wanted ones, by item, without the rejected.
        rejected: items that came back without a value before the job was killed: they were paid
            for, and are not sent again before all others are answered too.
        flights: the batches in flight.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        service: Service,
        path: str,
        folder: Path,
        texts: Mapping[str, str],
        request: Callable[[list[str]], Mapping[str, Any]],
    ):
        """Ask after what an earlier run left in flight; nothing is sent.

        Args:
            endpoint: the connection.
            service: limits of a batch.
            path: where each request goes, such as ``/embeddings``.
            folder: where the batches in flight are written down.
            texts: by item.
            request: makes the body of a text's request.
        """
        self._endpoint, self._service, self._path = endpoint, service, path
        self._folder, self._request = folder, request
        self._notes = folder / "rejected"
        noted = json.loads(self._notes.read_text()) if self._notes.exists() else {}
        self.rejected = {item: Rejected(noted[item]) for item in texts if item in noted}
        self.texts = {item: text for item, text in texts.items() if item not in noted}
        self._items = {custom_id(item): item for item in self.texts}
        self._at_once, self._silences = service.batches_at_once, 0
        self.flights = self._recall()
        flying = {name for flight in self.flights for name in flight.ids}
        self._waiting = deque(self._divide(name for name in self._items if name not in flying))

    def fill(self, find_overrun: Callable[[], UserError | None]) -> UserError | None:
        """Send as many batches as may be in flight, unless the budget says no more.

        Args:
            find_overrun: asked before each batch.

        Returns:
            The error with which to end once all batches in flight have ended.
        """
        while self._waiting and len(self.flights) < self._at_once:
            if stop := find_overrun():
                return stop
            self._send(self._waiting[0])
            self.flights.append(self._waiting.popleft())
        return None

    def answers(
        self, find_overrun: Callable[[], UserError | None], keep: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        """Yield each text's answer, or why there is none, as batches end; send what is left.

        Args:
            find_overrun: as ``fill``.
            keep: puts on disk what was yielded; called before a batch is forgotten.

        Raises:
            UserError: the endpoint refuses the batches themselves, or a user cancelled one.
        """
        stop: UserError | None = None
        while self.flights or self._waiting:
            stop = stop or self.fill(find_overrun)
            if stop and not self.flights:
                raise stop
            answered = False
            for flight in list(self.flights):
                batch = self._ask(flight)
                if batch is None or batch.status not in _ENDED:
                    continue
                if batch.status == "failed":
                    self._put_back(flight, batch)
                    continue
                answered = True
                left = {name for name in flight.ids if name in self._items}
                for name, answer in self._read(batch, left):
                    left.discard(name)
                    yield self._items[name], answer
                if left and flight.round < _ROUNDS:
                    self._waiting.append(_Flight(sorted(left), flight.round + 1))
                else:
                    yield from ((self._items[name], Rejected("service_failed")) for name in left)
                if batch.status == "cancelled":
                    stop = stop or UserError(
                        f"batch {batch.id} was cancelled at the endpoint; what it had answered is "
                        "kept: run again to send the rest"
                    )
                keep()
                reasons = {item: fault.reason for item, fault in self.rejected.items()}
                write_atomically(self._notes, json.dumps(reasons).encode())
                self._forget(flight)
            if not answered and self.flights:
                time.sleep(self._service.poll_s)
        self._notes.unlink(missing_ok=True)

    def _recall(self) -> list[_Flight]:
        """Return the batches that an earlier run left in flight and that hold a wanted item."""
        flights = []
        for record in sorted(self._folder.glob("*.json")):
            flight = _Flight(**json.loads(record.read_text()))
            flight.batch = flight.batch or self._find(flight.tag)
            if flight.batch is None or not any(name in self._items for name in flight.ids):
                record.unlink()  # it was never sent, or all it had is finished
                continue
            self._write_down(flight)
            flights.append(flight)
        return flights

    def _divide(self, names: Iterator[str]) -> Iterator[_Flight]:
        """Divide requests into batches within the limits."""
        part: list[str] = []
        size = 0
        for name in names:
            length = len(self._line(name))
            full = len(part) >= self._service.batch_requests
            if part and (full or size + length > self._service.batch_mb * 1e6):
                yield _Flight(part)
                part, size = [], 0
            part.append(name)
            size += length
        if part:
            yield _Flight(part)

    def _send(self, flight: _Flight) -> None:
        flight.tag, flight.alone = uuid.uuid4().hex, self._at_once == 1
        self._write_down(flight)
        try:
            with tempfile.TemporaryDirectory(dir=self._folder, prefix="tmp-") as folder:
                file = Path(folder) / "requests.jsonl"
                with open(file, "wb") as lines:
                    lines.writelines(map(self._line, flight.ids))
                uploaded = self._endpoint.client.files.create(file=file, purpose="batch")
            flight.batch = self._create(uploaded.id, flight.tag)
        except openai.APIError as error:
            raise self._fault(error, "takes no batch") from None
        self._write_down(flight)

    def _create(self, file: str, tag: str) -> str:
        """Create a batch and return its id; a creation whose answer was lost is not repeated."""
        client = self._endpoint.client.with_options(max_retries=0)
        for attempt in range(self._service.max_retries + 1):
            try:
                return client.batches.create(
                    completion_window="24h",
                    endpoint=f"/v1{self._path}",
                    input_file_id=file,
                    metadata={_TAG: tag},
                ).id
            except (openai.APIConnectionError, openai.InternalServerError) as error:
                found, fault = self._find(tag), error
                if found:
                    return found
            except openai.RateLimitError as error:
                fault = error
            if attempt < self._service.max_retries:
                time.sleep(min(0.5 * 2**attempt, self._service.poll_s))
        raise fault

    def _find(self, tag: str) -> str | None:
        try:
            for batch in self._endpoint.client.batches.list(limit=100):
                if (batch.metadata or {}).get(_TAG) == tag:
                    return batch.id
        except openai.APIError as error:
            raise self._fault(error, "does not list its batches") from None
        return None

    def _ask(self, flight: _Flight) -> Batch | None:
        """Return a batch as it stands; None if the endpoint does not answer now.

        A batch that the endpoint no longer has is one that expired without an answer.
        """
        try:
            batch = self._endpoint.client.batches.retrieve(str(flight.batch))
        except openai.NotFoundError:
            batch = Batch.model_construct(id=flight.batch, status="expired")
        except openai.APIError as error:
            fault = self._fault(error, f"says nothing about batch {flight.batch}")
            self._silences += 1
            if self._silences > self._service.max_retries:
                raise fault from None
            return None
        self._silences = 0
        return batch

    def _read(self, batch: Batch, wanted: set[str]) -> Iterator[tuple[str, Answer]]:
        """Yield the answers in a batch's two files; lines that say nothing are passed over."""
        seen: set[str] = set()
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            for line in self._lines(file):
                try:
                    entry = json.loads(line)
                    name, answer = entry["custom_id"], self._answer(entry)
                except (ValueError, KeyError, TypeError, AttributeError):
                    continue
                if answer is not None and name in wanted and name not in seen:
                    seen.add(name)
                    yield name, answer

    def _lines(self, file: str) -> Iterator[bytes]:
        """Yield a file's lines from disk: the vectors of 50,000 texts take 800 MB."""
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="tmp-") as folder:
            target = Path(folder) / "answers.jsonl"
            try:
                with self._endpoint.client.files.with_streaming_response.content(file) as response:
                    response.stream_to_file(target)
            except openai.APIError as error:
                raise self._fault(error, f"does not give file {file}") from None
            with open(target, "rb") as lines:
                yield from lines

    def _answer(self, entry: Mapping[str, Any]) -> Answer | None:
        """Return what a line holds; None where sending the item again may help."""
        response = entry.get("response") or {}
        status, body = response.get("status_code"), response.get("body")
        if status == 200:
            return body if isinstance(body, dict) else Rejected("malformed_answer")
        if status in (400, 422):
            return Rejected("refused")
        if status in (401, 403, 404):
            message = ((body or {}).get("error") or {}).get("message", f"status {status}")
            raise UserError(
                f"the endpoint refuses to work for model '{self._endpoint.model}': {message}; "
                "correct the entry or its key"
            )
        return None

    def _put_back(self, flight: _Flight, batch: Batch) -> None:
        """Let a batch wait that the endpoint did not begin; it costs nothing.

        Raises:
            UserError: the endpoint found fault with the requests.
        """
        self._forget(flight)
        names = [name for name in flight.ids if name in self._items]
        errors = (batch.errors.data if batch.errors else None) or []
        first = errors[0] if errors else None
        if first is None or first.code != "token_limit_exceeded":
            raise UserError(
                f"the endpoint did not begin batch {batch.id}: "
                f"{first.message if first else 'it gives no reason'}; correct the entry and run again"
            )
        # The queue of this account is full. Others will leave it; a batch too large never fits.
        self._at_once, half = max(1, len(self.flights)), len(names) // 2
        if flight.alone and not half:
            raise UserError(
                f"the endpoint's queue takes no batch for model '{self._endpoint.model}' now "
                f"({first.message}); run again later: what is finished is kept"
            )
        parts = [names[half:], names[:half]] if flight.alone else [names]
        self._waiting.extendleft(_Flight(part, flight.round) for part in parts)

    def _fault(self, error: openai.APIError, what: str) -> UserError:
        self._endpoint.rejection(error)
        return UserError(
            f"the endpoint of model '{self._endpoint.model}' {what} ({error.message}); run again "
            "later: what is finished is kept, and a batch in flight is asked after again"
        )

    def _line(self, name: str) -> bytes:
        request = {"custom_id": name, "method": "POST", "url": f"/v1{self._path}"}
        request["body"] = self._request([self.texts[self._items[name]]])
        return json.dumps(request, ensure_ascii=False).encode(errors="replace") + b"\n"

    def _record(self, flight: _Flight) -> Path:
        return self._folder / f"{flight.tag}.json"

    def _write_down(self, flight: _Flight) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._record(flight), json.dumps(asdict(flight)).encode())

    def _forget(self, flight: _Flight) -> None:
        self.flights.remove(flight)
        self._record(flight).unlink(missing_ok=True)


def custom_id(item: str) -> str:
    """Return how a batch calls an item: its UUID; the endpoint takes 64 characters at most."""
    if len(item) <= 64 and item.replace("-", "").isalnum() and item.isascii():
        return item
    return hashlib.sha256(item.encode(errors="surrogatepass")).hexdigest()
