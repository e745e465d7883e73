"""A small server that speaks OpenAI's protocol, and misbehaves when told to."""

import base64
import email
import email.policy
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class OpenAIServer:
    """Use it as a context manager; ``faults`` are given out first, one for each request.

    A fault is (status, body) with an optional dictionary of headers; a body that is no string is
    sent as JSON. A batch is answered when it was asked after ``polls`` times.

    Attributes:
        requests: path and body of every request for answers, in batches or not.
        batches: by id, as the server tells of them.
        batch_faults: as ``faults``, for the calls that belong to batches, by method and path.
        ends: how the next batches end, one each: a dictionary that is merged into the batch. With
            ``lines``, a function that changes the lines of the output file, and ``errors`` those
            of the error file.
    """

    def __init__(self):
        self.faults: list[tuple] = []
        self.requests: list[tuple[str, dict]] = []
        self.keys: set[str] = set()
        self.lock = threading.RLock()
        self.answer = lambda text: text
        self.refused: str | None = None
        self.usage = {"prompt_tokens": 10, "completion_tokens": 2}
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict] = {}
        self.calls: list[str] = []
        self.batch_faults: dict[str, list[tuple]] = {}
        self.ends: list[dict] = []
        self.polls = 1

    @property
    def base_url(self) -> str:
        host, port = self._server.server_address
        return f"http://{host}:{port}/v1"

    @property
    def asked(self) -> list[str]:
        """The texts that were asked, in order."""
        return [
            body["input"] if "input" in body else body["messages"][-1]["content"]
            for _, body in self.requests
        ]

    def respond(self, path: str, body: dict) -> tuple:
        """Return status, body and headers for one request."""
        with self.lock:
            self.requests.append((path, body))
            if self.faults:
                fault = self.faults.pop(0)
                return fault if len(fault) == 3 else (*fault, {})
        if self.refused and self.refused in json.dumps(
            body["input" if "input" in body else "messages"]
        ):
            return 400, {"error": {"message": "not this one", "code": "invalid"}}, {}
        if path.endswith("/embeddings"):
            data = [
                {"object": "embedding", "index": number, "embedding": _vector(text, body)}
                for number, text in enumerate(body["input"])
            ]
            answer = {"object": "list", "model": body["model"], "data": data[::-1]}
            return 200, answer | {"usage": {"prompt_tokens": self.usage["prompt_tokens"]}}, {}
        answer = completion(self.answer(body["messages"][-1]["content"]))
        return 200, answer | {"usage": self.usage}, {}

    def serve_batches(self, method: str, path: str, body: bytes, kind: str) -> tuple:
        """Return status, body and headers for a request about files or batches."""
        call = f"{method} {path.partition('?')[0]}"
        with self.lock:
            self.calls.append(call)
            for prefix, faults in self.batch_faults.items():
                if call.startswith(prefix) and faults:
                    fault = faults.pop(0)
                    if fault is not None:
                        if fault[0] == 0:  # done, but the answer is lost
                            self._batch_call(method, path, body, kind)
                            fault = (500, {"error": {"message": "lost"}}, fault[1])
                        return fault if len(fault) == 3 else (*fault, {})
            return self._batch_call(method, path, body, kind)

    def _batch_call(self, method: str, path: str, body: bytes, kind: str) -> tuple:
        path, _, query = path.removeprefix("/v1/").partition("?")
        what, *rest = path.split("/")
        if what == "files" and method == "POST":
            file = f"file-{len(self.files)}"
            self.files[file] = _uploaded(body, kind)
            return 200, _file(file, self.files[file]), {}
        if what == "files":
            return 200, self.files[rest[0]].decode(), {}
        if method == "POST":
            return 200, self._create(json.loads(body)), {}
        if rest:
            if rest[0] not in self.batches:
                return 404, {"error": {"message": "no such batch"}}, {}
            return 200, self._poll(rest[0]), {}
        after = query.partition("after=")[2].partition("&")[0]
        known = sorted(self.batches, key=lambda name: int(name[6:]))
        page = known[known.index(after) + 1 if after else 0 :][:2]
        answer = {"object": "list", "data": [self.batches[name] for name in page]}
        more = bool(page) and page[-1] != known[-1]
        return 200, answer | {"has_more": more, "last_id": page[-1] if page else None}, {}

    def _create(self, wanted: dict) -> dict:
        name = f"batch-{len(self.batches)}"
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "created_at": len(self.batches),
            "status": "validating",
            "polls": 0,
            **wanted,
        }
        return self.batches[name]

    def _poll(self, name: str) -> dict:
        batch = self.batches[name]
        batch["polls"] += 1
        if batch["polls"] >= self.polls and batch["status"] in ("validating", "in_progress"):
            end = self.ends.pop(0) if self.ends else {}
            output, errors = [], []
            for line in self.files[batch["input_file_id"]].splitlines():
                request = json.loads(line)
                status, body, _ = self.respond(request["url"], request["body"])
                entry = {"id": f"r{len(self.requests)}", "custom_id": request["custom_id"]}
                entry |= {"response": {"status_code": status, "body": body}, "error": None}
                (output if status == 200 else errors).append(json.dumps(entry))
            output = end.get("lines", lambda lines: lines)(output)
            errors = end.get("errors", lambda lines: lines)(errors)
            batch["status"] = "completed"
            for key, lines in (("output_file_id", output), ("error_file_id", errors)):
                if lines:
                    batch[key] = f"file-{len(self.files)}"
                    self.files[batch[key]] = "\n".join(lines).encode()
            batch |= {key: end[key] for key in end if key not in ("lines", "errors")}
            if "failed" in end:
                batch |= {"status": "failed", "errors": {"object": "list", "data": end["failed"]}}
        elif batch["status"] == "validating":
            batch["status"] = "in_progress"
        return batch

    def __enter__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.serve("POST")

            def do_GET(self):
                self.serve("GET")

            def serve(self, method):
                outer.keys.add(self.headers["Authorization"])
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                if self.path.startswith(("/v1/files", "/v1/batches")):
                    kind = self.headers["Content-Type"] or ""
                    status, answer, headers = outer.serve_batches(method, self.path, body, kind)
                else:
                    status, answer, headers = outer.respond(self.path, json.loads(body))
                data = answer if isinstance(answer, str) else json.dumps(answer)
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data.encode())))
                self.end_headers()
                self.wfile.write(data.encode())

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        serve = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        serve.start()
        return self

    def __exit__(self, *error):
        self._server.shutdown()
        self._server.server_close()


def completion(content: object, **message) -> dict:
    """Return a chat completion with one answer."""
    message = {"role": "assistant", "content": content, "refusal": None} | message
    return {
        "id": "made-up",
        "object": "chat.completion",
        "created": 0,
        "model": "made-up",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }


def _vector(text: str, body: dict) -> list[float] | str:
    vector = [float(len(text)), 3.0, 4.0]
    if body.get("encoding_format") != "base64":
        return vector
    return base64.b64encode(struct.pack("<3f", *vector)).decode()


def _uploaded(body: bytes, kind: str) -> bytes:
    """Return the file in a form that was posted, which must be meant for a batch."""
    message = email.message_from_bytes(
        b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP
    )
    parts = {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in message.iter_parts()
    }
    assert parts["purpose"] == b"batch"
    return parts["file"]


def _file(name: str, data: bytes) -> dict:
    return {
        "id": name, "object": "file", "bytes": len(data), "created_at": 0,
        "filename": "requests.jsonl", "purpose": "batch", "status": "processed",
    }  # fmt: skip
