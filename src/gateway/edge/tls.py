"""TLS of the gateway's own: a certificate and key from files, read again when these change.

A new pair goes into the same context, so that connections that are open stay open and the next handshake shows it. A
pair that is not good changes nothing: the old one stays, and the log says why.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from kernel.certificate_files import LOOK_SECONDS, ChangingFiles, UnusableFiles, read_identity, reload_again_and_again


@dataclass(slots=True)
class Pair:
    """The two files, PEM, and the context that holds what they contained last."""

    certificate: Path
    key: Path
    context: ssl.SSLContext
    _files: ChangingFiles

    def reload(self) -> bool:
        """Reads the files if they changed; whether there is a new pair. UnusableFiles while it is bad."""
        if not self._files.changed():
            return False
        _load(self.context, self.certificate, self.key)
        self._files.were_read()
        return True

    async def watch(self, seconds: float = LOOK_SECONDS) -> None:
        """Looks again and again, until it is cancelled."""
        await reload_again_and_again(self.reload, seconds)


def open_pair(certificate: Path, key: Path) -> Pair:
    """Reads the pair; UnusableFiles where it is missing, unreadable, expired, or not a pair."""
    context = _empty()
    files = ChangingFiles(certificate, key)
    _load(context, certificate, key)
    return Pair(certificate, key, context, files)


def _empty() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Puts the pair into the context, once it has been good in another one: a bad one would leave half of it behind.

    All read the same copy in memory, so that a file that is written meanwhile does not come between.
    """
    identity = read_identity(certificate, key)
    descriptor = os.memfd_create("tls-pair")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as copy:
            copy.write(identity.certificate + b"\n" + identity.key)
        path = f"/proc/self/fd/{descriptor}"
        try:
            _empty().load_cert_chain(path)
            context.load_cert_chain(path)
        except ssl.SSLError as error:
            raise UnusableFiles(f"{certificate} and {key} cannot be used: {error.reason or 'not for TLS'}") from None
    finally:
        os.close(descriptor)
