"""Look at a run in a browser: its report and its gallery, from a server on this machine alone.

``python -m scripts.commands.show --directory demo`` (or ``make show``)
"""

import argparse
import io
import re
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from scripts.commands.report_page import write_page

SHOWN = ("gallery", "report", "tables", "figures", "videos")
"""Folders of the results that are served; ``messages`` has user names."""


PART_BYTES = 2**28
"""Of a file at most in one answer."""


class Results(SimpleHTTPRequestHandler):
    """Serves what is meant to be looked at, parts of files too, and nothing else of the results."""

    def send_head(self) -> Any:
        """Answer a request for one span of bytes, such as a video in a tar, with these alone."""
        span = re.fullmatch(r"bytes=(\d{1,15})-(\d{1,15})", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if not span or not path.is_file():
            return super().send_head()
        first = int(span[1])
        last = min(int(span[2]), path.stat().st_size - 1, first + PART_BYTES)
        if first > last:
            self.send_error(416)
            return None
        with open(path, "rb") as file:
            file.seek(first)
            data = file.read(last + 1 - first)
        self.send_response(206)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Range", f"bytes {first}-{last}/{path.stat().st_size}")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        return io.BytesIO(data)

    def translate_path(self, path: str) -> str:
        """Return the file that is asked for, or one that cannot exist."""
        file = Path(super().translate_path(path)).resolve()
        root = Path(self.directory).resolve()
        inside = file.relative_to(root).parts if file.is_relative_to(root) else ()
        return str(file) if inside[:1] and inside[0] in SHOWN else str(root / ".not_served")

    def list_directory(self, path: Any) -> None:
        """List nothing."""
        self.send_error(404)


def serve(directory: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of a run's results, bound to this machine.

    Args:
        directory: the run's working directory.
        port: 0 for any that is free.
    """
    handler = partial(Results, directory=str(directory / "results"))
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, default=Path())
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    write_page(arguments.directory)
    server = serve(arguments.directory, arguments.port)
    for page in ("gallery", "report"):
        print(f"http://127.0.0.1:{server.server_port}/{page}/   (stop it with Ctrl-C)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
