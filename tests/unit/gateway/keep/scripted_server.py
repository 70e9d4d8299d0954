"""PartnerService by its contract, over a real channel: tests change its world, see its calls and hold them up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from gateway.keep.calls import PartnerCalls
from gateway.keep.clock import Clock
from gateway.keep.disk import Disk
from gateway.keep.keeper import Keeper
from oncall.v1 import partner_service_pb2 as pb
from oncall.v1.partner_service_pb2_grpc import PartnerServiceServicer, add_PartnerServiceServicer_to_server
from tests.waiting import eventually

PAGE = "page-1"
SECRET_NAME = "Card payments"


@dataclass
class Known:
    """A credential; `partner` is empty for the page's own token."""

    partner: str
    token_id: str
    refused: str = ""
    refused_code: grpc.StatusCode = grpc.StatusCode.PERMISSION_DENIED
    ends_at: datetime | None = None


@dataclass
class ScriptedServer(PartnerServiceServicer):
    """`hold` stops answers of GetStatusPage after they were computed, until the test lets them go."""

    clock: Clock = field(default_factory=Clock)
    lease: float = 30.0
    version: int = 1
    title: str = "All good"
    titles: dict[str, str] = field(default_factory=dict)
    credentials: dict[str, Known] = field(default_factory=dict)
    admitted: timedelta = timedelta(minutes=5)
    expires: timedelta = timedelta(hours=1)
    limit: pb.RateLimit | None = None
    away: bool = False
    renews: bool = True
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    on_its_way: Callable[[], Awaitable[None]] | None = None
    """What happens between an answer of GetStatusPage and its arrival."""
    asked: list[pb.GetStatusPageRequest] = field(default_factory=list)
    computed: int = 0
    recorded: Counter[str] = field(default_factory=Counter)
    batches: dict[str, int] = field(default_factory=dict)
    forget_answer_of_record: int = 0
    refuse_records: int = 0
    confirmed: list[str] = field(default_factory=list)
    streams: list[asyncio.Queue[pb.StatusPageChange | None]] = field(default_factory=list)
    watch_ids: list[str] = field(default_factory=list)
    changes: int = 0
    address: str = ""

    def __post_init__(self) -> None:
        self.hold.set()
        self.credentials.setdefault("good", Known("partner-1", "token-1"))
        self.credentials.setdefault("other", Known("partner-2", "token-2"))
        self.credentials.setdefault("page", Known("", ""))

    async def change(self, **fields: Any) -> pb.StatusPageChange:
        """Commits a change and tells it."""
        self.version += 1
        self.changes += 1
        change = pb.StatusPageChange(
            id=f"change-{self.changes}", status_page_id=PAGE, page_version=self.version, slugs=["acme"], **fields
        )
        for stream in self.streams:
            stream.put_nowait(change)
        return change

    async def confirmation(self, change: pb.StatusPageChange) -> None:
        async def is_confirmed() -> bool:
            return change.id in self.confirmed

        await eventually(is_confirmed)

    def end_streams(self) -> None:
        for stream in self.streams:
            stream.put_nowait(None)

    async def GetStatusPage(self, request: pb.GetStatusPageRequest, context: Any) -> pb.GetStatusPageResponse:  # noqa: N802
        self.asked.append(request)
        await self._be_away(context)
        kind = request.WhichOneof("credential")
        known = self.credentials.get(getattr(request, kind)) if kind else Known("", "")
        if known is None:
            await _refuse(context, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")
        assert known is not None
        refused, answer = (known.refused, known.refused_code), self._answer(request, known)
        await self.hold.wait()
        if self.on_its_way:
            await self.on_its_way()
        await self._be_away(context)
        if refused[0]:
            await _refuse(context, refused[1], refused[0])
        return answer

    def _answer(self, request: pb.GetStatusPageRequest, known: Known) -> pb.GetStatusPageResponse:
        self.computed += 1
        if known.partner and not (request.background or request.counted_by_gateway):
            self.recorded[known.partner] += 1
        title = self.titles.get(known.partner, self.title)
        answer = pb.GetStatusPageResponse(content_tag=f"tag of {title}", page_version=self.version)
        answer.audience.partner_id = known.partner
        answer.audience.token_id = known.token_id
        if answer.content_tag == request.known_content_tag:
            answer.unchanged = True
        else:
            answer.status_page.id, answer.status_page.name = PAGE, title
        now = self.clock.now()
        answer.content_expires_at.FromDatetime(now + self.expires)
        ends = now + self.admitted
        if known.ends_at:
            answer.access_ends_at.FromDatetime(known.ends_at)
            ends = min(ends, known.ends_at)
        answer.admitted_until.FromDatetime(ends)
        if self.limit is not None:
            answer.rate_limit.CopyFrom(self.limit)
        return answer

    async def WatchStatusPages(self, request: Any, context: Any) -> AsyncIterator[pb.WatchStatusPagesResponse]:  # noqa: N802
        await self._be_away(context)
        self.watch_ids.append(request.watch_id)
        stream: asyncio.Queue[pb.StatusPageChange | None] = asyncio.Queue()
        self.streams.append(stream)
        try:
            yield pb.WatchStatusPagesResponse()
            while (change := await stream.get()) is not None:
                yield pb.WatchStatusPagesResponse(changes=[change])
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not watching")
        finally:
            self.streams.remove(stream)

    async def RenewStatusPageWatch(self, request: Any, context: Any) -> pb.RenewStatusPageWatchResponse:  # noqa: N802
        await self._be_away(context)
        if not self.renews:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no renewals")
        self.confirmed += request.confirmed_change_ids
        answer = pb.RenewStatusPageWatchResponse()
        answer.lease.FromTimedelta(timedelta(seconds=self.lease))
        return answer

    async def RecordPartnerAccesses(self, request: Any, context: Any) -> pb.RecordPartnerAccessesResponse:  # noqa: N802
        await self._be_away(context)
        if self.refuse_records:
            self.refuse_records -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "just now not")
        if request.request_id not in self.batches:
            self.batches[request.request_id] = len(request.accesses)
            for access in request.accesses:
                self.recorded[access.partner_id] += access.count
        if self.forget_answer_of_record:
            self.forget_answer_of_record -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "recorded, but the answer is lost")
        return pb.RecordPartnerAccessesResponse()

    async def _be_away(self, context: Any) -> None:
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")


async def _refuse(context: Any, code: grpc.StatusCode, reason: str) -> None:
    status = Status(code=code.value[0])
    status.details.add().Pack(ErrorInfo(reason=reason, domain="oncall"))
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(code, reason)


@asynccontextmanager
async def serving(server: ScriptedServer, address: str = "127.0.0.1:0") -> AsyncIterator[PartnerCalls]:
    """Yields the gateway's calls of it."""
    listening = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_PartnerServiceServicer_to_server(server, listening)
    server.address = f"127.0.0.1:{listening.add_insecure_port(address)}"
    await listening.start()
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            yield PartnerCalls(channel, "token of the gateway")
    finally:
        server.hold.set()
        server.end_streams()
        await listening.stop(0)


@asynccontextmanager
async def a_keeper(server: ScriptedServer, disk: Disk | None = None, **settings: Any) -> AsyncIterator[Keeper]:
    """Yields a keeper whose watch holds, unless the server is away."""
    async with serving(server) as calls:
        keeper = Keeper(calls, clock=server.clock, disk=disk, **settings)
        async with keeper.running():
            if not server.away:
                await watching(keeper)
            try:
                yield keeper
            finally:
                server.away = False  # or the end would wait as long as it may until what was counted is taken


async def watching(keeper: Keeper) -> None:
    async def holds() -> bool:
        return keeper.shelf.lease.holds()

    await eventually(holds)


async def unwatched(keeper: Keeper) -> None:
    async def holds_not() -> bool:
        return not keeper.shelf.lease.holds()

    await eventually(holds_not)


@dataclass
class HeldClock:
    """Clocks that go on by hand alone, or with the machine and some seconds ahead."""

    ahead: float = 0.0

    def clock(self) -> Clock:
        real = Clock()
        return Clock(
            now=lambda: datetime.now(UTC) + timedelta(seconds=self.ahead),
            elapsed=lambda: real.elapsed() + self.ahead,
        )
