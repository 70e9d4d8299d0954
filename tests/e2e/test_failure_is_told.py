"""A runbook fails, and its team hears of it by mail and by webhook, once, from a stack as a person starts it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import grpc
import psutil
from standardwebhooks import Webhook

from oncall.v1.execution_pb2 import EXECUTION_STATUS_FAILED
from oncall.v1.runbook_service_pb2 import ExecuteRequest
from oncall.v1.runbook_service_pb2_grpc import RunbookServiceStub
from tests.e2e.conftest import Launch
from tests.e2e.demo_calls import approve_new, metadata_of
from tests.e2e.launched import ONCALL, Launched
from tests.receivers import a_mail_receiver, a_webhook_receiver, answering
from tests.waiting import eventually


async def _oncall(demo: dict[str, Any], home: Path, *arguments: str, stdin: str = "") -> str:
    ended = await asyncio.to_thread(
        subprocess.run,
        [str(ONCALL), *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "ONCALL_SERVER": demo["server"],
            "ONCALL_TOKEN": demo["tokens"]["author"],
        },
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _fail(demo: dict[str, Any]) -> str:
    """Runs a script that fails each of its two attempts, and answers the execution's id."""
    with grpc.insecure_channel(demo["server"]) as channel:
        runbook = approve_new(channel, demo, script="echo do not tell anybody; exit 7", max_retries=1).runbook
        request = ExecuteRequest(runbook_id=runbook.id)
        *_, last = RunbookServiceStub(channel).Execute(request, metadata=metadata_of(demo, "author"))
    assert last.event.execution.status == EXECUTION_STATUS_FAILED
    return str(last.event.execution.id)


def _environments(stack: Launched, variable: str) -> dict[str, bool]:
    """Answers which of the processes have a variable."""
    modules = ("server", "server.jobs", "executor", "gateway")
    return {module: variable in psutil.Process(stack.program(module).pid).environ() for module in modules}


async def test_a_failure_arrives_by_mail_and_by_a_webhook_that_failed_at_first(launch: Launch, tmp_path: Path) -> None:
    with a_mail_receiver() as mails:
        async with a_webhook_receiver() as receiver:
            receiver.answers = [answering(204), answering(503)]
            stack = launch(
                "--demo",
                env={
                    "ONCALL_OUTBOUND_ALLOW": "127.0.0.1",
                    "ONCALL_SMTP_URL": f"mailto://127.0.0.1:{mails.port}",
                    "ONCALL_SMTP_FROM": "oncall@example.org",
                },
            )
            await asyncio.to_thread(stack.wait_until_it_serves)
            demo = stack.demo()
            only_jobs = {"server": False, "server.jobs": True, "executor": False, "gateway": False}
            assert _environments(stack, "ONCALL_SMTP_URL") == only_jobs
            failed = ("-e", "execution-failed")
            await _oncall(demo, tmp_path, "channel", "create", "mail", "-k", "email", *failed, stdin="a@example.com\n")
            hook = ("channel", "create", "hook", "-k", "webhook", *failed)
            secret = (await _oncall(demo, tmp_path, *hook, stdin=receiver.url)).strip()
            assert "took the test message" in await _oncall(demo, tmp_path, "channel", "test", "hook")

            execution = await asyncio.to_thread(_fail, demo)
            await receiver.wait_for(3, within=60)  # the test, a failure, and the same again

            async def both_delivered() -> bool:
                delivered = await _oncall(demo, tmp_path, "delivery", "list", "--status", "delivered", "--json")
                return delivered.count(execution) == 2

            await eventually(both_delivered, within=30)
    first, second = receiver.requests[1:]
    said = Webhook(secret).verify(second.body, second.headers)
    assert (said["type"], said["data"]["execution_id"]) == ("execution.failed", execution)
    assert (said["data"]["exit_code"], said["data"]["attempts"]) == (7, 2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    (mail,) = mails.mails
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert execution in plain.get_content()
    for content in (second.body.decode(), plain.get_content(), str(mail["subject"])):
        assert "do not tell anybody" not in content
