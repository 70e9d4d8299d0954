"""Partner tokens: `ocp_`, a prefix to recognise one by, and a secret of 256 random bits; only a keyed hash is kept.

Whoever reads the database learns nothing to come in with, and whoever writes to it cannot make a token that works.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

PARTNER_MARK = "ocp_"
PREFIX_BYTES = 10
SECRET_BYTES = 32

KEY_PURPOSE = b"oncall partner tokens v1"


@dataclass(frozen=True, slots=True)
class NewPartnerToken:
    """A token at the only moment when all of it is known."""

    token: str = field(repr=False)
    prefix: str
    token_hash: bytes = field(repr=False)


class PartnerTokens:
    """Makes tokens and hashes those that are presented, under a key that serves nothing else."""

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        """`random` answers that many bytes nobody can guess (`secrets.token_bytes`)."""
        self._key = key
        self.random = random

    def issue(self) -> NewPartnerToken:
        prefix = PARTNER_MARK + base64.b32encode(self.random(PREFIX_BYTES)).decode().lower()
        token = prefix + base64.urlsafe_b64encode(self.random(SECRET_BYTES)).rstrip(b"=").decode()
        return NewPartnerToken(token, prefix, self.hash(token))

    def hash(self, token: str) -> bytes:
        """Answers what is kept of a token; of what is no token too, so that both take the same way and time."""
        return hmac.digest(self._key, token.encode("utf-8", "surrogatepass"), hashlib.sha256)
