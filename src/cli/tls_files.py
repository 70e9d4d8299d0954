"""The files that a connection with TLS needs, tried before gRPC gets them, which would only fail and not say why."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

from cli.credentials import Credentials


def channel_credentials(found: Credentials) -> grpc.ChannelCredentials:
    """Answers what a channel needs; ValueError with a sentence where a file cannot be used."""
    roots = _authorities(found.ca_file) if found.ca_file else None
    if not (found.client_certificate or found.client_key):
        return grpc.ssl_channel_credentials(roots)
    if not (found.client_certificate and found.client_key):
        raise ValueError("a client certificate and its key go together: give both, or none")
    certificate, key = _read(found.client_certificate), _read(found.client_key)
    _require_pair(found)
    return grpc.ssl_channel_credentials(roots, key, certificate)


def _authorities(file: str) -> bytes:
    content = _read(file)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=content.decode())
    except (ssl.SSLError, ValueError):
        raise ValueError(f"{file} cannot be used: there is no PEM certificate in it") from None
    return content


def _require_pair(found: Credentials) -> None:
    def no_password() -> str:
        raise ValueError(f"{found.client_key} cannot be used: the key is encrypted; give one without a password")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(found.client_certificate, found.client_key, password=no_password)
    except ssl.SSLError:
        pair = f"{found.client_certificate} and {found.client_key}"
        raise ValueError(f"{pair} cannot be used: they are no PEM certificate and its key") from None


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror or type(error).__name__}") from None
