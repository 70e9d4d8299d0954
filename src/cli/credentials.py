"""Which server to call, and the caller's token for it: from the environment, or as `oncall login` stored them."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

DEFAULT_SERVER = "127.0.0.1:7443"
DEFAULT_PORT = 7443


class CredentialsUnusable(Exception):
    """There is no credential for the server, or it must not be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """`ca_file`, if set, holds the PEM certificates to trust; it implies TLS.

    `client_certificate` and `client_key`, if set, are the files of what is shown to a server that asks for it.
    """

    server: str
    token: str = field(repr=False)
    tls: bool = False
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""


def credentials_path(environ: Mapping[str, str] = os.environ) -> Path:
    config = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(config).expanduser() / "oncall" / "credentials.json"


def current(environ: Mapping[str, str] = os.environ) -> Credentials:
    """Answers what to call with; `ONCALL_SERVER`, `ONCALL_TOKEN` and those about TLS go before what is stored.

    A stored token is never sent to another server than the one it was stored for.
    """
    token = environ.get("ONCALL_TOKEN", "").strip()
    stored = _stored(environ, needed=not (token and environ.get("ONCALL_SERVER")))
    server = normal_address(environ.get("ONCALL_SERVER") or (stored.server if stored else DEFAULT_SERVER))
    of_this_server = stored if stored and stored.server == server else None
    if token:
        found = replace(of_this_server, token=token) if of_this_server else Credentials(server, token)
    elif of_this_server is None:
        raise CredentialsUnusable(f"no token is stored for {server}: run `oncall login --server {server}`")
    else:
        found = of_this_server
    return _over_tls(found, environ)


def _stored(environ: Mapping[str, str], *, needed: bool) -> Credentials | None:
    """Answers what is stored; where the environment tells all that is needed, what cannot be read is nothing."""
    try:
        return load(environ)
    except (CredentialsUnusable, RuntimeError):  # RuntimeError: nobody knows where the home folder is
        if needed:
            raise
        return None


def _over_tls(found: Credentials, environ: Mapping[str, str]) -> Credentials:
    """Answers the credentials with what the environment says of TLS; it can ask for it, never for going without."""
    ca_file = environ.get("ONCALL_CA_FILE") or found.ca_file
    asked = environ.get("ONCALL_TLS", "").strip().lower() not in {"", "0", "false", "no"}
    pair = environ.get("ONCALL_CLIENT_CERTIFICATE", ""), environ.get("ONCALL_CLIENT_KEY", "")
    certificate, key = pair if any(pair) else (found.client_certificate, found.client_key)
    tls = found.tls or asked or bool(ca_file)
    return replace(found, tls=tls, ca_file=ca_file, client_certificate=certificate, client_key=key)


def load(environ: Mapping[str, str] = os.environ) -> Credentials | None:
    """Answers what is stored, if anything is."""
    path = credentials_path(environ)
    try:
        with path.open(encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise CredentialsUnusable(f"others can read {path}, which holds a token: run `chmod 600 {path}`")
            content = json.load(file)
        return Credentials(**content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        raise CredentialsUnusable(f"{path} cannot be read: run `oncall login` to write it anew") from None


def store(credentials: Credentials, environ: Mapping[str, str] = os.environ) -> Path:
    """Writes the credentials for their owner alone, whole or not at all; answers where."""
    path = credentials_path(environ)
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".credentials-")  # mode 0600 from its first moment
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(credentials), file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def forget(environ: Mapping[str, str] = os.environ) -> bool:
    """Removes what is stored; False where nothing was."""
    try:
        credentials_path(environ).unlink()
    except FileNotFoundError:
        return False
    return True


def normal_address(address: str) -> str:
    """Answers host:port; the port may be left out."""
    host, colon, port = address.strip().rpartition(":")
    if not colon or port.endswith("]"):  # a bare name or address, or an IPv6 address in brackets
        return f"{address.strip()}:{DEFAULT_PORT}"
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise CredentialsUnusable(f"{address!r} is no host:port")
    return f"{host}:{port}"
