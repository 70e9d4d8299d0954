"""Deliveries really arrive: at a webhook receiver and a mail server of this machine, once where nobody dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from standardwebhooks import Webhook

from kernel.database import Sessions, transaction
from kernel.ids import new_id
from kernel.notification_tables import notification_channel_secrets
from kernel.tables import audit_events
from server.domain.delivery import DEAD, DELIVERED, PENDING, NotificationEvent
from server.domain.notification_channel import GONE, ChannelKind
from server.operations.send_deliveries import MOST_OF_A_LANE
from server.storage import deliveries as stored
from server.storage import notification_channels
from tests.builders import TeamWithPeople
from tests.receivers import (
    SIGNING_SECRET,
    MailReceiver,
    WebhookReceiver,
    a_channel,
    a_delivery,
    a_webhook_receiver,
    answering,
    silent,
)
from tests.sending import LIMIT, Sending, delivery, ended
from tests.waiting import eventually


async def test_a_webhook_arrives_signed_and_says_what_happened(
    db: Sessions, team: TeamWithPeople, receiver: WebhookReceiver, sending: Sending
) -> None:
    channel = await a_channel(db, team, f"{receiver.url}/in")
    incident = new_id()
    async with sending():
        made = await a_delivery(db, team, channel, incident_id=incident, data={"severity": "SEV1"})
        after = await ended(db, made)
    (request,) = receiver.requests
    said = Webhook(SIGNING_SECRET).verify(request.body, request.headers)
    assert request.headers["webhook-id"] == str(made)
    assert said["type"] == "incident.created"
    assert said["data"] == {
        "severity": "SEV1",
        "subject": "Checkout is down",
        "body": "Nobody can pay.",
        "team_id": str(team.id),
        "incident_id": str(incident),
    }
    assert (after.status, after.attempts, after.response_status, after.last_error) == (DELIVERED, 1, 204, "")


async def test_what_fails_is_tried_again_under_the_same_id_until_it_arrives(
    db: Sessions, team: TeamWithPeople, receiver: WebhookReceiver, sending: Sending
) -> None:
    receiver.answers = [answering(503), answering(429, "retry-after: 7200")]
    channel = await a_channel(db, team, receiver.url)
    async with sending():
        after = await ended(db, made := await a_delivery(db, team, channel))
    assert (after.status, after.attempts) == (DELIVERED, 3)
    assert {request.headers["webhook-id"] for request in receiver.requests} == {str(made)}


async def test_a_receiver_that_asks_for_time_is_given_it(
    db: Sessions, team: TeamWithPeople, receiver: WebhookReceiver, sending: Sending
) -> None:
    receiver.answers = [answering(429, "retry-after: 7200")]
    channel = await a_channel(db, team, receiver.url)

    async with sending():
        made = await a_delivery(db, team, channel)

        async def noted() -> bool:
            return (await delivery(db, made)).last_error == "HTTP status 429"

        await eventually(noted)
    after = await delivery(db, made)
    assert after.status is PENDING
    assert timedelta(minutes=119) < after.next_attempt_at - datetime.now(UTC) <= timedelta(minutes=120)


async def test_after_the_last_try_a_delivery_is_dead_until_somebody_retries_it(
    db: Sessions, team: TeamWithPeople, receiver: WebhookReceiver, sending: Sending, rung: list[UUID]
) -> None:
    receiver.answers = [answering(500)] * LIMIT
    channel, run = await a_channel(db, team, receiver.url), new_id()
    async with sending():
        made = await a_delivery(db, team, channel, workflow_run_id=run, node="tell")
        dead = await ended(db, made)
        assert (dead.status, dead.attempts, dead.response_status) == (DEAD, LIMIT, 500)
        assert dead.last_error == "HTTP status 500"
        async with transaction(db) as tx:
            assert await stored.revive(tx.session, made, datetime.now(UTC)) is not None
        after = await ended(db, made)
    assert (after.status, after.attempts, after.last_error) == (DELIVERED, LIMIT + 1, "")
    assert rung == [run, run]
    async with db() as session:
        actions = (await session.execute(select(audit_events.c.action))).scalars().all()
        assert await stored.revive(session, made, datetime.now(UTC)) is None
    assert actions == ["delivery.died"]


async def test_a_receiver_that_is_gone_disables_its_channel(
    db: Sessions, team: TeamWithPeople, receiver: WebhookReceiver, sending: Sending
) -> None:
    receiver.answers = [answering(410)]
    channel = await a_channel(db, team, receiver.url)
    async with sending():
        after = await ended(db, await a_delivery(db, team, channel))
        assert (after.status, after.attempts) == (DEAD, 1)
        later = await ended(db, await a_delivery(db, team, channel))
        assert (later.status, later.last_error) == (DEAD, "the channel is disabled")
    async with db() as session:
        now = await notification_channels.find(session, channel.id)
        assert await notification_channels.subscribed(session, team.id, NotificationEvent.INCIDENT_CREATED, None) == []
    assert now is not None
    assert (now.content.enabled, now.disabled_reason, now.revision) == (False, GONE, 2)
    assert len(receiver.requests) == 1


async def test_what_is_wrong_with_a_channel_ends_its_deliveries_and_names_no_secret(
    db: Sessions, team: TeamWithPeople, receiver: WebhookReceiver, sending: Sending
) -> None:
    gone = await a_channel(db, team, receiver.url)
    sealed_elsewhere = await a_channel(db, team, receiver.url)
    inside = await a_channel(db, team, "http://10.0.0.1/hush")
    waiting = await a_delivery(db, team, gone)
    async with transaction(db) as tx:
        await notification_channels.remove(tx.session, gone.id, datetime.now(UTC))
        await tx.session.execute(
            update(notification_channel_secrets)
            .where(notification_channel_secrets.c.channel_id == sealed_elsewhere.id)
            .values(sealed=b"\x01" + b"x" * 60)
        )
    async with sending():
        assert (await ended(db, waiting)).last_error == "the channel was deleted"
        refused = await ended(db, await a_delivery(db, team, inside))
        assert (refused.status, refused.attempts) == (DEAD, 1)
        assert "10.0" not in refused.last_error
        assert "hush" not in refused.last_error
        unopened = await ended(db, await a_delivery(db, team, sealed_elsewhere))
        assert (unopened.status, unopened.attempts) == (DEAD, LIMIT)
    assert receiver.requests == []


async def test_mail_arrives_with_what_people_wrote_and_no_markup_of_it(
    db: Sessions, team: TeamWithPeople, mails: MailReceiver, sending: Sending
) -> None:
    channel = await a_channel(db, team, "ops@example.com", kind=ChannelKind.EMAIL)
    own = f"mailto://127.0.0.1:{mails.port}?from=me@example.org&to=own@example.com"
    other = await a_channel(db, team, own, kind=ChannelKind.EMAIL)
    async with sending():
        first = await ended(db, await a_delivery(db, team, channel, body="<b>Nobody</b> can pay & [x](http://y)"))
        second = await ended(db, await a_delivery(db, team, other))
        assert (first.status, second.status) == (DELIVERED, DELIVERED)
    assert [str(mail["subject"]) for mail in mails.mails] == ["Checkout is down"] * 2
    assert mails.recipients == [["ops@example.com"], ["own@example.com"]]
    html = mails.mails[0].get_body(("html",))
    plain = mails.mails[0].get_body(("plain",))
    assert html is None or "&lt;b&gt;Nobody&lt;/b&gt;" in html.get_content()
    assert plain is not None
    assert "Nobody" in plain.get_content()


async def test_mail_that_is_refused_is_tried_again(
    db: Sessions, team: TeamWithPeople, mails: MailReceiver, sending: Sending
) -> None:
    mails.refusing = "451 try again later"
    channel = await a_channel(db, team, "ops@example.com", kind=ChannelKind.EMAIL)
    async with sending():
        dead = await ended(db, await a_delivery(db, team, channel))
    assert (dead.status, dead.attempts) == (DEAD, LIMIT)
    assert "example.com" not in dead.last_error


async def test_nothing_is_sent_after_it_was_to_be_given_up(
    db: Sessions, team: TeamWithPeople, receiver: WebhookReceiver, sending: Sending
) -> None:
    channel = await a_channel(db, team, receiver.url)
    late = await a_delivery(db, team, channel, give_up_at=datetime.now(UTC) - timedelta(seconds=1))
    receiver.answers = [answering(500)]
    async with sending():
        assert (await ended(db, late)).status is DEAD
        soon = await a_delivery(db, team, channel, give_up_at=datetime.now(UTC) + timedelta(seconds=2))
        after = await ended(db, soon)
    assert (after.status, after.attempts, after.last_error) == (DEAD, 1, "HTTP status 500")
    assert len(receiver.requests) == 1


async def test_a_slow_receiver_holds_up_nobody_elses(
    db: Sessions, team: TeamWithPeople, receiver: WebhookReceiver, sending: Sending
) -> None:
    async with a_webhook_receiver() as slow:
        slow.answers = [silent] * 100
        stuck, quick = await a_channel(db, team, slow.url), await a_channel(db, team, receiver.url)
        for _ in range(40):
            await a_delivery(db, team, stuck)
        async with sending(seconds=20):
            await slow.wait_for(MOST_OF_A_LANE)
            after = await ended(db, await a_delivery(db, team, quick))
            assert after.status is DELIVERED
            assert len(slow.requests) <= 2 * MOST_OF_A_LANE - 1
