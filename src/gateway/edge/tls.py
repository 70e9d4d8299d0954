"""TLS of the gateway's own: a certificate and key from files, read again when these change.

A new pair goes into the same context, so that connections that are open stay open and the next handshake shows it. A
pair that is not good changes nothing: the old one stays, and the log says why.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import structlog

LOOK_SECONDS = 3.0

log = structlog.get_logger()


class BadPair(Exception):
    """Certificate and key cannot be used; the text says why, and nothing of what they contain."""


@dataclass(slots=True)
class Pair:
    """The two files, PEM, and the context that holds what they contained last."""

    certificate: Path
    key: Path
    context: ssl.SSLContext
    _seen: tuple[object, ...]

    def reload(self) -> bool:
        """Reads the files if they changed; whether there is a new pair now. Raises BadPair once for a bad one."""
        seen = _seen(self.certificate, self.key)
        if seen == self._seen:
            return False
        self._seen = seen
        _load(self.context, self.certificate, self.key)
        return True

    async def watch(self, seconds: float = LOOK_SECONDS) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                if await asyncio.to_thread(self.reload):
                    log.info("tls_certificate_reloaded")
            except BadPair as problem:
                log.error("tls_certificate_not_reloaded", problem=str(problem))


def open_pair(certificate: Path, key: Path) -> Pair:
    """Reads the pair; BadPair where it is missing, unreadable, or not a pair."""
    context = _empty()
    seen = _seen(certificate, key)
    _load(context, certificate, key)
    return Pair(certificate, key, context, seen)


def _empty() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Puts the pair into the context, once it has been good in another one: a bad one would leave half of it behind.

    Both read the same copy in memory, so that a file that is written meanwhile does not come between.
    """
    pair = _read(certificate) + b"\n" + _read(key)
    descriptor = os.memfd_create("tls-pair")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as copy:
            copy.write(pair)
        path = f"/proc/self/fd/{descriptor}"
        try:
            _empty().load_cert_chain(path, password=_no_password)
            context.load_cert_chain(path, password=_no_password)
        except ssl.SSLError as error:
            mismatch = "KEY_VALUES_MISMATCH" in (error.reason or "")
            reason = "the key is not that of the certificate" if mismatch else "they are no PEM certificate and key"
            raise BadPair(f"{certificate} and {key} cannot be used: {reason}") from None
    finally:
        os.close(descriptor)


def _no_password() -> str:
    raise BadPair("the key is encrypted; only one without a password can be read")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadPair(f"{file} cannot be read: {error.strerror or type(error).__name__}") from None


def _seen(*files: Path) -> tuple[object, ...]:
    """Answers what changes when a file does, also one that is replaced within the same tick of the clock."""
    found: list[object] = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)
