"""Which targets are taken of each kind of channel, and what of one may be shown."""

from __future__ import annotations

import pytest

from kernel.errors import InvalidArgument
from server.domain.channel_target import check_target, hint_of
from server.domain.notification_channel import ChannelKind
from server.domain.violation import Violations

SLACK_HOOK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
FLOW = "https://prod-04.uksouth.logic.azure.com:443/workflows/ab1/triggers/manual/paths/invoke?sig=iXjaksldjf"

GOOD = [
    (ChannelKind.SLACK, SLACK_HOOK, "https://hooks.slack.com/…"),
    (ChannelKind.SLACK, "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "slack://…"),
    (ChannelKind.EMAIL, "ops@example.com,o@example.org", "o…@example.com, o…@example.org"),
    (ChannelKind.EMAIL, "mailtos://user:pw@mail.example.com?to=ops@example.com", "mailtos://…"),
    (ChannelKind.PAGERDUTY, "0123456789abcdef0123456789abcdef", "…cdef"),
    (ChannelKind.PAGERDUTY, "pagerduty://0123456789abcdef0123@token", "pagerduty://…"),
    (ChannelKind.TEAMS, FLOW, "https://prod-04.uksouth.logic.azure.com:443/…"),
    (ChannelKind.WEBHOOK, "http://hooks.example.com:8080/in/token", "http://hooks.example.com:8080/…"),
    (ChannelKind.APPRISE, "tgram://123456789:abcdefg/12315544", "tgram://…"),
    (ChannelKind.APPRISE, "json://user:pass@example.com/?method=PUT", "json://…"),
]
BAD = [
    (ChannelKind.SLACK, "https://slack.evil.example/services/a/b/c"),
    (ChannelKind.SLACK, "https://hooks.slack.com.evil.example/services/a/b/c"),
    (ChannelKind.SLACK, "http://hooks.slack.com/services/a/b/c"),
    (ChannelKind.SLACK, "slack://a/b/c?template=/etc/passwd"),
    (ChannelKind.EMAIL, "ops"),
    (ChannelKind.EMAIL, "ops@example.com,"),
    (ChannelKind.EMAIL, "ops@example.com&from=boss@example.com"),
    (ChannelKind.EMAIL, ",".join(f"a{n}@example.com" for n in range(21))),
    (ChannelKind.EMAIL, "mailto://mail.example.com?to=a@example.com&PGPKEY=x&pgp=yes"),
    (ChannelKind.PAGERDUTY, "short"),
    (ChannelKind.PAGERDUTY, "0123456789abcdef0123/456789abcdef"),
    (ChannelKind.TEAMS, "https://logic.azure.com.evil.example/workflows/a"),
    (ChannelKind.WEBHOOK, "ftp://example.com/x"),
    (ChannelKind.WEBHOOK, "https:///x"),
    (ChannelKind.WEBHOOK, "https://user:pass@example.com/x"),
    (ChannelKind.WEBHOOK, "https://example.com:99999/x"),
    (ChannelKind.WEBHOOK, "https://[::1/x"),
    (ChannelKind.WEBHOOK, "https://example.com/a b"),
    (ChannelKind.WEBHOOK, "https://example.com/\r\nhost: x"),
    (ChannelKind.WEBHOOK, "example.com"),
    (ChannelKind.WEBHOOK, ""),
    (ChannelKind.WEBHOOK, "https://example.com/" + "a" * 2000),
    (ChannelKind.APPRISE, "syslog://"),
    (ChannelKind.APPRISE, "dbus://"),
    (ChannelKind.APPRISE, "json://example.com/?attach=file:///etc/passwd"),
    (ChannelKind.APPRISE, "json://example.com/?Verify=no"),
    (ChannelKind.APPRISE, "json://example.com/?rto=100000"),
    (ChannelKind.APPRISE, "vapid://a/b?keyfile=/etc/passwd"),
]


def refusals(kind: ChannelKind, target: str) -> str:
    violations = Violations()
    check_target(violations, "target", kind, target)
    try:
        violations.raise_if_any()
    except InvalidArgument as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("kind", "target", "hint"), GOOD)
def test_a_target_of_the_kind_is_taken_and_its_hint_is_of_no_use_to_anybody(
    kind: ChannelKind, target: str, hint: str
) -> None:
    assert not refusals(kind, target)
    assert hint_of(kind, target) == hint


@pytest.mark.parametrize(("kind", "target"), BAD)
def test_what_a_channel_cannot_or_must_not_go_to_is_refused_without_repeating_it(
    kind: ChannelKind, target: str
) -> None:
    refusal = refusals(kind, target)
    assert refusal
    for part in ("evil", "passwd", "pass@", "a b", "aaaa"):
        assert part not in refusal
