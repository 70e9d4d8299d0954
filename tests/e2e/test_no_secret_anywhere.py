"""A secret that a script prints in every way it can is in no dump, log, answer or file and on no command line."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import grpc
import psutil
import pytest
from google.protobuf import json_format

from cli.launcher.postgres_binaries import postgres_binaries
from executor.masking import forms_of
from oncall.v1 import (
    notification_pb2,
    notification_service_pb2,
    runbook_pb2,
    runbook_service_pb2,
    secret_service_pb2,
)
from oncall.v1.execution_pb2 import EXECUTION_STATUS_COMPLETED
from oncall.v1.notification_service_pb2_grpc import NotificationServiceStub
from oncall.v1.runbook_service_pb2_grpc import RunbookServiceStub
from oncall.v1.secret_service_pb2_grpc import SecretServiceStub
from tests.e2e.demo_calls import approve_new, metadata_of
from tests.e2e.launched import Launched

SECRET = 'Zq7/"xylophone-äß+%20"\\9182736455463728'
SENSITIVE = "wombat-5150-sensitive/+value"
TARGET = "quokka-6261-in-a-target"

PRINT_IT_ALL = """
import base64, json, os, sys, time, urllib.parse
for value in (os.environ["SECRET_VAULT_KEY"], open(os.environ["ONCALL_PARAMETERS"]).read(), os.environ["PARAM_PIN"]):
    raw = value.encode()
    for before in range(3):
        print(base64.b64encode(b"x" * before + raw).decode(), base64.urlsafe_b64encode(b"x" * before + raw).decode())
    print(urllib.parse.quote(value), urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value))
    print(json.dumps(value), json.dumps({"k": value}, ensure_ascii=False))
    for byte in raw:
        os.write(2, bytes([byte]))
        time.sleep(0.001)
    print(value, flush=True)
secrets = [os.environ["SECRET_VAULT_KEY"], os.environ["PARAM_PIN"]]
output = {
    form: [form, f"in {form} between", {"deep": [form]}]
    for value in secrets
    for form in (
        value, urllib.parse.quote(value, safe="") + "/", json.dumps({"k": value}),
        base64.b64encode(b"x" + value.encode()).decode(),
    )
}
with open(os.environ["ONCALL_OUTPUT"], "w") as file:
    json.dump({"all": list(output.values()), "names": [{name: True} for name in output], "left": "for others"}, file)
raise SystemExit(0)
"""


def hear_of_it(channel: grpc.Channel, demo: dict[str, str]) -> list[bytes]:
    """Makes channels whose targets have a secret in them, tries them, in vain, and answers all that gRPC answered."""
    notifications, author = NotificationServiceStub(channel), metadata_of(demo, "author")
    answers = []
    for kind, target in (
        (notification_pb2.CHANNEL_KIND_WEBHOOK, f"http://127.0.0.1:9/{TARGET}?{TARGET}"),
        (notification_pb2.CHANNEL_KIND_APPRISE, f"json://{TARGET}:{TARGET}@127.0.0.1:9/{TARGET}"),
        (notification_pb2.CHANNEL_KIND_EMAIL, f"mailto://x:{TARGET}@127.0.0.1:9?from=a@b.example&to=c@d.example"),
        (notification_pb2.CHANNEL_KIND_SLACK, f"slack://{TARGET}"),
    ):
        new = notification_pb2.NotificationChannel(
            team_id=demo["team_id"], name=f"channel {kind}", kind=kind, target=target, events=[1, 4]
        )
        create = notification_service_pb2.CreateNotificationChannelRequest(channel=new, request_id=f"create {kind}")
        made = notifications.CreateNotificationChannel(create, metadata=author).channel
        trial = notification_service_pb2.TestNotificationChannelRequest(channel_id=made.id, wait={"seconds": 20})
        tried = notifications.TestNotificationChannel(trial, metadata=author)
        assert tried.delivery.last_error, target
        answers += [made.SerializeToString(), tried.SerializeToString()]
    listing = notification_service_pb2.ListDeliveriesRequest(team_id=demo["team_id"])
    return [*answers, notifications.ListDeliveries(listing, metadata=author).SerializeToString()]


class CommandLines(threading.Thread):
    """Looks at every process's command line for as long as it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(0.01):
            for process in psutil.process_iter(["cmdline"]):
                self.seen.update(process.info["cmdline"] or ())

    def stop(self) -> set[str]:
        self._ending.set()
        self.join()
        return self.seen


def run_it(stack: Launched) -> bytes:
    """Puts the secret, runs the script, and answers all that gRPC answered."""
    demo = stack.demo()
    author = metadata_of(demo, "author")
    answers: list[bytes] = []
    with grpc.insecure_channel(demo["server"]) as channel:
        runbooks, secrets = RunbookServiceStub(channel), SecretServiceStub(channel)
        put = secret_service_pb2.PutSecretRequest(team_id=demo["team_id"], name="vault_key", value=SECRET)
        answers.append(secrets.PutSecret(put, metadata=author).SerializeToString())
        pin = runbook_pb2.ParameterDefinition(
            name="pin", type=runbook_pb2.PARAMETER_TYPE_STRING, required=True, sensitive=True
        )
        approved = approve_new(
            channel,
            demo,
            script=PRINT_IT_ALL,
            language=runbook_pb2.SCRIPT_LANGUAGE_PYTHON,
            secret_names=["vault_key"],
            parameters=[pin],
        )
        answers.append(approved.SerializeToString())
        runbook_id = approved.runbook.id
        execute = runbook_service_pb2.ExecuteRequest(runbook_id=runbook_id, parameters={"pin": SENSITIVE})
        events = [answer.event for answer in runbooks.Execute(execute, metadata=author)]
        last = events[-1].execution
        assert last.status == EXECUTION_STATUS_COMPLETED, last
        assert last.masked_count > 20
        # Chunks joined, too: what is cut between two events is whole again at the reader.
        answers += [b"".join(e.output.data for e in events if e.output.stream == stream) for stream in (1, 2)]
        answers += [event.SerializeToString() for event in events]
        get = runbook_service_pb2.GetExecutionRequest(execution_id=last.id)
        record = runbooks.GetExecution(get, metadata=author).execution
        assert (record.output["left"], len(record.output["all"])) == ("for others", 8), record.output_error
        answers += [record.SerializeToString(), json_format.MessageToJson(record).encode()]
        with pytest.raises(grpc.RpcError) as refused:  # an error that is about these very values
            runbooks.Execute(
                runbook_service_pb2.ExecuteRequest(runbook_id=runbook_id, parameters={"pin": 5, "unknown": SENSITIVE}),
                metadata=author,
            ).next()
        answers.append(str(refused.value).encode())
        answers += hear_of_it(channel, demo)
    return b"\n".join(answers)


def dump_of(stack: Launched) -> bytes:
    """Answers the whole database as text, the bytes in it both as they are and as pg_dump writes them."""
    url = json.loads((stack.data / "environment.json").read_text())["environment"]["ONCALL_DATABASE_URL"]
    parts = urlsplit(url)
    host = parse_qs(parts.query)["host"][0]
    dump = subprocess.run(
        [
            postgres_binaries(None) / "pg_dump",
            *("--host", host, "--username", parts.username or parse_qs(parts.query)["user"][0]),
            *("--no-password", parts.path.lstrip("/")),
        ],
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    assert b"for others" in dump
    assert b"base64.urlsafe_b64encode" in dump  # the script is there, so this is the database that was used
    return dump


def test_a_secret_that_is_printed_in_every_way_is_nowhere(tmp_path: Path) -> None:
    stack = Launched(tmp_path / "data", "--demo")
    watching = CommandLines()
    try:
        stack.wait_until_it_serves()
        watching.start()
        answers = run_it(stack)
        command_lines = "\n".join(watching.stop()).encode()
        dump = dump_of(stack)
    finally:
        stack.close()
    files = {path: path.read_bytes() for path in stack.data.rglob("*") if path.is_file()}
    assert any(path.parent.name == "logs" for path in files)
    places = {
        "the answers": answers,
        "a command line": command_lines,
        "the dump": dump,
        "the output": stack.output.encode(),
    }
    for form in forms_of(SECRET.encode()) | forms_of(SENSITIVE.encode()) | forms_of(TARGET.encode()):
        for place, content in {**places, **files}.items():
            assert form not in content, f"{form!r} is in {place}"
            assert form.hex().encode() not in content, f"{form!r} is in {place}, in hexadecimal"
