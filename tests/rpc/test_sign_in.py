"""Signed tokens of configured issuers: who their holders are here, and who becomes somebody on first sign-in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from sqlalchemy import func, select

from kernel.database import transaction
from kernel.tables import audit_events, identities, users
from oncall.v1 import runbook_service_pb2 as runbook_pb
from oncall.v1 import team_pb2
from oncall.v1 import team_service_pb2 as pb
from server.issuers.trusted_issuers import LONGEST_TOKEN
from server.storage.users import find_by_email
from tests.builders import Person, a_person, a_team
from tests.issuing import AUDIENCE, TokenIssuer, a_key_server, file_entry, issuers_file
from tests.rpc.conftest import Refusal, RunningServer, a_server, refusal_of
from tests.rpc.shell import Shell
from tests.waiting import eventually

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
INVALID = Refusal(UNAUTHENTICATED, "CREDENTIAL_INVALID")


@dataclass(frozen=True, slots=True)
class World:
    """A server that trusts one issuer to create users, one to link them besides, and one to do neither."""

    server: RunningServer
    creating: TokenIssuer
    linking: TokenIssuer
    wary: TokenIssuer

    async def caller(self, token: str) -> pb.GetCallerResponse:
        return await self.server.teams.GetCaller(pb.GetCallerRequest(), metadata=_bearer(token))

    async def refusal(self, token: str) -> Refusal:
        return await refusal_of(self.caller(token))

    async def email_of(self, person: Person) -> str:
        async with self.server.sessions() as session:
            return str(await session.scalar(select(users.c.email).where(users.c.id == person.id)))

    async def count(self, *, of: object = users.c.id) -> int:
        async with self.server.sessions() as session:
            return int(await session.scalar(select(func.count(of))) or 0)  # type: ignore[arg-type]

    async def actions_on(self, user_id: str) -> list[tuple[str, str, dict[str, object]]]:
        query = select(audit_events.c.action, audit_events.c.actor_id, audit_events.c.detail)
        query = query.where(audit_events.c.peer == "127.0.0.1")
        async with self.server.sessions() as session:
            rows = await session.execute(query.where(audit_events.c.resource_id == user_id).order_by(audit_events.c.id))
            return [(action, str(actor), detail) for action, actor, detail in rows]


def _bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


@pytest.fixture
async def world(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    creating, linking, wary = (TokenIssuer(f"https://{name}.example") for name in ("creating", "linking", "wary"))
    path = issuers_file(
        tmp_path,
        file_entry(tmp_path, creating, create_users=True),
        file_entry(tmp_path, linking, create_users=True, link_by_email=True),
        file_entry(tmp_path, wary),
    )
    async with a_server(database_url, redis_url, issuers_file=path) as server:
        yield World(server, creating, linking, wary)


async def test_somebody_new_becomes_a_user_once_and_has_no_role(world: World) -> None:
    first = await world.caller(world.creating.token())
    again = await world.caller(world.creating.token(world.creating.claims(email="other@example.org", name="Other")))
    assert first == again
    user = first.user
    assert (user.email, user.display_name) == ("ada@example.org", "Ada")
    assert (user.is_platform_admin, user.service_account, list(first.memberships)) == (False, "", [])
    detail = {"issuer": world.creating.name, "subject": "ada"}
    assert await world.actions_on(user.id) == [("user.created", user.id, detail)]


async def test_claims_make_nobody_an_admin_or_a_process(world: World) -> None:
    claims = world.creating.claims(is_platform_admin=True, service_account="gateway", role="TEAM_ADMIN", groups=["x"])
    user = (await world.caller(world.creating.token(claims))).user
    assert (user.is_platform_admin, user.service_account) == (False, "")


async def test_a_role_given_to_a_signed_in_user_counts_from_the_next_call_on(world: World) -> None:
    team = await a_team(world.server.sessions)
    user = (await world.caller(world.creating.token())).user
    member = pb.SetMemberRequest(team_id=str(team.id), user_id=user.id, role=team_pb2.ROLE_OBSERVER)
    await world.server.teams.SetMember(member, metadata=team.author.metadata)
    request = runbook_pb.ListRunbooksRequest(team_id=str(team.id))
    await world.server.runbooks.ListRunbooks(request, metadata=_bearer(world.creating.token()))


async def test_an_issuer_that_may_not_create_users_creates_none(world: World) -> None:
    assert await world.refusal(world.wary.token()) == Refusal(UNAUTHENTICATED, "USER_UNKNOWN")
    assert await world.count() == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"email": None}, "CLAIM_UNUSABLE"),
        ({"email": "nobody"}, "CLAIM_UNUSABLE"),
        ({"email": "a@" + "b" * 255}, "CLAIM_UNUSABLE"),
        ({"email": "a\x00@b.example"}, "CLAIM_UNUSABLE"),
        ({"email": ["ada@example.org"]}, "CLAIM_UNUSABLE"),
        ({"email_verified": False}, "EMAIL_UNVERIFIED"),
        ({"email_verified": "false"}, "EMAIL_UNVERIFIED"),
    ],
)
async def test_without_a_usable_address_nobody_is_created(
    world: World, changes: dict[str, object], reason: str
) -> None:
    token = world.creating.token(world.creating.claims(**changes))
    assert await world.refusal(token) == Refusal(UNAUTHENTICATED, reason)
    assert await world.count() == 0


@pytest.mark.parametrize("name", [None, "", " ", "N" * 5000, "a\x00b", "\ud800", 7])
async def test_a_bad_name_keeps_nobody_out(world: World, name: object) -> None:
    user = (await world.caller(world.creating.token(world.creating.claims(name=name)))).user
    assert 0 < len(user.display_name) <= 100


async def test_an_address_alone_never_signs_in_as_somebody_who_was_here_before(world: World) -> None:
    person = await a_person(world.server.sessions)
    email = await world.email_of(person)
    before = await world.server.everything_stored()
    for issuer, changes, reason in (
        (world.wary, {}, "USER_UNKNOWN"),
        (world.creating, {}, "EMAIL_TAKEN"),
        (world.creating, {"email": email.upper(), "email_verified": None}, "EMAIL_TAKEN"),
        (world.linking, {"email_verified": None}, "EMAIL_TAKEN"),
        (world.linking, {"email_verified": False}, "EMAIL_UNVERIFIED"),
        (world.linking, {"email_verified": "true"}, "EMAIL_UNVERIFIED"),
    ):
        token = issuer.token(issuer.claims(**({"email": email} | changes)))
        assert await world.refusal(token) == Refusal(UNAUTHENTICATED, reason)
    assert await world.server.everything_stored() == before


async def test_a_verified_address_links_where_the_issuer_may(world: World) -> None:
    team = await a_team(world.server.sessions)
    email = await world.email_of(team.author)
    token = world.linking.token(world.linking.claims(email=email.upper()))
    answer = await world.caller(token)
    assert (answer.user.id, len(answer.memberships)) == (str(team.author.id), 1)
    detail = {"issuer": world.linking.name, "subject": "ada"}
    assert await world.actions_on(answer.user.id) == [("identity.linked", answer.user.id, detail)]
    assert await world.caller(token) == answer


@pytest.mark.parametrize("what", [{"platform_admin": True}, {"service_account": "gateway"}])
async def test_neither_platform_admins_nor_processes_are_linked(world: World, what: dict[str, object]) -> None:
    email = await world.email_of(await a_person(world.server.sessions, **what))  # type: ignore[arg-type]
    token = world.linking.token(world.linking.claims(email=email))
    assert await world.refusal(token) == Refusal(UNAUTHENTICATED, "EMAIL_TAKEN")
    assert await world.count(of=identities.c.subject) == 0


async def test_the_same_subject_at_two_issuers_is_two_people(world: World) -> None:
    one = await world.caller(world.creating.token())
    two = await world.caller(world.linking.token(world.linking.claims(email="ada@two.example")))
    assert one.user.id != two.user.id


async def test_first_sign_ins_at_the_same_moment_make_one_user(world: World) -> None:
    for round_number in range(5):
        token = world.creating.token(world.creating.claims(f"ada{round_number}"))
        answers = await asyncio.gather(*(world.caller(token) for _ in range(8)))
        assert len({answer.user.id for answer in answers}) == 1
    assert await world.count() == await world.count(of=identities.c.subject) == 5


async def test_two_identities_of_one_address_at_the_same_moment_are_never_one_user(world: World) -> None:
    tokens = [world.creating.token(world.creating.claims(name, email="shared@example.org")) for name in ("ada", "eve")]
    results = await asyncio.gather(*map(world.caller, tokens), return_exceptions=True)
    signed_in = [answer for answer in results if isinstance(answer, pb.GetCallerResponse)]
    assert len(signed_in) == 1
    assert await world.count() == 1


async def test_a_bad_token_is_refused_over_the_wire_and_noted_nowhere_in_clear(world: World) -> None:
    expired = world.creating.token(world.creating.claims(exp=int(time.time()) - 600))
    assert await world.refusal(expired) == Refusal(UNAUTHENTICATED, "CREDENTIAL_EXPIRED")
    strange = TokenIssuer("https://strange.example").token()
    tampered = world.creating.token()[:-4] + "AAAA"
    longest = "a" * (LONGEST_TOKEN + 1)
    for token in (strange, tampered, "garbage", "ocp_" + "a" * 59, "oct_" + "a" * 59, longest):
        assert await world.refusal(token) == INVALID
    stored = str(await world.server.everything_stored())
    assert expired not in stored
    assert tampered not in stored
    assert await world.count() == 0


async def test_without_configured_issuers_no_signed_token_is_believed(running_server: RunningServer) -> None:
    token = TokenIssuer("https://creating.example").token()
    call = running_server.teams.GetCaller(pb.GetCallerRequest(), metadata=_bearer(token))
    assert await refusal_of(call) == INVALID


async def test_a_person_logs_in_at_the_command_with_a_signed_token(world: World, tmp_path: Path) -> None:
    shell, token = Shell(tmp_path, world.server.address), world.creating.token()
    done = await shell("login", "--json", stdin=token + "\n")
    assert (done.code, json.loads(done.out)["user"]["email"]) == (0, "ada@example.org"), done.err
    assert (await shell("whoami")).out.startswith(b"Ada <ada@example.org>")
    assert token not in done.out.decode() + done.err


async def test_keys_at_a_url_are_rotated_and_their_server_may_go_away(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    issuer = TokenIssuer("https://url.example")
    async with a_key_server(issuer.jwks()) as keys:
        entry = {"issuer": issuer.name, "audience": AUDIENCE, "jwks_url": keys.url, "create_users": True}
        path = issuers_file(tmp_path, entry | {"refresh_interval_seconds": 1})
        async with a_server(database_url, redis_url, issuers_file=path) as server:
            world = World(server, issuer, issuer, issuer)
            old = issuer.token()
            user = (await world.caller(old)).user
            issuer.rotate("second")
            keys.body = issuer.jwks()

            async def new_key_works() -> bool:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    return (await world.caller(issuer.token())).user == user
                return False

            await eventually(new_key_works)
            assert await world.refusal(old) == INVALID
            keys.status = "503 Service Unavailable"
            issuer.rotate("third")

            async def cannot_tell() -> bool:
                refusal = await world.refusal(issuer.token())
                assert refusal.reason in {"CREDENTIAL_INVALID", "ISSUER_UNREACHABLE"}
                return refusal.code is grpc.StatusCode.UNAVAILABLE and refusal.retries_after == 1

            await eventually(cannot_tell)


async def test_a_changed_file_of_keys_is_read_again(database_url: str, redis_url: str, tmp_path: Path) -> None:
    issuer = TokenIssuer("https://file.example")
    entry = file_entry(tmp_path, issuer, create_users=True)
    async with a_server(database_url, redis_url, issuers_file=issuers_file(tmp_path, entry)) as server:
        world = World(server, issuer, issuer, issuer)
        old = issuer.token()
        await world.caller(old)
        issuer.rotate("second")
        (tmp_path / str(entry["jwks_file"])).write_bytes(issuer.jwks())

        async def old_key_is_gone() -> bool:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await world.caller(old)
                return False
            return True

        await eventually(old_key_is_gone)
        await world.caller(issuer.token())


async def test_a_user_who_signed_in_first_is_found_by_address(world: World) -> None:
    """What makes a platform admin of somebody who signs in: `python -m server.bootstrap admin` finds them."""
    user = (await world.caller(world.creating.token())).user
    async with transaction(world.server.sessions) as tx:
        found = await find_by_email(tx.session, "ada@example.org")
    assert found is not None
    assert str(found.id) == user.id
