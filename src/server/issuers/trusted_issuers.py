"""Decides whether a signed token is good, and what it says; nothing in it is believed before its signature is.

The token names its issuer and its key, no more: the issuer must be configured, the key one of that issuer's own, and
the algorithm one that the key was published for and the configuration allows. Keys and addresses of keys that a token
brings along (`jwk`, `jku`, `x5u`) are never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jwt
import structlog

from kernel.errors import Unauthenticated
from server.domain.issuer import Identity
from server.domain.token import bad_credential
from server.domain.violation import why_unstorable
from server.issuers.configuration import IssuerSettings
from server.issuers.issuer_keys import IssuerKeys

log = structlog.get_logger()

LONGEST_TOKEN = 8 * 1024
LONGEST_SUBJECT = 255
REQUIRED_CLAIMS = ["iss", "aud", "sub", "exp", "iat"]
# Other kinds of tokens (logout tokens, for instance) are signed with the same keys and are nobody's credential.
_TYPES = {"jwt", "at+jwt"}


@dataclass(frozen=True, slots=True)
class _Trusted:
    settings: IssuerSettings
    keys: IssuerKeys


class TrustedIssuers:
    def __init__(self, issuers: Iterable[IssuerSettings]) -> None:
        self._trusted = {
            settings.issuer: _Trusted(
                settings,
                IssuerKeys(settings.issuer, settings.source(), settings.algorithms, settings.freshness()),
            )
            for settings in issuers
        }

    async def identify(self, token: str) -> Identity:
        """Answers who the token is for.

        Unauthenticated for a bad token: only one that was good is told that it has expired. Unavailable where its
        issuer's keys cannot be had.
        """
        if len(token) > LONGEST_TOKEN or not token.isascii():
            raise bad_credential()
        try:
            header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError):
            raise bad_credential() from None
        name = claims.get("iss")
        trusted = self._trusted.get(name) if isinstance(name, str) else None
        if trusted is None:
            raise bad_credential()
        return await _checked(trusted, token, header)

    async def close(self) -> None:
        for trusted in self._trusted.values():
            await trusted.keys.close()


async def _checked(trusted: _Trusted, token: str, header: dict[str, Any]) -> Identity:
    settings = trusted.settings
    key_id, algorithm = header.get("kid"), header.get("alg")
    if not isinstance(key_id, str) or algorithm not in settings.algorithms or not _is_plain(header):
        raise bad_credential()
    key = await trusted.keys.find(key_id, str(algorithm))
    if key is None:
        raise bad_credential()
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=settings.algorithms,
            audience=settings.audiences,
            issuer=settings.issuer,
            leeway=settings.clock_skew_seconds,
            options={"require": REQUIRED_CLAIMS},
        )
    except jwt.ExpiredSignatureError:
        raise Unauthenticated("the credential has expired; get a new one", reason="CREDENTIAL_EXPIRED") from None
    except (jwt.PyJWTError, ValueError) as error:
        log.info("token_refused", issuer=settings.issuer, why=type(error).__name__)
        raise bad_credential() from None
    return _identity(settings, claims)


def _is_plain(header: dict[str, Any]) -> bool:
    """Whether the header asks for nothing that would have to be understood."""
    kind = header.get("typ", "JWT")
    return (
        isinstance(kind, str)
        and kind.lower().removeprefix("application/") in _TYPES
        and not {"crit", "b64", "zip", "enc"} & header.keys()
    )


def _identity(settings: IssuerSettings, claims: dict[str, Any]) -> Identity:
    subject = claims["sub"]
    if not 0 < len(subject) <= LONGEST_SUBJECT or why_unstorable(subject):
        raise bad_credential()
    names = settings.claims
    # Only the truth itself counts as verified; whatever else stands there is a no.
    verified = claims[names.email_verified] is True if names.email_verified in claims else None
    return Identity(settings.trust, subject, _text(claims, names.email), verified, _text(claims, names.name))


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""
