"""A public page to read: its v2 documents over HTTP, on a free port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.representations.json_v2 import DOCUMENTS, render
from gateway.shown import Shown
from tests.unit.gateway.told_page import a_told_page

PATH = "/status/acme"


class _Documents(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # named by the library
        prefix = f"{PATH}/api/v2/"
        document = self.path.removeprefix(prefix).removesuffix(".json")
        if self.path != f"{prefix}{document}.json" or document not in DOCUMENTS:
            self.send_error(404)
            return
        rendering = render(Shown(a_told_page(), "tag"), f"http://{self.headers['Host']}{PATH}", document)
        self.send_response(200)
        self.send_header("Content-Type", rendering.media_type)
        self.send_header("Content-Length", str(len(rendering.body)))
        self.end_headers()
        self.wfile.write(rendering.body)

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


@pytest.fixture(scope="module")
def page_url() -> Iterator[str]:
    """Answers where a page of `a_told_page` is read by everybody."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Documents) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}{PATH}"
        server.shutdown()
        thread.join()
