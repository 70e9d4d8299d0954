"""Seals again, under the current key, every secret that is under another, so that the other can be taken away.

Each batch is a transaction of its own, in which its rows are locked: whatever ends this at whatever moment leaves every
secret whole under one key or the other, and the next run goes on. Any number of runs may work at once; each takes what
no other holds, then waits for what the others held and looks again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from kernel.cipher import Cipher
from kernel.secret_store import context_of
from server.operations.change import change
from server.operations.environment import Environment
from server.storage import sealed_values
from server.storage.sealed_values import SealedSecret

BATCH = 50  # values of at most 64 KiB each
_FIRST = UUID(int=0)


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
    unopened: dict[UUID, Unopened] = {}
    for wait in (False, True):
        last = _FIRST
        unopened.clear()
        while True:
            async with change(env.sessions, None) as tx:
                found = await sealed_values.lock_under_other_keys(
                    tx.session, cipher.current_key_id, after=last, limit=batch, wait=wait
                )
                if not found:
                    break
                resealed = _reseal(cipher, found, unopened)
                await sealed_values.rewrite(tx.session, resealed)
                if resealed:
                    await tx.audit("key.rotated", cipher.current_key_id, secrets=len(resealed))
            last = found[-1].id
            done += len(resealed)
            progress(done)
    async with env.sessions() as session:
        return Rotation(
            cipher.current_key_id,
            done,
            tuple(unopened.values()),
            await sealed_values.count_secrets(session, not_under=cipher.current_key_id),
            await sealed_values.count_parameters(session, not_beginning=cipher.current_header),
        )


def _reseal(cipher: Cipher, found: list[SealedSecret], unopened: dict[UUID, Unopened]) -> list[SealedSecret]:
    """Answers those that open, under the current key, and notes the others."""
    resealed = []
    for secret in found:
        context = context_of(secret.team_id, secret.name)
        try:
            clear = cipher.open(secret.sealed, context)
        except ValueError as error:
            unopened[secret.id] = Unopened(secret.team_id, secret.name, str(error))
            continue
        resealed.append(replace(secret, sealed=cipher.seal(clear, context), key_id=cipher.current_key_id))
    return resealed
