"""What services are sent through Apprise: as plain text, about one thing, with good news told from bad."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from server.domain.delivery import Tone
from server.domain.notification_channel import ChannelKind
from server.outbound.apprise_courier import MailServer, Message, NoMailServer, _deliver, _prepare_apprise, url_of

SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
FLOW = (
    "https://prod-04.uksouth.logic.azure.com:443/workflows/ab1c/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=iXjaksldjfiXjaksldjf"
)
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, dict[str, Any]]]:
    """Collects what would go over the network, and says that it was taken."""
    seen: list[tuple[str, Any, dict[str, Any]]] = []

    def request(_: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        seen.append((url, json.loads(options["data"]), options))
        taken = requests.Response()
        taken.status_code, taken._content = 200, b"ok"
        return taken

    monkeypatch.setattr(requests.Session, "request", request)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    _prepare_apprise()
    return seen


def send(kind: ChannelKind, target: str, tone: Tone = Tone.BAD, body: str = "It is <!channel> *down*") -> None:
    message = Message(kind, target, "Down & out", body, "oncall-incident-1", tone)
    assert _deliver(url_of(message, None), message) == (True, None)


def test_slack_is_sent_text_in_which_nothing_is_markup(sent: list[Any]) -> None:
    send(ChannelKind.SLACK, SLACK)
    ((url, content, _),) = sent
    assert url == SLACK
    assert content["mrkdwn"] is False
    assert content["attachments"][0]["title"] == "Down &amp; out"
    assert content["attachments"][0]["text"] == "It is &lt;!channel&gt; *down*"


def test_teams_is_sent_a_card(sent: list[Any]) -> None:
    send(ChannelKind.TEAMS, FLOW)
    ((url, content, _),) = sent
    assert url.startswith(FLOW.split("?")[0])
    texts = [block["text"] for block in content["attachments"][0]["content"]["body"]]
    assert texts[0] == "Down & out"
    assert "\\*down\\*" in texts[1]


def test_a_pager_is_sent_one_incident_that_its_end_resolves(sent: list[Any]) -> None:
    for tone in (Tone.BAD, Tone.WARNING, Tone.GOOD):
        send(ChannelKind.PAGERDUTY, KEY, tone)
    assert {content["routing_key"] for _, content, _ in sent} == {KEY}
    assert [content["event_action"] for _, content, _ in sent] == ["trigger", "trigger", "resolve"]
    assert {content["dedup_key"] for _, content, _ in sent} == {"oncall-incident-1"}
    assert [content["payload"]["severity"] for _, content, _ in sent[:2]] == ["critical", "warning"]


def test_what_is_too_long_for_a_service_is_cut(sent: list[Any]) -> None:
    send(ChannelKind.PAGERDUTY, KEY, body="x" * 20_000)
    assert len(sent[0][1]["payload"]["summary"]) <= 1024
    assert len(sent) == 1


@pytest.mark.parametrize("options", ["", "?verify=no&redirect=yes&rto=9999&cto=9999"])
def test_how_safely_and_how_long_is_not_for_a_target_to_say(sent: list[Any], options: str) -> None:
    send(ChannelKind.APPRISE, f"jsons://example.org/x{options}")
    (_, _, options_sent) = sent[0]
    assert options_sent["verify"] is True
    assert options_sent["timeout"] == (15.0, 15.0)
    assert options_sent["allow_redirects"] is False


def test_addresses_go_through_the_mail_server_of_the_installation() -> None:
    message = Message(ChannelKind.EMAIL, "a@example.com,b@example.com", "Down", "It is.")
    with pytest.raises(NoMailServer):
        url_of(message, None)
    url = url_of(message, MailServer("mailtos://user:pw@mail.example:465?mode=ssl", "oncall@example.org"))
    assert url == (
        "mailtos://user:pw@mail.example:465?mode=ssl&from=oncall%40example.org&to=a%40example.com%2Cb%40example.com"
    )
