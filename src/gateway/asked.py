"""What a client asks for: which page, with which credential, from where; what the keep decides by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class CredentialKind(Enum):
    """What a client presented; named as the server's field for it."""

    NONE = ""
    PARTNER_OR_PAGE_TOKEN = "any_token"  # noqa: S105 # the name of a field
    PARTNER_TOKEN = "partner_token"  # noqa: S105
    PAGE_TOKEN = "page_token"  # noqa: S105
    SESSION = "session_token"


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential, not yet believed; `value` is empty for a credential that nobody can know."""

    kind: CredentialKind
    value: str = ""

    def __repr__(self) -> str:
        return f"Credential({self.kind.name})"  # the value must not reach a log


@dataclass(frozen=True, slots=True)
class Asked:
    """`client_ip` is the client's address as the gateway found it, `user_agent` what it calls itself."""

    slug: str
    credential: Credential
    client_ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks for which page, as keyed hashes: the credential itself is kept nowhere.

    `client_ip` and `user_agent` are what an access is counted under.
    """

    digest: bytes
    credential: bytes
    client_ip: str = ""
    user_agent: str = ""
