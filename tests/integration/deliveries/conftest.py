"""A team, receivers of what is sent to it, and a sender that sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.database import Sessions, sessions
from server.outbound.apprise_courier import MailServer
from tests.builders import TeamWithPeople, a_team
from tests.receivers import (
    MailReceiver,
    WebhookReceiver,
    a_mail_receiver,
    a_webhook_receiver,
)
from tests.sending import Sending, a_sender


@pytest.fixture
def db(engine: AsyncEngine) -> Sessions:
    return sessions(engine)


@pytest.fixture
async def team(db: Sessions) -> TeamWithPeople:
    return await a_team(db)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with a_webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
def mails() -> Iterator[MailReceiver]:
    with a_mail_receiver() as receiver:
        yield receiver


@pytest.fixture
def rung() -> list[UUID]:
    return []


@pytest.fixture
def sending(db: Sessions, mails: MailReceiver, rung: list[UUID]) -> Sending:
    """Begins a sender, which tells `rung` of runs, and ends it after the block."""
    mail = MailServer(f"mailto://127.0.0.1:{mails.port}", "oncall@example.org")
    return partial(a_sender, db, rung, mail)
