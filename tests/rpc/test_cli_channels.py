"""The verbs for channels and deliveries, against a real server and a receiver of what is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.builders import TeamWithPeople
from tests.receivers import a_webhook_receiver, answering
from tests.rpc.commands import commands
from tests.rpc.conftest import RunningServer
from tests.sending import a_sender


async def test_a_channel_is_made_tried_changed_and_deleted(
    running_server: RunningServer, team: TeamWithPeople, tmp_path: Path
) -> None:
    async with (
        commands(running_server.address, tmp_path) as run,
        a_webhook_receiver() as receiver,
        a_sender(running_server.sessions, []),
    ):
        target = f"{receiver.url}/hush-hush"
        created = await run(
            team.author, "channel", "create", "deploy", "-k", "webhook", "-e", "execution-failed", stdin=f"{target}\n"
        )
        assert created.code == 0, created.err
        secret = created.out.decode().strip()
        tried = await run(team.author, "channel", "test", "deploy")
        assert (tried.code, tried.out) == (0, b"deploy took the test message with the status 204\n"), tried.err
        assert Webhook(secret).verify(receiver.requests[0].body, receiver.requests[0].headers)["type"] == "test"

        receiver.answers = [answering(410)]
        tried = await run(team.author, "channel", "test", "deploy")
        assert (tried.code, "HTTP status 410" in tried.err) == (1, True)
        shown = await run(team.observer, "channel", "show", "deploy")
        assert b"DISABLED" in shown.out
        assert b"its receiver said that it is gone" in shown.out
        assert b"hush" not in shown.out
        (dead,) = (await run.json(team.observer, "delivery", "list", "--status", "dead"))["deliveries"]
        assert (dead["last_error"], dead["event"]) == ("HTTP status 410", "NOTIFICATION_EVENT_TEST")
        retried = await run(team.responder, "delivery", "retry", dead["id"])
        assert (retried.code, retried.out) == (0, b"Test of a notification channel is tried again\n")

        enabled = await run(team.author, "channel", "update", "deploy", "--enable", "-s", "sev2")
        assert enabled.out == b"changed enabled, min_severity of deploy\n"
        refused = await run(team.observer, "channel", "update", "deploy", "--disable")
        assert (refused.code, "ROLE_MISSING" in refused.err) == (1, True)
        assert (await run(team.author, "channel", "delete", "deploy", "--yes")).code == 0
        assert b"deploy" not in (await run(team.observer, "channel", "list")).out


@pytest.mark.parametrize("target", ["ftp://hush-hush.example/", "hush-hush"])
async def test_a_target_that_is_refused_is_not_repeated(
    running_server: RunningServer, team: TeamWithPeople, tmp_path: Path, target: str
) -> None:
    async with commands(running_server.address, tmp_path) as run:
        refused = await run(team.author, "channel", "create", "deploy", "--kind", "webhook", stdin=target)
    assert (refused.code, refused.out) == (1, b"")
    assert "channel.target" in refused.err
    assert "hush" not in refused.err
