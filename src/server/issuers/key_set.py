"""An issuer's public keys, as its JWK set names them: each good for stated algorithms and no other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from server.issuers.key_source import KeysUnreadable

GREATEST_KEYS = 100
LEAST_RSA_BITS = 2048

KeySet = Mapping[tuple[str, str], jwt.PyJWK]
"""Keys by id and algorithm. A `PyJWK` verifies with the algorithm it was made for, whatever a token's header says."""


def parse_key_set(content: bytes, algorithms: Iterable[str]) -> KeySet:
    """Answers the keys that can verify one of `algorithms`; KeysUnreadable where it is no JWK set.

    Passed over are keys without an id, for encryption, too short, or of another kind; and private ones, which are no
    longer anybody's proof once they are published.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise KeysUnreadable("not JSON") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or len(keys) > GREATEST_KEYS:
        raise KeysUnreadable(f"not a JWK set of at most {GREATEST_KEYS} keys")
    found: dict[tuple[str, str], jwt.PyJWK] = {}
    for jwk in keys:
        if isinstance(jwk, dict) and _is_for_verifying(jwk):
            for algorithm in algorithms:
                if jwk.get("alg", algorithm) == algorithm and (key := _key(jwk, algorithm)):
                    found.setdefault((jwk["kid"], algorithm), key)
    return found


def _is_for_verifying(jwk: dict[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return (
        isinstance(jwk.get("kid"), str)
        and jwk.get("kty") in {"RSA", "EC", "OKP"}
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and "d" not in jwk
    )


def _key(jwk: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    try:
        key = jwt.PyJWK(jwk, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < LEAST_RSA_BITS:
        return None
    return key
