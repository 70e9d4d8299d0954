"""AuditService: translates, calls, translates."""

from __future__ import annotations

from google.protobuf.struct_pb2 import Struct

from oncall.v1 import audit_event_pb2, audit_service_pb2_grpc
from oncall.v1 import audit_service_pb2 as pb
from server.domain.audit import AuditEvent, AuditRecord
from server.operations import read_audit
from server.operations.environment import Environment
from server.operations.read_audit import AuditQuery
from server.rpc.conversion import (
    enum_from_pb,
    enum_to_pb,
    id_to_pb,
    page_request,
    struct_to_pb,
    time_from_pb,
    time_to_pb,
)
from server.rpc.current_call import current_call
from server.rpc.interception import Context

_OUTCOME = "AUDIT_OUTCOME_"


class AuditService(audit_service_pb2_grpc.AuditServiceServicer):
    def __init__(self, env: Environment) -> None:
        self._env = env

    async def ListAuditEvents(self, request: pb.ListAuditEventsRequest, context: Context) -> pb.ListAuditEventsResponse:
        query, page = _query(request), page_request(request)
        if not request.HasField("chain_after"):
            found = await read_audit.list_audit_events(self._env, current_call(), query, page)
            return pb.ListAuditEventsResponse(audit_events=found.map(_to_pb), next_page_token=found.next_token)
        chain = await read_audit.list_chain(self._env, current_call(), query, request.chain_after, page)
        return pb.ListAuditEventsResponse(
            audit_events=chain.records.map(_to_pb),
            next_page_token=chain.records.next_token,
            chain_length=chain.length,
            unsealed=chain.unsealed,
        )


def _query(request: pb.ListAuditEventsRequest) -> AuditQuery:
    return AuditQuery(
        team_id=request.team_id,
        actor_id=request.actor_id,
        action=request.action,
        resource_type=request.resource_type,
        resource_id=request.resource_id,
        after=time_from_pb("after", request.after) if request.HasField("after") else None,
        before=time_from_pb("before", request.before) if request.HasField("before") else None,
        outcome=enum_from_pb(audit_event_pb2.AuditOutcome, _OUTCOME, request.outcome),
    )


def _to_pb(record: AuditRecord) -> audit_event_pb2.AuditEvent:
    answer = audit_event_pb2.AuditEvent(id=record.event_id)
    if (event := record.event) is not None:
        answer = audit_event_pb2.AuditEvent(
            id=event.id,
            time=time_to_pb(event.time),
            actor_id=id_to_pb(event.actor_id),
            action=event.action,
            team_id=id_to_pb(event.team_id),
            resource_type=event.resource_type,
            resource_id=event.resource_id,
            detail=_detail(event),
            outcome=enum_to_pb(audit_event_pb2.AuditOutcome, _OUTCOME, event.outcome),
            peer=event.peer,
            request_id=event.request_id,
        )
    if (seal := record.seal) is not None:
        answer.seal.position, answer.seal.previous_hash, answer.seal.hash = seal.position, seal.previous_hash, seal.hash
    return answer


def _detail(event: AuditEvent) -> Struct:
    """Answers the detail, also of a row that somebody changed into what no detail is: the rest must stay readable."""
    try:
        return struct_to_pb(event.detail)
    except (TypeError, ValueError, OverflowError):
        return struct_to_pb({"unreadable": True})
