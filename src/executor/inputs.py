"""What a script is given in clear: its parameters and secrets, opened for one attempt and kept no longer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from executor.masking import forms_of
from executor.sandbox.command import as_text
from kernel.cipher import Cipher
from kernel.database import Sessions
from kernel.execution.status import ErrorCode
from kernel.lifecycle import Claim
from kernel.secret_store import context_of, read_sealed


class InputError(Exception):
    """What the script needs cannot be had; the message is for people and names no value."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Inputs:
    """Values in clear; `sensitive` are those of the parameters that are masked in the output like secrets."""

    parameters: Mapping[str, Any] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    sensitive: Mapping[str, Any] = field(repr=False)

    def forms(self) -> set[bytes]:
        """Answers everything that must not be seen in the output (`masking.forms_of`)."""
        return {form for value in self._texts() for form in forms_of(value.encode())}

    def _texts(self) -> Iterator[str]:
        yield from self.secrets.values()
        for value in self.sensitive.values():
            if not isinstance(value, bool) and value is not None:
                yield from {as_text(value), str(value)}  # as the variable shows it, and as the JSON file does


async def open_inputs(sessions: Sessions, cipher: Cipher, claim: Claim) -> Inputs:
    """Reads and opens what the claim's version names; InputError where something is missing or cannot be opened."""
    sensitive = _sensitive_parameters(cipher, claim)
    return Inputs({**claim.parameters, **sensitive}, await _secrets(sessions, cipher, claim), sensitive)


def _sensitive_parameters(cipher: Cipher, claim: Claim) -> Mapping[str, Any]:
    if claim.sealed_parameters is None:
        return {}
    try:
        opened: dict[str, Any] = json.loads(cipher.open(claim.sealed_parameters, str(claim.execution_id)))
    except ValueError:
        raise InputError(ErrorCode.INPUT_UNREADABLE, "its sensitive parameters cannot be decrypted here") from None
    return opened


async def _secrets(sessions: Sessions, cipher: Cipher, claim: Claim) -> Mapping[str, str]:
    names = claim.content.secret_names
    if not names:
        return {}
    async with sessions() as session:
        sealed = await read_sealed(session, claim.team_id, names)
    if missing := sorted(set(names) - set(sealed)):
        raise InputError(ErrorCode.SECRET_MISSING, f"the team has no secret named {', '.join(missing)}")
    return {name: _opened(cipher, claim.team_id, name, value) for name, value in sealed.items()}


def _opened(cipher: Cipher, team_id: UUID, name: str, sealed: bytes) -> str:
    try:
        return cipher.open(sealed, context_of(team_id, name)).decode()
    except ValueError:
        raise InputError(ErrorCode.INPUT_UNREADABLE, f"the secret {name} cannot be decrypted here") from None
