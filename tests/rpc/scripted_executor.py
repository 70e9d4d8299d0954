"""An executor that does what a test says, step by step, so that a test decides what is stored and what is heard."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from kernel import event_log, lifecycle
from kernel.attempt_output import AttemptOutput
from kernel.database import transaction
from kernel.execution.event import Event, Output, OutputStream
from kernel.execution.output import OutputDigest
from kernel.execution.status import AttemptOutcome, ExecutionStatus
from kernel.lifecycle import Claim
from kernel.log_stream import publish_events
from tests.rpc.conftest import RunningServer


class ScriptedExecutor:
    """Does to one execution what an executor does, step by step; each step answers the events that it stored."""

    def __init__(self, server: RunningServer, execution_id: str) -> None:
        self._server = server
        self._execution_id = UUID(execution_id)
        self._claim: Claim | None = None
        self._sequence = 0
        self._written = b""

    async def claim(self, *, publish: bool = True) -> list[Event]:
        async with transaction(self._server.sessions) as tx:
            self._claim = await lifecycle.claim(tx.session, self._execution_id, "scripted", lease=timedelta(seconds=60))
        assert self._claim is not None
        self._sequence = self._claim.event.sequence
        return await self._told([self._claim.event], publish)

    async def say(self, *chunks: bytes, publish: bool = True) -> list[Event]:
        """Stores one event for each chunk."""
        assert self._claim is not None
        events = []
        for data in chunks:
            self._sequence += 1
            payload = Output(OutputStream.STDOUT, self._claim.attempt, len(self._written), data)
            events.append(Event(self._sequence, datetime.now(UTC), payload))
            self._written += data
        async with transaction(self._server.sessions) as tx:
            assert await event_log.append_fenced(tx.session, self._execution_id, self._claim.epoch, events)
        return await self._told(events, publish)

    async def finish(self, exit_code: int = 0, *, publish: bool = True) -> list[Event]:
        assert self._claim is not None
        digest = OutputDigest()
        digest.feed(self._written)
        status = ExecutionStatus.FAILED if exit_code else ExecutionStatus.COMPLETED
        async with transaction(self._server.sessions) as tx:
            moved = await lifecycle.finish(
                tx.session,
                self._execution_id,
                self._claim.epoch,
                AttemptOutcome(status, exit_code=exit_code),
                AttemptOutput(digest.seal(), OutputDigest().seal()),
                isolation=[{"name": "process", "mechanism": "test", "held": True}],
                jitter=0.0,
            )
        assert moved is not None
        return await self._told([moved.event], publish)

    async def publish(self, events: Iterable[Event]) -> None:
        """Tells whoever follows, in one message."""
        await publish_events(self._server.platform.redis, self._execution_id, list(events))

    async def _told(self, events: list[Event], publish: bool) -> list[Event]:
        if publish:
            await self.publish(events)
        return events
