"""Callers of every kind, and real things for their requests to be about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from google.protobuf.descriptor import MethodDescriptor

from kernel.database import Sessions, transaction
from kernel.execution.content import ScriptLanguage, VersionContent
from server.domain.permission import RULES, Kind
from server.storage import workflow_runs, workflows
from tests.builders import (
    TeamWithPeople,
    a_draft_runbook,
    a_person,
    a_runbook_in_review,
    a_team,
    a_token,
    a_waiting_run,
    a_workflow,
    an_approved_runbook,
)
from tests.fuzzing.vocabulary import Vocabulary
from tests.issuing import TokenIssuer
from tests.receivers import a_channel, a_dead_delivery

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


async def new_callers(sessions: Sessions, vocabulary: Vocabulary, issuer: TokenIssuer) -> Callers:
    """Makes a team and people anew: requests that go deep take roles and tokens away, too."""
    vocabulary.forget()
    team, outsiders = await a_team(sessions), await a_team(sessions)
    admin = await a_person(sessions, platform_admin=True)
    gateway = await a_person(sessions, service_account="gateway")
    expired = await a_token(sessions, team.author.id, expires_at=datetime.now(UTC) - timedelta(days=1))
    await _introduce(sessions, vocabulary, team)
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


async def _introduce(sessions: Sessions, vocabulary: Vocabulary, team: TeamWithPeople) -> None:
    vocabulary.remember("team_id", str(team.id))
    for person in (team.observer, team.responder):
        vocabulary.remember("user_id", str(person.id))
    content = VersionContent("echo hello\n", ScriptLanguage.BASH)
    for make in (an_approved_runbook, a_runbook_in_review, a_draft_runbook):
        for _ in range(5):
            runbook = await make(sessions, team, content)
            vocabulary.remember("runbook_id", str(runbook.id))
            vocabulary.remember_thing(runbook_id=str(runbook.id), version=1, digest=content.digest())
    channel = await a_channel(sessions, team, "https://hooks.example.org/in")
    vocabulary.remember("channel_id", str(channel.id))
    for _ in range(5):
        vocabulary.remember("delivery_id", str(await a_dead_delivery(sessions, team, channel)))
    await _introduce_workflows(sessions, vocabulary, team)


async def _introduce_workflows(sessions: Sessions, vocabulary: Vocabulary, team: TeamWithPeople) -> None:
    """Puts workflows in place, and runs of them that wait for a word on their only step, `a`."""
    for _ in range(3):
        workflow = a_workflow(team)
        run = a_waiting_run(workflow, team.author.id)
        async with transaction(sessions) as tx:
            await workflows.add(tx.session, workflow)
            await workflow_runs.add(tx.session, run)
            await workflow_runs.save(tx.session, run, run.nodes.values(), new=run.nodes.keys())
        vocabulary.remember("workflow_id", str(workflow.id))
        vocabulary.remember("workflow_run_id", str(run.id))
