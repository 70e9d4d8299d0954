"""`oncall audit`: what people read of it, and every way to tamper with the database seen and named."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from kernel.audit import AuditEntry, append
from kernel.database import transaction
from oncall.v1 import team_service_pb2 as team_pb
from server.operations.seal_audit import seal_audit
from tests.builders import TeamWithPeople, a_person, a_team
from tests.rpc.conftest import RunningServer, refusal_of
from tests.rpc.shell import Shell


class AuditedTeam:
    """Nine sealed events, and those who read them."""

    def __init__(self, server: RunningServer, team: TeamWithPeople, admin: Shell, team_admin: Shell) -> None:
        self.server, self.team, self.admin, self.team_admin = server, team, admin, team_admin

    async def note(self, *names: str) -> None:
        async with transaction(self.server.sessions) as tx:
            for name in names:
                detail = {"version": 3, "note": "grün"}
                entry = AuditEntry("runbook.approved", name, self.team.id, self.team.author.id, detail, "192.0.2.7")
                await append(tx.session, entry)

    async def head(self) -> str:
        query = "SELECT position || ':' || encode(hash, 'hex') FROM audit_seals ORDER BY position DESC LIMIT 1"
        async with self.server.sessions() as session:
            return str(await session.scalar(text(query)))

    async def tamper(self, *statements: str) -> None:
        """Does what only a superuser can, triggers off."""
        async with transaction(self.server.sessions) as tx:
            for statement in ("SET LOCAL session_replication_role = replica", *statements):
                await tx.session.execute(text(statement))


@pytest.fixture
async def audited_team(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> AuditedTeam:
    platform_admin = await a_person(running_server.sessions, platform_admin=True)
    admin, team_admin = (Shell(tmp_path, running_server.address, who) for who in (platform_admin, team.author))
    audited_team = AuditedTeam(running_server, team, admin, team_admin)
    await audited_team.note(*(f"event-{n}" for n in range(1, 10)))
    await seal_audit(running_server.sessions)
    return audited_team


async def test_a_sound_chain_is_verified_and_its_head_holds_later(audited_team: AuditedTeam) -> None:
    done = await audited_team.admin("audit", "verify")
    assert (done.code, done.err) == (0, "")
    verified, head = done.out.decode().splitlines()
    assert verified == "9 events verified"
    head = head.removeprefix("head ")

    await audited_team.note("event-10")
    later = await audited_team.admin("audit", "verify", "--expect", head, "--json")
    assert json.loads(later.out) == {
        "verified": 9,
        "head": head,
        "unsealed": 1,
        "first_bad_position": None,
        "damage": None,
    }
    await seal_audit(audited_team.server.sessions)
    assert (await audited_team.admin("audit", "verify", "--expect", head)).out.startswith(b"10 events verified")


async def _seal_anew(audited_team: AuditedTeam) -> None:
    """What somebody does who knows the form and owns the database."""
    await audited_team.tamper(
        "DELETE FROM audit_events WHERE resource_id = 'event-5'",
        "DELETE FROM audit_seals",
        "INSERT INTO audit_unsealed SELECT id FROM audit_events",
    )
    await seal_audit(audited_team.server.sessions)


def _statements(*statements: str) -> Callable[[AuditedTeam], Awaitable[None]]:
    return lambda audited_team: audited_team.tamper(*statements)


SWAP_ROWS = "UPDATE audit_seals SET event_id = -event_id WHERE position IN (5, 7)"
SWAP_ROWS_BACK = (
    "UPDATE audit_seals s SET event_id = (SELECT -o.event_id FROM audit_seals o WHERE o.position = 12 - s.position) "
    "WHERE position IN (5, 7)"
)


@pytest.mark.parametrize(
    ("tamper", "position", "damage"),
    [
        (_statements("UPDATE audit_events SET actor_id = NULL WHERE resource_id = 'event-5'"), 5, "changed row"),
        (_statements("UPDATE audit_events SET detail = '{}' WHERE resource_id = 'event-5'"), 5, "changed row"),
        (_statements("UPDATE audit_events SET detail = '[1]' WHERE resource_id = 'event-5'"), 5, "changed row"),
        (
            _statements("UPDATE audit_events SET time = time + '1 microsecond' WHERE resource_id = 'event-5'"),
            5,
            "changed row",
        ),
        (_statements("UPDATE audit_seals SET hash = '\\x00' WHERE position = 5"), 5, "changed row"),
        (_statements("DELETE FROM audit_events WHERE resource_id = 'event-5'"), 5, "missing row"),
        (_statements("DELETE FROM audit_seals WHERE position = 5"), 5, "missing seal"),
        (_statements("DELETE FROM audit_seals WHERE position = 1"), 1, "missing seal"),
        (_statements(SWAP_ROWS, SWAP_ROWS_BACK), 5, "reordered"),
        (
            _statements(
                "UPDATE audit_seals SET position = -position WHERE position IN (5, 7)",
                "UPDATE audit_seals SET position = 12 + position WHERE position IN (-5, -7)",
            ),
            5,
            "reordered",
        ),
        (_statements("DELETE FROM audit_seals WHERE position > 6"), 7, "wrong head"),
        (
            _statements("DELETE FROM audit_events WHERE id > 6", "DELETE FROM audit_seals WHERE position > 6"),
            7,
            "wrong head",
        ),
        (_statements("TRUNCATE audit_events, audit_seals"), 1, "wrong head"),
        (_seal_anew, 9, "wrong head"),
    ],
)
async def test_tampering_is_seen_and_named(
    audited_team: AuditedTeam, tamper: Callable[[AuditedTeam], Awaitable[None]], position: int, damage: str
) -> None:
    head = await audited_team.head()
    await tamper(audited_team)
    found = await audited_team.admin("audit", "verify", "--expect", head, "--json")
    assert found.code == 1
    answer = json.loads(found.out)
    assert (answer["first_bad_position"], answer["damage"]) == (position, damage)
    assert f"does not hold at position {position}: {damage}" in found.err


async def test_the_list_is_a_table_that_people_can_read(audited_team: AuditedTeam) -> None:
    team = audited_team.team
    create = audited_team.server.teams.CreateUser(team_pb.CreateUserRequest(), metadata=team.observer.metadata)
    await refusal_of(create)
    listed = (await audited_team.admin("audit", "list", "--limit", "3")).out.decode().splitlines()
    assert listed[0].split() == ["TIME", "WHO", "WHAT", "RESOURCE", "OUTCOME", "FROM", "DETAIL"]
    assert len(listed) == 4
    for part in ("rpc.denied", "denied", "127.0.0.1", "method=TeamService/CreateUser", "@example.org"):
        assert part in listed[1]
    for part in ("runbook.approved", "event-9", "done", "192.0.2.7", "note=grün version=3"):
        assert part in listed[2]

    own = await audited_team.team_admin("audit", "list", "--json", "--limit", "0")
    assert len(json.loads(own.out)["audit_events"]) == 9
    for arguments, count in {
        ("--denied",): 1,
        ("--since", "1h"): 10,
        ("--until", "2020-01-01"): 0,
        ("--resource", "event-3"): 1,
        ("--action", "runbook.approved", "--actor", str(team.author.id)): 9,
    }.items():
        found = await audited_team.admin("audit", "list", "--json", *arguments)
        assert len(json.loads(found.out)["audit_events"]) == count, arguments


async def test_who_may_not_and_what_is_no_time_or_head_is_one_sentence(
    audited_team: AuditedTeam, tmp_path: Path
) -> None:
    refused = await audited_team.team_admin("audit", "verify")
    assert (refused.code, "platform admins" in refused.err, refused.out) == (1, True, b"")
    other = await a_team(audited_team.server.sessions)
    outsider = Shell(tmp_path, audited_team.server.address, other.author)
    assert (await outsider("audit", "list", "--team", str(audited_team.team.id))).code == 1
    for arguments in (("list", "--since", "yesterday"), ("verify", "--expect", "9:ff"), ("verify", "--expect", "x")):
        wrong = await audited_team.admin("audit", *arguments)
        assert (wrong.code, len(wrong.err.splitlines())) == (2, 1)
