"""TLS of the gRPC port: a certificate and key, and who signs clients' certificates, from files that may change.

Every handshake asks for what is newest, so that nothing is restarted and connections that are open stay open. TLS 1.2
is the oldest that gRPC speaks; there is no setting to have less.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import grpc
import structlog

from kernel.certificate_files import (
    ChangingFiles,
    Identity,
    UnusableFiles,
    read_authorities,
    read_identity,
    reload_again_and_again,
)
from kernel.settings import fail
from server.settings import ServerSettings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class _Material:
    """What was read at one moment."""

    identity: Identity
    client_authorities: bytes | None = field(repr=False)

    def configuration(self, *, mutual: bool) -> grpc.ServerCertificateConfiguration:
        pair = (self.identity.key, self.identity.certificate)
        return grpc.ssl_server_certificate_configuration([pair], self.client_authorities if mutual else None)


class ServerTls:
    """The files as they were when they were good last, and the ports that go by them."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None) -> None:
        """Reads the files; UnusableFiles where that cannot be."""
        self._paths = (certificate, key, client_ca)
        self._files = ChangingFiles(*self._paths)
        self._material = self._read()

    def add_ports(self, server: grpc.aio.Server, listen: str, gateway_listen: str | None) -> tuple[int, int]:
        """Answers the ports; the second is 0 unless gateways have one. There clients' certificates are asked for.

        Raises a RuntimeError where an address cannot be had, or gRPC cannot use a kind of key that others can.
        """
        asks = self._material.client_authorities is not None
        port = server.add_secure_port(listen, self._credentials(mutual=asks and gateway_listen is None))
        if gateway_listen is None:
            return port, 0
        return port, server.add_secure_port(gateway_listen, self._credentials(mutual=True))

    def reload(self) -> bool:
        """Reads the files if they changed; whether there is something new. UnusableFiles while they are bad."""
        if not self._files.changed():
            return False
        self._material = self._read()
        self._files.were_read()
        return True

    async def watch(self) -> None:
        """Looks again and again, until it is cancelled."""
        await reload_again_and_again(self.reload)

    def _credentials(self, *, mutual: bool) -> grpc.ServerCredentials:
        shown = self._material

        def newest() -> grpc.ServerCertificateConfiguration | None:
            """Called by gRPC for every handshake, on a thread of its own; None: as before."""
            nonlocal shown
            material = self._material
            if material is shown:
                return None
            shown = material
            return material.configuration(mutual=mutual)

        first = shown.configuration(mutual=mutual)
        return grpc.dynamic_ssl_server_credentials(first, newest, mutual)  # type: ignore[arg-type] # None is documented

    def _read(self) -> _Material:
        certificate, key, client_ca = self._paths
        material = _Material(read_identity(certificate, key), read_authorities(client_ca) if client_ca else None)
        log.info("tls_certificate", valid_until=material.identity.valid_until.isoformat(timespec="seconds"))
        return material


def open_tls(settings: ServerSettings) -> ServerTls | None:
    """Answers what the settings ask for, or ends the process with one sentence."""
    certificate, key = settings.server_tls_certificate, settings.server_tls_key
    if certificate is None or key is None:
        return None
    try:
        return ServerTls(certificate, key, settings.server_tls_client_ca)
    except UnusableFiles as problem:
        fail(f"cannot start: TLS: {problem}")
