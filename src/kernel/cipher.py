"""Authenticated encryption of what must not be in the database in clear.

A sealed value is one byte for this layout, the id of its key (8 bytes), a nonce (12), and the AES-256-GCM ciphertext
with its tag. Layout and key id are authenticated with it, as is the context that it was sealed for: a value moved to
another row does not open there. The id says which of several keys opens a value, so that keys can be changed while
everything runs; it is a keyed hash, of which nobody gets back to the key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.settings import CoreSettings

LAYOUT = b"\x01"
KEY_ID_BYTES = 8
NONCE_BYTES = 12
HEADER_BYTES = len(LAYOUT) + KEY_ID_BYTES


class Cipher:
    """Seals with the current key and opens with any that it was given."""

    def __init__(self, current: str, *older: str) -> None:
        """Each key is URL-safe base64 of 32 bytes; anything else is a ValueError that does not repeat it."""
        keys = [(_key_id(key), AESGCM(derive_key(key, b"oncall cipher v1"))) for key in (current, *older)]
        self._keys = dict(keys)
        self.current_key_id = keys[0][0]
        """Under which key `seal` seals: 16 hexadecimal digits."""

    @classmethod
    def of(cls, settings: CoreSettings) -> Cipher:
        """Answers the cipher of an installation; ValueError with a sentence that names the bad setting, not its value.

        Every process that seals or opens builds its cipher here, so that all mean the same keys.
        """
        listed = settings.encryption_keys.get_secret_value() if settings.encryption_keys else ""
        if not listed.strip():
            try:
                return cls(settings.master_key.get_secret_value())
            except ValueError as error:
                message = f"ONCALL_MASTER_KEY: {error}"
                raise ValueError(message) from None
        keys = [key.strip() for key in listed.split(",")]
        for number, key in enumerate(keys, start=1):
            try:
                _key_id(key)
            except ValueError:
                message = f"ONCALL_ENCRYPTION_KEYS: key {number} of {len(keys)} is not URL-safe base64 of 32 bytes"
                raise ValueError(message) from None
        return cls(*keys)

    @property
    def current_header(self) -> bytes:
        """What every value sealed from now on begins with, for a query that looks for those that do not."""
        return LAYOUT + bytes.fromhex(self.current_key_id)

    def seal(self, clear: bytes, context: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        header = self.current_header
        sealed = self._keys[self.current_key_id].encrypt(nonce, clear, header + context.encode())
        return header + nonce + sealed

    def open(self, sealed: bytes, context: str) -> bytes:
        """Answers the clear bytes.

        ValueError, with a sentence that can be logged, where its key is not among ours (the sentence names the key's
        id), where the context differs, or where a byte was changed.
        """
        key_id = key_id_of(sealed)
        key = self._keys.get(key_id)
        if key is None:
            message = f"sealed under another key, {key_id}, which is not among those of ONCALL_ENCRYPTION_KEYS"
            raise ValueError(message)
        header, body = sealed[:HEADER_BYTES], sealed[HEADER_BYTES:]
        try:
            return key.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], header + context.encode())
        except InvalidTag:
            raise ValueError("sealed for another context, or changed since") from None


def key_id_of(sealed: bytes) -> str:
    """Answers the id of the key that a value was sealed under, without opening it; ValueError where it is none."""
    if len(sealed) < HEADER_BYTES + NONCE_BYTES or sealed[: len(LAYOUT)] != LAYOUT:
        raise ValueError("not a sealed value of a known layout")
    return sealed[len(LAYOUT) : HEADER_BYTES].hex()


def derive_key(master_key: str, purpose: bytes) -> bytes:
    """Answers a 32-byte key for one purpose, so that no key serves two."""
    try:
        master = base64.urlsafe_b64decode(master_key)
    except ValueError:
        master = b""
    if len(master) != 32:
        raise ValueError("the key must be URL-safe base64 of 32 bytes")
    return hmac.digest(master, purpose, hashlib.sha256)


def _key_id(key: str) -> str:
    return derive_key(key, b"oncall key id v1")[:KEY_ID_BYTES].hex()
