"""What a workflow sends by itself: with the secrets that it names, which go over https only and stay nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select

from kernel.cipher import Cipher
from kernel.database import Sessions, transaction
from kernel.ids import new_id
from kernel.notification_tables import deliveries
from kernel.secret_store import context_of as secret_context_of
from kernel.tables import secrets
from server.domain.delivery import DEAD, DELIVERED, HeaderValue, NotificationEvent, WebhookRequest
from server.storage import deliveries as stored
from tests.builders import MASTER_KEY, TeamWithPeople
from tests.receivers import SIGNING_SECRET, WebhookReceiver, a_delivery, a_tls_receiver
from tests.sending import Sending, ended

WORKFLOW_WEBHOOK = NotificationEvent.WORKFLOW_WEBHOOK


async def test_a_workflows_request_carries_the_present_value_of_a_secret_and_nobody_stores_it(
    db: Sessions,
    team: TeamWithPeople,
    sending: Sending,
    rung: list[UUID],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = new_id()
    headers = {"Authorization": HeaderValue("Bearer ", secret="TOKEN")}
    async with a_tls_receiver(tmp_path, monkeypatch) as receiver, sending():
        request = WebhookRequest(f"{receiver.url}/deploy", {"ref": "main"}, "PUT", headers)
        fields = {"webhook": request, "event": WORKFLOW_WEBHOOK, "workflow_run_id": run, "node": "hook"}
        missing = await ended(db, await a_delivery(db, team, **fields))
        assert (missing.status, missing.last_error) == (DEAD, "the team has no secret TOKEN")
        await _put_secret(db, team, "TOKEN", "hush-hush-hush")
        after = await ended(db, made := await a_delivery(db, team, **fields))
    assert after.status is DELIVERED
    (arrived,) = receiver.requests
    assert (arrived.method, arrived.path, json.loads(arrived.body)) == ("PUT", "/deploy", {"ref": "main"})
    assert arrived.headers["authorization"] == "Bearer hush-hush-hush"
    assert arrived.headers["webhook-id"] == str(made)
    assert rung == [run, run]
    async with db() as session:
        rows = [tuple(row) for row in await session.execute(select(deliveries))]
        of_run = await stored.of_run(session, run)
    assert "hush" not in repr(rows)
    assert [(one.id, one.node) for one in of_run] == [(missing.id, "hook"), (made, "hook")]


@pytest.mark.parametrize(
    "secrets_of_it",
    [{"headers": {"Authorization": HeaderValue("Bearer ", secret="TOKEN")}}, {"signing_secret": "TOKEN"}],
)
async def test_no_secret_goes_or_signs_in_the_clear(
    db: Sessions, team: TeamWithPeople, receiver: WebhookReceiver, sending: Sending, secrets_of_it: dict[str, Any]
) -> None:
    """As a workflow may want it that was saved before such a one was refused."""
    await _put_secret(db, team, "TOKEN", SIGNING_SECRET)
    request = WebhookRequest(receiver.url, {}, **secrets_of_it)
    async with sending():
        refused = await ended(db, await a_delivery(db, team, webhook=request, event=WORKFLOW_WEBHOOK))
        assert (
            await ended(db, await a_delivery(db, team, webhook=WebhookRequest(receiver.url, {})))
        ).status is DELIVERED
    assert (refused.status, refused.attempts, refused.last_error) == (DEAD, 1, "its secrets go over https:// only")
    assert len(receiver.requests) == 1


async def _put_secret(db: Sessions, team: TeamWithPeople, name: str, value: str) -> None:
    cipher = Cipher(MASTER_KEY)
    sealed = cipher.seal(value.encode(), secret_context_of(team.id, name))
    by, at = team.author.id, func.now()
    async with transaction(db) as tx:
        await tx.session.execute(
            insert(secrets).values(
                id=new_id(),
                team_id=team.id,
                name=name,
                key_id=cipher.current_key_id,
                sealed=sealed,
                created_by=by,
                created_at=at,
                updated_by=by,
                updated_at=at,
            )
        )
