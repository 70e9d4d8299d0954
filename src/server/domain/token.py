"""API tokens: `oct_`, a prefix to find it by, and a secret of 256 random bits of which only the hash is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from kernel.errors import Unauthenticated

MARK = "oct_"
PREFIX_BYTES = 10
SECRET_BYTES = 32

_TOKEN = re.compile(r"(oct_[a-z2-7]{16})([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token at the only moment when all of it is known."""

    token: str = field(repr=False)
    prefix: str
    secret_hash: bytes = field(repr=False)


def issue(random: Callable[[int], bytes]) -> NewToken:
    """Makes a token; `random` answers that many bytes nobody can guess (`secrets.token_bytes`)."""
    prefix = MARK + base64.b32encode(random(PREFIX_BYTES)).decode().lower()
    secret = base64.urlsafe_b64encode(random(SECRET_BYTES)).rstrip(b"=").decode()
    return NewToken(prefix + secret, prefix, _hash(secret))


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """What a caller sent, in its two parts."""

    prefix: str
    secret: str = field(repr=False)

    def matches(self, secret_hash: bytes) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(_hash(self.secret), secret_hash)


def bad_credential() -> Unauthenticated:
    """Answers the one refusal for every kind of bad credential, so that none can be probed."""
    return Unauthenticated("the credential is unknown, expired or revoked")


def parse(token: str) -> PresentedToken | None:
    """Answers the parts of what looks like a token; None for anything else."""
    match = _TOKEN.fullmatch(token)
    return PresentedToken(match[1], match[2]) if match else None


def _hash(secret: str) -> bytes:
    # A fast hash is right here: 256 random bits cannot be guessed, however fast one guesses.
    return hashlib.sha256(secret.encode()).digest()
