"""The listening socket, bound before anything else, so that a busy port is one sentence."""

from __future__ import annotations

import socket


def split_address(address: str) -> tuple[str, int]:
    """Answers host and port of `host:port` or `[v6]:port`; ValueError for anything else."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise ValueError("must be host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def bind(address: str) -> socket.socket:
    """Binds; OSError where that cannot be. No SO_REUSEPORT, with which two gateways would share a port unawares."""
    host, port = split_address(address)
    family, kind, protocol, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def spelled(listener: socket.socket) -> str:
    """Answers where it listens as `host:port`, the port that was picked filled in."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
