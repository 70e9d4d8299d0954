"""The limits of what the settings of a workflow may say, and what an address and a header have to be."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

LONGEST_SUBJECT = 200
LONGEST_BODY = 10_000
LONGEST_QUESTION = 1_000
LONGEST_URL = 2_000
LONGEST_HEADER = 1_000
MOST_HEADERS = 20
MOST_CHANNELS = 20
MOST_NODES = 100
MOST_EDGES = 500
MOST_PARAMETERS = 100
MOST_FAILED_RUNS = 100
LONGEST_SECONDS = 604_800
GREATEST_BYTES = 256 * 1024
"""Of a definition as JSON: every run keeps one."""
METHODS = ("POST", "PUT", "PATCH")

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})


def why_no_address(url: str) -> str | None:
    """Says what keeps `url` from being called, if anything does. Where it leads is checked when it is called."""
    if len(url) > LONGEST_URL:
        return f"must have at most {LONGEST_URL:,} characters"
    if not url.isascii() or not url.isprintable() or " " in url:
        return (
            "must have no spaces and no characters beyond ASCII; `|urlencode` writes them so that they may stand there"
        )
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            return "must begin with http:// or https:// and a host"
    except ValueError:
        return "must be an address, such as https://example.org/hook"
    if "@" in parts.netloc:
        return "must not carry a user name or a password; a header can carry a secret"
    return None


def is_encrypted(url: str) -> bool:
    """Whether what is sent to `url`, which may go on as a template, can be read by nobody on the way."""
    return url.lower().startswith("https://")


def why_no_header(name: str, *, secret: bool) -> str | None:
    """Says what keeps `name` from being a header of a webhook, if anything does."""
    lowered = name.lower()
    if not _HEADER.fullmatch(name):
        return "must be the name of a header, such as X-Team"
    if lowered in _OURS or lowered.startswith("webhook-"):
        return "is set by the platform"
    if lowered in _SECRET and not secret:
        return "must carry a secret of the team, by its name: everybody who reads the workflow would see it"
    return None
