"""Authenticated encryption of what must not be in the database in clear."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


class Cipher:
    """AES-256-GCM under a key derived from the master key; each value is bound to the context it was sealed for."""

    def __init__(self, master_key: str) -> None:
        """`master_key` is URL-safe base64 of 32 bytes; anything else is a ValueError that does not repeat it."""
        self._key = derive_key(master_key, b"oncall cipher v1")

    def seal(self, clear: bytes, context: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, clear, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Answers the clear bytes; ValueError where key or context differ, or a byte was changed."""
        try:
            return AESGCM(self._key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode())
        except InvalidTag:
            raise ValueError("sealed under another key or for another context") from None


def derive_key(master_key: str, purpose: bytes) -> bytes:
    """Answers a 32-byte key for one purpose, so that no key serves two."""
    try:
        master = base64.urlsafe_b64decode(master_key)
    except ValueError:
        master = b""
    if len(master) != 32:
        raise ValueError("the master key must be URL-safe base64 of 32 bytes")
    return hmac.digest(master, purpose, hashlib.sha256)
