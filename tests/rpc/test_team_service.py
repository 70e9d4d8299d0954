"""Users, teams, members and services."""

from __future__ import annotations

from uuid import uuid4

import grpc

from oncall.v1 import team_pb2
from oncall.v1 import team_service_pb2 as pb
from tests.builders import Person, TeamWithPeople, a_person, a_team
from tests.rpc.conftest import Refusal, RunningServer, refusal_of

TAKEN = grpc.StatusCode.ALREADY_EXISTS
NOT_FOUND = Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def _admin(server: RunningServer) -> tuple[tuple[str, str], ...]:
    return (await a_person(server.sessions, platform_admin=True)).metadata


async def _members(server: RunningServer, team: TeamWithPeople, by: Person, size: int = 0) -> dict[str, int]:
    found: dict[str, int] = {}
    token = ""
    while True:
        request = pb.ListMembersRequest(team_id=str(team.id), page_size=size, page_token=token)
        page = await server.teams.ListMembers(request, metadata=by.metadata)
        found |= {member.user_id: member.role for member in page.members}
        token = page.next_page_token
        if not token:
            return found


async def test_an_admin_lays_out_a_team_whose_people_then_run_it(running_server: RunningServer) -> None:
    admin, stub = await _admin(running_server), running_server.teams
    team = (await stub.CreateTeam(pb.CreateTeamRequest(team=team_pb2.Team(name="database")), metadata=admin)).team
    user = team_pb2.User(email="Ada@Example.org", display_name="Ada")
    ada = (await stub.CreateUser(pb.CreateUserRequest(user=user), metadata=admin)).user
    assert ada.email == "ada@example.org"
    wanted = team_pb2.ApiToken(user_id=ada.id, display_name="first")
    token = (await stub.CreateApiToken(pb.CreateApiTokenRequest(api_token=wanted), metadata=admin)).token
    await stub.SetMember(
        pb.SetMemberRequest(team_id=team.id, user_id=ada.id, role=team_pb2.ROLE_TEAM_ADMIN), metadata=admin
    )
    metadata = (("authorization", f"Bearer {token}"),)
    assert [t.name for t in (await stub.ListTeams(pb.ListTeamsRequest(), metadata=metadata)).teams] == ["database"]
    service = team_pb2.Service(team_id=team.id, name="postgres")
    created = await stub.CreateService(pb.CreateServiceRequest(service=service), metadata=metadata)
    listed = await stub.ListServices(pb.ListServicesRequest(team_id=team.id), metadata=metadata)
    assert list(listed.services) == [created.service]


async def test_names_and_addresses_are_taken_once(running_server: RunningServer, team: TeamWithPeople) -> None:
    admin, stub = await _admin(running_server), running_server.teams
    user = pb.CreateUserRequest(user=team_pb2.User(email="a@b.org", display_name="A"))
    await stub.CreateUser(user, metadata=admin)
    user.user.email = "A@B.ORG"
    assert await refusal_of(stub.CreateUser(user, metadata=admin)) == Refusal(TAKEN, "EMAIL_TAKEN")
    new = pb.CreateTeamRequest(team=team_pb2.Team(name="x"))
    await stub.CreateTeam(new, metadata=admin)
    assert await refusal_of(stub.CreateTeam(new, metadata=admin)) == Refusal(TAKEN, "TEAM_NAME_TAKEN")
    service = pb.CreateServiceRequest(service=team_pb2.Service(team_id=str(team.id), name="x"))
    await stub.CreateService(service, metadata=team.author.metadata)
    taken = await refusal_of(stub.CreateService(service, metadata=team.author.metadata))
    assert taken == Refusal(TAKEN, "SERVICE_NAME_TAKEN")


async def test_a_role_counts_from_the_next_call_on(running_server: RunningServer, team: TeamWithPeople) -> None:
    stub, author = running_server.teams, team.author.metadata
    newcomer = await a_person(running_server.sessions)
    listing = pb.ListMembersRequest(team_id=str(team.id))
    assert await refusal_of(stub.ListMembers(listing, metadata=newcomer.metadata)) == NOT_FOUND
    member = pb.SetMemberRequest(team_id=str(team.id), user_id=str(newcomer.id), role=team_pb2.ROLE_OBSERVER)
    for _ in range(2):
        await stub.SetMember(member, metadata=author)
    assert (await _members(running_server, team, newcomer, size=2))[str(newcomer.id)] == team_pb2.ROLE_OBSERVER
    member.role = team_pb2.ROLE_RESPONDER
    await stub.SetMember(member, metadata=author)
    assert (await _members(running_server, team, newcomer))[str(newcomer.id)] == team_pb2.ROLE_RESPONDER
    removal = pb.RemoveMemberRequest(team_id=str(team.id), user_id=str(newcomer.id))
    for _ in range(2):
        await stub.RemoveMember(removal, metadata=author)
    assert await refusal_of(stub.ListMembers(listing, metadata=newcomer.metadata)) == NOT_FOUND


async def test_a_bad_member_is_refused(running_server: RunningServer, team: TeamWithPeople) -> None:
    stub, author = running_server.teams, team.author.metadata
    gateway = await a_person(running_server.sessions, service_account="gateway")
    for user_id, role, expected in (
        ("x", 0, Refusal(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", ("user_id", "role"))),
        (str(uuid4()), team_pb2.ROLE_OBSERVER, NOT_FOUND),
        (
            str(gateway.id),
            team_pb2.ROLE_OBSERVER,
            Refusal(grpc.StatusCode.FAILED_PRECONDITION, "SERVICE_ACCOUNT"),
        ),
    ):
        request = pb.SetMemberRequest(team_id=str(team.id), user_id=user_id, role=role)  # type: ignore[arg-type]
        assert await refusal_of(stub.SetMember(request, metadata=author)) == expected


async def test_a_bad_user_is_refused_with_all_that_is_wrong(running_server: RunningServer) -> None:
    user = team_pb2.User(email="nobody", display_name="", is_platform_admin=True, service_account="root")
    call = running_server.teams.CreateUser(
        pb.CreateUserRequest(user=user, request_id="r" * 101), metadata=await _admin(running_server)
    )
    refused = await refusal_of(call)
    assert refused.fields == (
        "user.email",
        "user.display_name",
        "user.service_account",
        "user.is_platform_admin",
        "request_id",
    )


async def test_a_team_admin_has_no_say_in_another_team(running_server: RunningServer, team: TeamWithPeople) -> None:
    stranger = (await a_team(running_server.sessions)).author
    request = pb.SetMemberRequest(team_id=str(team.id), user_id=str(stranger.id), role=team_pb2.ROLE_TEAM_ADMIN)
    assert await refusal_of(running_server.teams.SetMember(request, metadata=stranger.metadata)) == NOT_FOUND
    service = pb.CreateServiceRequest(service=team_pb2.Service(team_id=str(team.id), name="mine"))
    assert await refusal_of(running_server.teams.CreateService(service, metadata=stranger.metadata)) == NOT_FOUND


async def test_users_are_listed_to_platform_admins_page_by_page(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    admin, stub = await _admin(running_server), running_server.teams
    first = await stub.ListUsers(pb.ListUsersRequest(page_size=3), metadata=admin)
    second = await stub.ListUsers(pb.ListUsersRequest(page_size=3, page_token=first.next_page_token), metadata=admin)
    assert (len(first.users), len(second.users), second.next_page_token) == (3, 2, "")
    assert len({user.id for page in (first, second) for user in page.users}) == 5
