"""OpenAI's batch API: files of requests that are answered within a day at half the price.

What is in flight is written down before it is sent, so that a job that was killed asks after the
same batch again instead of sending, and paying, twice.
"""

import hashlib
import json
import os
import tempfile
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import openai
from openai.types import Batch

from scripts.annotate.openai_endpoint import Endpoint, Service
from scripts.common.errors import Rejected, UserError

_TAG = "tip_i2v"
_ENDED = ("completed", "expired", "cancelled")
_ROUNDS = 3
"""How often an item is sent that comes back without an answer; each time costs only if answered."""

Answer = dict | Rejected


@dataclass
class _Flight:
    """A batch that was sent, as its file in the ledger says.

    Attributes:
        tag: in the batch's metadata, by which it is found if the job was killed before it knew
            the batch's id.
        ids: custom ids of its requests.
        batch: the batch's id; None until the endpoint has answered.
    """

    tag: str
    ids: list[str]
    batch: str | None = None


class Batches:
    """Sends requests in batches and gives their answers."""

    def __init__(self, endpoint: Endpoint, service: Service, path: str, folder: Path):
        """Prepare; nothing is sent.

        Args:
            endpoint: the connection.
            service: limits of a batch.
            path: where each request goes, such as ``/embeddings``.
            folder: where the batches in flight are written down.
        """
        self._endpoint, self._service, self._path = endpoint, service, path
        self._folder = folder

    def answers(
        self,
        requests: Mapping[str, Mapping[str, Any]],
        find_overrun: Callable[[], UserError | None] = lambda: None,
        keep: Callable[[], None] = lambda: None,
    ) -> Iterator[tuple[str, Answer]]:
        """Yield each item's answer, or why there is none, as batches end.

        Args:
            requests: the body of each item's request.
            find_overrun: asked before each batch; the error that it returns is raised once all
                batches in flight have ended.
            keep: puts on disk what was yielded; called before a batch is forgotten.

        Raises:
            UserError: the endpoint refuses the batches themselves, or a user cancelled one.
        """
        ids = {custom_id(item): item for item in requests}
        flights = self._recall(ids)
        flying = {name for flight in flights for name in flight.ids}
        parts = deque(self._parts({name: requests[item] for name, item in ids.items()}, flying))
        sent: Counter[str] = Counter(flying)
        stop: UserError | None = None
        while flights or parts:
            while parts and not stop and len(flights) < self._service.batches_at_once:
                stop = find_overrun()
                if not stop:
                    part = parts.popleft()
                    sent.update(part)
                    flights.append(self._send({name: requests[ids[name]] for name in part}))
            ended = False
            for flight in list(flights):
                batch = self._ask(flight)
                if batch is not None and batch.status not in (*_ENDED, "failed"):
                    continue
                ended = True
                open_ids = {name for name in flight.ids if name in ids}
                if batch is not None and batch.status == "failed":
                    self._record(flight).unlink()  # it never began, and costs nothing
                    parts.extend(self._divide(batch, flight, alone=len(flights) == 1))
                    sent.subtract(flight.ids)
                    open_ids = set()
                elif batch is not None:
                    for name, answer in self._read(batch, open_ids):
                        open_ids.discard(name)
                        yield ids[name], answer
                    if batch.status == "cancelled":
                        stop = stop or _cancelled(batch)
                again = [name for name in open_ids if sent[name] < _ROUNDS]
                for name in open_ids.difference(again):
                    yield ids[name], Rejected("service_failed")
                if again:
                    parts.append(again)
                flights.remove(flight)
                keep()
                self._record(flight).unlink(missing_ok=True)
            if stop and not flights:
                raise stop
            if not ended:
                time.sleep(self._service.poll_s)

    def _recall(self, ids: Mapping[str, str]) -> list[_Flight]:
        """Return the batches that an earlier run left in flight and that hold a wanted item."""
        flights = []
        for record in sorted(self._folder.glob("*.json")):
            flight = _Flight(**json.loads(record.read_text()))
            if flight.batch is None:
                flight.batch = self._find(flight.tag)
            if flight.batch is None or not any(name in ids for name in flight.ids):
                record.unlink()  # it was never sent, or all it had is finished
                continue
            self._write_down(flight)
            flights.append(flight)
        return flights

    def _parts(
        self, requests: Mapping[str, Mapping[str, Any]], flying: set[str]
    ) -> Iterator[list[str]]:
        """Divide what is not in flight into batches within the limits."""
        part: list[str] = []
        size = 0
        for name, body in requests.items():
            if name in flying:
                continue
            length = len(self._line(name, body))
            full = len(part) >= self._service.batch_requests
            if part and (full or size + length > self._service.batch_mb * 1e6):
                yield part
                part, size = [], 0
            part.append(name)
            size += length
        if part:
            yield part

    def _send(self, requests: Mapping[str, Mapping[str, Any]]) -> _Flight:
        flight = _Flight(uuid.uuid4().hex, list(requests))
        self._write_down(flight)
        client = self._endpoint.client
        try:
            with tempfile.TemporaryDirectory(dir=self._folder, prefix="tmp-") as folder:
                file = Path(folder) / "requests.jsonl"
                with open(file, "wb") as lines:
                    lines.writelines(self._line(name, body) for name, body in requests.items())
                uploaded = client.files.create(file=file, purpose="batch")
            flight.batch = self._create(uploaded.id, flight.tag)
        except openai.APIError as error:
            raise self._fault(error, "takes no batch") from None
        self._write_down(flight)
        return flight

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
        """Return a batch as it stands; None if the endpoint no longer has it."""
        try:
            return self._endpoint.client.batches.retrieve(flight.batch)
        except openai.NotFoundError:
            return None
        except openai.APIError as error:
            raise self._fault(error, f"says nothing about batch {flight.batch}") from None

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

    def _divide(self, batch: Batch, flight: _Flight, *, alone: bool) -> list[list[str]]:
        """Return what to send in place of a batch that the endpoint did not begin.

        Raises:
            UserError: the endpoint found fault with the requests.
        """
        errors = (batch.errors.data if batch.errors else None) or []
        first = errors[0] if errors else None
        if first is None or first.code != "token_limit_exceeded":
            raise UserError(
                f"the endpoint did not begin batch {batch.id}: "
                f"{first.message if first else 'it gives no reason'}; correct the entry and run again"
            )
        # The queue of this account is full. Others may leave it; a batch too large never fits.
        time.sleep(self._service.poll_s)
        if not alone:
            return [flight.ids]
        if len(flight.ids) == 1:
            raise UserError(
                f"the endpoint's queue takes no batch for model '{self._endpoint.model}' now "
                f"({first.message}); run again later: what is finished is kept"
            )
        half = len(flight.ids) // 2
        return [flight.ids[:half], flight.ids[half:]]

    def _fault(self, error: openai.APIError, what: str) -> UserError:
        self._endpoint.rejection(error)
        return UserError(
            f"the endpoint of model '{self._endpoint.model}' {what} ({error.message}); run again "
            "later: what is finished is kept, and a batch in flight is asked after again"
        )

    def _line(self, name: str, body: Mapping[str, Any]) -> bytes:
        request = {"custom_id": name, "method": "POST", "url": f"/v1{self._path}", "body": body}
        return json.dumps(request, ensure_ascii=False).encode(errors="replace") + b"\n"

    def _record(self, flight: _Flight) -> Path:
        return self._folder / f"{flight.tag}.json"

    def _write_down(self, flight: _Flight) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"tmp-{flight.tag}-{os.getpid()}"
        part.write_text(json.dumps(asdict(flight)))
        os.replace(part, self._record(flight))


def custom_id(item: str) -> str:
    """Return how a batch calls an item: its UUID; the endpoint takes 64 characters at most."""
    if len(item) <= 64 and item.replace("-", "").isalnum() and item.isascii():
        return item
    return hashlib.sha256(item.encode(errors="surrogatepass")).hexdigest()


def _cancelled(batch: Batch) -> UserError:
    return UserError(
        f"batch {batch.id} was cancelled at the endpoint; what it had answered is kept: run again "
        "to send the rest"
    )
