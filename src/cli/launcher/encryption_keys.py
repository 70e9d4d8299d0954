"""Tells whether two processes were given the same keys, without keeping any of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def fingerprint(environment: Mapping[str, str]) -> str:
    """Answers a hash of the keys that values are encrypted under, in their order.

    Keys are 256 random bits each: nobody gets from the hash to them, however fast one guesses.
    """
    listed = environment.get("ONCALL_ENCRYPTION_KEYS", "").strip() or environment["ONCALL_MASTER_KEY"]
    keys = [key.strip() for key in listed.split(",")]
    return hashlib.sha256("\n".join(["oncall encryption keys v1", *keys]).encode()).hexdigest()
