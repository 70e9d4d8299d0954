"""`python -m server.migrate`: brings the database to the newest revision; running it again changes nothing."""

from __future__ import annotations

import asyncio

from sqlalchemy.exc import SQLAlchemyError

from kernel.migrations import upgrade
from kernel.settings import CoreSettings, fail, load
from kernel.telemetry import configure
from server.process import UNREACHABLE, open_engine


async def main(settings: CoreSettings) -> None:
    engine = open_engine(settings)
    try:
        async with engine.connect():
            pass
    except (SQLAlchemyError, OSError, TimeoutError):
        fail(UNREACHABLE)
    await upgrade(engine)
    await engine.dispose()


if __name__ == "__main__":
    settings = load(CoreSettings)
    configure("migrate", settings.log_format)
    asyncio.run(main(settings))
