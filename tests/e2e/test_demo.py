"""What stands there once `oncall up --demo` says that it serves."""

from __future__ import annotations

import asyncio
import itertools
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from oncall.client import Client
from oncall.v1 import team_service_pb2 as team_rpc
from oncall.v1.execution_pb2 import EXECUTION_STATUS_COMPLETED
from tests.e2e.launched import ONCALL, Launched

BUF = Path(sys.executable).parent / "buf"


def test_the_demo_runbooks_lines_appear_one_by_one(demo_stack: Launched) -> None:
    times = [time for time, line in demo_stack.lines if "│" in line]
    assert len(times) == 10
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert min(pauses) > 0.1, "lines that are printed 0.3 s apart came together"
    assert "✓ completed" in demo_stack.output


def test_demo_json_says_what_was_made_and_only_its_owner_may_read_it(demo_stack: Launched) -> None:
    demo = demo_stack.demo()
    assert set(demo) == {"server", "gateway", "team_id", "tokens", "runbooks", "status_page"}
    assert set(demo["tokens"]) == {"author", "reviewer"}
    assert set(demo["runbooks"]) == {"host-report", "disk-forecast", "latency-summary"}
    page = demo["status_page"]
    assert set(page) == {"slug", "url", "partner_token", "partner_id", "incident_id", "maintenance_id"}
    assert demo["gateway"].startswith("http://127.0.0.1:")
    for name in ("demo.json", "master.key", "environment.json", "author.header", "partner.header", "author.env"):
        assert stat.S_IMODE((demo_stack.data / name).stat().st_mode) == 0o600, name


def test_no_process_shows_a_token_or_the_key_on_its_command_line(demo_stack: Launched) -> None:
    demo = demo_stack.demo()
    secrets = [*demo["tokens"].values(), demo["status_page"]["partner_token"]]
    secrets.append((demo_stack.data / "master.key").read_text().strip())
    shown = "\n".join(" ".join(process.cmdline()) for process in demo_stack.processes())
    logged = "\n".join(log.read_text() for log in (demo_stack.data / "logs").iterdir())
    assert not [secret[:6] for secret in secrets if secret in shown or secret in logged]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("host-report", {"host": "db-7"}), ("disk-forecast", {"used_percent": 50}), ("latency-summary", {})],
)
async def test_each_demo_runbook_completes(demo_stack: Launched, name: str, parameters: dict[str, Any]) -> None:
    demo = demo_stack.demo()
    async with Client(demo["server"], token=demo["tokens"]["reviewer"]) as client:
        events = [event async for event in client.execute(demo["runbooks"][name], parameters)]
    assert events[-1].execution.status == EXECUTION_STATUS_COMPLETED
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def test_the_status_page_answers_a_partner_as_html_and_as_json(demo_stack: Launched) -> None:
    demo = demo_stack.demo()
    url = f"{demo['gateway']}/status/{demo['status_page']['slug']}"
    token = {"Authorization": f"Bearer {demo['status_page']['partner_token']}"}
    html = httpx.get(url, headers=token)
    assert html.status_code == 200
    assert "strict-transport-security" not in html.headers, "it would not be for this address to promise"
    assert html.headers["content-type"].startswith("text/html")
    assert "Checkout" in html.text
    as_json = httpx.get(url, headers={**token, "Accept": "application/json"})
    assert as_json.status_code == 200
    summary = as_json.json()
    lines = {line["name"]: line for line in summary["components"]}
    assert list(lines) == ["Shop", "Checkout", "Search", "For partners", "API", "Webhooks", "Reports"]
    assert (lines["Shop"]["group"], lines["Shop"]["status"]) == (True, "degraded_performance")
    assert [incident["id"] for incident in summary["incidents"]] == [demo["status_page"]["incident_id"]]
    assert [one["id"] for one in summary["scheduled_maintenances"]] == [demo["status_page"]["maintenance_id"]]


def test_the_address_that_the_demo_prints_opens_the_page_in_a_browser(demo_stack: Launched) -> None:
    page = demo_stack.demo()["status_page"]
    address = next(line.strip() for _, line in demo_stack.lines if "?token=" in line)
    with httpx.Client(headers={"Accept": "text/html"}, follow_redirects=True) as browser:
        opened = browser.get(address)
    assert (opened.status_code, str(opened.url)) == (200, page["url"])
    assert "Payments take longer than usual" in opened.text


def test_the_status_page_answers_nobody_without_a_token(demo_stack: Launched) -> None:
    demo = demo_stack.demo()
    assert httpx.get(f"{demo['gateway']}/status/{demo['status_page']['slug']}").status_code == 401


def test_buf_curl_finds_the_services_by_reflection_and_calls_them(demo_stack: Launched, tmp_path: Path) -> None:
    demo = demo_stack.demo()
    curl = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge"]
    header = ("--header", f"@{demo_stack.data / 'author.header'}")
    server = f"http://{demo['server']}"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*curl, *arguments], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "oncall.v1.RunbookService" in run("--list-services", server)
    caller = json.loads(run(*header, f"{server}/oncall.v1.TeamService/GetCaller"))
    assert caller["user"]["displayName"] == "Ada Author"
    request = json.dumps({"runbook_id": demo["runbooks"]["latency-summary"]})
    events = run(*header, "--data", request, f"{server}/oncall.v1.RunbookService/Execute")
    assert "EXECUTION_STATUS_COMPLETED" in events


def test_the_command_runs_a_runbook_with_the_demos_credentials(demo_stack: Launched, tmp_path: Path) -> None:
    demo = demo_stack.demo()
    done = subprocess.run(
        [ONCALL, "run", "disk-forecast", "-p", "used_percent=99", "-p", "growth_percent_per_day=1"],
        env={"ONCALL_SERVER": demo["server"], "ONCALL_TOKEN": demo["tokens"]["author"], "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "full in 1 days" in done.stdout
    assert done.returncode == 1, "the command ends with the script's exit code"


async def test_an_administrator_is_created_beside_the_running_stack(demo_stack: Launched) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [str(ONCALL), "admin", "create", "--email", "root@example.com", "--name", "Root", "--json"],
        env={"ONCALL_DATA_DIR": str(demo_stack.data), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    created = json.loads(done.stdout)
    async with Client(demo_stack.demo()["server"], token=created["token"]) as client:
        caller = await client.teams.GetCaller(team_rpc.GetCallerRequest())
    assert caller.user.id == created["user_id"]
    assert caller.user.is_platform_admin
