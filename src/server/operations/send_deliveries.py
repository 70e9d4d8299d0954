"""Sends what is due: takes it, sends it outside of any transaction, and notes what came of it; see decision 0036.

Whoever dies between sending and noting leaves a delivery that is taken again once its claim has ended, and sent again
under the same id. So everything is sent at least once, and twice only where somebody died.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from uuid import UUID

import structlog

from kernel.cipher import Cipher
from kernel.database import transaction
from kernel.secret_store import context_of as secret_context_of
from kernel.secret_store import read_sealed
from server.domain.delivery import DEAD, PENDING, NotificationEvent, WebhookRequest
from server.domain.delivery_attempt import Attempt, OpenChannel, OpenRequest, failed, outcome
from server.domain.notification_channel import GONE, ChannelKind, ChannelSecret, context_of
from server.domain.workflow.setting import is_encrypted
from server.operations.change import Change, change
from server.operations.environment import Environment
from server.storage import notification_channels, outbox
from server.storage.outbox import Claimed

log = structlog.get_logger()

MOST_AT_ONCE = 16
MOST_OF_A_LANE = 4
"""How many of one channel, or of one team's own webhooks, are under way before other lanes come first."""
CLAIM_MARGIN = timedelta(seconds=30)
"""How much longer a claim lasts than sending may: for what is read before it and noted after it."""
LOOK_SECONDS = 1.0
"""How often somebody looks whom no doorbell told to."""
GRACE_SECONDS = 4.0

RingRun = Callable[[UUID], Awaitable[object]]
"""Tells of a workflow run that one of its deliveries has ended; may be lost, for the run's own sweep looks, too."""


class Ways(Protocol):
    """The ways to the world outside."""

    async def send(self, claimed: Claimed, channel: OpenChannel, now: datetime) -> Attempt:
        """Sends a delivery to its channel."""

    async def request(self, claimed: Claimed, opened: OpenRequest, now: datetime) -> Attempt:
        """Sends the request that a workflow describes, with the secrets that it names."""


class DeliverySender:
    """Sends what is due for as long as it runs; `seconds` is how long one try may take, `limit` how many there are."""

    def __init__(
        self, env: Environment, cipher: Cipher, ways: Ways, ring_run: RingRun, *, seconds: float, limit: int
    ) -> None:
        self._env = env
        self._cipher = cipher
        self._ways = ways
        self._ring_run = ring_run
        self._claim = timedelta(seconds=seconds) + CLAIM_MARGIN
        self._limit = limit
        self._look = asyncio.Event()
        self._under_way: dict[asyncio.Task[None], UUID] = {}

    def wake(self) -> None:
        """Has it look at once: something is due, or a place is free."""
        self._look.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Sends until `stop`; then waits a little for what is under way. What is cut off, is sent again later."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._look.set())
        try:
            while not stop.is_set():
                await self._look_once()
        finally:
            stopping.cancel()
        if self._under_way:
            _, unfinished = await asyncio.wait(self._under_way, timeout=GRACE_SECONDS)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def _look_once(self) -> None:
        """Takes what is due; where that is all for now, waits until it is told to look, or for a while."""
        self._look.clear()
        try:
            more = await self._take()
        except Exception as error:  # noqa: BLE001 - PostgreSQL may be away in many ways; the next look finds out
            log.warning("deliveries_not_taken", error=type(error).__name__)
            more = False
        if not more:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look.wait()

    async def _take(self) -> bool:
        """Takes as much as there are places; whether there may be more that could be taken at once."""
        free = MOST_AT_ONCE - len(self._under_way)
        if free <= 0:
            return False
        lanes = Counter(self._under_way.values())
        busy = [lane for lane, number in lanes.items() if number >= MOST_OF_A_LANE]
        limit = min(free, MOST_OF_A_LANE)
        async with transaction(self._env.sessions) as tx:
            claimed = await outbox.claim(tx.session, busy=busy, limit=limit, lasts=self._claim)
        for delivery in claimed:
            task = asyncio.create_task(self._deliver(delivery))
            self._under_way[task] = delivery.lane
            task.add_done_callback(self._done)
        return len(claimed) == limit

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        self._look.set()

    async def _deliver(self, claimed: Claimed) -> None:
        try:
            attempt = await self._try(claimed)
            await self._settle(claimed, attempt)
        except Exception as error:  # noqa: BLE001 - whatever it was: the claim ends, and it is taken again
            log.warning("delivery_not_settled", delivery_id=str(claimed.id), error=type(error).__name__)

    async def _try(self, claimed: Claimed) -> Attempt:
        if claimed.tries > self._limit:
            return failed("given up: of the last try nobody knows what came of it", final=True)
        if claimed.give_up_at is not None and self._env.now() >= claimed.give_up_at:
            return failed("given up: it was not to be sent any more", final=True)
        if claimed.channel_id is None:
            if claimed.webhook is None:
                return failed("it goes nowhere", final=True)
            request = await self._opened(claimed, claimed.webhook)
            if isinstance(request, Attempt):
                return request
            return await self._ways.request(claimed, request, self._env.now())
        channel = await self._open(claimed, claimed.channel_id)
        if isinstance(channel, Attempt):
            return channel
        return await self._ways.send(claimed, channel, self._env.now())

    async def _open(self, claimed: Claimed, channel_id: UUID) -> OpenChannel | Attempt:
        """Answers where a channel goes, or why it goes nowhere."""
        async with self._env.sessions() as session:
            channel = await notification_channels.find(session, channel_id)
            sealed = await notification_channels.secrets_of(session, channel_id, self._env.now())
            outdated = claimed.incident_id is not None and await outbox.is_outdated(session, claimed)
        if channel is None:
            return failed("the channel was deleted", final=True)
        if not channel.content.enabled and claimed.event is not NotificationEvent.TEST:
            return failed("the channel is disabled", final=True)
        if channel.kind is ChannelKind.PAGERDUTY and outdated:  # it would raise again what was resolved since
            return failed("the pager has a newer message about the incident", final=True)
        try:
            opened = {
                purpose: self._cipher.open(value, context_of(channel_id, purpose)).decode()
                for purpose, value in sealed.items()
            }
            target = opened.pop(ChannelSecret.TARGET)
        except (ValueError, KeyError):
            return failed("the channel's target cannot be opened: is its key in ONCALL_ENCRYPTION_KEYS?")
        signing = [opened[purpose] for purpose in ChannelSecret if purpose in opened]
        return OpenChannel(channel.kind, target, signing)

    async def _opened(self, claimed: Claimed, wanted: WebhookRequest) -> OpenRequest | Attempt:
        """Answers the headers of a workflow's webhook and what signs it, with the present values of its secrets."""
        names = wanted.secret_names
        if names and not is_encrypted(wanted.url):  # as workflows might from before that was refused when one is saved
            return failed("its secrets go over https:// only", final=True)
        async with self._env.sessions() as session:
            sealed = await read_sealed(session, claimed.team_id, names)
        if missing := sorted(names - set(sealed)):
            return failed(f"the team has no secret {', '.join(missing)}", final=True)
        try:
            secrets = {
                name: self._cipher.open(value, secret_context_of(claimed.team_id, name)).decode()
                for name, value in sealed.items()
            }
        except ValueError:
            return failed("a secret cannot be opened: is its key in ONCALL_ENCRYPTION_KEYS?")
        headers = {
            name: value.prefix + (secrets[value.secret] if value.secret else "")
            for name, value in wanted.headers.items()
        }
        return OpenRequest(headers, [secrets[wanted.signing_secret]] if wanted.signing_secret else [])

    async def _settle(self, claimed: Claimed, attempt: Attempt) -> None:
        now = self._env.now()
        becomes = outcome(
            attempt,
            tries=claimed.tries,
            limit=self._limit,
            jitter=random.random(),  # noqa: S311 - spreads tries, guards nothing
            now=now,
            give_up_at=claimed.give_up_at,
        )
        async with change(self._env.sessions, None) as tx:
            held = await outbox.settle(
                tx.session,
                claimed,
                becomes.status,
                error=attempt.error,
                response_status=attempt.response_status,
                again_in=becomes.again_in,
            )
            if held and attempt.gone and claimed.channel_id is not None:
                await _disable(tx, claimed.channel_id, now)
            if held and becomes.status is DEAD:
                detail = {"event": claimed.event.value, "attempts": claimed.attempts, "error": attempt.error}
                await tx.audit("delivery.died", claimed.id, team_id=claimed.team_id, **detail)
            if held and becomes.status is not PENDING and claimed.workflow_run_id is not None:
                tx.after_commit(partial(self._ring_run, claimed.workflow_run_id))
        if not held:
            log.warning("delivery_claim_lost", delivery_id=str(claimed.id))


async def _disable(tx: Change, channel_id: UUID, now: datetime) -> None:
    channel = await notification_channels.disable(tx.session, channel_id, GONE, now)
    if channel is not None:
        await tx.audit(
            "notification_channel.disabled",
            channel.id,
            team_id=channel.team_id,
            name=channel.content.name,
            reason=channel.disabled_reason,
        )
