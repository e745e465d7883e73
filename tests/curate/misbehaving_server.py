"""A server of attachments that misbehaves in every way; a path names how: /attachments/1/2/how.mp4.

The behaviour is the file's name up to the first dot. Some change from one request of a path to the
next; ``asked`` has every request.
"""

import asyncio
import ssl
import threading
from collections import Counter

from tests.curate.misbehaviours import BEHAVIOURS, Answer, Hangup


class MisbehavingServer:
    """A context manager; runs in a thread of its own.

    Attributes:
        asked: (path, start of the range asked for or None) of each request, in order.
        served: paths whose whole answer was sent.
        headers: of the latest request.
        pause_s: before each answer.
    """

    def __init__(self, video, certificate=None, pause_s=0.0):
        self.video, self.pause_s = video, pause_s
        self.asked, self.served, self.hosts = [], [], Counter()
        self._counts, self._certificate = Counter(), certificate
        self._ready = threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *error):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def count(self, path):
        self._counts[path] += 1
        return self._counts[path]

    async def _run(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        context = None
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._certificate)
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context, backlog=500)
        self.port = server.sockets[0].getsockname()[1]
        self._loop.set_exception_handler(lambda loop, context: None)
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                path = lines[0].split(" ")[1]
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in lines[1:] if line)
                }
                answer = Answer(self, path, headers, writer)
                self.asked.append((path, answer.start))
                self.hosts[headers["host"]] += 1
                self.headers = headers
                if self.pause_s:
                    await asyncio.sleep(self.pause_s)
                name = path.rpartition("/")[2].partition(".")[0]
                await BEHAVIOURS[name](answer)
                self.served.append(path)
        except (Hangup, asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()
