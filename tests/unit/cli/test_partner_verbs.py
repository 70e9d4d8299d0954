"""What a token is printed beside, what is asked before it ends, and what a refusal tells people to do."""

from __future__ import annotations

import json

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from oncall.v1.partner_pb2 import Partner, PartnerToken
from oncall.v1.partner_service_pb2 import (
    CreatePartnerResponse,
    GetPartnerResponse,
    ListPartnersResponse,
    RevokePartnerResponse,
    RotatePartnerTokenResponse,
    UpdatePartnerResponse,
)
from oncall.v1.status_page_pb2 import StatusPage
from oncall.v1.status_page_service_pb2 import ListMaintenancesResponse, ListStatusPagesResponse
from tests.unit.cli.conftest import SECONDS

ID = "0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e"
SECRET = "ocp_AAAA_the-secret"
NORTHWIND = Partner(id=ID, name="Northwind", etag="read", status_page_id="page-id")


def of_northwind(server, *arguments: str, stdin: str = ""):
    """Begins a command that names the partner by id."""
    ran = server.run("partner", *arguments, stdin=stdin)
    server.answer("GetPartner", GetPartnerResponse(partner=NORTHWIND))
    return ran


def test_the_token_of_a_new_partner_stands_alone_on_standard_output(server):
    ran = server.run("partner", "create", "Northwind", "--allow", "192.0.2.0/24", "--rate", "60")
    server.answer("ListStatusPages", ListStatusPagesResponse(status_pages=[StatusPage(id="page-id", slug="shop")]))
    request = server.answer("CreatePartner", CreatePartnerResponse(partner=NORTHWIND, token=SECRET))
    result = ran.result(SECONDS)
    assert (request.partner.status_page_id, list(request.partner.ip_allowlist)) == ("page-id", ["192.0.2.0/24"])
    assert (result.stdout, result.exit_code) == (f"{SECRET}\n", 0)
    assert "/status/shop" in result.stderr
    assert SECRET not in result.stderr


def test_json_of_a_new_partner_has_the_token_and_nothing_is_said_beside_it(server):
    ran = server.run("partner", "create", "Northwind", "--json")
    server.answer("ListStatusPages", ListStatusPagesResponse(status_pages=[StatusPage(id="page-id", slug="shop")]))
    server.answer("CreatePartner", CreatePartnerResponse(partner=NORTHWIND, token=SECRET))
    result = ran.result(SECONDS)
    assert (json.loads(result.stdout)["token"], result.stderr) == (SECRET, "")


def test_a_rotation_says_when_the_old_token_was_last_used_and_when_it_ends(server):
    ran = of_northwind(server, "rotate", ID, "--grace", "24h")
    old = PartnerToken(prefix="ocp_BBBB", last_used_at=Timestamp(seconds=1), expires_at=Timestamp(seconds=90_000))
    answer = RotatePartnerTokenResponse(partner=NORTHWIND, token=SECRET, old_token=old)
    assert server.answer("RotatePartnerToken", answer).grace_period.seconds == 86_400
    result = ran.result(SECONDS)
    assert result.stdout == f"{SECRET}\n"
    assert "ocp_BBBB… was last used 1970-01-01" in result.stderr
    assert "lives on until 1970-01-02" in result.stderr


@pytest.mark.parametrize("verb", ["rotate", "revoke"])
def test_what_ends_a_token_at_once_is_asked_for(server, monkeypatch, verb):
    result = of_northwind(server, verb, ID).result(SECONDS)
    assert (result.exit_code, "--yes" in result.stderr) == (2, True)
    monkeypatch.setattr("cli.confirmation.is_terminal", lambda: True)
    result = of_northwind(server, verb, ID, stdin="n\n").result(SECONDS)
    assert (result.exit_code, f"not {verb}" in result.stderr) == (1, True)


def test_a_revocation_that_not_every_gateway_confirmed_tells_to_repeat_it(server):
    ran = of_northwind(server, "revoke", ID, "--yes")
    message = "the change stands, but it could not be confirmed that every gateway goes by it; ask again"
    server.refuse("RevokePartner", grpc.StatusCode.UNAVAILABLE, message, "NOT_CONFIRMED")
    result = ran.result(SECONDS)
    assert (result.stdout, result.exit_code) == ("", 3)
    assert "the change stands" in result.stderr
    assert "repeat the command until it succeeds" in result.stderr

    ran = of_northwind(server, "revoke", ID, "--yes")
    server.answer("RevokePartner", RevokePartnerResponse(partner=NORTHWIND))
    assert ran.result(SECONDS).stdout == "revoked Northwind; no gateway answers them any more\n"


def test_an_update_names_what_changes_and_what_was_read(server):
    ran = of_northwind(server, "update", ID, "--allow-any", "--never-expires", "--rate", "0")
    request = server.answer("UpdatePartner", UpdatePartnerResponse(partner=NORTHWIND))
    assert sorted(request.update_mask.paths) == ["expires_at", "ip_allowlist", "requests_per_minute"]
    assert request.partner == Partner(id=ID, etag="read")
    assert ran.result(SECONDS).exit_code == 0


def test_an_update_of_what_somebody_changed_meanwhile_tells_to_look_at_it(server):
    ran = of_northwind(server, "update", ID, "--rate", "60")
    message = "somebody changed the partner meanwhile; read it again"
    server.refuse("UpdatePartner", grpc.StatusCode.ABORTED, message, "STALE_ETAG")
    result = ran.result(SECONDS)
    assert result.exit_code == 1
    assert "(STALE_ETAG): look at it with `show`, and repeat what is still right" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say what to change"),
        (("--allow", "192.0.2.7", "--allow-any"), "--allow and --allow-any exclude each other"),
        (("--expires", "soon"), "--expires: 'soon' is no time"),
        (("--expires", "1h", "--never-expires"), "exclude each other"),
    ],
)
def test_what_cannot_be_meant_ends_before_any_call(server, arguments, says):
    result = server.run("partner", "update", ID, *arguments).result(SECONDS)
    assert (result.stdout, result.exit_code) == ("", 2)
    assert says in result.stderr


@pytest.mark.parametrize("given", [["shop"], ["--page", "shop"], ["-p", "shop"], ["shop", "--page", "shop"]])
@pytest.mark.parametrize("group", ["partner", "maintenance"])
def test_a_list_takes_its_page_as_the_other_verbs_do_too(server, group, given):
    ran = server.run(group, "list", *given, "--json")
    pages = [StatusPage(id="page-id", slug="shop"), StatusPage(id="other-id", slug="other")]
    server.answer("ListStatusPages", ListStatusPagesResponse(status_pages=pages))
    method, answer = {
        "partner": ("ListPartners", ListPartnersResponse()),
        "maintenance": ("ListMaintenances", ListMaintenancesResponse()),
    }[group]
    assert server.answer(method, answer).status_page_id == "page-id"
    assert ran.result(SECONDS).exit_code == 0


def test_two_pages_are_not_one(server):
    result = server.run("partner", "list", "shop", "--page", "other").result(SECONDS)
    assert (result.exit_code, "two pages, shop and other" in result.stderr) == (2, True)


def test_a_maintenance_that_ends_after_all_calendars_is_refused_in_a_sentence(server):
    times = ("--from", "9999-12-01", "--lasts", "60d")
    result = server.run("maintenance", "schedule", "x", "-c", "API", "-m", "y", *times).result(SECONDS)
    assert (result.stderr, result.exit_code) == ("oncall: --lasts: '60d' ends later than any calendar\n", 2)


@pytest.mark.parametrize("group", ["partner", "page", "incident", "maintenance", "workflow"])
def test_every_verb_says_of_itself_what_the_list_says_and_shows_an_example(server, group):
    from importlib import import_module

    verbs = getattr(import_module(f"cli.{group}.verbs"), group).info.cls.verbs
    listed = " ".join(server.run(group, "--help").result(SECONDS).stdout.split())
    for name, verb in verbs.items():
        own = server.run(group, name, "--help").result(SECONDS)
        shown = " ".join(own.stdout.split())
        assert own.exit_code == 0, name
        assert verb.help in listed, name
        if name != "component":
            assert verb.help.rstrip(".").split(";")[0] in shown, name
            assert f"oncall {group} {name}" in shown, name
