"""Shows how long lists, streams and sets of a Redis are, such as the queues of workers.

Exit code: 0 all below the limit, 1 one at or above it, 2 where it could not ask.
"""

import os
import socket
import ssl
import sys

HOST, PORT = os.environ["PARAM_HOST"], int(os.environ["PARAM_PORT"])
KEYS = [key for key in os.environ["PARAM_KEYS"].split(",") if key]
WARN = int(os.environ["PARAM_WARN_LENGTH"])
LENGTH_OF = {"list": "LLEN", "stream": "XLEN", "set": "SCARD", "zset": "ZCARD", "hash": "HLEN"}


class Failed(Exception):
    """Says why Redis could not be asked."""


class Redis:
    def __init__(self) -> None:
        connection = socket.create_connection((HOST, PORT), timeout=10)
        if os.environ["PARAM_TLS"] == "true":
            connection = ssl.create_default_context().wrap_socket(connection, server_hostname=HOST)
        self.file = connection.makefile("rwb")
        password = os.environ.get("PARAM_PASSWORD", "")
        if password:
            self("AUTH", os.environ["PARAM_USER"], password)
        self("SELECT", os.environ["PARAM_DATABASE"])

    def __call__(self, *words: str) -> str:
        parts = [f"*{len(words)}\r\n".encode()]
        parts += [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
        self.file.write(b"".join(parts))
        self.file.flush()
        answer = self.file.readline().decode(errors="replace").rstrip("\r\n")
        if not answer:
            raise Failed("it closed the connection")
        if answer[0] not in "+:":  # every command sent here answers one line
            raise Failed(answer[1:])
        return answer[1:]


def main() -> int:
    too_long = 0
    try:
        redis = Redis()
        print(f"{'length':>10}  {'kind':<7} key")
        for key in KEYS:
            kind = redis("TYPE", key)
            length = int(redis(LENGTH_OF[kind], key)) if kind in LENGTH_OF else 0
            print(f"{length:>10}  {kind:<7} {key}{'  <- too long' if length >= WARN else ''}")
            too_long += length >= WARN
    except (Failed, OSError) as error:
        print(f"redis-queue-depth: {HOST}:{PORT}: {error}", file=sys.stderr)
        return 2
    if too_long:
        print(f"redis-queue-depth: {too_long} of {len(KEYS)} have {WARN} entries or more", file=sys.stderr)
    return 1 if too_long else 0


sys.exit(main())
