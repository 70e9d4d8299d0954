"""The gateway's settings, from the environment with the prefix `ONCALL_`; none is about a database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.edge.client_address import ForwardedHeader, Network, parse_networks
from gateway.edge.event_stream import MOST_STREAMS
from gateway.edge.http_connection import MOST_CONNECTIONS
from gateway.listener import split_address
from kernel.settings import together


def _address(value: str) -> str:
    split_address(value)
    return value


def _base_url(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value.rstrip("/")


def _networks(value: object) -> object:
    return parse_networks(value) if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_address)]


class GatewaySettings(BaseSettings):
    """`host:port` addresses; port 0 of `gateway_listen` picks a free one."""

    model_config = SettingsConfigDict(env_prefix="ONCALL_", extra="ignore")

    gateway_listen: Address = "127.0.0.1:7480"
    server_address: Address
    gateway_token_file: Path
    """A file with the token of the gateway's service account, so that it is in no process list."""
    gateway_public_url: Annotated[str, AfterValidator(_base_url)] = ""
    """What partners put before `/status/…`; empty: as each request was addressed."""
    gateway_trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = ()
    """Addresses and CIDRs of the proxies that are believed about whom they heard from."""
    gateway_forwarded_header: ForwardedHeader = ForwardedHeader.X_FORWARDED_FOR
    """Which header these write: `x-forwarded-for` or `forwarded`."""
    gateway_tls_certificate: Path | None = None
    """PEM file of the certificate and its chain; with it the gateway speaks TLS only."""
    gateway_tls_key: Path | None = None
    gateway_server_ca: Path | None = None
    """PEM file of who signed the server's certificate; with it the channel to the server is TLS."""
    gateway_server_tls: bool = False
    """TLS to the server without a file of authorities: gRPC's own roots are trusted."""
    gateway_client_certificate: Path | None = None
    """PEM file of what this gateway shows to a server that lets nobody in without a certificate."""
    gateway_client_key: Path | None = None
    gateway_cache_dir: Path | None = None
    """A folder of this gateway's own for what it showed last, so that it has that after a start; unset: none."""
    gateway_stale_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    """How long after the stream of changes broke pages are still answered without asking, while their watch lasts."""
    gateway_max_connections: Annotated[int, Field(ge=10, le=1_000_000)] = MOST_CONNECTIONS
    """How many connections there may be; who comes then is told when to come back."""
    gateway_max_streams: Annotated[int, Field(ge=0)] = MOST_STREAMS
    """How many of them may be streams of changes: at most half, so that pages can be read however many listen."""
    ready_file: Path | None = None
    log_format: str = "json"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        together(
            ("gateway_tls_certificate", self.gateway_tls_certificate),
            ("gateway_tls_key", self.gateway_tls_key),
        )
        together(
            ("gateway_client_certificate", self.gateway_client_certificate),
            ("gateway_client_key", self.gateway_client_key),
        )
        if self.gateway_max_streams > self.gateway_max_connections // 2:
            raise ValueError("ONCALL_GATEWAY_MAX_STREAMS may be at most half of ONCALL_GATEWAY_MAX_CONNECTIONS")
        if self.gateway_client_certificate and not self.speaks_tls_to_server:
            raise ValueError(
                "ONCALL_GATEWAY_CLIENT_CERTIFICATE is shown over TLS only: set ONCALL_GATEWAY_SERVER_CA, or "
                "ONCALL_GATEWAY_SERVER_TLS=true where the server's certificate is of a public authority"
            )
        return self

    @property
    def speaks_tls_to_server(self) -> bool:
        return self.gateway_server_tls or self.gateway_server_ca is not None
