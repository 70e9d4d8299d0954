"""Callers of every kind, and what each sends to say who they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import grpc
from google.protobuf.descriptor import MethodDescriptor

from kernel.database import Sessions
from server.domain.permission import RULES, Kind
from tests.builders import a_person, a_team, a_token
from tests.fuzzing.introduction import Introduction
from tests.fuzzing.vocabulary import Vocabulary
from tests.issuing import TokenIssuer

Metadata = tuple[tuple[str, str], ...]
# Who may do much gets to much; all others are to be refused, which is soon seen.
_WEIGHTS = {
    "author": 30,
    "reviewer": 22,
    "platform admin": 18,
    "responder": 8,
    "observer": 6,
    "gateway": 6,
    "outsider": 4,
    "expired": 2,
    "anonymous": 2,
    "signed in": 3,
    "forger": 5,
}


@dataclass(frozen=True, slots=True)
class Callers:
    """By kind, what each sends to say who they are."""

    metadata: dict[str, Metadata]
    issuer: TokenIssuer

    def any(self, random: Random, method: MethodDescriptor) -> str:
        """Picks a caller, most often one who may call this RPC."""
        rule = RULES[f"{method.containing_service.name}/{method.name}"]
        if rule.kind is Kind.SERVICE_ACCOUNT and random.random() < 0.8:
            return rule.account
        if rule.kind is Kind.PLATFORM_ADMIN and random.random() < 0.6:
            return "platform admin"
        return random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]

    def credential(self, random: Random, caller: str) -> Metadata:
        """Answers what a caller of this kind sends: the forger something else each time."""
        return _bearer(_forged(random, self.issuer)) if caller == "forger" else self.metadata[caller]

    @property
    def tokens(self) -> list[str]:
        return [value.removeprefix("Bearer ") for pairs in self.metadata.values() for _, value in pairs]


async def new_callers(
    channel: grpc.aio.Channel, sessions: Sessions, vocabulary: Vocabulary, issuer: TokenIssuer
) -> Callers:
    """Makes a team with its things, and people anew: requests that go deep take roles and tokens away, too."""
    vocabulary.forget()
    team, outsiders = await a_team(sessions), await a_team(sessions)
    admin = await a_person(sessions, platform_admin=True)
    gateway = await a_person(sessions, service_account="gateway")
    expired = await a_token(sessions, team.author.id, expires_at=datetime.now(UTC) - timedelta(days=1))
    await Introduction(channel, sessions, vocabulary, team, gateway).introduce()
    return Callers(
        {
            "author": team.author.metadata,
            "reviewer": team.reviewer.metadata,
            "platform admin": admin.metadata,
            "responder": team.responder.metadata,
            "observer": team.observer.metadata,
            "gateway": gateway.metadata,
            "outsider": outsiders.author.metadata,
            "expired": _bearer(expired),
            "anonymous": (),
            "signed in": _bearer(issuer.token()),
        },
        issuer,
    )


def _bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def _forged(random: Random, issuer: TokenIssuer) -> str:
    """Answers a signed token with claims that are off, or one that was changed after it had been signed."""
    claim = random.choice(["iss", "sub", "aud", "exp", "nbf", "iat", "email", "email_verified", "name"])
    value = random.choice(
        [None, "", "x", "\x00", "\ud800", -1, 2**70, 1e300, True, [], ["x"] * 50, {}, [[]], "n" * 3000]
    )
    claims = issuer.claims(f"subject {random.randrange(50)}", **{claim: value})
    token = issuer.sign(json.dumps(claims).encode())
    if random.random() < 0.5:
        return token
    place = random.randrange(len(token))
    return token[:place] + random.choice(["", ".", "A", "=", "-" * 9000, "oct_", "!", " "]) + token[place + 1 :]
