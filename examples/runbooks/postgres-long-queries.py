"""Lists the queries of a PostgreSQL server that have been running for long, the longest first.

Speaks the server's protocol itself (https://www.postgresql.org/docs/current/protocol.html), for a sandbox has no
client of it: SCRAM-SHA-256, or no password at all. Exit code: 0 none found, 1 some, 2 where it could not ask.
"""

import base64
import hashlib
import hmac
import os
import secrets
import socket
import ssl
import struct
import sys

HOST, PORT = os.environ["PARAM_HOST"], int(os.environ["PARAM_PORT"])
USER, DATABASE = os.environ["PARAM_USER"], os.environ["PARAM_DATABASE"]
PASSWORD = os.environ.get("SECRET_POSTGRES_PASSWORD", "")
SECONDS = int(os.environ["PARAM_SECONDS"])
TLS = os.environ["PARAM_TLS"]

QUERY = f"""
SELECT pid, usename, datname, state, coalesce(wait_event_type || ':' || wait_event, '-'),
       extract(epoch FROM clock_timestamp() - query_start)::int,
       left(regexp_replace(query, '\\s+', ' ', 'g'), 200)
FROM pg_stat_activity
WHERE state <> 'idle' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND clock_timestamp() - query_start >= interval '{SECONDS} seconds'
ORDER BY query_start LIMIT 100"""


class Failed(Exception):
    """Says why the server could not be asked."""


class Connection:
    def __init__(self) -> None:
        self.socket = socket.create_connection((HOST, PORT), timeout=10)
        if TLS != "disable":
            self.socket.sendall(struct.pack("!ii", 8, 80877103))
            if self.read(1) != b"S":
                raise Failed("the server has no TLS")
            context = ssl.create_default_context()
            if TLS == "require":
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname=HOST)
        options = f"user\0{USER}\0database\0{DATABASE}\0application_name\0oncall\0\0".encode()
        self.socket.sendall(struct.pack("!ii", len(options) + 8, 196608) + options)

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise Failed("the server closed the connection")
            data += part
        return data

    def send(self, kind: bytes, body: bytes) -> None:
        self.socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def receive(self) -> tuple[bytes, bytes]:
        """The next message that matters; an error of the server is raised."""
        while True:
            kind, length = struct.unpack("!ci", self.read(5))
            body = self.read(length - 4)
            if kind == b"E":
                fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
                raise Failed(fields.get(b"M", "the server refused it"))
            if kind not in b"NSK":
                return kind, body

    def expect(self, wanted: int) -> bytes:
        kind, body = self.receive()
        if kind != b"R" or struct.unpack("!i", body[:4])[0] != wanted:
            raise Failed("the server did not go on as SCRAM-SHA-256 does")
        return body[4:]


def sign_in(connection: Connection) -> None:
    kind, body = connection.receive()
    method = struct.unpack("!i", body[:4])[0] if kind == b"R" else -1
    if method == 0:
        return
    if method != 10 or b"SCRAM-SHA-256" not in body[4:].split(b"\0"):
        raise Failed("the server wants a way to sign in that is not SCRAM-SHA-256")
    nonce = base64.b64encode(secrets.token_bytes(18)).decode()
    first = f"n=,r={nonce}"
    initial = f"n,,{first}".encode()
    connection.send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(initial)) + initial)
    challenge = connection.expect(11).decode()
    values = dict(part.split("=", 1) for part in challenge.split(","))
    if not values["r"].startswith(nonce):
        raise Failed("the server answered somebody else's sign-in")
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), base64.b64decode(values["s"]), int(values["i"]))
    final = f"c=biws,r={values['r']}"
    signed = f"{first},{challenge},{final}".encode()
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True))).decode()
    connection.send(b"p", f"{final},p={proof}".encode())
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    expected = "v=" + base64.b64encode(hmac.digest(server_key, signed, "sha256")).decode()
    if not hmac.compare_digest(connection.expect(12).decode(), expected):
        raise Failed("the server does not know the password itself: is it the right server?")
    connection.expect(0)


def rows(connection: Connection) -> list[list[str]]:
    while connection.receive()[0] != b"Z":
        pass
    connection.send(b"Q", QUERY.encode() + b"\0")
    found = []
    while True:
        kind, body = connection.receive()
        if kind == b"Z":
            return found
        if kind == b"D":
            at, row = 2, []
            for _ in range(struct.unpack("!h", body[:2])[0]):
                length = struct.unpack("!i", body[at : at + 4])[0]
                row.append("-" if length < 0 else body[at + 4 : at + 4 + length].decode(errors="replace"))
                at += 4 + max(length, 0)
            found.append(row)


def main() -> int:
    try:
        connection = Connection()
        sign_in(connection)
        found = rows(connection)
        connection.send(b"X", b"")
    except (Failed, OSError) as error:
        print(f"postgres-long-queries: {HOST}:{PORT}: {error}", file=sys.stderr)
        return 2
    if not found:
        print(f"no query has been running for {SECONDS} s or more")
        return 0
    print(f"{'pid':>8}  {'seconds':>7}  {'user':<16} {'database':<16} {'state':<20} {'waits for':<20} query")
    for pid, user, database, state, waits, seconds, query in found:
        print(f"{pid:>8}  {seconds:>7}  {user:<16} {database:<16} {state:<20} {waits:<20} {query}")
    print(f"postgres-long-queries: {len(found)} running for {SECONDS} s or more", file=sys.stderr)
    return 1


sys.exit(main())
