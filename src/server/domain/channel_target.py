"""Where a channel goes: which targets are taken of each kind, and what of one may be shown.

A target is a secret, for most have a token in them: nothing said here of a bad one repeats any of it.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qsl, urlsplit

from server.domain.notification_channel import ChannelKind
from server.domain.violation import Violations, why_unstorable

LONGEST_TARGET = 2_000
MOST_ADDRESSES = 20

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_INTEGRATION_KEY = re.compile(r"[A-Za-z0-9_-]{20,64}")

# Services that are reached over the network by what a URL says. Not among them are those that write to the machine
# itself (syslog, dbus, desktop notifications), or that keep connections and threads of their own.
_SERVICES = (
    "apprise apprises dingtalk discord form forms gchat gotify gotifys hassio hassios ifttt join json jsons lark line "
    "mailgun mailto mailtos matrix matrixs mmost mmosts msteams ntfy ntfys opsgenie pagerduty pagertree pbul pover "
    "rocket rockets sendgrid ses signl4 slack sns sparkpost spike splunk tgram twilio victorops webex workflow "
    "workflows wxteams xml xmls zulip"
)
APPRISE_SCHEMES = frozenset(_SERVICES.split())
# Options of Apprise's URLs that read files, or that would undo what is decided here: how long, how often, how safely.
REFUSED_OPTIONS = frozenset(
    {"attach", "cto", "keyfile", "pgp", "pgpprv", "pgppub", "retry", "rto", "store", "subfile", "template", "verify"}
    | {"wait", "wkd"}
)
_SCHEMES = {
    ChannelKind.SLACK: frozenset({"https", "slack"}),
    ChannelKind.TEAMS: frozenset({"https", "workflow", "workflows", "msteams"}),
    ChannelKind.PAGERDUTY: frozenset({"pagerduty"}),
    ChannelKind.EMAIL: frozenset({"mailto", "mailtos"}),
    ChannelKind.WEBHOOK: frozenset({"http", "https"}),
    ChannelKind.APPRISE: APPRISE_SCHEMES,
}
_HOSTS = {
    ChannelKind.SLACK: ("hooks.slack.com", "hooks.slack-gov.com"),
    ChannelKind.TEAMS: (".logic.azure.com", ".api.powerplatform.com", ".webhook.office.com"),
}


def check_target(violations: Violations, field: str, kind: ChannelKind, target: str) -> None:
    """Wants what a channel of that kind can go to.

    SLACK: the address of an incoming webhook, or a `slack://` URL. EMAIL: 1 to 20 addresses, separated by commas, or a
    `mailto(s)://` URL with a mail server of its own. PAGERDUTY: an integration key of the Events API v2, or a
    `pagerduty://` URL. TEAMS: the address of a workflow's trigger, or a `workflows://` URL. WEBHOOK: an address.
    APPRISE: a URL of one of the services in `APPRISE_SCHEMES`.
    """
    if not target:
        violations.add(field, "must not be empty")
    elif len(target) > LONGEST_TARGET:
        violations.add(field, f"must have at most {LONGEST_TARGET:,} characters")
    elif why_unstorable(target) or any(character.isspace() or not character.isprintable() for character in target):
        violations.add(field, "must not have blanks or control characters")
    elif refusal := _refusal(kind, target):
        violations.add(field, refusal)


def hint_of(kind: ChannelKind, target: str) -> str:
    """Answers what may be shown of a target that was checked: enough to recognise it, not to use it."""
    if kind is ChannelKind.EMAIL and "://" not in target:
        return ", ".join(_masked_address(address) for address in target.split(","))
    if kind is ChannelKind.PAGERDUTY and "://" not in target:
        return f"…{target[-4:]}"
    url = urlsplit(target)
    if url.scheme not in {"http", "https"}:
        return f"{url.scheme}://…"  # the host may be a token
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{url.hostname}{port}/…"


def _refusal(kind: ChannelKind, target: str) -> str | None:
    if "://" not in target:
        return _refusal_of_name(kind, target)
    try:
        url = urlsplit(target)
        if url.scheme in {"http", "https"}:
            _ = url.port  # of others, what stands there may be half a token
    except ValueError:
        return "must be a URL"
    if url.scheme not in _SCHEMES[kind]:
        return "must be a URL that begins with " + ", ".join(f"{scheme}://" for scheme in sorted(_SCHEMES[kind]))
    if url.scheme in {"http", "https"}:
        return _refusal_of_address(kind, url)
    refused = sorted({name.lower() for name, _ in parse_qsl(url.query, keep_blank_values=True)} & REFUSED_OPTIONS)
    return f"must not have the options {', '.join(refused)}" if refused else None


def _refusal_of_name(kind: ChannelKind, target: str) -> str | None:
    if kind is ChannelKind.EMAIL:
        addresses = target.split(",")
        if len(addresses) > MOST_ADDRESSES or not all(_ADDRESS.fullmatch(address) for address in addresses):
            return f"must be 1 to {MOST_ADDRESSES} e-mail addresses, separated by commas, or a mailto:// URL"
        return None
    if kind is ChannelKind.PAGERDUTY:
        return None if _INTEGRATION_KEY.fullmatch(target) else "must be an integration key of the Events API v2"
    return "must be a URL"


def _refusal_of_address(kind: ChannelKind, url: SplitResult) -> str | None:
    if not url.hostname:
        return "must name a host"
    if url.username is not None or url.password is not None:
        return "must not have a user or a password: receivers check the signature instead"
    hosts = _HOSTS.get(kind)
    if hosts and not any(
        url.hostname == host or (host.startswith(".") and url.hostname.endswith(host)) for host in hosts
    ):
        return "must be an address of the service: its host ends in " + " or ".join(hosts)
    return None


def _masked_address(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local[0]}…@{domain}"
