"""Workflows for tests: how one is written down, saved, run and followed, and `jobs` in the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from uuid import UUID

from google.protobuf.struct_pb2 import Struct

from kernel.cipher import Cipher
from kernel.log_stream import connect
from kernel.queue import Doorbell, execution_queue
from oncall.v1 import incident_pb2, incident_service_pb2, incident_service_pb2_grpc, workflow_service_pb2_grpc
from oncall.v1 import workflow_pb2 as pb
from oncall.v1 import workflow_service_pb2 as service_pb
from server.domain.page import Pager
from server.domain.workflow.record import WorkflowRun
from server.jobs.rounds import repeat
from server.jobs.runs import RunMoves
from server.operations.advance_run import advance_run
from server.operations.announce import Announcer
from server.operations.environment import Environment
from server.operations.ground import Mover
from tests.builders import MASTER_KEY, Person, TeamWithPeople
from tests.rpc.conftest import RunningServer
from tests.waiting import eventually

MANUAL, CREATED = pb.WORKFLOW_EVENT_MANUAL, pb.WORKFLOW_EVENT_INCIDENT_CREATED
UPDATED, RESOLVED = pb.WORKFLOW_EVENT_INCIDENT_UPDATED, pb.WORKFLOW_EVENT_INCIDENT_RESOLVED
SEV1, SEV2 = incident_pb2.INCIDENT_SEVERITY_SEV1, incident_pb2.INCIDENT_SEVERITY_SEV2
ALWAYS, FAILURE = pb.WORKFLOW_EDGE_ON_ALWAYS, pb.WORKFLOW_EDGE_ON_FAILURE
TRUE, FALSE = pb.WORKFLOW_EDGE_ON_TRUE, pb.WORKFLOW_EDGE_ON_FALSE

_numbers = count(1)


def struct(values: Mapping[str, Any]) -> Struct:
    made = Struct()
    made.update(dict(values))
    return made


def runbook(name: str, runbook_id: object, parameters: Mapping[str, Any] | None = None, **node: Any) -> pb.WorkflowNode:
    detached = node.pop("detached", False)
    work = pb.RunbookWork(runbook_id=str(runbook_id), parameters=struct(parameters or {}), detached=detached)
    return pb.WorkflowNode(name=name, runbook=work, **node)


def condition(name: str, expression: str, **node: Any) -> pb.WorkflowNode:
    return pb.WorkflowNode(name=name, condition=pb.ConditionWork(expression=expression), **node)


def delay(name: str, seconds: int = 1, **node: Any) -> pb.WorkflowNode:
    return pb.WorkflowNode(name=name, delay=pb.DelayWork(seconds=seconds), **node)


def notify(name: str, subject: str, body: str = "", *, channels: Sequence[str] = (), **node: Any) -> pb.WorkflowNode:
    work = pb.NotifyWork(channel_ids=channels, subject=subject, body=body)
    return pb.WorkflowNode(name=name, notify=work, **node)


def webhook(name: str, url: str, body: Mapping[str, Any] | None = None, **work: Any) -> pb.WorkflowNode:
    sent = None if body is None else struct(body)
    return pb.WorkflowNode(name=name, webhook=pb.WebhookWork(url=url, body=sent, **work))


def approval(name: str, question: str = "", *, role: int = 0, expires: int = 0, **node: Any) -> pb.WorkflowNode:
    asked = pb.ApprovalWork(role=role, question=question, expires_seconds=expires)  # type: ignore[arg-type]
    return pb.WorkflowNode(name=name, approval=asked, **node)


def edge(source: str, target: str, on: int = 0) -> pb.WorkflowEdge:
    return pb.WorkflowEdge(from_node=source, to_node=target, on=on)  # type: ignore[arg-type]


def statuses(run: pb.WorkflowRun) -> dict[str, str]:
    """Answers where each step stands, by its name."""
    prefix = "WORKFLOW_NODE_STATUS_"
    return {node.name: pb.WorkflowNodeStatus.Name(node.status).removeprefix(prefix) for node in run.nodes}


def status(run: pb.WorkflowRun) -> str:
    return pb.WorkflowRunStatus.Name(run.status).removeprefix("WORKFLOW_RUN_STATUS_")


def a_mover(server: RunningServer, **changes: Any) -> Mover:
    """What this process moves runs on with; `changes` are of its environment."""
    announcer = Announcer(server.platform.redis, Doorbell(server.platform.broker))
    return Mover(Environment(server.sessions, Pager(b"test"), **changes), Cipher(MASTER_KEY), announcer)


@asynccontextmanager
async def jobs_of(server: RunningServer, *, hears: bool = True, sweeps: bool = True) -> AsyncIterator[RunMoves]:
    """Moves runs in this process as `jobs` does, until the end of the block."""
    url, stop = server.settings.redis_url.get_secret_value(), asyncio.Event()
    redis, broker = connect(url), execution_queue(url)
    mover = a_mover(server)
    moves = RunMoves(Mover(mover.env, mover.cipher, Announcer(redis, Doorbell(broker))), redis)
    tasks = [asyncio.create_task(moves.hear(stop))] if hears else []
    if sweeps:
        tasks.append(asyncio.create_task(repeat("sweep", moves.sweep, every=0.2, stop=stop)))
    try:
        yield moves
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        await redis.aclose()
        await broker.shutdown()


class WorkflowDesk:
    """Somebody of each role at their work with workflows."""

    def __init__(self, server: RunningServer, team: TeamWithPeople) -> None:
        self.server, self.team = server, team
        self.workflows = workflow_service_pb2_grpc.WorkflowServiceStub(server.channel)
        self.incidents = incident_service_pb2_grpc.IncidentServiceStub(server.channel)

    def draft(self, nodes: Sequence[pb.WorkflowNode], *edges: pb.WorkflowEdge, **fields: Any) -> pb.Workflow:
        trigger = pb.WorkflowTrigger(event=fields.pop("event", MANUAL), condition=fields.pop("condition", ""))
        name = fields.pop("name", f"workflow {next(_numbers)}")
        fields = {"enabled": True, "team_id": str(self.team.id), **fields}
        return pb.Workflow(name=name, trigger=trigger, nodes=nodes, edges=edges, **fields)

    async def creates(self, nodes: Sequence[pb.WorkflowNode], *edges: pb.WorkflowEdge, **fields: Any) -> pb.Workflow:
        request = service_pb.CreateWorkflowRequest(workflow=self.draft(nodes, *edges, **fields))
        return (await self.workflows.CreateWorkflow(request, metadata=self.team.author.metadata)).workflow

    async def runs(self, workflow: pb.Workflow, by: Person | None = None, incident_id: str = "") -> pb.WorkflowRun:
        request = service_pb.RunWorkflowRequest(workflow_id=workflow.id, incident_id=incident_id)
        by = by or self.team.responder
        return (await self.workflows.RunWorkflow(request, metadata=by.metadata)).workflow_run

    async def run(self, run_id: str) -> pb.WorkflowRun:
        request = service_pb.GetWorkflowRunRequest(workflow_run_id=run_id)
        return (await self.workflows.GetWorkflowRun(request, metadata=self.team.observer.metadata)).workflow_run

    async def runs_of(self, **wanted: Any) -> list[pb.WorkflowRun]:
        request = service_pb.ListWorkflowRunsRequest(**wanted)
        answer = await self.workflows.ListWorkflowRuns(request, metadata=self.team.observer.metadata)
        return list(answer.workflow_runs)

    async def until_runs(self, **wanted: Any) -> list[pb.WorkflowRun]:
        """Waits until there are such runs, and answers them."""

        async def there_are() -> bool:
            return bool(await self.runs_of(**wanted))

        await eventually(there_are)
        return await self.runs_of(**wanted)

    async def moves(self, run_id: str, **changes: Any) -> WorkflowRun | None:
        """Moves a run on once, here."""
        return await advance_run(a_mover(self.server, **changes), UUID(run_id))

    async def decides(
        self, run_id: str, node: str, *, by: Person | None = None, approve: bool = True, comment: str = ""
    ) -> pb.WorkflowRun:
        decision = service_pb.APPROVAL_DECISION_APPROVE if approve else service_pb.APPROVAL_DECISION_REJECT
        request = service_pb.DecideApprovalRequest(
            workflow_run_id=run_id, node=node, decision=decision, comment=comment
        )
        by = by or self.team.reviewer
        return (await self.workflows.DecideApproval(request, metadata=by.metadata)).workflow_run

    async def cancels(self, run_id: str) -> pb.WorkflowRun:
        request = service_pb.CancelWorkflowRunRequest(workflow_run_id=run_id)
        answer = await self.workflows.CancelWorkflowRun(request, metadata=self.team.responder.metadata)
        return answer.workflow_run

    async def an_incident(self, severity: int = SEV2, **fields: Any) -> incident_pb2.Incident:
        incident = incident_pb2.Incident(
            team_id=str(self.team.id),
            title=fields.pop("title", "It is slow"),
            severity=severity,  # type: ignore[arg-type]
            **fields,
        )
        request = incident_service_pb2.CreateIncidentRequest(incident=incident)
        return (await self.incidents.CreateIncident(request, metadata=self.team.responder.metadata)).incident

    async def ended(self, run_id: str, *, within: float = 30) -> pb.WorkflowRun:
        """Waits until the run has ended."""
        return await self.until(run_id, lambda run: status(run) != "RUNNING", within=within)

    async def until(self, run_id: str, holds: Any, *, within: float = 30) -> pb.WorkflowRun:
        """Waits until that holds of the run, and answers it."""
        seen: list[pb.WorkflowRun] = []

        async def it_does() -> bool:
            seen[:] = [await self.run(run_id)]
            return bool(holds(seen[0]))

        await eventually(it_does, within=within)
        return seen[0]
