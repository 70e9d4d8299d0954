"""Seals again, under the current key, every secret that is under another, so that the other can be taken away.

Secrets here are those of teams, and the targets and signing secrets of their notification channels.

Each batch is a transaction of its own, in which its rows are locked: whatever ends this at whatever moment leaves every
secret whole under one key or the other, and the next run goes on. Any number of runs may work at once; each takes what
no other holds, then waits for what the others held and looks again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from uuid import UUID

from kernel.cipher import Cipher
from server.operations.change import change
from server.operations.environment import Environment
from server.storage.sealed_values import TABLES, SealedTable, SealedValue, count_parameters

BATCH = 50  # values of at most 64 KiB each


@dataclass(frozen=True, slots=True)
class Unopened:
    """A secret that none of our keys opens."""

    team_id: UUID
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a run did, and what keeps the older keys needed."""

    key_id: str
    resealed: int
    unopened: tuple[Unopened, ...]
    secrets_left: int
    executions_left: int
    """Executions that have not ended and whose sensitive parameters are under an older key."""

    @property
    def finished(self) -> bool:
        """Whether nothing needs an older key any more."""
        return self.secrets_left == 0 and self.executions_left == 0


async def rotate_keys(
    env: Environment, cipher: Cipher, *, batch: int = BATCH, progress: Callable[[int], None] = lambda _: None
) -> Rotation:
    """Seals all that can be opened again; `progress` hears after each commit how many this run has done."""
    done = 0
    unopened: list[Unopened] = []
    for table in TABLES:
        for wait in (False, True):
            unable: list[Unopened] = []  # the second look finds again what the first could not open
            async for resealed, others in _batches(env, cipher, table, batch, wait=wait):
                done += resealed
                unable += others
                progress(done)
        unopened += unable
    async with env.sessions() as session:
        return Rotation(
            cipher.current_key_id,
            done,
            tuple(unopened),
            sum([await table.count(session, not_under=cipher.current_key_id) for table in TABLES]),
            await count_parameters(session, not_beginning=cipher.current_header),
        )


async def _batches(
    env: Environment, cipher: Cipher, table: SealedTable, batch: int, *, wait: bool
) -> AsyncIterator[tuple[int, list[Unopened]]]:
    """Goes through a table, a transaction for each batch; yields how many of each it sealed, and what did not open."""
    last = table.first
    while True:
        async with change(env.sessions, None) as tx:
            found = await table.lock_under_other_keys(
                tx.session, cipher.current_key_id, after=last, limit=batch, wait=wait
            )
            if not found:
                return
            resealed, unopened = _reseal(cipher, found)
            await table.rewrite(tx.session, resealed)
            if resealed:
                await tx.audit("key.rotated", cipher.current_key_id, secrets=len(resealed))
        last = found[-1].key
        yield len(resealed), unopened


def _reseal(cipher: Cipher, found: list[SealedValue]) -> tuple[list[SealedValue], list[Unopened]]:
    """Answers those that open, under the current key, and the others."""
    resealed, unopened = [], []
    for value in found:
        try:
            clear = cipher.open(value.sealed, value.context)
        except ValueError as error:
            unopened.append(Unopened(value.team_id, value.name, str(error)))
            continue
        resealed.append(replace(value, sealed=cipher.seal(clear, value.context), key_id=cipher.current_key_id))
    return resealed, unopened
