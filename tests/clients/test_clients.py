"""Three clients of the public v2 status API, none of which this project wrote, read a page with everything on it.

`tools/setup.sh test` installs them into `.clients`; none of them can send a credential, so that the page is public.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CLIENTS = HERE.parents[1] / ".clients"
DIRECT = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}

OPEN = ["Declined <cards> & 1", "Declined <cards> & 2", "Declined <cards> & 3"]
PLANNED = ["Upgrade 1", "Upgrade 2", "Upgrade 3"]


def read(*command: str | Path) -> Any:
    assert (CLIENTS / "installed").exists(), "the clients are missing: `tools/setup.sh test` installs them"
    done = subprocess.run([*command], capture_output=True, text=True, timeout=60, env=DIRECT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def with_python(client: str, url: str) -> Any:
    return read(CLIENTS / "python/bin/python", HERE / "read_with_python.py", client, url)


def test_arez_reads_the_page(page_url: str) -> None:
    status = with_python("arez", page_url)
    assert status["page"] == ["page", "Acme", "2026-11-24T09:00:00"]
    assert status["status"] == ["Minor", "Minor Service Outage"]
    assert status["groups"] == {"Checkout": ["Cards", "Refunds"]}
    assert status["components"] == {
        "Cards": ["Partial Outage", OPEN],
        "Refunds": ["Operational", []],
        "Sign-in": ["Operational", []],
    }
    assert status["incidents"] == [
        [title, word, "Major", "It is **slow**."]
        for title, word in zip(OPEN, ["Investigating", "Identified", "Monitoring"], strict=True)
    ]
    assert status["maintenances"] == [
        [title, word, "Maintenance", "2026-11-24T09:00:00", "2026-11-24T11:00:00"]
        for title, word in zip(PLANNED, ["Scheduled", "In Progress", "Verifying"], strict=True)
    ]


def test_statuscheck_reads_the_page(page_url: str) -> None:
    summary = with_python("statuscheck", page_url)
    assert summary["status"][0] == "minor"
    assert summary["status"][2:] == ["Minor Service Outage", False]
    assert set(summary["components"]) == {"Checkout", "Cards", "Refunds", "Sign-in"}
    assert summary["components"]["Cards"] != summary["components"]["Refunds"]
    assert [one[0] for one in summary["incidents"]] == OPEN + PLANNED
    assert [one[1] for one in summary["incidents"]][3:] == ["scheduled", "in_progress", "verifying"]
    assert [one[2] for one in summary["incidents"]] == [["Cards"]] * 3 + [["Sign-in"]] * 3


def test_statuspage_io_reads_every_document_that_it_knows(page_url: str) -> None:
    answers = read("node", HERE / "read_with_node.cjs", CLIENTS / "node/node_modules", page_url)
    assert {name: answers[name]["page"]["url"] for name in answers} == dict.fromkeys(answers, page_url)
    assert answers["status"]["status"] == {"indicator": "minor", "description": "Minor Service Outage"}
    assert [one["name"] for one in answers["components"]["components"]] == ["Checkout", "Cards", "Refunds", "Sign-in"]
    assert [one["status"] for one in answers["incidents"]["incidents"]][3:] == ["resolved", "postmortem"]
    assert [one["name"] for one in answers["unresolved"]["incidents"]] == OPEN
    assert [one["name"] for one in answers["summary"]["scheduled_maintenances"]] == PLANNED
    assert [one["status"] for one in answers["upcoming"]["scheduled_maintenances"]] == ["scheduled"]
