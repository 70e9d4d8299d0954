"""The one way to PostgreSQL: an engine, and transactions that remember what to do after they commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast
from weakref import WeakKeyDictionary

import asyncpg
import structlog
from sqlalchemy import AdaptedConnection, Engine, PoolProxiedConnection, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.util import greenlet_spawn

from kernel.statement import Driver, to_json

log = structlog.get_logger()


IDLE_SECONDS = 60.0
"""How long a transaction may wait for whoever began it; all of ours go on within milliseconds."""


KEPT_CONNECTIONS = 2
"""How many of the pool single statements keep for the next: to take one from it takes three times as long as the
shortest statement."""
_kept: WeakKeyDictionary[Engine, list[PoolProxiedConnection]] = WeakKeyDictionary()


def create_engine(url: str, *, pool_size: int = 10, idle_seconds: float = IDLE_SECONDS) -> AsyncEngine:
    """Answers an engine over asyncpg; `url` is a SQLAlchemy URL, `postgresql://` meaning asyncpg too.

    At most twice `pool_size` connections. A caller that gets none within 10 s gets an error. One whose connection was
    lost while nobody used it gets a new one: after a restart of PostgreSQL the first calls must not fail. PostgreSQL
    ends a transaction that is idle for `idle_seconds`: a process that is frozen, or behind a broken network, must not
    keep what it locked from all others.
    """
    of_sessions = {
        "application_name": "oncall",
        "idle_in_transaction_session_timeout": str(round(idle_seconds * 1000)),
    }
    engine = create_async_engine(
        async_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_use_lifo=True,  # a connection knows the plans of the statements that it has seen: better few than all
        hide_parameters=True,  # an error that is logged must not carry what somebody sent
        json_serializer=to_json,
        connect_args={"timeout": 10, "server_settings": of_sessions},
    )
    event.listen(engine.sync_engine, "checkout", _refuse_if_lost)
    event.listen(engine.sync_engine, "engine_disposed", _close_kept)
    return engine


def _refuse_if_lost(connection: AdaptedConnection, *_: object) -> None:
    """Asks the driver, which has seen the end of its socket, and so costs no round trip."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _close_kept(engine: Engine) -> None:
    kept = _kept.get(engine, [])
    while kept:
        pooled = kept.pop()
        connection = pooled.dbapi_connection
        pooled.detach()
        if connection is not None:
            engine.dialect.do_close(connection)


def async_url(url: str) -> str:
    """Answers `url` with the asyncpg driver named, whichever PostgreSQL scheme it came with."""
    scheme, rest = url.split("://", 1)
    if scheme in {"postgres", "postgresql"}:
        return f"postgresql+asyncpg://{rest}"
    return url


class Sessions(async_sessionmaker[AsyncSession]):
    """Makes sessions; `engine` is for whoever needs none (`single_statements`), which share what is `kept`."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, expire_on_commit=False, autoflush=False)
        self.engine = engine
        self.kept = _kept.setdefault(engine.sync_engine, [])


def sessions(engine: AsyncEngine) -> Sessions:
    return Sessions(engine)


class Transaction:
    """One transaction and what must happen once it has been committed."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self._after_commit: list[Callable[[], Awaitable[object]]] = []

    def after_commit(self, action: Callable[[], Awaitable[object]]) -> None:
        """Registers `action`, to be awaited after the commit, in order; its failure is logged, never raised.

        Only what may be lost belongs here, because the process may die between the commit and the action.
        """
        self._after_commit.append(action)

    async def committed(self) -> None:
        for action in self._after_commit:
            try:
                await action()
            except Exception as error:  # noqa: BLE001 - a lost doorbell is found by the sweep; the commit stands
                log.warning("after_commit_failed", error=type(error).__name__)


@asynccontextmanager
async def transaction(make_session: Sessions) -> AsyncIterator[Transaction]:
    """Commits at the end of the block, rolls back on any exception, then does what was registered for after."""
    async with make_session() as session:
        tx = Transaction(session)
        async with session.begin():
            yield tx
    await tx.committed()


@asynccontextmanager
async def single_statements(make_session: Sessions) -> AsyncIterator[Driver]:
    """Yields the driver's own connection, for a `Statement`: each is a transaction of its own, one round trip.

    No session, which would cost more than the statement; so errors are those of the driver, too. A connection is not
    used again whose user was cancelled, for an answer may be on its way, or which PostgreSQL has said it is closing.
    """
    pooled = await _taken(make_session)
    try:
        yield cast("Driver", pooled.driver_connection)
    except BaseException as error:
        if not isinstance(error, Exception) or is_disconnect(error):
            pooled.invalidate()
        raise
    finally:
        if pooled.is_valid and len(make_session.kept) < KEPT_CONNECTIONS:
            make_session.kept.append(pooled)
        else:
            await greenlet_spawn(pooled.close)


async def _taken(make_session: Sessions) -> PoolProxiedConnection:
    """Answers a connection that was kept, or one of the pool."""
    while make_session.kept:
        pooled = make_session.kept.pop()
        if not cast("asyncpg.Connection", pooled.driver_connection).is_closed():
            return pooled
        pooled.invalidate()
        await greenlet_spawn(pooled.close)
    return await make_session.engine.raw_connection()


def constraint_of(error: Exception) -> str | None:
    """Answers the name of the violated constraint, if that is what `error` is about."""
    return _told(error, "constraint_name")


def is_disconnect(error: BaseException) -> bool:
    """Whether `error` says that PostgreSQL cannot be reached just now, so that trying again is right."""
    if isinstance(error, InterfaceError | ConnectionError | TimeoutError | OSError):
        return True
    if isinstance(error, asyncpg.InternalClientError):
        return True  # of a connection in which PostgreSQL has said good-bye, and which is not shut yet
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)  # which is about a value that it cannot send
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # 08: connection; 57P0x: shutdown, crash, starting up; 53300: too many connections.
    state = sqlstate_of(error)
    return state.startswith(("08", "57P")) or state == "53300"


def sqlstate_of(error: BaseException) -> str:
    """Answers PostgreSQL's code of what went wrong, if that is where `error` comes from; or nothing."""
    return _told(error, "sqlstate") or ""


def _told(error: BaseException, name: str) -> str | None:
    """Answers what the driver's error tells; SQLAlchemy's has its own wrapping of that, which was caused by it."""
    wrapping = getattr(error, "orig", error)
    told = (getattr(each, name, None) for each in (wrapping, wrapping.__cause__))
    return next((each for each in told if isinstance(each, str)), None)
