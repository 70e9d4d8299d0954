"""Certificates and keys in PEM files: read and checked before anybody uses them, and read again when they change.

What is wrong is said in a sentence that names files and never what is in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

LOOK_SECONDS = 3.0

log = structlog.get_logger()


class UnusableFiles(Exception):
    """Files cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a process shows of itself: its certificate with the chain, and the key, both PEM."""

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)
    valid_until: datetime


def read_identity(certificate: Path, key: Path) -> Identity:
    """Reads a pair; UnusableFiles where it is missing, is no pair, or is not valid now."""
    shown, secret = _read(certificate), _read(key)
    leaf = _certificates(certificate, shown)[0]
    if not _is_key_of(leaf, key, secret):
        raise UnusableFiles(f"{certificate} and {key} cannot be used: the key is not that of the certificate")
    _require_valid(certificate, leaf)
    return Identity(shown, secret, leaf.not_valid_after_utc)


def read_authorities(file: Path) -> bytes:
    """Reads the certificates of authorities; UnusableFiles where there is none, or none that is valid now."""
    content = _read(file)
    found = _certificates(file, content)
    _require_valid(file, max(found, key=lambda certificate: certificate.not_valid_after_utc))
    return content


class ChangingFiles:
    """Some files, and whether they changed since they were read well."""

    def __init__(self, *files: Path | None) -> None:
        self._files = [file for file in files if file is not None]
        self._read = self._seen = self._look()

    def changed(self) -> bool:
        """Whether one is another than when `were_read` was said; until then it is told again.

        So what could not be used is tried again: the reason may pass without a further change, as does that a process
        had no descriptor left, that a certificate is not valid yet, or that a folder's mode kept its files away.
        """
        self._seen = self._look()
        return self._seen != self._read

    def were_read(self) -> None:
        """Says that they were read well, as they were when `changed` looked last or in a later state."""
        self._read = self._seen

    def _look(self) -> list[object]:
        """Answers what changes when a file does, also one that is replaced within the same tick of the clock.

        Also what changes with its owner or mode, for whoever writes a key may let others read it a moment later.
        """
        found: list[object] = []
        for file in self._files:
            try:
                status = file.stat()
            except OSError:
                found.append(None)
            else:
                found.append((status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino))
        return found


async def reload_again_and_again(
    reload: Callable[[], bool], seconds: float = LOOK_SECONDS, then: Callable[[], None] = lambda: None
) -> None:
    """Calls `reload` on a thread, and `then` on the loop where it found something new, until it is cancelled.

    What cannot be used is told, once for each way in which it cannot, and changes nothing: what was good before goes
    on, and it is tried again.
    """
    told = ""
    while True:
        await asyncio.sleep(seconds)
        problem = ""
        try:
            if await asyncio.to_thread(reload):
                then()
                log.info("tls_certificate_reloaded")
        except UnusableFiles as error:
            problem = str(error)
        except OSError as error:  # a process without a descriptor left, say
            problem = error.strerror or type(error).__name__
        if problem and problem != told:
            log.error("tls_certificate_not_reloaded", problem=problem)
        told = problem


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UnusableFiles(f"{file} cannot be read: {error.strerror or type(error).__name__}") from None


def _certificates(file: Path, content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except (ValueError, x509.InvalidVersion):
        raise UnusableFiles(f"{file} cannot be used: there is no PEM certificate in it") from None


def _is_key_of(certificate: x509.Certificate, file: Path, content: bytes) -> bool:
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise UnusableFiles(f"{file} cannot be used: the key is encrypted; give one without a password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableFiles(f"{file} cannot be used: there is no PEM key in it") from None
    try:
        public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return False  # a kind of key that this library cannot read, and so not that of the file
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == public


def _require_valid(file: Path, certificate: x509.Certificate) -> None:
    now = datetime.now(UTC)
    if certificate.not_valid_after_utc <= now:
        raise UnusableFiles(f"{file} expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: renew it")
    if certificate.not_valid_before_utc > now:
        since = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        raise UnusableFiles(f"{file} is valid only from {since} on: check the clock of this machine")
