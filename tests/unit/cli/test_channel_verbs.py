"""A target comes from a prompt, a pipe or a file, and is shown by nothing; a signing secret stands alone on stdout."""

from __future__ import annotations

import json

import pytest

from oncall.v1 import notification_pb2 as pb
from oncall.v1 import notification_service_pb2 as service_pb
from oncall.v1.incident_pb2 import INCIDENT_SEVERITY_SEV2
from oncall.v1.notification_service_pb2 import (
    CreateNotificationChannelResponse,
    DeleteNotificationChannelResponse,
    GetNotificationChannelResponse,
    ListDeliveriesResponse,
    ListNotificationChannelsResponse,
    RetryDeliveryResponse,
    RotateSigningSecretResponse,
    UpdateNotificationChannelResponse,
)
from tests.unit.cli.conftest import SECONDS
from tests.unit.cli.test_verbs import a_caller

ID = "0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e"
TARGET, SECRET = "https://hooks.example.org/hush-hush", "whsec_the-secret"
CHANNEL = pb.NotificationChannel(
    id=ID, name="pager", etag="read", kind=pb.CHANNEL_KIND_WEBHOOK, enabled=True, target_hint="https://…", events=[4]
)


def of_pager(server, *arguments: str, stdin: str = ""):
    """Begins a command that names the channel by id."""
    ran = server.run("channel", *arguments, stdin=stdin)
    server.answer("GetNotificationChannel", GetNotificationChannelResponse(channel=CHANNEL))
    return ran


def create(server, *arguments: str, stdin: str = ""):
    ran = server.run("channel", "create", "pager", "--kind", "webhook", *arguments, stdin=stdin)
    server.answer("GetCaller", a_caller("web"))
    answer = CreateNotificationChannelResponse(channel=CHANNEL, signing_secret=SECRET)
    return server.answer("CreateNotificationChannel", answer), ran.result(SECONDS)


def test_a_piped_target_goes_in_and_the_signing_secret_comes_out_alone(server):
    request, result = create(server, "-e", "incident-created", "-e", "execution-failed", "-s", "sev2", stdin=TARGET)
    channel = request.channel
    assert (channel.team_id, channel.name, channel.kind) == ("web-id", "pager", pb.CHANNEL_KIND_WEBHOOK)
    assert (channel.target, channel.min_severity) == (TARGET, INCIDENT_SEVERITY_SEV2)
    assert list(channel.events) == [
        pb.NOTIFICATION_EVENT_INCIDENT_CREATED,
        pb.NOTIFICATION_EVENT_EXECUTION_FAILED,
    ]
    assert (result.stdout, result.exit_code) == (f"{SECRET}\n", 0)
    assert SECRET not in result.stderr
    assert TARGET not in result.output


def test_a_target_may_come_from_a_file(server, tmp_path):
    (tmp_path / "target").write_text(f"{TARGET}\n")
    request, result = create(server, "--target-file", str(tmp_path / "target"), "--json")
    assert request.channel.target == TARGET
    assert json.loads(result.stdout)["signing_secret"] == SECRET


def test_on_a_terminal_a_target_is_asked_for_without_echo(server, monkeypatch):
    asked = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or f"{TARGET} ")
    monkeypatch.setattr("cli.confirmation.is_terminal", lambda: True)
    request, result = create(server)
    assert (asked, request.channel.target) == (["Target: "], TARGET)
    assert TARGET not in result.output


@pytest.mark.parametrize("verb", [("create", "pager", "--kind", "webhook"), ("update", ID, "--target")])
def test_a_target_that_is_missing_is_asked_for_by_its_option(server, verb):
    result = server.run("channel", *verb, stdin=" \n").result(SECONDS)
    assert (result.exit_code, "--target-file FILE" in result.stderr) == (2, True)


def test_a_target_is_no_argument(server):
    result = server.run("channel", "create", "pager", TARGET, "--kind", "webhook").result(SECONDS)
    assert result.exit_code == 2


def test_an_update_sends_what_was_given_and_the_etag_that_was_read(server):
    ran = of_pager(server, "update", ID, "--disable", "--no-events", "--any-severity", "--target", stdin=TARGET)
    request = server.answer("UpdateNotificationChannel", UpdateNotificationChannelResponse(channel=CHANNEL))
    assert list(request.update_mask.paths) == ["enabled", "events", "min_severity", "target"]
    assert (request.channel.etag, request.channel.enabled, request.channel.target) == ("read", False, TARGET)
    assert ran.result(SECONDS).stdout == "changed enabled, events, min_severity, target of pager\n"


@pytest.mark.parametrize("arguments", [(), ("--no-events", "-e", "incident-created"), ("--any-severity", "-s", "sev1")])
def test_an_update_of_nothing_or_of_both_ends_before_any_call(server, arguments):
    assert server.run("channel", "update", ID, *arguments).result(SECONDS).exit_code == 2


def test_a_list_shows_hints_and_what_is_heard_of(server):
    ran = server.run("channel", "list")
    server.answer("GetCaller", a_caller("web"))
    newer = pb.NotificationChannel(name="chat", events=[4, 99], disabled_reason="gone")
    server.answer("ListNotificationChannels", ListNotificationChannelsResponse(channels=[CHANNEL, newer]))
    lines = [line.split() for line in ran.result(SECONDS).stdout.splitlines()]
    assert lines[1] == ["pager", "WEBHOOK", "https://…", "ACTIVE", "incident-created"]
    assert lines[2][-3:] == ["DISABLED", "incident-created,", "99"]


def test_a_channel_that_is_not_there_is_said_so(server):
    ran = server.run("channel", "test", "chat")
    server.answer("GetCaller", a_caller("web"))
    server.answer("ListNotificationChannels", ListNotificationChannelsResponse(channels=[CHANNEL]))
    result = ran.result(SECONDS)
    assert (result.exit_code, "no channel 'chat'" in result.stderr) == (1, True)


def test_deleting_is_asked_for(server, monkeypatch):
    assert of_pager(server, "delete", ID).result(SECONDS).exit_code == 2
    monkeypatch.setattr("cli.confirmation.is_terminal", lambda: True)
    assert of_pager(server, "delete", ID, stdin="n\n").result(SECONDS).exit_code == 1
    ran = of_pager(server, "delete", ID, stdin="y\n")
    request = server.answer("DeleteNotificationChannel", DeleteNotificationChannelResponse())
    assert (request.channel_id, request.etag) == (ID, "read")
    assert ran.result(SECONDS).exit_code == 0


@pytest.mark.parametrize(
    ("delivery", "code", "says"),
    [
        (pb.Delivery(status=pb.DELIVERY_STATUS_DELIVERED, response_status=204), 0, "with the status 204"),
        (pb.Delivery(status=pb.DELIVERY_STATUS_DELIVERED), 0, "took the test message\n"),
        (pb.Delivery(status=pb.DELIVERY_STATUS_DEAD, last_error="HTTP status 410"), 1, "HTTP status 410\n"),
        (pb.Delivery(status=pb.DELIVERY_STATUS_PENDING, last_error="HTTP status 500"), 1, "it is tried again"),
        (pb.Delivery(status=pb.DELIVERY_STATUS_PENDING), 1, "does `jobs` run?"),
    ],
)
def test_a_test_says_what_came_of_it(server, delivery, code, says):
    ran = of_pager(server, "test", ID)
    request = server.answer("TestNotificationChannel", service_pb.TestNotificationChannelResponse(delivery=delivery))
    assert request.wait.seconds == 15
    result = ran.result(SECONDS)
    assert (result.exit_code, says in result.output) == (code, True)


def test_a_rotated_secret_stands_alone_on_standard_output(server):
    ran = of_pager(server, "rotate-secret", ID)
    server.answer("RotateSigningSecret", RotateSigningSecretResponse(channel=CHANNEL, signing_secret=SECRET))
    result = ran.result(SECONDS)
    assert result.stdout == f"{SECRET}\n"
    assert SECRET not in result.stderr


def test_deliveries_are_listed_with_what_went_wrong_and_can_be_retried(server):
    ran = server.run("delivery", "list", "--status", "dead")
    dead = pb.Delivery(
        id=ID, subject="Down", status=pb.DELIVERY_STATUS_DEAD, attempts=10, last_error="HTTP status 503", event=4
    )
    request = server.answer("ListDeliveries", ListDeliveriesResponse(deliveries=[dead]))
    assert (request.status, request.page_size) == (pb.DELIVERY_STATUS_DEAD, 20)
    line = ran.result(SECONDS).stdout.splitlines()[1]
    assert " ".join(line.split()) == f"{ID} incident created Down DEAD 10 - HTTP status 503"
    ran = server.run("delivery", "retry", ID)
    assert server.answer("RetryDelivery", RetryDeliveryResponse(delivery=dead)).delivery_id == ID
    assert ran.result(SECONDS).stdout == "Down is tried again\n"
