"""A server on this machine that answers as the Hugging Face hub does, and as servers of files do."""

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c" * 40


class LocalHub:
    """What the server has, and what it was asked.

    Attributes:
        files: path -> bytes.
        repositories: (kind, repository) -> name -> bytes.
        gated: repositories that nobody may read.
        broken: path -> how many bytes come before the connection breaks, once.
        status: path -> what is answered instead.
        asked: (method, path, range) of each request.
    """

    def __init__(self):
        self.files, self.repositories, self.gated = {}, {}, set()
        self.broken, self.status, self.asked = {}, {}, []
        self.lies = {}

    def answer(self, request):
        path = request.path.partition("?")[0]
        self.asked.append((request.command, path, request.headers.get("Range")))
        if found := re.fullmatch(r"/api/(models|datasets)/(.+?)/(revision/\w+|auth-check)", path):
            return self._repository(request, found)
        if path in self.status:
            return request.reply(self.status[path], b"")
        data = self.files.get(path)
        if data is None:
            data = self._of_repository(path)
        if data is None:
            return request.reply(404, b"", {"X-Error-Code": "EntryNotFound"})
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT,
                   "Accept-Ranges": "bytes"}  # fmt: skip
        status, start = 200, 0
        if span := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range") or ""):
            start, total = int(span[1]), len(data)
            data = data[start : int(span[2]) + 1 if span[2] else None]
            status = 206
            headers["Content-Range"] = f"bytes {start}-{start + len(data) - 1}/{total}"
        return request.reply(status, data, headers, breaks=self.broken.pop(path, None))

    def _of_repository(self, path):
        found = re.fullmatch(r"/(datasets/)?(.+?)/resolve/(\w+)/(.+)", path)
        if not found or found[3] != COMMIT:
            return None
        kind = "datasets" if found[1] else "models"
        return self.repositories.get((kind, found[2]), {}).get(found[4])

    def _repository(self, request, found):
        kind, name, what = found.groups()
        files = self.repositories.get((kind, name))
        if files is None:
            return request.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if what == "auth-check":
            code = {"X-Error-Code": "GatedRepo"}
            return (
                request.reply(403, b"{}", code) if name in self.gated else request.reply(200, b"{}")
            )
        if what.split("/")[1] not in ("main", COMMIT):
            return request.reply(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        siblings = [
            {"rfilename": key, "size": len(data), "blobId": "b",
             "lfs": {"sha256": self.lies.get(key, hashlib.sha256(data).hexdigest()),
                     "size": len(data), "pointerSize": 1}}
            for key, data in files.items()
        ]  # fmt: skip
        body = {"id": name, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False,
                "gated": "manual" if name in self.gated else False, "downloads": 0}  # fmt: skip
        return request.reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"})


@contextmanager
def local_hub():
    """Yield a ``LocalHub`` and its address."""
    hub = LocalHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            hub.answer(self)

        do_HEAD = do_GET

        def reply(self, status, data, headers=(), breaks=None):
            self.send_response(status)
            for key, value in dict(headers).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[:breaks])
            if breaks is not None:
                self.close_connection = True
                self.connection.close()

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
