"""Channels: what a team may say of one, what goes in and never comes out, and what their deliveries tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import func, select
from standardwebhooks import Webhook

from kernel.cipher import Cipher
from kernel.ids import new_id
from kernel.notification_tables import deliveries, notification_channel_secrets, notification_channels
from kernel.tables import audit_events
from oncall.v1 import incident_pb2, incident_service_pb2, incident_service_pb2_grpc, notification_service_pb2_grpc
from oncall.v1 import notification_pb2 as model
from oncall.v1 import notification_service_pb2 as pb
from server.domain.notification_channel import context_of
from tests.builders import MASTER_KEY, Person, TeamWithPeople, a_team
from tests.receivers import WebhookReceiver, a_channel, a_dead_delivery, a_delivery, a_webhook_receiver, answering
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.sending import a_sender, ended

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
EXISTS, PRECONDITION = grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.FAILED_PRECONDITION
WEBHOOK, EMAIL = model.CHANNEL_KIND_WEBHOOK, model.CHANNEL_KIND_EMAIL
TARGET = "https://hooks.example.org/in/hush-hush"


class Desk:
    """Somebody who keeps a team's channels."""

    def __init__(self, server: RunningServer, team: TeamWithPeople) -> None:
        self.server, self.team = server, team
        self.stub = notification_service_pb2_grpc.NotificationServiceStub(server.channel)
        self.incidents = incident_service_pb2_grpc.IncidentServiceStub(server.channel)

    def create(self, as_: Person | None = None, request_id: str = "", **fields: Any) -> Any:
        given = {"team_id": str(self.team.id), "name": "pager", "kind": WEBHOOK, "target": TARGET, **fields}
        request = pb.CreateNotificationChannelRequest(channel=model.NotificationChannel(**given), request_id=request_id)
        return self.stub.CreateNotificationChannel(request, metadata=(as_ or self.team.author).metadata)

    def update(self, channel_id: str, *paths: str, etag: str = "", **fields: Any) -> Any:
        channel = model.NotificationChannel(id=channel_id, etag=etag, **fields)
        request = pb.UpdateNotificationChannelRequest(channel=channel, update_mask=FieldMask(paths=list(paths)))
        return self.stub.UpdateNotificationChannel(request, metadata=self.team.author.metadata)

    def delete(self, channel_id: str, etag: str = "") -> Any:
        request = pb.DeleteNotificationChannelRequest(channel_id=channel_id, etag=etag)
        return self.stub.DeleteNotificationChannel(request, metadata=self.team.author.metadata)

    def rotate(self, channel_id: str) -> Any:
        request = pb.RotateSigningSecretRequest(channel_id=channel_id)
        return self.stub.RotateSigningSecret(request, metadata=self.team.author.metadata)

    def test(self, channel_id: str, wait: float = 20) -> Any:
        request = pb.TestNotificationChannelRequest(channel_id=channel_id, wait=Duration(seconds=int(wait)))
        return self.stub.TestNotificationChannel(request, metadata=self.team.author.metadata)

    async def get(self, channel_id: str) -> model.NotificationChannel:
        request = pb.GetNotificationChannelRequest(channel_id=channel_id)
        return (await self.stub.GetNotificationChannel(request, metadata=self.team.observer.metadata)).channel

    async def listed(self, as_: Person | None = None, **filters: Any) -> list[model.Delivery]:
        request = pb.ListDeliveriesRequest(**filters)
        answer = await self.stub.ListDeliveries(request, metadata=(as_ or self.team.observer).metadata)
        return list(answer.deliveries)

    def retry(self, delivery_id: str) -> Any:
        request = pb.RetryDeliveryRequest(delivery_id=delivery_id)
        return self.stub.RetryDelivery(request, metadata=self.team.responder.metadata)


@pytest.fixture
def desk(running_server: RunningServer, team: TeamWithPeople) -> Desk:
    return Desk(running_server, team)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with a_webhook_receiver() as receiver:
        yield receiver


async def test_a_target_goes_in_and_never_comes_out(desk: Desk) -> None:
    made = await desk.create(events=[model.NOTIFICATION_EVENT_INCIDENT_CREATED], min_severity=2)
    channel = made.channel
    assert made.signing_secret.startswith("whsec_")
    assert (channel.name, channel.kind, channel.target_hint) == ("pager", WEBHOOK, "https://hooks.example.org/…")
    assert (channel.target, channel.enabled, channel.min_severity) == ("", True, 2)
    assert await desk.get(channel.id) == channel
    listing = pb.ListNotificationChannelsRequest(team_id=str(desk.team.id))
    answer = await desk.stub.ListNotificationChannels(listing, metadata=desk.team.observer.metadata)
    assert list(answer.channels) == [channel]
    stored = repr(await desk.server.everything_stored())
    assert "hush-hush" not in stored
    assert made.signing_secret not in stored


async def test_both_secrets_are_sealed_for_their_channel(desk: Desk) -> None:
    made = await desk.create()
    cipher = Cipher(MASTER_KEY)
    async with desk.server.sessions() as session:
        rows = (await session.execute(select(notification_channel_secrets))).mappings().all()
    opened = {
        row["purpose"]: cipher.open(row["sealed"], context_of(row["channel_id"], row["purpose"])).decode()
        for row in rows
    }
    assert opened == {"TARGET": TARGET, "SIGNING": made.signing_secret}
    with pytest.raises(ValueError, match="another context"):
        cipher.open(rows[0]["sealed"], context_of(new_id(), rows[0]["purpose"]))


async def test_a_repeat_answers_the_same_channel_and_no_secret(desk: Desk) -> None:
    first = await desk.create(request_id="one")
    again = await desk.create(request_id="one")
    assert (again.channel, again.signing_secret) == (first.channel, "")
    assert await refusal_of(desk.create(request_id="one", name="other")) == Refusal(EXISTS, "REQUEST_ID_REUSED")
    assert await refusal_of(desk.create()) == Refusal(EXISTS, "CHANNEL_NAME_TAKEN")


async def test_only_webhooks_are_signed(desk: Desk) -> None:
    made = await desk.create(kind=EMAIL, target="ops@example.org")
    assert made.signing_secret == ""
    assert made.channel.target_hint == "o…@example.org"
    assert await refusal_of(desk.rotate(made.channel.id)) == Refusal(PRECONDITION, "CHANNEL_NOT_SIGNED")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"team_id": "x"}, "channel.team_id"),
        ({"name": ""}, "channel.name"),
        ({"name": " "}, "channel.name"),
        ({"name": "n" * 101}, "channel.name"),
        ({"kind": 0}, "channel.kind"),
        ({"kind": 99}, "channel.kind"),
        ({"target": ""}, "channel.target"),
        ({"target": "ops@example.org"}, "channel.target"),
        ({"kind": EMAIL}, "channel.target"),
        ({"events": [model.NOTIFICATION_EVENT_TEST]}, "channel.events[0]"),
        ({"events": [1, 0]}, "channel.events[1]"),
        ({"events": [99]}, "channel.events[0]"),
        ({"min_severity": 99}, "channel.min_severity"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_of_the_target(desk: Desk, fields: dict[str, Any], wrong: str) -> None:
    refusal = await refusal_of(desk.create(**fields))
    assert (refusal.code, refusal.fields) == (INVALID, (wrong,))
    assert "hush" not in refusal.message


async def test_an_update_changes_what_its_mask_names(desk: Desk) -> None:
    before = (await desk.create()).channel
    events = [model.NOTIFICATION_EVENT_INCIDENT_RESOLVED, model.NOTIFICATION_EVENT_EXECUTION_FAILED]
    after = (await desk.update(before.id, "events", "min_severity", name="x", events=events, min_severity=3)).channel
    assert (after.name, list(after.events), after.min_severity) == ("pager", sorted(events), 3)
    assert after.etag != before.etag
    same = (await desk.update(before.id, "name", name="pager", etag=after.etag)).channel
    assert same == after
    stale = await refusal_of(desk.update(before.id, "name", name="other", etag=before.etag))
    assert stale == Refusal(grpc.StatusCode.ABORTED, "STALE_ETAG")
    moved = (await desk.update(before.id, "target", target="https://other.example.org/x")).channel
    assert (moved.target_hint, moved.target) == ("https://other.example.org/…", "")
    other = (await desk.create(name="other")).channel
    taken = await refusal_of(desk.update(other.id, "name", name="pager"))
    assert taken == Refusal(EXISTS, "CHANNEL_NAME_TAKEN")
    for paths in ((), ("kind",), ("name", "team_id")):
        refusal = await refusal_of(desk.update(before.id, *paths, name="x"))
        assert refusal.fields == ("update_mask",)
    wrong = await refusal_of(desk.update(before.id, "target", target="ftp://hush-hush/"))
    assert wrong.fields == ("channel.target",)
    assert "hush" not in wrong.message


async def test_a_deleted_channel_is_gone_and_its_deliveries_stay(desk: Desk) -> None:
    channel = (await desk.create()).channel
    waiting = (await desk.test(channel.id, wait=0)).delivery
    stale = await refusal_of(desk.delete(channel.id, etag="x"))
    assert stale == Refusal(grpc.StatusCode.ABORTED, "STALE_ETAG")
    await desk.delete(channel.id, etag=channel.etag)
    assert await refusal_of(desk.delete(channel.id)) == Refusal(NOT_FOUND, "NOT_FOUND")
    async with desk.server.sessions() as session:
        left = await session.scalar(select(func.count()).select_from(notification_channel_secrets))
        assert left == 0
        assert await session.scalar(select(func.count()).select_from(notification_channels)) == 0
    async with a_sender(desk.server.sessions, []):
        await ended(desk.server.sessions, UUID(waiting.id))
    (dead,) = await desk.listed(channel_id=channel.id)
    assert (dead.status, dead.last_error) == (model.DELIVERY_STATUS_DEAD, "the channel was deleted")


async def test_a_test_message_arrives_and_its_delivery_is_answered(desk: Desk, receiver: WebhookReceiver) -> None:
    made = await desk.create(target=receiver.url)
    receiver.answers = [answering(204), answering(404)]
    async with a_sender(desk.server.sessions, []):
        delivered = (await desk.test(made.channel.id)).delivery
        assert (delivered.status, delivered.response_status) == (model.DELIVERY_STATUS_DELIVERED, 204)
        await desk.update(made.channel.id, "enabled", enabled=False)
        failed = (await desk.test(made.channel.id)).delivery  # also while it is disabled
        assert (failed.status, failed.last_error) == (model.DELIVERY_STATUS_PENDING, "HTTP status 404")
    said = Webhook(made.signing_secret).verify(receiver.requests[0].body, receiver.requests[0].headers)
    assert (said["type"], said["data"]["channel_name"]) == ("test", "pager")
    early = await refusal_of(desk.test(made.channel.id, wait=61))
    assert early.fields == ("wait",)


async def test_for_a_day_after_a_rotation_both_secrets_sign(desk: Desk, receiver: WebhookReceiver) -> None:
    made = await desk.create(target=receiver.url)
    rotated = await desk.rotate(made.channel.id)
    assert rotated.channel.etag != made.channel.etag
    async with a_sender(desk.server.sessions, []):
        await desk.test(made.channel.id)
        third = await desk.rotate(made.channel.id)
        await desk.test(made.channel.id)
    first, second = receiver.requests
    for secret in (made.signing_secret, rotated.signing_secret):
        Webhook(secret).verify(first.body, first.headers)
    for secret in (rotated.signing_secret, third.signing_secret):
        Webhook(secret).verify(second.body, second.headers)
    assert len(second.headers["webhook-signature"].split()) == 2


async def test_dead_deliveries_are_listed_and_can_be_retried(desk: Desk) -> None:
    sessions, team = desk.server.sessions, desk.team
    channel = await a_channel(sessions, team, TARGET)
    other = await a_team(sessions)
    dead = str(await a_dead_delivery(sessions, team, channel))
    waiting = str(await a_delivery(sessions, team, channel, workflow_run_id=(run := new_id()), node="tell"))
    await a_delivery(sessions, other, await a_channel(sessions, other, TARGET))
    assert [one.id for one in await desk.listed()] == [waiting, dead]
    assert [one.id for one in await desk.listed(status=model.DELIVERY_STATUS_DEAD)] == [dead]
    (of_run,) = await desk.listed(team.responder, workflow_run_id=str(run))
    assert (of_run.id, of_run.node, of_run.subject) == (waiting, "tell", "Checkout is down")
    (one,) = await desk.listed(status=model.DELIVERY_STATUS_DEAD)
    assert (one.attempts, one.last_error, one.response_status) == (3, "HTTP status 503", 503)
    assert one.HasField("ended_at")
    assert not one.HasField("next_attempt_at")
    revived = (await desk.retry(dead)).delivery
    assert (revived.status, revived.attempts) == (model.DELIVERY_STATUS_PENDING, 3)
    assert not revived.HasField("ended_at")
    assert await refusal_of(desk.retry(dead)) == Refusal(PRECONDITION, "DELIVERY_NOT_DEAD")
    assert await refusal_of(desk.retry(str(new_id()))) == Refusal(NOT_FOUND, "NOT_FOUND")


async def test_what_happens_to_an_incident_is_told_with_it(desk: Desk) -> None:
    channel = (await desk.create(events=[4, 5, 6], min_severity=incident_pb2.INCIDENT_SEVERITY_SEV2)).channel
    by = desk.team.responder.metadata
    for severity in (incident_pb2.INCIDENT_SEVERITY_SEV1, incident_pb2.INCIDENT_SEVERITY_SEV3):
        incident = incident_pb2.Incident(team_id=str(desk.team.id), title="Checkout is down", severity=severity)
        create = incident_service_pb2.CreateIncidentRequest(incident=incident, request_id=f"r{severity}")
        made = (await desk.incidents.CreateIncident(create, metadata=by)).incident
        await desk.incidents.CreateIncident(create, metadata=by)
        for _ in range(2):
            acknowledge = incident_service_pb2.AcknowledgeIncidentRequest(incident_id=made.id)
            await desk.incidents.AcknowledgeIncident(acknowledge, metadata=by)
        update = incident_service_pb2.AddIncidentUpdateRequest(incident_id=made.id, message="Found it.")
        await desk.incidents.AddIncidentUpdate(update, metadata=by)
        for _ in range(2):
            resolve = incident_service_pb2.ResolveIncidentRequest(incident_id=made.id)
            await desk.incidents.ResolveIncident(resolve, metadata=by)
        if severity == incident_pb2.INCIDENT_SEVERITY_SEV1:
            bad = made
    told = await desk.listed(desk.team.responder, channel_id=channel.id)
    assert [(one.event, one.incident_id) for one in reversed(told)] == [
        (model.NOTIFICATION_EVENT_INCIDENT_CREATED, bad.id),
        (model.NOTIFICATION_EVENT_INCIDENT_UPDATED, bad.id),
        (model.NOTIFICATION_EVENT_INCIDENT_UPDATED, bad.id),
        (model.NOTIFICATION_EVENT_INCIDENT_RESOLVED, bad.id),
    ]
    assert told[-1].subject == "[SEV1] Checkout is down: opened"
    seen_by_an_observer = await desk.listed(incident_id=bad.id)
    assert [one.id for one in seen_by_an_observer] == [one.id for one in told]
    assert {one.subject for one in seen_by_an_observer} == {""}  # whoever may not read incidents reads no title here
    async with desk.server.sessions() as session:
        bodies = (await session.execute(select(deliveries.c.body).order_by(deliveries.c.id))).scalars().all()
    assert bodies[2].startswith("Found it.\n\nSeverity: SEV1\nStatus: INVESTIGATING")


async def test_the_audit_tells_who_changed_a_channel_and_no_secret(desk: Desk) -> None:
    made = await desk.create()
    await desk.update(made.channel.id, "target", target="https://other.example.org/hush-hush")
    await desk.rotate(made.channel.id)
    await desk.test(made.channel.id, wait=0)
    await desk.delete(made.channel.id)
    async with desk.server.sessions() as session:
        rows = (await session.execute(select(audit_events).order_by(audit_events.c.id))).mappings().all()
    assert [row["action"] for row in rows] == [
        "notification_channel.created",
        "notification_channel.updated",
        "notification_channel.secret_rotated",
        "notification_channel.tested",
        "notification_channel.deleted",
    ]
    assert {row["actor_id"] for row in rows} == {desk.team.author.id}
    assert "hush" not in repr(rows)
    assert "whsec" not in repr(rows)
