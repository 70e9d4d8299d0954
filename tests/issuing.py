"""Issuers of signed tokens for tests: real keys, published as a file or over HTTP on this machine."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "oncall"
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Answers a key by name, made once per test process: that takes long."""
    return rsa.generate_private_key(65537, bits)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: PrivateKey, key_id: str, **changes: object) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    jwk: dict[str, Any] = algorithm.to_jwk(key.public_key(), as_dict=True)  # type: ignore[arg-type]
    return jwk | {"kid": key_id, "use": "sig"} | changes


def public_pem(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(slots=True)
class TokenIssuer:
    """Issues tokens as `name`, each key under its id; the first key signs where none is named."""

    name: str
    keys: dict[str, PrivateKey] = field(default_factory=lambda: {"first": ec_key()})

    def jwks(self) -> bytes:
        return json.dumps({"keys": [public_jwk(key, key_id) for key_id, key in self.keys.items()]}).encode()

    def rotate(self, key_id: str) -> None:
        self.keys = {key_id: ec_key()}

    def claims(self, subject: str = "ada", **changes: object) -> dict[str, object]:
        """Answers good claims, with changes; None takes one away."""
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.name,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now,
            "exp": now + 600,
            "email": f"{subject}@example.org",
            "email_verified": True,
            "name": subject.title(),
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(
        self,
        claims: Mapping[str, object] | None = None,
        *,
        key_id: str = "",
        key: PrivateKey | None = None,
        algorithm: str = "",
        headers: Mapping[str, object] | None = None,
    ) -> str:
        key_id = key_id or next(iter(self.keys))
        key = key or self.keys[key_id]
        algorithm = algorithm or ("RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256")
        content = self.claims() if claims is None else dict(claims)
        return jwt.encode(content, key, algorithm, headers={"kid": key_id} | dict(headers or {}))

    def sign(self, content: bytes) -> str:
        """Signs whatever it is, also what the library would not."""
        key_id, key = next(iter(self.keys.items()))
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        return jwt.api_jws.encode(content, key, algorithm, headers={"typ": "JWT", "kid": key_id})


def forged(header: Mapping[str, object], claims: Mapping[str, object] | bytes, signature: bytes = b"") -> str:
    """Answers a token put together by hand, as no library would."""
    content = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return ".".join(map(base64url, (json.dumps(header).encode(), content, signature)))


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def issuers_file(folder: Path, *entries: Mapping[str, object]) -> Path:
    path = folder / "issuers.json"
    path.write_text(json.dumps({"issuers": entries}))
    return path


def file_entry(folder: Path, issuer: TokenIssuer, **changes: object) -> dict[str, object]:
    """Publishes the issuer's keys in `folder` and answers its entry in the file of issuers."""
    keys = folder / f"{len(list(folder.iterdir()))}.jwks"
    keys.write_bytes(issuer.jwks())
    return {"issuer": issuer.name, "audience": AUDIENCE, "jwks_file": keys.name} | changes


@dataclass(slots=True)
class KeyServer:
    """Answers every HTTP request with `status` and `body`; `asked` counts the requests."""

    body: bytes
    status: str = "200 OK"
    headers: tuple[str, ...] = ()
    asked: int = 0
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        lines = (f"HTTP/1.1 {self.status}", f"Content-Length: {len(self.body)}", "Connection: close", *self.headers)
        writer.write("\r\n".join((*lines, "", "")).encode() + self.body)
        writer.close()


@asynccontextmanager
async def a_key_server(body: bytes) -> AsyncIterator[KeyServer]:
    keys = KeyServer(body)
    async with await asyncio.start_server(keys.serve, "127.0.0.1", 0) as listening:
        keys.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/keys"
        yield keys
