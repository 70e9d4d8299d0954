"""Secrets go in and never come out; what runs has those it names, and what is needed stays."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import uuid4

import grpc
import pytest
from sqlalchemy import delete, select, text, update

from kernel.cipher import Cipher
from kernel.execution.content import ScriptLanguage, VersionContent
from kernel.secret_store import context_of, read_sealed
from kernel.tables import audit_events, runbook_reviews, runbooks, secrets
from oncall.v1 import runbook_service_pb2 as runbook_rpc
from oncall.v1 import secret_pb2
from oncall.v1 import secret_service_pb2 as pb
from server.domain.runbook import ARCHIVED, Runbook
from server.domain.version import Review, ReviewStatus, Version
from server.storage import runbooks as runbook_storage
from server.storage import versions
from tests.builders import MASTER_KEY, Person, TeamWithPeople, a_draft_runbook, a_person, a_team, an_approved_runbook
from tests.rpc.conftest import Refusal, RunningServer, as_refusal, refusal_of, stream_refusal_of

VALUE = "correct horse battery staple"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
ROLE_MISSING = Refusal(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")
MISSING = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "SECRET_MISSING")
IN_USE = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "SECRET_IN_USE")


@dataclass(frozen=True, slots=True)
class Vault:
    """The secrets of one team, and calls about them."""

    server: RunningServer
    team: TeamWithPeople

    async def put(self, name: str, value: str = VALUE, *, by: Person | None = None) -> secret_pb2.Secret:
        request = pb.PutSecretRequest(team_id=str(self.team.id), name=name, value=value)
        answer = await self.server.secrets.PutSecret(request, metadata=(by or self.team.author).metadata)
        return answer.secret

    async def delete(self, name: str, *, by: Person | None = None) -> None:
        request = pb.DeleteSecretRequest(team_id=str(self.team.id), name=name)
        await self.server.secrets.DeleteSecret(request, metadata=(by or self.team.author).metadata)

    async def names(self, *, by: Person | None = None, size: int = 0) -> list[str]:
        found: list[str] = []
        request = pb.ListSecretsRequest(team_id=str(self.team.id), page_size=size)
        while True:
            page = await self.server.secrets.ListSecrets(request, metadata=(by or self.team.observer).metadata)
            found += [secret.name for secret in page.secrets]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def opened(self, *names: str) -> dict[str, bytes]:
        """What an executor of this installation reads."""
        cipher = Cipher(MASTER_KEY)
        async with self.server.sessions() as session:
            sealed = await read_sealed(session, self.team.id, names)
        return {name: cipher.open(value, context_of(self.team.id, name)) for name, value in sealed.items()}

    async def approve(self, runbook: Runbook) -> None:
        content = _naming("password")
        request = runbook_rpc.ApproveRunbookRequest(runbook_id=str(runbook.id), version=1, digest=content.digest())
        await self.server.runbooks.ApproveRunbook(request, metadata=self.team.reviewer.metadata)

    async def waiting_runbook(self) -> Runbook:
        """A runbook whose version 1 names the secret `password` and waits for review."""
        runbook = await a_draft_runbook(self.server.sessions, self.team, _naming("password"))
        async with self.server.sessions() as session, session.begin():
            await session.execute(
                update(runbook_reviews)
                .where(runbook_reviews.c.runbook_id == runbook.id)
                .values(status=ReviewStatus.PENDING_REVIEW, submitted_by=self.team.author.id)
            )
        return runbook


def _naming(*names: str) -> VersionContent:
    return VersionContent("true\n", ScriptLanguage.BASH, secret_names=names)


@pytest.fixture
def vault(running_server: RunningServer, team: TeamWithPeople) -> Vault:
    return Vault(running_server, team)


async def test_what_is_put_only_an_executor_opens(vault: Vault) -> None:
    first = await vault.put("db_password")
    assert (first.team_id, first.name) == (str(vault.team.id), "db_password")
    assert first.created_by == first.updated_by == str(vault.team.author.id)
    second = await vault.put("db_password", "another value", by=vault.team.reviewer)
    assert (second.created_by, second.updated_by) == (str(vault.team.author.id), str(vault.team.reviewer.id))
    assert second.created_at == first.created_at
    assert second.updated_at.ToDatetime() > first.updated_at.ToDatetime()
    assert await vault.opened("db_password", "none") == {"db_password": b"another value"}
    assert [field.name for field in secret_pb2.Secret.DESCRIPTOR.fields] == [
        "team_id",
        "name",
        "created_by",
        "created_at",
        "updated_by",
        "updated_at",
    ]


async def test_a_name_is_taken_in_every_case(vault: Vault) -> None:
    await vault.put("api_Key")
    for other in ("API_KEY", "api_key"):
        assert await refusal_of(vault.put(other)) == Refusal(grpc.StatusCode.ALREADY_EXISTS, "SECRET_NAME_TAKEN")
        await vault.delete(other)
    assert await vault.names() == ["api_Key"]


async def test_two_who_put_one_name_at_once_both_succeed_and_leave_one_secret(vault: Vault) -> None:
    values = [f"value number {number}" for number in range(8)]
    await asyncio.gather(*(vault.put("shared", value) for value in values))
    assert await vault.names() == ["shared"]
    assert (await vault.opened("shared"))["shared"].decode() in values


async def test_secrets_are_listed_by_name_page_by_page(vault: Vault) -> None:
    for name in ("b", "A", "c", "B2", "d_"):
        await vault.put(name)
    elsewhere = Vault(vault.server, await a_team(vault.server.sessions))
    await elsewhere.put("a")
    assert await vault.names() == await vault.names(size=2) == ["A", "b", "B2", "c", "d_"]
    bad = pb.ListSecretsRequest(team_id=str(vault.team.id), page_token="x")
    refused = await refusal_of(vault.server.secrets.ListSecrets(bad, metadata=vault.team.observer.metadata))
    assert refused == Refusal(INVALID, "PAGE_TOKEN_INVALID", ("page_token",))


async def test_everything_wrong_is_said_at_once_and_the_value_never_repeated(vault: Vault) -> None:
    stub, admin = vault.server.secrets, vault.team.author.metadata
    for value in ("a\x00bcdefgh", "7 bytes", "x" * 65_537):
        request = pb.PutSecretRequest(team_id="x", name="a-b", value=value)
        refused = await refusal_of(stub.PutSecret(request, metadata=admin))
        assert refused == Refusal(INVALID, "INVALID_ARGUMENT", ("team_id", "name", "value"))
        assert value not in refused.message
    refused = await refusal_of(stub.DeleteSecret(pb.DeleteSecretRequest(), metadata=admin))
    assert refused == Refusal(INVALID, "INVALID_ARGUMENT", ("team_id", "name"))
    refused = await refusal_of(stub.ListSecrets(pb.ListSecretsRequest(), metadata=admin))
    assert refused == Refusal(INVALID, "INVALID_ARGUMENT", ("team_id",))


async def test_everybody_of_the_team_sees_names_and_only_its_admins_change_them(vault: Vault) -> None:
    await vault.put("password")
    platform_admin = await a_person(vault.server.sessions, platform_admin=True)
    for person in (vault.team.observer, vault.team.responder):
        assert await vault.names(by=person) == ["password"]
        assert await refusal_of(vault.put("password", by=person)) == ROLE_MISSING
        assert await refusal_of(vault.delete("password", by=person)) == ROLE_MISSING
    await vault.put("another", by=platform_admin)
    await vault.delete("another", by=platform_admin)
    assert await vault.opened("password") == {"password": VALUE.encode()}


async def test_another_team_is_told_the_same_as_of_a_team_that_does_not_exist(vault: Vault) -> None:
    await vault.put("password")
    stranger = (await a_team(vault.server.sessions)).author
    admin = await a_person(vault.server.sessions, platform_admin=True)
    nowhere = Vault(vault.server, TeamWithPeople(uuid4(), stranger, stranger, stranger, stranger))
    for place, person in ((vault, stranger), (nowhere, stranger), (nowhere, admin)):
        answers = [
            await refusal_of(place.put("password", by=person)),
            await refusal_of(place.names(by=person)),
            await refusal_of(place.delete("password", by=person)),
        ]
        assert answers == [NOT_FOUND] * 3
        assert len({answer.message for answer in answers}) == 1
    assert await vault.names() == ["password"]


async def test_a_version_is_approved_once_the_team_has_its_secrets(vault: Vault) -> None:
    runbook = await vault.waiting_runbook()
    refused = await refusal_of(vault.approve(runbook))
    assert (refused, refused.metadata) == (MISSING, {"secret_names": "password"})
    await vault.put("PASSWORD")
    assert await refusal_of(vault.approve(runbook)) == MISSING
    await vault.delete("PASSWORD")
    await vault.put("password")
    await vault.approve(runbook)


async def test_what_runs_keeps_its_secrets_until_it_is_archived(vault: Vault) -> None:
    for name in ("password", "free"):
        await vault.put(name)
    await a_draft_runbook(vault.server.sessions, vault.team, _naming("free"))
    runbook = await an_approved_runbook(vault.server.sessions, vault.team, _naming("password"))
    refused = await refusal_of(vault.delete("password"))
    assert (refused, refused.metadata) == (IN_USE, {"runbooks": runbook.name})
    for _ in range(2):
        await vault.delete("free")
    async with vault.server.sessions() as session, session.begin():
        await session.execute(update(runbooks).where(runbooks.c.id == runbook.id).values(status=ARCHIVED))
    await vault.delete("password")
    assert await vault.names() == []


async def test_nothing_runs_whose_secrets_are_gone(vault: Vault) -> None:
    runbook = await an_approved_runbook(vault.server.sessions, vault.team, _naming("password", "other"))
    await vault.put("password")
    await vault.put("other")
    async with vault.server.sessions() as session, session.begin():
        await session.execute(delete(secrets).where(secrets.c.name == "other"))
    before = await vault.server.everything_stored()
    request = runbook_rpc.ExecuteRequest(runbook_id=str(runbook.id))
    call = vault.server.runbooks.Execute(request, metadata=vault.team.responder.metadata)
    refused = await stream_refusal_of(call)
    assert (refused, refused.metadata) == (MISSING, {"secret_names": "other"})
    assert await vault.server.everything_stored() == before


async def test_a_runbook_comes_back_into_service_once_the_team_has_its_secrets_again(vault: Vault) -> None:
    runbook = await an_approved_runbook(vault.server.sessions, vault.team, _naming("password"))
    named = {"runbook_id": str(runbook.id)}
    stub, admin = vault.server.runbooks, vault.team.author.metadata
    await stub.ArchiveRunbook(runbook_rpc.ArchiveRunbookRequest(**named), metadata=admin)
    restore = runbook_rpc.RestoreRunbookRequest(**named)
    refused = await refusal_of(stub.RestoreRunbook(restore, metadata=admin))
    assert (refused, refused.metadata) == (MISSING, {"secret_names": "password"})
    await vault.put("password")
    await stub.RestoreRunbook(restore, metadata=admin)
    assert await refusal_of(vault.delete("password")) == IN_USE


async def test_nobody_rolls_back_to_a_version_whose_secrets_are_gone(vault: Vault) -> None:
    runbook = await an_approved_runbook(vault.server.sessions, vault.team, _naming("password"))
    async with vault.server.sessions() as session, session.begin():
        content, at = _naming(), runbook.created_at
        reviewed = Review(ReviewStatus.APPROVED, reviewed_by=vault.team.reviewer.id)
        second = Version(runbook.id, 2, content, content.digest(), "", vault.team.author.id, at, reviewed)
        await versions.add(session, second)
        await runbook_storage.save(session, runbook.changed(at, current_version=2, latest_version=2))
    back = runbook_rpc.RollbackRunbookRequest(runbook_id=str(runbook.id), version=1)
    call = vault.server.runbooks.RollbackRunbook
    assert await refusal_of(call(back, metadata=vault.team.author.metadata)) == MISSING
    await vault.put("password")
    await call(back, metadata=vault.team.author.metadata)
    assert await refusal_of(vault.delete("password")) == IN_USE


async def test_of_an_approval_and_a_deletion_at_once_one_is_refused(vault: Vault) -> None:
    for _ in range(15):
        await vault.put("password")
        runbook = await vault.waiting_runbook()
        ended = await asyncio.gather(vault.approve(runbook), vault.delete("password"), return_exceptions=True)
        refused = [as_refusal(error) if isinstance(error, grpc.aio.AioRpcError) else error for error in ended]
        assert refused in ([None, IN_USE], [MISSING, None])
        async with vault.server.sessions() as session, session.begin():
            await session.execute(update(runbooks).where(runbooks.c.id == runbook.id).values(status=ARCHIVED))


async def test_changes_of_secrets_are_audited_without_values(vault: Vault) -> None:
    await vault.put("password")
    await vault.put("password", "another value")
    await vault.delete("password")
    await vault.delete("password")
    async with vault.server.sessions() as session:
        query = select(audit_events).where(audit_events.c.team_id == vault.team.id).order_by(audit_events.c.id)
        events = (await session.execute(query)).all()
    assert [(event.action, event.resource_type, event.detail) for event in events] == [
        ("secret.put", "secret", {"name": "password", "replaced": False}),
        ("secret.put", "secret", {"name": "password", "replaced": True}),
        ("secret.deleted", "secret", {"name": "password"}),
    ]
    assert {event.actor_id for event in events} == {vault.team.author.id}


async def test_a_value_is_nowhere_in_clear(vault: Vault, capfd: pytest.CaptureFixture[str]) -> None:
    answer = await vault.put("password")
    refused = await refusal_of(vault.put("password", VALUE + "\x00"))
    denied = await refusal_of(vault.put("password", by=vault.team.observer))
    logged = "".join(capfd.readouterr())
    assert logged.count("SecretService/PutSecret") >= 3
    for part in [str(answer), str(refused), str(denied), logged, *await _dump(vault.server)]:
        assert VALUE not in part
        assert VALUE.encode().hex() not in part


async def _dump(server: RunningServer) -> list[str]:
    """Every row of every table as text; bytes in hexadecimal."""
    async with server.sessions() as session:
        query = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
        tables = (await session.execute(text(query))).scalars().all()
        assert "secrets" in tables
        return [
            row
            for table in tables
            for row in (await session.execute(text(f"SELECT t::text FROM {table} t"))).scalars()  # noqa: S608
        ]
