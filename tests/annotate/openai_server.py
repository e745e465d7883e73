"""A small server that speaks OpenAI's protocol, and misbehaves when told to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class OpenAIServer:
    """Use it as a context manager; ``faults`` are given out first, one for each request.

    A fault is (status, body) with an optional dictionary of headers; a body that is no string is
    sent as JSON.
    """

    def __init__(self):
        self.faults: list[tuple] = []
        self.requests: list[tuple[str, dict]] = []
        self.keys: set[str] = set()
        self.lock = threading.Lock()
        self.answer = lambda text: text
        self.refused: str | None = None

    @property
    def base_url(self) -> str:
        host, port = self._server.server_address
        return f"http://{host}:{port}/v1"

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
                {"object": "embedding", "index": number, "embedding": [float(len(text)), 3.0, 4.0]}
                for number, text in enumerate(body["input"])
            ]
            return 200, {"object": "list", "model": body["model"], "data": data[::-1]}, {}
        return 200, completion(self.answer(body["messages"][-1]["content"])), {}

    def __enter__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                outer.keys.add(self.headers["Authorization"])
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer, headers = outer.respond(self.path, body)
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
