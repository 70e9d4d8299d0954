"""Who is let in: every call is judged by its own credential, and nothing is remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import func, literal_column, select, update

from kernel.database import transaction
from kernel.tables import api_tokens
from oncall.v1 import runbook_service_pb2 as runbook_pb
from oncall.v1 import team_pb2
from oncall.v1 import team_service_pb2 as pb
from tests.builders import TeamWithPeople, a_person, a_token
from tests.rpc.conftest import Refusal, RunningServer, refusal_of, stream_refusal_of

INVALID = Refusal(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID")
MISSING = Refusal(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_MISSING")
DENIED = Refusal(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")


def _caller(server: RunningServer, *metadata: tuple[str, str]) -> grpc.aio.UnaryUnaryCall[object, pb.GetCallerResponse]:
    return server.teams.GetCaller(pb.GetCallerRequest(), metadata=metadata)


def _bearer(token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}")


async def test_a_good_token_says_who_calls_and_where_they_belong(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    answer = await _caller(running_server, _bearer(team.responder.token))
    assert answer.user.id == str(team.responder.id)
    assert [(m.team_id, m.role) for m in answer.memberships] == [(str(team.id), team_pb2.ROLE_RESPONDER)]


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Basic abc"),),
        (("authorization", "Bearer"),),
        (("authorization", "Bearer a"), ("authorization", "Bearer b")),
    ],
)
async def test_a_call_without_one_bearer_credential_is_refused(
    running_server: RunningServer, metadata: tuple[tuple[str, str], ...]
) -> None:
    before = await running_server.everything_stored()
    assert await refusal_of(_caller(running_server, *metadata)) == MISSING
    assert await running_server.everything_stored() == before


async def test_bad_tokens_are_refused_alike_whatever_is_wrong_with_them(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    sessions, now = running_server.sessions, datetime.now(UTC)
    good = team.author.token
    bad = [
        "nonsense",
        "oct_" + "a" * 59,
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        good + "A",
        await a_token(sessions, team.author.id, expires_at=now - timedelta(seconds=1)),
        await a_token(sessions, team.author.id, revoked_at=now),
    ]
    refusals = [await refusal_of(_caller(running_server, _bearer(token))) for token in bad]
    assert refusals == [INVALID] * len(bad)
    assert len({refusal.message for refusal in refusals}) == 1
    request = runbook_pb.WatchExecutionRequest(execution_id="x")
    stream = running_server.runbooks.WatchExecution(request, metadata=(_bearer("nonsense"),))
    assert await stream_refusal_of(stream) == INVALID


async def test_a_token_is_shown_once_works_at_once_and_is_revoked_at_once(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    author = team.author.metadata
    created = await running_server.teams.CreateApiToken(
        pb.CreateApiTokenRequest(api_token=team_pb2.ApiToken(display_name="laptop")), metadata=author
    )
    assert created.token.startswith(created.api_token.prefix)
    await _caller(running_server, _bearer(created.token))
    listed = await running_server.teams.ListApiTokens(pb.ListApiTokensRequest(), metadata=author)
    assert listed.api_tokens[0].id == created.api_token.id
    assert listed.api_tokens[0].HasField("last_used_at")
    assert created.token not in str(listed)
    assert created.token.removeprefix(created.api_token.prefix) not in str(await running_server.everything_stored())
    revoke = pb.RevokeApiTokenRequest(api_token_id=created.api_token.id)
    stranger = await refusal_of(running_server.teams.RevokeApiToken(revoke, metadata=team.reviewer.metadata))
    assert stranger.code is grpc.StatusCode.NOT_FOUND
    revoked = await running_server.teams.RevokeApiToken(revoke, metadata=author)
    assert await refusal_of(_caller(running_server, _bearer(created.token))) == INVALID
    assert await running_server.teams.RevokeApiToken(revoke, metadata=author) == revoked


@pytest.mark.parametrize("seconds", [0, -1, -(10**18), 10**18])
async def test_a_token_that_would_not_work_is_not_made(
    running_server: RunningServer, team: TeamWithPeople, seconds: int
) -> None:
    wanted = team_pb2.ApiToken(display_name="late", expires_at=Timestamp(seconds=seconds))
    call = running_server.teams.CreateApiToken(
        pb.CreateApiTokenRequest(api_token=wanted), metadata=team.author.metadata
    )
    expected = Refusal(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", ("api_token.expires_at",))
    assert await refusal_of(call) == expected


async def test_a_token_works_until_it_expires(running_server: RunningServer, team: TeamWithPeople) -> None:
    expires_at = Timestamp()
    expires_at.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    wanted = team_pb2.ApiToken(display_name="short", expires_at=expires_at)
    created = await running_server.teams.CreateApiToken(
        pb.CreateApiTokenRequest(api_token=wanted), metadata=team.author.metadata
    )
    assert created.api_token.expires_at == expires_at
    await _caller(running_server, _bearer(created.token))

    async with transaction(running_server.sessions) as tx:  # as if that hour had passed
        row = update(api_tokens).where(api_tokens.c.id == UUID(created.api_token.id))
        await tx.session.execute(row.values(expires_at=func.now()))
    assert await refusal_of(_caller(running_server, _bearer(created.token))) == INVALID


async def test_the_last_use_is_known_to_the_minute_and_costs_no_write_for_every_call(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    before = datetime.now(UTC)
    created = await running_server.teams.CreateApiToken(
        pb.CreateApiTokenRequest(api_token=team_pb2.ApiToken(display_name="busy")), metadata=team.author.metadata
    )
    assert not created.api_token.HasField("last_used_at")
    refused = await refusal_of(_caller(running_server, _bearer(created.token[:-1] + "!")))
    assert refused == INVALID

    async def row() -> tuple[datetime | None, str]:
        query = select(api_tokens.c.last_used_at, literal_column("xmin::text"))
        async with running_server.sessions() as session:
            found = await session.execute(query.where(api_tokens.c.id == UUID(created.api_token.id)))
            used_at, row_version = found.one()
            return used_at, row_version

    assert (await row())[0] is None
    await _caller(running_server, _bearer(created.token))
    first = await row()
    assert first[0] is not None
    assert before - timedelta(minutes=1) <= first[0] <= datetime.now(UTC)
    if first[0] >= datetime.now(UTC) - timedelta(seconds=50):  # else the minute may turn in between
        for _ in range(3):
            await _caller(running_server, _bearer(created.token))
        assert await row() == first


async def test_a_platform_admin_hands_out_and_takes_away_the_tokens_of_anybody(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    admin = (await a_person(running_server.sessions, platform_admin=True)).metadata
    wanted = team_pb2.ApiToken(user_id=str(team.observer.id), display_name="for you")
    created = await running_server.teams.CreateApiToken(pb.CreateApiTokenRequest(api_token=wanted), metadata=admin)
    assert (await _caller(running_server, _bearer(created.token))).user.id == str(team.observer.id)
    listing = pb.ListApiTokensRequest(user_id=str(team.observer.id))
    listed = await running_server.teams.ListApiTokens(listing, metadata=admin)
    assert created.api_token.id in [token.id for token in listed.api_tokens]
    revoke = pb.RevokeApiTokenRequest(api_token_id=created.api_token.id)
    assert (await running_server.teams.RevokeApiToken(revoke, metadata=admin)).api_token.HasField("revoked_at")
    assert await refusal_of(_caller(running_server, _bearer(created.token))) == INVALID
    for stranger in (team.author, team.responder):
        for call in (
            running_server.teams.ListApiTokens(listing, metadata=stranger.metadata),
            running_server.teams.CreateApiToken(pb.CreateApiTokenRequest(api_token=wanted), metadata=stranger.metadata),
        ):
            assert (await refusal_of(call)).code is grpc.StatusCode.NOT_FOUND


async def test_a_service_account_may_call_what_is_named_for_it_and_nothing_else(running_server: RunningServer) -> None:
    gateway = (await a_person(running_server.sessions, service_account="gateway")).metadata
    assert (await _caller(running_server, *gateway)).user.service_account == "gateway"
    assert await refusal_of(running_server.teams.ListTeams(pb.ListTeamsRequest(), metadata=gateway)) == DENIED
    listing = running_server.runbooks.ListRunbooks(runbook_pb.ListRunbooksRequest(), metadata=gateway)
    assert await refusal_of(listing) == DENIED


async def test_health_and_reflection_are_open_to_anybody(running_server: RunningServer) -> None:
    health = health_pb2_grpc.HealthStub(running_server.channel)
    for service in ("", "oncall.v1.RunbookService", "oncall.v1.TeamService"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watching = health.Watch(health_pb2.HealthCheckRequest(service=""))
    assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
    watching.cancel()


async def test_a_token_that_is_asked_for_twice_is_made_once_and_shown_once(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    request = pb.CreateApiTokenRequest(api_token=team_pb2.ApiToken(display_name="laptop"), request_id="one")
    first = await running_server.teams.CreateApiToken(request, metadata=team.author.metadata)
    again = await running_server.teams.CreateApiToken(request, metadata=team.author.metadata)

    assert first.token
    assert (again.api_token.id, again.token) == (first.api_token.id, "")
