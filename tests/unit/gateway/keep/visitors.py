"""Who asks the keeper, as these tests need it."""

from __future__ import annotations

import pytest

from gateway.asked import Asked, Credential, CredentialKind
from gateway.keep.keeper import Keeper
from gateway.refusal import Refusal


def asking(
    token: str = "good",  # noqa: S107 # known to the scripted server alone
    ip: str = "192.0.2.1",
    kind: CredentialKind = CredentialKind.PARTNER_TOKEN,
    agent: str = "curl",
) -> Asked:
    return Asked("acme", Credential(kind, token), ip, agent)


EVERYBODY = Asked("acme", Credential(CredentialKind.NONE), "192.0.2.9", "curl")


async def refused(keeper: Keeper, asked: Asked) -> str:
    with pytest.raises(Refusal) as refusal:
        await keeper.show(asked)
    return refusal.value.reason
