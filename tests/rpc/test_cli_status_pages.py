"""The verbs for status pages, partners, incidents and maintenances, against a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import TeamWithPeople, a_person
from tests.rpc.commands import Commands, commands
from tests.rpc.conftest import RunningServer, refusal_of
from tests.status_pages import StatusPageDesk, names


class Desk:
    """A team that keeps one page by command: `shop`, with a group and two components."""

    def __init__(self, run: Commands, team: TeamWithPeople, behind: StatusPageDesk) -> None:
        self._run, self.team, self.behind = run, team, behind

    async def says(self, *arguments: str, stdin: str = "") -> str:
        """Gives a command as an admin of the team; answers what it prints."""
        ended = await self._run(self.team.author, *arguments, stdin=stdin)
        assert ended.code == 0, (arguments, ended.err)
        return ended.out.decode()

    async def refused(self, *arguments: str, code: int = 1) -> str:
        """Answers what a command says that fails, having printed nothing."""
        ended = await self._run(self.team.author, *arguments)
        assert (ended.code, ended.out) == (code, b""), (arguments, ended)
        return ended.err

    async def json(self, *arguments: str) -> Any:
        return await self._run.json(self.team.author, *arguments)

    async def reads(self, token: str) -> Any:
        """Answers what the gateway is told for that token."""
        return await self.behind.read("shop", token)


@pytest.fixture
async def desk(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> AsyncIterator[Desk]:
    gateway = await a_person(running_server.sessions, service_account="gateway")
    behind = StatusPageDesk(running_server.channel, running_server.sessions, team, gateway)
    async with commands(running_server.address, tmp_path) as run:
        made = Desk(run, team, behind)
        await made.says("page", "create", "shop", "--name", "Our shop", "--time-zone", "Europe/Berlin")
        await made.says("page", "component", "add", "Checkout", "--group")
        await made.says("page", "component", "add", "Cards", "--in", "Checkout")
        await made.says("page", "component", "add", "API", "--position", "5")
        yield made


async def test_a_page_is_made_changed_read_and_deleted(desk: Desk) -> None:
    listed = await desk.says("page", "list")
    assert "shop" in listed
    assert "private" in listed
    settings = await desk.says("page", "settings")
    assert "/status/shop" in settings
    assert "Europe/Berlin" in settings

    asked = await desk.refused("page", "update", "shop", "--visibility", "public", code=2)
    assert "--yes" in asked
    changed = ("--visibility", "public", "--slug", "store", "--support", "mailto:help@shop.example", "--yes")
    assert "updated store" in await desk.says("page", "update", "shop", *changed)
    page = await desk.json("page", "settings", "store")
    assert (page["visibility"], page["support_url"]) == ("STATUS_PAGE_VISIBILITY_PUBLIC", "mailto:help@shop.example")
    assert "SLUG_TAKEN" in await desk.refused("page", "create", "store")

    assert "--yes" in await desk.refused("page", "delete", "store", code=2)
    assert await desk.says("page", "delete", "store", "--yes") == "deleted store\n"
    assert "can see no page" in await desk.refused("page", "settings", "store")


async def test_components_are_added_moved_set_reported_and_removed(desk: Desk) -> None:
    await desk.says("page", "component", "move", "API", "--in", "Checkout", "--position", "0")
    await desk.says("page", "component", "update", "Checkout/API", "--name", "Public API", "--only-if-degraded")
    shown = await desk.says("page", "component", "status", "Public API", "partial-outage")
    assert shown == "Public API is shown as partial outage\n"
    reported = await desk.says("page", "report", "Cards", "degraded-performance", "--for", "5m")
    assert reported.startswith("Cards is shown as degraded performance; the report counts until ")

    listed = (await desk.json("page", "component", "list"))["components"]
    assert [(c["name"], bool(c["group_id"])) for c in listed] == [
        ("Checkout", False), ("Cards", True), ("Public API", True),
    ]  # fmt: skip
    assert listed[1]["report"]["status_when_silent"] == "COMPONENT_STATUS_MAJOR_OUTAGE"
    assert "PARTIAL OUTAGE" in await desk.says("page", "component", "list")

    assert "IS_GROUP" in await desk.refused("page", "report", "Checkout", "operational", "--for", "5m")
    assert "--for" in await desk.refused("page", "report", "Cards", "operational", "--for", "soon", code=2)
    not_empty = await desk.refused("page", "component", "remove", "Checkout", "--yes")
    assert "first move or remove its components" in not_empty
    assert "has no component 'Nothing': it has Checkout, Checkout/Cards" in await desk.refused(
        "page", "component", "status", "Nothing", "operational"
    )
    await desk.says("page", "component", "move", "Public API", "--out")
    assert await desk.says("page", "component", "remove", "Public API", "--yes") == "removed Public API\n"


async def test_a_partners_token_is_all_that_is_printed_and_reads_what_it_may(desk: Desk) -> None:
    token = (await desk.says("partner", "create", "Northwind", "--component", "API", "--rate", "60")).strip()
    assert names((await desk.reads(token)).components) == ["API"]
    shown = await desk.says("partner", "show", "Northwind")
    assert token not in shown
    assert "60 a minute" in shown
    preview = await desk.json("page", "show", "--as", "Northwind")
    assert [component["name"] for component in preview["components"]] == ["API"]
    assert "Cards" in await desk.says("page", "show")

    await desk.says("partner", "update", "Northwind", "--component", "Checkout", "--expires", "30d")
    assert names((await desk.reads(token)).components) == ["Checkout", "Cards"]
    await desk.says("partner", "update", "Northwind", "--allow", "198.51.100.0/24")
    assert (await refusal_of(desk.reads(token))).reason == "IP_NOT_ALLOWED"
    await desk.says("partner", "update", "Northwind", "--allow-any", "--all-components", "--never-expires")
    assert len((await desk.reads(token)).components) == 3

    sessions = await desk.says("partner", "sessions", "Northwind")
    assert "192.0.2.7" in sessions
    [day] = (await desk.json("partner", "access", "Northwind"))["accesses"]
    assert (day["client_ip"], token.startswith(day["token_prefix"])) == ("192.0.2.7", True)
    assert "ACTIVE" in await desk.says("partner", "list")


async def test_a_partners_tokens_are_rotated_with_grace_and_without_and_revoked(desk: Desk) -> None:
    first = (await desk.says("partner", "create", "Northwind")).strip()
    second = (await desk.says("partner", "rotate", "Northwind", "--grace", "1h")).strip()
    await desk.reads(first)
    assert "--yes" in await desk.refused("partner", "rotate", "Northwind", code=2)
    third = (await desk.says("partner", "rotate", "Northwind", "--yes")).strip()
    for ended in (first, second):
        assert (await refusal_of(desk.reads(ended))).reason == "PARTNER_REVOKED"
    await desk.reads(third)

    assert "--yes" in await desk.refused("partner", "revoke", "Northwind", code=2)
    revoked = await desk.says("partner", "revoke", "Northwind", "--yes")
    assert revoked == "revoked Northwind; no gateway answers them any more\n"
    assert (await refusal_of(desk.reads(third))).reason == "PARTNER_REVOKED"
    assert "REVOKED" in await desk.says("partner", "show", "Northwind")
    assert "`oncall partner create`" in await desk.refused("partner", "update", "Northwind", "--rate", "1")


async def test_a_pages_token_is_given_rotated_and_taken_away(desk: Desk) -> None:
    async def reads(token: str) -> Any:
        return await desk.behind.read("shop", any_token=token)

    first = (await desk.says("page", "rotate-token")).strip()
    await reads(first)
    assert "--yes" in await desk.refused("page", "rotate-token", code=2)
    second = (await desk.says("page", "rotate-token", "--yes")).strip()
    assert (await refusal_of(reads(first))).reason == "TOKEN_UNKNOWN"
    await reads(second)
    assert await desk.says("page", "remove-token", "--yes") == "shop has no token of its own\n"
    assert (await refusal_of(reads(second))).reason == "TOKEN_UNKNOWN"


async def test_an_incident_is_opened_told_of_taken_on_and_resolved(desk: Desk) -> None:
    impact = ("-i", "Checkout/Cards=partial-outage", "-i", "API=degraded-performance")
    opened = await desk.says(
        "incident", "create", "Cards fail", "-s", "sev1", *impact, "-m", "-", stdin="Some *cards*.\n"
    )
    incident_id = opened.strip()
    assert "Cards fail" in await desk.says("incident", "list", "--open")
    told = ("--status", "identified", "-m", "A provider fails.", "-i", "API=operational")
    assert await desk.says("incident", "update", "Cards fail", *told) == "Cards fail is identified\n"
    assert "was taken on" in await desk.says("incident", "acknowledge", incident_id)

    shown = await desk.says("incident", "show", "Cards fail")
    assert shown.index("Some *cards*.") < shown.index("A provider fails.")
    assert "Checkout/Cards: operational → partial outage" in shown
    assert "API: degraded performance → operational" in shown
    assert "OPEN INCIDENT" in await desk.says("page", "show")

    illegal = await desk.refused("incident", "update", incident_id, "--status", "postmortem", "-m", "We learnt.")
    assert "ILLEGAL_TRANSITION" in illegal
    assert "with `show`" in illegal
    assert await desk.says("incident", "resolve", incident_id) == "Cards fail is resolved\n"
    assert "can see no open incident" in await desk.refused("incident", "resolve", "Cards fail")
    assert (await desk.json("incident", "list", "--open"))["incidents"] == []
    assert "is not COMPONENT=STATUS" in await desk.refused(
        "incident", "create", "It", "-s", "sev4", "-i", "API=broken", code=2
    )


async def test_an_incident_that_no_page_tells_of_has_no_impact(desk: Desk) -> None:
    incident_id = (await desk.says("incident", "create", "Disk fills", "-s", "sev3", "--label", "host=db-7")).strip()
    shown = await desk.json("incident", "show", incident_id)
    assert (shown["status_page_id"], shown["labels"]) == ("", {"host": "db-7"})
    refused = await desk.refused("incident", "update", incident_id, "-m", "x", "-i", "API=operational", code=2)
    assert "no page tells of this incident" in refused


async def test_a_maintenance_is_announced_changed_begun_and_ended(desk: Desk) -> None:
    announce = ("maintenance", "schedule", "Upgrade", "-c", "API", "--from", "2h", "--lasts", "90m", "-m", "Late.")
    maintenance_id = (await desk.says(*announce)).strip()
    found = await desk.json("maintenance", "show", "Upgrade")
    before = await desk.says("maintenance", "update", "Upgrade", "--lasts", "2h", "-c", "Checkout", "-m", "Longer.")
    assert before == "Upgrade is scheduled\n"
    longer = await desk.json("maintenance", "show", maintenance_id)
    assert (longer["scheduled_for"], longer["scheduled_until"] > found["scheduled_until"]) == (
        found["scheduled_for"],
        True,
    )
    for verb, status in (("begin", "in progress"), ("verify", "verifying"), ("complete", "completed")):
        assert await desk.says("maintenance", verb, maintenance_id) == f"Upgrade is {status}\n"
    assert "COMPLETED" in await desk.says("maintenance", "list")
    assert "Late." in await desk.says("maintenance", "show", maintenance_id)
    assert "ILLEGAL_TRANSITION" in await desk.refused("maintenance", "begin", maintenance_id)

    await desk.says(*announce)
    assert "--yes" in await desk.refused("maintenance", "cancel", "Upgrade", code=2)
    assert await desk.says("maintenance", "cancel", "Upgrade", "--yes") == "Upgrade is cancelled\n"
    assert (await desk.json("maintenance", "list", "--status", "cancelled"))["maintenances"][0]["title"] == "Upgrade"


async def test_a_name_that_means_several_things_is_refused_with_what_to_say_instead(desk: Desk) -> None:
    await desk.says("page", "component", "add", "Cards")
    several = await desk.refused("page", "component", "status", "Cards", "operational", code=2)
    assert "Checkout/Cards, Cards" in several or "Cards, Checkout/Cards" in several
    await desk.says("page", "create", "second")
    assert "choose one: second, shop" in await desk.refused("partner", "list", code=2)
    for page in ("shop", "second"):
        await desk.says("partner", "create", "Northwind", "--page", page)
    assert "choose one with --page: second, shop" in await desk.refused("partner", "revoke", "Northwind", code=2)
    assert "no partner 'Southwind'" in await desk.refused("partner", "show", "Southwind")
