"""What a watcher of a team is told, from the domain to the contract."""

from __future__ import annotations

from oncall.v1 import team_service_pb2 as pb
from server.domain.execution import Execution
from server.domain.incident import Incident
from server.operations.team_feed import Seen
from server.rpc.execution_conversion import execution_to_pb
from server.rpc.incident_conversion import incident_to_pb
from server.rpc.workflow_run_conversion import run_to_pb


def team_change_to_pb(seen: Seen | None) -> pb.WatchTeamResponse:
    """Answers one change; None says that all that went on before has been told."""
    match seen:
        case None:
            return pb.WatchTeamResponse(caught_up=pb.CaughtUp())
        case Execution():
            return pb.WatchTeamResponse(execution=execution_to_pb(seen))
        case Incident():
            return pb.WatchTeamResponse(incident=incident_to_pb(seen))
        case _:
            return pb.WatchTeamResponse(workflow_run=run_to_pb(seen))
