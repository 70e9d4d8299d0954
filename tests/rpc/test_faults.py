"""What nobody expected tells the caller an id and nothing else; a database that is away is worth another try."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
import structlog

from oncall.v1 import team_service_pb2 as pb
from server.operations import administer_users
from tests.builders import TeamWithPeople, a_team
from tests.rpc.conftest import RunningServer, a_server, refusal_of
from tests.waiting import eventually


async def test_a_fault_tells_its_caller_an_id_that_is_in_the_log_and_nothing_of_its_text(
    running_server: RunningServer, team: TeamWithPeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the secret is hunter2")

    monkeypatch.setattr(administer_users, "get_caller", broken)
    with structlog.testing.capture_logs() as logged:
        refused = await refusal_of(running_server.teams.GetCaller(pb.GetCallerRequest(), metadata=team.author.metadata))

        async def told() -> bool:  # the line of a call is written when its answer has gone
            return any(entry["event"] == "call" for entry in logged)

        await eventually(told)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "hunter2" not in refused.message
    fault = next(entry for entry in logged if entry["event"] == "internal_error")
    assert fault["request_id"] == refused.metadata["request_id"]
    line = next(entry for entry in logged if entry["event"] == "call")
    assert (line["code"], line["caller_id"]) == ("INTERNAL", str(team.author.id))
    assert team.author.token not in str(logged)


async def test_a_database_that_is_away_is_unavailable_and_worth_another_try(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with a_server(database_url, redis_url) as server:
        token = (await a_team(server.sessions)).author.metadata
    async with a_server(f"postgresql://nobody@/nothing?host={tmp_path}", redis_url) as server:
        refused = await refusal_of(server.teams.GetCaller(pb.GetCallerRequest(), metadata=token))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert refused.retries_after == 1.0
    assert str(tmp_path) not in refused.message
