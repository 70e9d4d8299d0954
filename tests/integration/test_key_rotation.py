"""A change of keys loses nothing, whatever ends it, however often and by how many it is run."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, update

from kernel.cipher import Cipher
from kernel.database import Sessions, create_engine, sessions, transaction
from kernel.ids import new_id
from kernel.secret_store import context_of, read_sealed
from kernel.tables import audit_events, executions, secrets, teams, users
from server.domain.notification_channel import context_of as channel_context_of
from server.domain.page import Pager
from server.operations.environment import Environment
from server.operations.rotate_keys import rotate_keys
from server.storage.notification_channels import secrets_of
from tests.builders import a_team
from tests.integration.conftest import Platform
from tests.receivers import SIGNING_SECRET, a_channel
from tests.waiting import eventually

OLD, NEW, LOST = (base64.urlsafe_b64encode(bytes([number] * 32)).decode() for number in (1, 2, 3))
BOTH = Cipher(NEW, OLD)
SECONDS = 30
KILLS = int(os.environ.get("ONCALL_TEST_KILLS", "3"))


@dataclass(frozen=True, slots=True)
class Store:
    """A team with secrets in a database of its own."""

    url: str
    env: Environment
    team: UUID
    user: UUID

    @property
    def sessions(self) -> Sessions:
        return self.env.sessions

    async def fill(self, count: int, cipher: Cipher, prefix: str = "s") -> dict[str, bytes]:
        """Stores secrets and answers what they are."""
        values = {f"{prefix}{number}": f"value {prefix} {number}".encode() for number in range(count)}
        at = datetime.now(UTC)
        rows = [
            {
                "id": new_id(),
                "team_id": self.team,
                "name": name,
                "sealed": cipher.seal(value, context_of(self.team, name)),
                "key_id": cipher.current_key_id,
                "created_by": self.user,
                "created_at": at,
                "updated_by": self.user,
                "updated_at": at,
            }
            for name, value in values.items()
        ]
        async with transaction(self.sessions) as tx:
            await tx.session.execute(insert(secrets), rows)
        return values

    async def opened(self, names: list[str], cipher: Cipher) -> dict[str, bytes]:
        async with self.sessions() as session:
            found = await read_sealed(session, self.team, names)
        return {name: cipher.open(sealed, context_of(self.team, name)) for name, sealed in found.items()}

    async def count(self, key_id: str) -> int:
        async with self.sessions() as session:
            query = select(func.count()).select_from(secrets).where(secrets.c.key_id == key_id)
            return await session.scalar(query) or 0

    async def start(self, *arguments: str, keys: str = f"{NEW},{OLD}") -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server.rotate_keys", *arguments),
            env={
                **os.environ,
                "ONCALL_DATABASE_URL": self.url,
                "ONCALL_REDIS_URL": "redis://unused",
                "ONCALL_MASTER_KEY": OLD,
                "ONCALL_ENCRYPTION_KEYS": keys,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, keys: str = f"{NEW},{OLD}") -> tuple[int | None, str, str]:
        process = await self.start(*arguments, keys=keys)
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    engine = create_engine(database_url, pool_size=4)
    env = Environment(sessions(engine), Pager(b""))
    team, user, at = new_id(), new_id(), datetime.now(UTC)
    async with transaction(env.sessions) as tx:
        await tx.session.execute(insert(users).values(id=user, email="a@b.org", display_name="A", created_at=at))
        await tx.session.execute(insert(teams).values(id=team, name="team", created_at=at))
    yield Store(database_url, env, team, user)
    await engine.dispose()


async def test_killed_in_the_middle_again_and_again_it_loses_no_secret(store: Store) -> None:
    count = 100 * (KILLS + 1)
    values = await store.fill(count, Cipher(OLD))
    seed = random.randrange(2**32)  # noqa: S311 - repeatable, not secret
    print(f"seed {seed}")
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    for _ in range(KILLS):
        before = await store.count(BOTH.current_key_id)
        process = await store.start("--batch", str(chance.randint(1, 5)))
        await _progress(process, chance.randint(1, 80))
        process.kill()
        await process.communicate()
        assert before < await store.count(BOTH.current_key_id) < count
        assert await store.opened(list(values), BOTH) == values
    code, out, _ = await store.run("--json")
    assert (code, json.loads(out)["secrets_left"]) == (0, 0)
    assert await store.opened(list(values), Cipher(NEW)) == values


async def _progress(process: asyncio.subprocess.Process, wanted: int) -> None:
    """Returns once a run says that it has done so many."""
    assert process.stderr is not None
    async with asyncio.timeout(SECONDS):
        while int((await process.stderr.readline()).split()[0]) < wanted:
            pass


async def test_several_at_once_while_secrets_are_put_take_each_secret_once(store: Store) -> None:
    values = await store.fill(60, Cipher(OLD))
    runs = [rotate_keys(store.env, BOTH, batch=3) for _ in range(3)]
    *rotations, late = await asyncio.gather(*runs, store.fill(5, Cipher(OLD), prefix="late"))
    again = await rotate_keys(store.env, BOTH)
    assert sum(rotation.resealed for rotation in [*rotations, again]) == 65
    assert again.finished
    assert await store.opened([*values, *late], Cipher(NEW)) == values | late
    assert (await rotate_keys(store.env, BOTH)).resealed == 0


async def test_a_secret_that_somebody_holds_is_waited_for(store: Store) -> None:
    await store.fill(3, Cipher(OLD))
    async with store.sessions() as session, session.begin():
        await session.execute(update(secrets).where(secrets.c.name == "s1").values(updated_by=store.user))
        running = asyncio.create_task(rotate_keys(store.env, BOTH))

        async def others_done() -> bool:
            return await store.count(BOTH.current_key_id) == 2

        await eventually(others_done)
        assert not running.done()
    assert (await running).finished


async def test_what_no_key_opens_is_named_and_left_as_it_is(store: Store) -> None:
    kept = await store.fill(2, Cipher(LOST), prefix="lost")
    await store.fill(1, Cipher(OLD))
    code, out, _ = await store.run()
    assert code == 1
    assert "1 secrets sealed again" in out
    assert "secret lost0 of team" in out
    assert Cipher(LOST).current_key_id in out
    assert "2 secrets are under an older key: keep the older keys" in out
    assert "can be taken out" not in out
    assert await store.opened(list(kept), Cipher(LOST)) == kept
    code, _, _ = await store.run(keys=f"{NEW},{OLD},{LOST}")
    assert code == 0
    assert await store.opened(list(kept), Cipher(NEW)) == kept


async def test_the_targets_and_signing_secrets_of_channels_are_sealed_again_too(store: Store) -> None:
    await store.fill(3, Cipher(OLD))
    team = await a_team(store.sessions)
    channels = [await a_channel(store.sessions, team, f"https://example.org/{n}", cipher=Cipher(OLD)) for n in range(3)]
    lost = await a_channel(store.sessions, team, "https://example.org/lost", cipher=Cipher(LOST))
    code, out, _ = await store.run("--batch", "2")
    assert code == 1
    assert "9 secrets sealed again" in out
    assert f"secret TARGET of the notification channel {lost.content.name} of team {team.id} cannot be opened" in out
    assert "2 secrets are under an older key" in out
    for number, channel in enumerate(channels):
        assert await _opened(store, channel.id, Cipher(NEW)) == {
            "TARGET": f"https://example.org/{number}",
            "SIGNING": SIGNING_SECRET,
        }
    assert (await store.run(keys=f"{NEW},{OLD},{LOST}"))[0] == 0
    assert (await _opened(store, lost.id, Cipher(NEW)))["TARGET"] == "https://example.org/lost"


async def _opened(store: Store, channel_id: UUID, cipher: Cipher) -> dict[str, str]:
    async with store.sessions() as session:
        sealed = await secrets_of(session, channel_id, datetime.now(UTC))
    return {
        purpose.value: cipher.open(value, channel_context_of(channel_id, purpose)).decode()
        for purpose, value in sealed.items()
    }


async def test_it_says_how_many_executions_still_need_the_old_key(store: Store, platform: Platform) -> None:
    for cipher in (Cipher(OLD), Cipher(OLD), BOTH):
        await platform.an_execution("true", sealed=lambda execution, by=cipher: by.seal(b"{}", str(execution)))
    await platform.an_execution("true")
    rotation = await rotate_keys(store.env, BOTH)
    assert (rotation.executions_left, rotation.finished) == (2, False)
    code, out, _ = await store.run()
    assert (code, "2 executions that have not ended" in out) == (0, True)
    async with transaction(store.sessions) as tx:
        await tx.session.execute(update(executions).values(sealed_parameters=None))
    code, out, err = await store.run()
    assert (code, "nothing needs an older key any more" in out, err) == (0, True, "")


async def test_who_put_a_secret_stays_and_the_audit_tells_of_the_rotation(store: Store) -> None:
    await store.fill(3, Cipher(OLD))
    columns = [secrets.c[name] for name in ("name", "created_by", "created_at", "updated_by", "updated_at")]
    async with store.sessions() as session:
        before = (await session.execute(select(*columns).order_by("name"))).all()
    await rotate_keys(store.env, BOTH, batch=2)
    async with store.sessions() as session:
        assert (await session.execute(select(*columns).order_by("name"))).all() == before
        events = (await session.execute(select(audit_events).where(audit_events.c.action == "key.rotated"))).all()
    assert [event.detail for event in events] == [{"secrets": 2}, {"secrets": 1}]
    assert {(event.actor_id, event.resource_id) for event in events} == {(None, BOTH.current_key_id)}


@pytest.mark.parametrize(("keys", "says"), [("nonsense", "ONCALL_ENCRYPTION_KEYS: key 1 of 1")])
async def test_a_bad_key_is_one_sentence(store: Store, keys: str, says: str) -> None:
    code, out, err = await store.run(keys=keys)
    assert (code, out) == (2, "")
    assert says in err
    assert keys not in err
    assert len(err.splitlines()) == 1
