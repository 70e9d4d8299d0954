"""The keys of one issuer, kept for a while and fetched anew: never more than one fetch at once, nor too often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import jwt
import structlog

from kernel.errors import Unavailable
from server.issuers.key_set import KeySet, parse_key_set
from server.issuers.key_source import KeySource, KeysUnreadable

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long keys are used without asking again, how long at most where asking fails, and how often to ask."""

    fresh_seconds: float
    kept_seconds: float
    interval_seconds: float


class IssuerKeys:
    """`clock` answers seconds that never run backwards."""

    def __init__(
        self,
        issuer: str,
        source: KeySource,
        algorithms: Iterable[str],
        freshness: Freshness,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._source = source
        self._algorithms = tuple(algorithms)
        self._freshness = freshness
        self._clock = clock
        self._keys: KeySet = {}
        self._read_at = self._asked_at = float("-inf")
        self._failed = False
        self._asking: asyncio.Task[None] | None = None

    async def find(self, key_id: str, algorithm: str) -> jwt.PyJWK | None:
        """Answers the key; None where the issuer has none of that id for that algorithm.

        Unavailable where that cannot be told: keys too old to be believed, or unknown ones while asking fails. A good
        token must not be called bad because its issuer is away.
        """
        if self._age() >= self._freshness.fresh_seconds:
            await self._ask()
        found = self._keys.get((key_id, algorithm))
        if found is None:
            await self._ask()
            found = self._keys.get((key_id, algorithm))
        if self._age() > self._freshness.kept_seconds or (found is None and self._failed):
            raise Unavailable(
                "the keys of the token's issuer cannot be had just now; try again",
                reason="ISSUER_UNREACHABLE",
                retry_after_seconds=self._freshness.interval_seconds,
            )
        return found

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await self._source.close()

    async def _ask(self) -> None:
        """Fetches the keys unless that was tried just now; callers at the same time wait for the same fetch."""
        if self._asking is None or self._asking.done():
            if self._clock() - self._asked_at < self._freshness.interval_seconds:
                return
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._fetch())
        await asyncio.shield(self._asking)  # a caller that leaves must not take the keys from all others

    async def _fetch(self) -> None:
        try:
            self._keys = parse_key_set(await self._source.read(), self._algorithms)
            self._read_at = self._clock()
            self._failed = False
        except KeysUnreadable as error:
            self._failed = True
            log.warning("issuer_keys_unreadable", issuer=self._issuer, error=str(error))

    def _age(self) -> float:
        return self._clock() - self._read_at
