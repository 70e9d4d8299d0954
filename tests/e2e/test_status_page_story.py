"""The whole stack: what on-call people do by command is what partners see, live, and until they are revoked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.builders import Person
from tests.e2e.launched import Launched
from tests.rpc.shell import Shell
from tests.waiting import eventually

SECONDS = 30


@dataclass
class Reader:
    """A partner's program: it reads the public v2 API, and listens to changes."""

    http: httpx.AsyncClient
    url: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}

    async def reads(self, document: str) -> Any:
        answer = await self.http.get(f"{self.url}/api/v2/{document}.json", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def status_of(self, component: str) -> str:
        components = (await self.reads("components"))["components"]
        return str(next(line["status"] for line in components if line["name"] == component))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listening]:
        async with self.http.stream("GET", f"{self.url}/events", headers=self.headers, timeout=None) as answer:
            assert answer.status_code == 200
            listening = Listening(answer.aiter_lines())
            assert await listening.next_event() == "page", "the first event is the page as it is"
            yield listening


@dataclass
class Listening:
    lines: AsyncIterator[str]

    async def next_event(self) -> str:
        """Answers the name of the next event, which comes by itself; fails the test where none does."""
        async with asyncio.timeout(SECONDS):
            async for line in self.lines:
                if line.startswith("event: "):
                    return line.removeprefix("event: ")
        return "closed"

    async def until(self, happened: Callable[[], Awaitable[bool]]) -> None:
        """Looks after each event, and not without one; a page also tells of a day or a number that time has changed."""
        assert await self.next_event() == "page"
        while not await happened():
            assert await self.next_event() == "page"


@pytest.fixture
def shell(demo_stack: Launched, tmp_path: Path) -> Shell:
    demo = demo_stack.demo()
    return Shell(tmp_path, demo["server"], Person(UUID(int=0), demo["tokens"]["author"]))


@pytest.fixture
async def reader(demo_stack: Launched) -> AsyncIterator[Reader]:
    page = demo_stack.demo()["status_page"]
    async with httpx.AsyncClient(timeout=SECONDS) as http:
        yield Reader(http, page["url"], page["partner_token"])


async def says(shell: Shell, *arguments: str) -> str:
    """Gives a command that must succeed; answers what it prints."""
    ended = await shell(*arguments)
    assert ended.code == 0, ended.err
    return ended.out.decode().strip()


async def test_an_incident_reaches_who_listens_and_so_does_its_end(shell: Shell, reader: Reader) -> None:
    async def is_out() -> bool:
        return await reader.status_of("API") == "major_outage"

    async def works() -> bool:
        return await reader.status_of("API") == "operational"

    async with reader.listening() as listening:
        impact = ("-i", "API=major-outage")
        incident = await says(shell, "incident", "create", "Calls fail", "-s", "sev1", *impact, "-m", "All of them.")
        await listening.until(is_out)
        unresolved = (await reader.reads("incidents/unresolved"))["incidents"]
        told = next(one for one in unresolved if one["id"] == incident)
        assert (told["name"], told["impact"], told["status"]) == ("Calls fail", "critical", "investigating")
        assert told["incident_updates"][0]["body"] == "All of them."

        await says(shell, "incident", "resolve", "Calls fail", "-m", "They work again.")
        await listening.until(works)
        assert incident not in [one["id"] for one in (await reader.reads("incidents/unresolved"))["incidents"]]
        over = next(one for one in (await reader.reads("incidents"))["incidents"] if one["id"] == incident)
        assert (over["status"], over["resolved_at"] is not None) == ("resolved", True)


async def test_a_revoked_partner_is_cut_off_at_once(shell: Shell, reader: Reader) -> None:
    reader.token = await says(shell, "partner", "create", "Northwind")
    await reader.reads("summary")
    async with reader.listening() as listening:
        await says(shell, "partner", "revoke", "Northwind", "--yes")
        refused = await reader.http.get(f"{reader.url}/api/v2/summary.json", headers=reader.headers)
        assert (refused.status_code, refused.json()["error"]["reason"]) == (403, "PARTNER_REVOKED")
        while (event := await listening.next_event()) == "page":
            pass  # what came before the revocation
        assert (event, await listening.next_event()) == ("end", "closed")
    assert (await reader.http.get(f"{reader.url}/events", headers=reader.headers)).status_code == 403


async def test_a_maintenance_begins_and_ends_at_its_times_without_anybodys_doing(shell: Shell, reader: Reader) -> None:
    when = ("--from", "1s", "--lasts", "1h")
    maintenance = await says(shell, "maintenance", "schedule", "Move", "-c", "Search", *when, "-m", "Search is slow.")

    async def is_active() -> bool:
        active = (await reader.reads("scheduled-maintenances/active"))["scheduled_maintenances"]
        return maintenance in [one["id"] for one in active]

    await eventually(is_active, within=SECONDS)
    assert await reader.status_of("Search") == "under_maintenance"

    await says(shell, "maintenance", "update", "Move", "--until", "1s")

    async def is_over() -> bool:
        return not await is_active()

    await eventually(is_over, within=SECONDS)
    assert await reader.status_of("Search") == "operational"
    every = (await reader.reads("scheduled-maintenances"))["scheduled_maintenances"]
    moved = next(one for one in every if one["id"] == maintenance)
    assert [update["status"] for update in moved["incident_updates"]] == ["completed", "in_progress", "scheduled"]


async def test_a_browser_that_signed_out_is_a_stranger_also_with_a_copy_of_its_cookie(reader: Reader) -> None:
    html = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(headers=html, timeout=SECONDS) as browser:
        signed_in = await browser.post(f"{reader.url}/session", data={"token": reader.token})
        copy = {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]}
        page = await browser.get(reader.url)
        assert (page.status_code, "Sign out" in page.text) == (200, True)
        signed_out = await browser.post(f"{reader.url}/sign-out", follow_redirects=True)
        assert (signed_out.status_code, "Access token" in signed_out.text) == (401, True)
    for _ in range(2):
        assert (await reader.http.get(reader.url, headers=html | copy)).status_code == 401
    await reader.reads("summary")
