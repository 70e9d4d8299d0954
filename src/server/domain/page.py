"""Pages of lists: their size, and tokens that continue one list with the same filters and no other."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from kernel.errors import FieldViolation, InvalidArgument

DEFAULT_SIZE = 50
GREATEST_SIZE = 500
LONGEST_TOKEN = 500
_MAC_BYTES = 16

Item = TypeVar("Item")
Mapped = TypeVar("Mapped")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a caller asked for, unchecked."""

    size: int = 0
    token: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, and the token of the next page: empty on the last."""

    items: Sequence[Item]
    next_token: str

    def map(self, convert: Callable[[Item], Mapped]) -> list[Mapped]:
        return [convert(item) for item in self.items]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where to go on in one list: `position` is None on the first page."""

    size: int
    position: str | None
    _sign: Callable[[str], str] = field(repr=False)

    def page(self, items: Sequence[Item], position_of: Callable[[Item], object]) -> Page[Item]:
        """Answers the page of `items`, which were read with a limit of `size` + 1 to see whether more follow."""
        kept = items[: self.size]
        more = len(items) > len(kept)
        return Page(kept, self._sign(str(position_of(kept[-1]))) if more else "")


class Pager:
    """Opens page requests and signs page tokens under a key that serves nothing else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def open(self, method: str, filters: Mapping[str, str], request: PageRequest) -> Cursor:
        """Checks size and token; a token is good for the method and the filters it was made for."""
        if request.size < 0:
            raise InvalidArgument([FieldViolation("page_size", "must not be negative")])
        scope = json.dumps([method, sorted(filters.items())]).encode()
        position = self._read(scope, request.token) if request.token else None
        size = min(request.size or DEFAULT_SIZE, GREATEST_SIZE)
        return Cursor(size, position, lambda position: self._write(scope, position))

    def _write(self, scope: bytes, position: str) -> str:
        signed = self._mac(scope, position.encode()) + position.encode()
        return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()

    def _read(self, scope: bytes, token: str) -> str:
        signed = _decode(token)
        mac, position = signed[:_MAC_BYTES], signed[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(scope, position)):
            violation = FieldViolation("page_token", "is not the token of a page of this list with these filters")
            raise InvalidArgument([violation], reason="PAGE_TOKEN_INVALID")
        return position.decode()

    def _mac(self, scope: bytes, position: bytes) -> bytes:
        message = len(scope).to_bytes(4, "big") + scope + position
        return hmac.digest(self._key, message, hashlib.sha256)[:_MAC_BYTES]


def _decode(token: str) -> bytes:
    """Answers the bytes of a token; of no use, and so refused by the check that follows, where it is none."""
    if len(token) > LONGEST_TOKEN or not token.isascii():
        return b""
    try:
        decoded = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
    # One token has one spelling: bits that base64 ignores must not make a second.
    return decoded if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() == token else b""
