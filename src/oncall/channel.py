"""What both clients, asyncio and synchronous, put on a connection: its options and the caller's credential."""

from __future__ import annotations

CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    # A script may be silent for minutes: pings find out that the other side is gone, and keep middle boxes awake.
    # The server allows one every 10 s; a server that does not makes gRPC slow them down by itself.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # How soon a lost connection is made anew; the defaults wait for 1 s at first and 2 min in the end.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # How long one attempt may take, whatever its name says: in less than some round trips no far server is reached.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    # A version with its script is about 1 MiB, a page of them more than the default of 4 MiB.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
)


def authorization(token: str) -> tuple[str, str]:
    """Answers the metadata entry that carries `token`.

    A ValueError, which never repeats it, where it cannot be one: gRPC would print it in an error of its own.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("a token is printable ASCII without spaces")
    return ("authorization", f"Bearer {token}")
