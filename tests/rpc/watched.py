"""An execution that a test runs by hand, and streams of its log."""

from __future__ import annotations

from typing import Any

from oncall.v1 import execution_pb2
from oncall.v1 import runbook_service_pb2 as pb
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.rpc.conftest import CALL_SECONDS, RunningServer
from tests.rpc.scripted_executor import ScriptedExecutor
from tests.waiting import eventually


class Watched:
    """An execution, its executor, and streams of its log."""

    def __init__(self, server: RunningServer, team: TeamWithPeople, execution_id: str) -> None:
        self.server, self.id = server, execution_id
        self.executor = ScriptedExecutor(server, execution_id)
        self._metadata = team.observer.metadata

    def watch(self, after: int = 0) -> Any:
        request = pb.WatchExecutionRequest(execution_id=self.id, after_sequence=after)
        return self.server.runbooks.WatchExecution(request, metadata=self._metadata, timeout=CALL_SECONDS)

    async def watched_to_the_end(self, after: int = 0) -> list[execution_pb2.ExecutionEvent]:
        return [answer.event async for answer in self.watch(after)]

    async def being_watched(self, watchers: int = 1) -> None:
        """Waits until so many streams follow live, so that what is published from now on is heard."""

        async def standing() -> bool:
            logs = self.server.platform.logs
            followed = list(logs._followed.values())
            channels = list(logs._by_channel)
            return (
                sum(log.watchers for log in followed) >= watchers
                and all(log.tail is not None for log in followed)
                and all(logs._subscription.stands(channel) for channel in channels)
            )

        await eventually(standing)


async def a_watched_execution(server: RunningServer, team: TeamWithPeople) -> Watched:
    """Executes a new runbook, as a client that leaves at once."""
    runbook = await an_approved_runbook(server.sessions, team)
    call = server.runbooks.Execute(
        pb.ExecuteRequest(runbook_id=str(runbook.id)), metadata=team.responder.metadata, timeout=CALL_SECONDS
    )
    first = await call.read()
    call.cancel()
    return Watched(server, team, first.event.execution.id)
