"""A gateway's process over HTTPS before a real server and its database, for a browser; tests call it from outside.

The server and its clients live in a loop of a thread of their own, because Playwright's synchronous interface has the
test's.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from oncall.v1.status_page_pb2 import StatusPageVisibility
from tests.builders import a_person, a_team
from tests.busy_page import BusyPage, a_busy_page
from tests.integration.test_gateway import environment
from tests.integration.test_gateway_tls import write_pair
from tests.rpc.conftest import RunningServer, a_server
from tests.status_pages import PRIVATE, StatusPageDesk
from tests.waiting import eventually

T = TypeVar("T")

WAIT_SECONDS = 60
_numbers = itertools.count(1)


@dataclass(slots=True)
class Site:
    """Where pages are read, and what their team does meanwhile."""

    address: str
    server: RunningServer
    desk: StatusPageDesk
    loop: asyncio.AbstractEventLoop

    def does(self, call: Coroutine[Any, Any, T]) -> T:
        """Does it in the loop of the server, and waits for it."""
        return asyncio.run_coroutine_threadsafe(call, self.loop).result(WAIT_SECONDS)

    def a_page(self, visibility: StatusPageVisibility = PRIVATE, *, slug: str = "") -> BusyPage:
        """Makes a page with everything on it."""
        return self.does(a_busy_page(self.desk, visibility, slug=slug or f"busy-{next(_numbers)}"))

    def url(self, busy: BusyPage) -> str:
        return f"{self.address}/status/{busy.page.slug}"

    def goes_away(self) -> None:
        """Stops the server for good; the gateway stays."""
        self.does(self.server.platform.server.stop(0))


@contextmanager
def a_site(database_url: str, redis_url: str, folder: Path) -> Iterator[Site]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="server of a site")
    thread.start()
    running = _running(database_url, redis_url, folder)
    try:
        site = asyncio.run_coroutine_threadsafe(anext(running), loop).result(WAIT_SECONDS)
        try:
            yield site
        finally:
            asyncio.run_coroutine_threadsafe(running.aclose(), loop).result(WAIT_SECONDS)  # type: ignore[attr-defined]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_SECONDS)
        loop.close()


async def _running(database_url: str, redis_url: str, folder: Path) -> Any:
    async with a_server(database_url, redis_url) as server:
        account = await a_person(server.sessions, service_account="gateway")
        desk = StatusPageDesk(server.channel, server.sessions, await a_team(server.sessions), account)
        certificate, key = write_pair(folder, "localhost")
        variables = environment(folder, server.address, account.token) | {
            "ONCALL_GATEWAY_TLS_CERTIFICATE": str(certificate),
            "ONCALL_GATEWAY_TLS_KEY": str(key),
        }
        ready, log = folder / "ready.json", folder / "gateway.log"
        with log.open("w") as said:
            gateway = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", env=variables, stderr=said)
        try:

            async def is_ready() -> bool:
                assert gateway.returncode is None, log.read_text()
                return ready.exists()

            await eventually(is_ready, within=WAIT_SECONDS)
            port = json.loads(ready.read_text())["address"].rpartition(":")[2]
            yield Site(f"https://localhost:{port}", server, desk, asyncio.get_running_loop())
        finally:
            if gateway.returncode is None:
                gateway.kill()
            await gateway.wait()
