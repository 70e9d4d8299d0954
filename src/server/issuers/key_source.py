"""Where an issuer's keys come from: a file, or a URL. What is read is bounded in size and time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx

GREATEST_BYTES = 256 * 1024
FETCH_SECONDS = 5.0


class KeysUnreadable(Exception):
    """The keys cannot be had just now; the text says why, for the log."""


class KeySource(Protocol):
    async def read(self) -> bytes:
        """Answers a JWK set, unparsed; KeysUnreadable where there is none to be had."""

    async def close(self) -> None:
        """Gives back what it holds open."""


@dataclass(frozen=True, slots=True)
class FileSource:
    path: Path

    async def read(self) -> bytes:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                return await asyncio.to_thread(self._read)
        except (OSError, ValueError) as error:
            raise KeysUnreadable(type(error).__name__) from error

    def _read(self) -> bytes:
        with self.path.open("rb") as file:
            return _bounded(file.read(GREATEST_BYTES + 1))

    async def close(self) -> None:
        """Holds nothing open."""


class UrlSource:
    """Follows no redirect: the operator named this address and no other."""

    def __init__(self, url: str) -> None:
        self._url = url
        # Proxies of the environment are for the world outside, never for this machine.
        self._client = httpx.AsyncClient(
            follow_redirects=False, timeout=FETCH_SECONDS, trust_env=not is_loopback(urlsplit(url).hostname or "")
        )

    async def read(self) -> bytes:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                return await self._fetch()
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise KeysUnreadable(type(error).__name__) from error

    async def _fetch(self) -> bytes:
        # Uncompressed, so that what is counted is what there is: a small answer must not unfold into a large one.
        headers = {"accept": "application/jwk-set+json, application/json", "accept-encoding": "identity"}
        async with self._client.stream("GET", self._url, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                raise KeysUnreadable(f"HTTP status {answer.status_code}")
            body = b""
            async for chunk in answer.aiter_raw():
                body = _bounded(body + chunk)
            return body

    async def close(self) -> None:
        await self._client.aclose()


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bounded(content: bytes) -> bytes:
    if len(content) > GREATEST_BYTES:
        raise KeysUnreadable(f"larger than {GREATEST_BYTES:,} bytes")
    return content
