"""A local HTTP server whose every answer a test decides."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Served:
    """What the server holds and what was asked of it.

    `drop_after` maps a path to a list of byte counts: the first request is cut off after the first count, and so
    on; when the list is empty the rest is sent.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    drop_after: dict[str, list[int]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    delay_s: float = 0.0
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    served: Served

    def do_GET(self) -> None:
        served, path = self.served, self.path
        asked = self.headers.get("Range")
        served.requests.append((path, asked))
        threading.Event().wait(served.delay_s)
        if path not in served.files:
            self.send_error(404)
            return
        body, etag = served.files[path], served.etags.get(path, '"1"')
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if asked and self.headers.get("If-Range") != etag:
            asked, start = None, 0
        if asked and start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", etag)
        self.end_headers()
        drops = served.drop_after.get(path)
        stop = start + drops.pop(0) if drops else len(body)
        self.wfile.write(body[start:stop])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Served]:
    served = Served()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"served": served}))
    served.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield served
    httpd.shutdown()
    httpd.server_close()
