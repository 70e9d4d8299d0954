"""`oncall channel delete`, `test` and `rotate-secret`."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from cli import confirmation
from cli.channel.options import ChannelName, find_channel
from cli.connection import connected
from cli.failure import REFUSED, fail
from cli.lookup import TeamOption
from cli.output import Json, note, print_json
from cli.visible import visible
from oncall.v1 import notification_pb2 as pb
from oncall.v1.notification_service_pb2 import (
    DeleteNotificationChannelRequest,
    RotateSigningSecretRequest,
    TestNotificationChannelRequest,
)

WAIT_SECONDS = 15  # less than a call may take


def delete(name: ChannelName, team: TeamOption = "", yes: confirmation.Yes = False) -> None:
    """Delete a channel. What waits to be sent to it is given up; what was sent stays listed.

    \b
      oncall channel delete chat
    """
    with connected() as server:
        found = find_channel(server, name, team)
        question = f"Delete the channel {visible(found.name)}? Nobody can read its target again."
        confirmation.require(question, yes=yes, otherwise="not deleted")
        request = DeleteNotificationChannelRequest(channel_id=found.id, etag=found.etag)
        server.notifications.DeleteNotificationChannel(request)
    print(f"deleted {visible(found.name)}")


def try_out(name: ChannelName, team: TeamOption = "", as_json: Json = False) -> None:
    """Send a test message, also to a channel that is disabled. Exit code 1: it did not arrive.

    \b
      oncall channel test chat
    """
    with connected() as server:
        found = find_channel(server, name, team)
        request = TestNotificationChannelRequest(channel_id=found.id, wait=Duration(seconds=WAIT_SECONDS))
        delivery = server.notifications.TestNotificationChannel(request).delivery
    delivered = delivery.status == pb.DELIVERY_STATUS_DELIVERED
    if as_json:
        print_json(delivery)
        if not delivered:
            raise SystemExit(REFUSED)
        return
    if not delivered:
        fail(_problem(delivery), REFUSED)
    status = f" with the status {delivery.response_status}" if delivery.response_status else ""
    print(f"{visible(found.name)} took the test message{status}")


def rotate_secret(name: ChannelName, team: TeamOption = "", as_json: Json = False) -> None:
    """Give a webhook a new signing secret. It is printed, and shown only this once.

    For 24 hours what is sent is signed with the former one, too.

    \b
      oncall channel rotate-secret deploy
    """
    with connected() as server:
        found = find_channel(server, name, team)
        rotated = server.notifications.RotateSigningSecret(RotateSigningSecretRequest(channel_id=found.id))
    if as_json:
        print_json(rotated)
        return
    note(f"{visible(found.name)} signs with this secret from now on, and for 24 hours with the former one, too:")
    print(rotated.signing_secret)


def _problem(delivery: pb.Delivery) -> str:
    if delivery.last_error:
        again = "" if delivery.status == pb.DELIVERY_STATUS_DEAD else "; it is tried again: see `oncall delivery list`"
        return f"the test message did not arrive: {visible(delivery.last_error)}{again}"
    return "nothing came of the test message yet; does `jobs` run? See `oncall delivery list`"
