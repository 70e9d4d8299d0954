"""A public page to read: the gateway's own application over a keep that shows one page, on a free port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from gateway.__main__ import _config
from gateway.app import create_app
from gateway.asked import Asked
from gateway.shown import Shown
from tests.integration.edge import ScriptedKeep
from tests.unit.gateway.told_page import a_told_page

PATH = "/status/acme"


class ToldKeep(ScriptedKeep):
    """A keep that shows `a_told_page` to everybody."""

    async def show(self, asked: Asked) -> Shown:
        return Shown(a_told_page(), "tag")


@pytest.fixture(scope="module")
def page_url() -> Iterator[str]:
    """Answers where a page of `a_told_page` is read by everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        keep = ToldKeep()
        server = uvicorn.Server(_config(create_app(keep, keep), None))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()
