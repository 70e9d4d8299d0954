"""How long an issuer's keys are believed, how often they are asked for, and which are taken."""

from __future__ import annotations

import asyncio
import json

import pytest

from kernel.errors import Unavailable
from server.issuers.issuer_keys import Freshness, IssuerKeys
from server.issuers.key_set import GREATEST_KEYS, parse_key_set
from server.issuers.key_source import GREATEST_BYTES, KeysUnreadable, UrlSource
from tests.issuing import KeyServer, TokenIssuer, a_key_server, ec_key, public_jwk, rsa_key

FRESH, KEPT, INTERVAL = 300, 3600, 10


class Source:
    """Answers what it is told to, and counts."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self.issuer = issuer
        self.away = False
        self.asked = 0
        self.gate: asyncio.Event | None = None

    async def read(self) -> bytes:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise KeysUnreadable("away")
        return self.issuer.jwks()

    async def close(self) -> None:
        pass


class World:
    def __init__(self) -> None:
        self.now = 1000.0
        self.source = Source(TokenIssuer("https://issuer.example"))
        freshness = Freshness(FRESH, KEPT, INTERVAL)
        self.keys = IssuerKeys("https://issuer.example", self.source, ["ES256"], freshness, lambda: self.now)

    async def knows(self, key_id: str) -> bool:
        return await self.keys.find(key_id, "ES256") is not None


@pytest.fixture
def world() -> World:
    return World()


async def test_keys_are_asked_for_once_while_they_are_fresh(world: World) -> None:
    for _ in range(5):
        assert await world.knows("first")
    assert world.source.asked == 1
    world.now += FRESH
    assert await world.knows("first")
    assert world.source.asked == 2


async def test_a_withdrawn_key_is_believed_no_longer_than_keys_are_fresh(world: World) -> None:
    assert await world.knows("first")
    world.source.issuer.rotate("second")
    assert await world.knows("first")
    world.now += FRESH
    assert not await world.knows("first")


async def test_a_new_key_is_found_when_it_is_first_used(world: World) -> None:
    assert await world.knows("first")
    world.source.issuer.rotate("second")
    world.now += INTERVAL
    assert await world.knows("second")
    assert not await world.knows("first")


async def test_made_up_key_ids_cause_no_storm(world: World) -> None:
    assert await world.knows("first")
    for number in range(100):
        world.now += 0.1
        assert not await world.knows(f"made up {number}")
        assert await world.knows("first")
    assert world.source.asked <= 2


async def test_calls_at_the_same_time_wait_for_the_same_answer(world: World) -> None:
    world.source.gate = asyncio.Event()
    calls = [asyncio.create_task(world.knows("first")) for _ in range(20)]
    await asyncio.sleep(0)
    calls[0].cancel()  # who leaves does not take the answer from the others
    world.source.gate.set()
    assert await asyncio.gather(*calls[1:]) == [True] * 19
    assert world.source.asked == 1


async def test_while_the_issuer_is_away_its_keys_are_kept_but_not_for_ever(world: World) -> None:
    assert await world.knows("first")
    world.source.away = True
    world.now += KEPT
    assert await world.knows("first")
    world.now += 1
    with pytest.raises(Unavailable) as refused:
        await world.knows("first")
    assert (refused.value.reason, refused.value.retry_after_seconds) == ("ISSUER_UNREACHABLE", INTERVAL)
    world.source.away = False
    world.now += INTERVAL
    assert await world.knows("first")


async def test_without_the_issuer_an_unknown_key_is_not_called_bad(world: World) -> None:
    world.source.away = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await world.knows("first")
    assert world.source.asked == 1


async def test_closing_ends_what_is_being_asked(world: World) -> None:
    world.source.gate = asyncio.Event()
    call = asyncio.create_task(world.knows("first"))
    await asyncio.sleep(0)
    await world.keys.close()
    with pytest.raises(asyncio.CancelledError):
        await call


def test_keys_that_prove_nothing_are_passed_over() -> None:
    good, weak = public_jwk(ec_key(), "good"), public_jwk(rsa_key("weak", 1024), "weak")
    document = [
        good,
        weak,
        public_jwk(ec_key(), "good"),
        public_jwk(ec_key(), "encrypts", use="enc"),
        public_jwk(ec_key(), "signs", key_ops=["sign"]),
        public_jwk(ec_key(), "private", d="AAAA"),
        public_jwk(ec_key(), "other", alg="ES384"),
        public_jwk(ec_key(), "broken", x="AAAA"),
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"},
        {key: value for key, value in public_jwk(ec_key(), "").items() if key != "kid"},
        "nonsense",
    ]
    keys = parse_key_set(json.dumps({"keys": document}).encode(), ["RS256", "ES256"])
    assert list(keys) == [("good", "ES256")]


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", b"[]", b"{}", b'{"keys": {}}', b"[" * 100_000, b'{"keys": [' + b"1," * GREATEST_KEYS + b"1]}"],
)
def test_what_is_no_key_set_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(KeysUnreadable):
        parse_key_set(content, ["ES256"])


async def test_keys_come_over_http() -> None:
    async with a_key_server(b"the keys") as server:
        source = UrlSource(server.url)
        assert await source.read() == b"the keys"
        await source.close()


def _redirect(server: KeyServer) -> None:
    server.status, server.headers = "302 Found", ("Location: /elsewhere",)


def _error(server: KeyServer) -> None:
    server.status = "500 Internal Server Error"


def _flood(server: KeyServer) -> None:
    server.body = b"x" * (GREATEST_BYTES + 1)


@pytest.mark.parametrize("change", [_redirect, _error, _flood])
async def test_what_is_no_plain_answer_is_not_taken(change: object) -> None:
    async with a_key_server(b"{}") as server:
        change(server)  # type: ignore[operator]
        source = UrlSource(server.url)
        with pytest.raises(KeysUnreadable):
            await source.read()
        assert server.asked == 1
        await source.close()


async def test_nobody_listening_is_unreadable() -> None:
    async with a_key_server(b"{}") as server:
        url = server.url
    source = UrlSource(url)
    with pytest.raises(KeysUnreadable):
        await source.read()
    await source.close()
