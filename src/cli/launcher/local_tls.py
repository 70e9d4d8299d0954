"""What `oncall up --tls` adds: certificates of a local authority, and what each process is told of them.

Partners and people meet certificates that the authority signed for this machine. The gateway meets the server at an
address of its own, where both show one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from cli.launcher.local_authority import LocalAuthority, domains
from cli.launcher.refusal import CannotStart
from cli.launcher.settings import LauncherSettings

LOOK_SECONDS = 3600.0
_NAMES = ("localhost", "127.0.0.1", "::1")
_WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - to leave them out
_OURS = (
    "ONCALL_SERVER_TLS_CERTIFICATE",
    "ONCALL_SERVER_TLS_KEY",
    "ONCALL_SERVER_TLS_CLIENT_CA",
    "ONCALL_SERVER_GATEWAY_LISTEN",
    "ONCALL_GATEWAY_TLS_CERTIFICATE",
    "ONCALL_GATEWAY_TLS_KEY",
    "ONCALL_GATEWAY_SERVER_TLS",
    "ONCALL_GATEWAY_SERVER_CA",
    "ONCALL_GATEWAY_CLIENT_CERTIFICATE",
    "ONCALL_GATEWAY_CLIENT_KEY",
)


class LocalTls:
    """The certificates of one installation, made at its first start and signed anew before they end."""

    def __init__(self, data: Path, settings: LauncherSettings, environment: Mapping[str, str]) -> None:
        """Makes what is missing; raises CannotStart with a sentence for people."""
        given = [name for name in _OURS if environment.get(name)]
        if given:
            raise CannotStart(
                f"cannot start: --tls makes certificates of its own: unset {', '.join(given)}, or leave --tls out"
            )
        self._folder = data / "tls"
        hosts = [
            address.rpartition(":")[0].strip("[]") for address in (settings.server_listen, settings.gateway_listen)
        ]
        self._names = [*_NAMES, *(host for host in hosts if host not in _WILDCARDS)]
        self._due = time.monotonic() + LOOK_SECONDS
        self.authority_replaced = False
        """Whether whoever trusted an earlier authority of this folder has to trust another one now."""
        self._sign()

    @property
    def ca_file(self) -> Path:
        return self._folder / "ca.pem"

    @property
    def names(self) -> str:
        """The names that the authority can vouch for, besides addresses, for people."""
        return " and ".join(domains(self._names))

    @property
    def server(self) -> dict[str, str]:
        """What the server is told. Gateways get an address of their own, on this machine and any free port."""
        return {
            **self._pair("ONCALL_SERVER_TLS_CERTIFICATE", "ONCALL_SERVER_TLS_KEY", "server"),
            "ONCALL_SERVER_TLS_CLIENT_CA": str(self.ca_file),
            "ONCALL_SERVER_GATEWAY_LISTEN": "127.0.0.1:0",
        }

    @property
    def gateway(self) -> dict[str, str]:
        """What the gateway is told."""
        return {
            **self._pair("ONCALL_GATEWAY_TLS_CERTIFICATE", "ONCALL_GATEWAY_TLS_KEY", "gateway"),
            **self._pair("ONCALL_GATEWAY_CLIENT_CERTIFICATE", "ONCALL_GATEWAY_CLIENT_KEY", "gateway-client"),
            "ONCALL_GATEWAY_SERVER_CA": str(self.ca_file),
        }

    def renew_if_due(self) -> None:
        """Signs anew what ends soon, looking once an hour; the processes take it up by themselves."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + LOOK_SECONDS
            self._sign()

    def _sign(self) -> None:
        try:
            authority = LocalAuthority(self._folder, self._names)
            authority.server_pair("server")
            authority.server_pair("gateway")
            authority.client_pair("gateway-client")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise CannotStart(f"cannot make certificates in {self._folder}: {why}") from error
        self.authority_replaced = self.authority_replaced or authority.replaced

    def _pair(self, certificate: str, key: str, name: str) -> dict[str, str]:
        return {certificate: str(self._folder / f"{name}.pem"), key: str(self._folder / f"{name}.key")}
