"""The way in: shows pages, tells of changes, starts and ends sessions, and goes by what the server says of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from gateway import refusal
from gateway.asked import Asked, Client
from gateway.edge.keeper import KeepState
from gateway.keep.accesses import flush_each_second
from gateway.keep.admission import CLIENTS, Clients
from gateway.keep.calls import PartnerCalls, ServerAway
from gateway.keep.change import ends_somebody, takes_away
from gateway.keep.clock import Clock
from gateway.keep.contents import MOST_BYTES
from gateway.keep.disk import KEY_BYTES, Disk
from gateway.keep.fill import Filler, message
from gateway.keep.lease import Lease
from gateway.keep.questions import Questions
from gateway.keep.rows import time_of
from gateway.keep.shelf import Shelf
from gateway.keep.signals import Signals
from gateway.keep.watch import Watch
from gateway.refusal import Refusal
from gateway.shown import Shown
from oncall.v1 import partner_service_pb2 as pb

log = structlog.get_logger()

LONGEST_WAIT, SHORTEST_WAIT = 300.0, 1.0


class Keeper:
    """Shows pages to whoever asks; what it raises is a Refusal."""

    def __init__(
        self,
        calls: PartnerCalls,
        *,
        clock: Clock | None = None,
        disk: Disk | None = None,
        grace_seconds: float = 0.0,
        contents_limit: int = MOST_BYTES,
        clients_limit: int = CLIENTS,
    ) -> None:
        clock = clock or Clock()
        self._calls = calls
        self._clock = clock
        self._disk = disk
        self._clients = Clients(disk.key if disk else secrets.token_bytes(KEY_BYTES))
        self._signals = Signals()
        self.shelf = Shelf(
            clock, Lease(clock, grace_seconds), contents_limit=contents_limit, clients_limit=clients_limit
        )
        self._questions = Questions(self.shelf, Filler(calls, self.shelf, disk, clock), clock)
        self._watch = Watch(calls, self.shelf.lease, clock, opened=self._signals.all_changed, apply=self.apply)

    async def show(self, asked: Asked) -> Shown:
        """Answers the page as the owner of the credential may see it now, or saw it last where nobody can be asked."""
        return await self._questions.show(self._clients.of(asked), asked, background=False)

    def client(self, asked: Asked) -> Client:
        """Answers who asks: without their credential, so that it may be kept."""
        return self._clients.of(asked)

    def show_at_once(self, client: Client) -> Shown | None:
        """Answers as `show` does where nobody has to be asked; unset where somebody has, which is left to `show`."""
        return self.shelf.fresh(client, background=False, asks=False)

    async def changes(self, asked: Asked, after_tag: str) -> AsyncIterator[Shown]:
        """Yields the page whenever what this audience sees of it differs from `after_tag` and then from the last one.

        Ends with the Refusal when the client may no longer see it. While the server is away, it waits: what is shown
        with its age is no change, and may be shown to who may not see any.
        """
        client = self._clients.of(asked)
        first = await self._questions.show(client, asked, background=True)
        with self._signals.of(first.content.status_page.id) as changed:
            while True:
                changed.clear()
                shown = await self._show_if_possible(client, asked)
                if shown is not None and shown.stale_since is None and shown.tag != after_tag:
                    after_tag = shown.tag
                    yield shown
                wait = min(max(self.shelf.recheck_seconds(client), SHORTEST_WAIT), LONGEST_WAIT)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await changed.wait()

    async def start_session(
        self, slug: str, token: str, client_ip: str, user_agent: str
    ) -> pb.CreatePageSessionResponse:
        """Trades a token for a session; that needs the server."""
        request = pb.CreatePageSessionRequest(slug=slug, token=token, client_ip=client_ip, user_agent=user_agent)
        try:
            return await self._calls.create_session(request)
        except ServerAway:
            raise refusal.unavailable() from None

    async def end_session(self, asked: Asked) -> None:
        """Ends a session here at once, also for a question on its way, and on the server where it can be asked."""
        client = self._clients.of(asked)
        # Only for what was let in: whoever makes up cookies must not drive tombstones out of their bounded room.
        if self.shelf.admissions.of_credential(client):
            self.shelf.tombstones.end(client.credential.hex(), self._clock.now())
        try:
            await self._calls.end_session(pb.EndPageSessionRequest(session_token=asked.credential.value))
        except (ServerAway, Refusal) as error:
            log.warning("session_not_ended", error=type(error).__name__)
        self.shelf.admissions.drop_credential(client)
        if self._disk:
            await self._disk.forget_credential(client)

    async def access_report(
        self, asked: Asked, page_size: int = 0, page_token: str = ""
    ) -> pb.ListPartnerAccessResponse:
        """Answers a page of what is recorded of a partner's own accesses; that needs the server."""
        request = pb.ListPartnerAccessRequest(asked=message(asked), page_size=page_size, page_token=page_token)
        try:
            return await self._calls.list_access(request)
        except ServerAway:
            raise refusal.unavailable() from None

    async def is_ready(self) -> bool:
        """Whether pages can be had that are not kept: the server can be reached."""
        return await self._calls.is_reachable()

    def state(self) -> KeepState:
        return KeepState(pages=len(self.shelf.contents), watching=self.shelf.lease.holds())

    async def apply(self, change: pb.StatusPageChange) -> None:
        """Goes by a change: in memory at once, on the disk when this returns."""
        ended = [
            self._clients.of_session(slug, session).hex()
            for slug in change.slugs
            for session in change.ended_session_hashes
        ]
        forgotten = self.shelf.change(change, ended)
        self._signals.changed(change.status_page_id)
        if not self._disk:
            return
        if takes_away(change) or ends_somebody(change):
            await self._disk.end(change, self._clock.now(), ended)
        for page_id in forgotten:
            await self._disk.forget_page(page_id)

    async def load_endings(self) -> None:
        """Takes over from the disk what has ended; pages and admissions are read when they are asked for."""
        if not self._disk:
            return
        ended, page_tokens, floors = await self._disk.endings()
        tombstones = self.shelf.tombstones
        for identity, at in ended:
            tombstones.end(identity, time_of(at))
        for page_id, version, at in page_tokens:
            tombstones.end_page_token(page_id, version, time_of(at))
        for page_id, version in floors:
            self.shelf.floors.raise_to(page_id, version, taken=True)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watches, counts and writes while inside; counts and pages that wait are sent and written before it ends."""
        await self.load_endings()
        tasks = [asyncio.ensure_future(self._watch.run())]
        tasks.append(asyncio.ensure_future(flush_each_second(self.shelf.accesses, self._calls.record, self._disk)))
        if self._disk:
            tasks.append(asyncio.ensure_future(self._disk.write_soon()))
        try:
            yield
        finally:
            await self._questions.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _show_if_possible(self, client: Client, asked: Asked) -> Shown | None:
        try:
            return await self._questions.show(client, asked, background=True)
        except Refusal as refused:
            if refused.status in (429, 503):
                return None
            raise


@asynccontextmanager
async def keeping(calls: PartnerCalls, disk: Disk | None, grace_seconds: float) -> AsyncIterator[Keeper]:
    """Keeps until the end, and then closes the disk."""
    try:
        keeper = Keeper(calls, disk=disk, grace_seconds=grace_seconds)
        async with keeper.running():
            yield keeper
    finally:
        if disk:
            disk.close()
