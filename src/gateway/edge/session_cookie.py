"""The cookie that holds a browser's session: for one page, out of reach of scripts, and gone with the session.

`__Secure-` with the page's path rather than `__Host-`, which every page of the gateway would be sent; Lax rather than
Strict, because a reader comes from a link in a mail and is signed in nonetheless. See docs/decisions/0028.
"""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

SECURE_NAME = "__Secure-oncall-session"
PLAIN_NAME = "oncall-session"
"""Without TLS browsers take no `__Secure-` cookie: for a gateway on this machine."""

_VALUE = re.compile(r"[A-Za-z0-9._~+/=-]{1,500}")


def cookie_of(request: Request) -> str:
    """Answers the session, empty where there is none; of several cookies of the name, that of the longest path."""
    wanted = _name(request)
    for line in request.headers.getlist("cookie"):
        for pair in line.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == wanted:
                return value.strip()[:501]
    return ""


def keep(response: Response, request: Request, path: str, session: str, seconds: int) -> None:
    if not _VALUE.fullmatch(session):
        raise ValueError("a session is no cookie's value")
    _set(response, request, path, session, seconds)


def clear(response: Response, request: Request, path: str) -> None:
    _set(response, request, path, "", 0)


def seconds_until(end: datetime, now: datetime) -> int:
    return max(0, int((end - now).total_seconds()))


def _set(response: Response, request: Request, path: str, value: str, seconds: int) -> None:
    secure = "; Secure" if _is_secure(request) else ""
    response.headers.append(
        "Set-Cookie",
        f"{_name(request)}={value}; Max-Age={seconds}; Path={quote(path)}; HttpOnly; SameSite=Lax{secure}",
    )


def _name(request: Request) -> str:
    return SECURE_NAME if _is_secure(request) else PLAIN_NAME


def _is_secure(request: Request) -> bool:
    return bool(request.scope["scheme"] == "https")
