"""What the server's processes share from their start to their end: the database they need, readiness, signals."""

from __future__ import annotations

import asyncio
import signal
import socket

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from redis.asyncio import Redis
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from taskiq import AsyncBroker

from kernel import migrations
from kernel.cipher import Cipher, derive_key
from kernel.database import create_engine
from kernel.log_stream import connect
from kernel.queue import execution_queue
from kernel.settings import CoreSettings, fail

UNREACHABLE = "cannot start: the database cannot be reached; is ONCALL_DATABASE_URL right, and does it run?"


def open_engine(settings: CoreSettings) -> AsyncEngine:
    """Answers an engine, or ends the process with one sentence that does not repeat the URL, which has a password."""
    try:
        return create_engine(settings.database_url.get_secret_value())
    except (SQLAlchemyError, ValueError):
        fail("cannot start: ONCALL_DATABASE_URL is not the URL of a PostgreSQL database")


def open_redis(settings: CoreSettings) -> tuple[Redis, AsyncBroker]:
    """Answers a client and the executions' queue, neither connected yet: Redis may be away when a process starts."""
    url = settings.redis_url.get_secret_value()
    try:
        return connect(url), execution_queue(url)
    except ValueError:
        fail("cannot start: ONCALL_REDIS_URL is not the URL of a Redis server")


def derived_key(settings: CoreSettings, purpose: bytes) -> bytes:
    try:
        return derive_key(settings.master_key.get_secret_value(), purpose)
    except ValueError as error:
        fail(f"cannot start: ONCALL_MASTER_KEY: {error}")


def open_cipher(settings: CoreSettings) -> Cipher:
    """Answers what seals and opens the values of this installation, or ends the process with one sentence."""
    try:
        return Cipher.of(settings)
    except ValueError as error:
        fail(f"cannot start: {error}")


async def require_migrated(engine: AsyncEngine) -> None:
    """Ends the process with one sentence unless the database is there and at the newest revision."""
    try:
        async with engine.connect() as connection:
            current = await connection.run_sync(_current_revision)
    except (SQLAlchemyError, OSError, TimeoutError):
        fail(UNREACHABLE)
    if current != newest_revision():
        fail("cannot start: the database is not at the newest revision; run `python -m server.migrate` first")


def newest_revision() -> str | None:
    return ScriptDirectory.from_config(migrations.config()).get_current_head()


def require_free(listen: str, setting: str) -> None:
    """Ends the process with one sentence where `listen`, host:port, cannot be had; gRPC would add lines of its own."""
    host, _, port = listen.rpartition(":")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, ValueError, OverflowError):
        fail(f"cannot start: {listen} ({setting}) is in use, or not a host:port of this machine")


def stop_signal() -> asyncio.Event:
    """Answers an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
