"""One world for all tests of a file, and a gateway of its own for each."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from cli.launcher.embedded_postgres import EmbeddedPostgres
from cli.launcher.embedded_redis import EmbeddedRedis
from tests.conftest import empty_database, empty_redis
from tests.leaks.gateways import a_gateway
from tests.leaks.walk import Walk
from tests.leaks.world import World, a_world


@pytest.fixture(scope="module")
def log() -> Iterator[io.StringIO]:
    """All that server and gateways log, in this process, with tracebacks written out."""
    written, before = io.StringIO(), structlog.get_config()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(written),
        cache_logger_on_first_use=False,
    )
    yield written
    structlog.configure(**before)


@pytest.fixture(scope="module")
def own_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    with empty_database(postgres) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(own_database: str, redis_server: EmbeddedRedis, log: io.StringIO) -> AsyncIterator[World]:
    async with a_world(own_database, empty_redis(redis_server)) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def walk(world: World, tmp_path: Path) -> AsyncIterator[Walk]:
    """A gateway that has asked nothing yet."""
    async with a_gateway(world.server.address, world.desk.gateway.token, tmp_path / "kept") as gateway:
        yield Walk(world, gateway)
