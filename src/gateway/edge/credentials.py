"""Which credential a request presents: `Authorization`, then the session cookie, then `?token=`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from starlette.requests import Request

from gateway.asked import Asked, Credential, CredentialKind
from gateway.edge.session_cookie import cookie_of

LONGEST_SLUG = 100
LONGEST_TOKEN = 200
LONGEST_SESSION = 500
LONGEST_USER_AGENT = 500
TOKEN_PARAMETER = "token"  # noqa: S105 # the name of a parameter


class Source(Enum):
    """Where a credential stood; what a browser sends by itself is treated otherwise than what somebody chose."""

    NOWHERE = 0
    AUTHORIZATION = 1
    COOKIE = 2
    QUERY = 3


@dataclass(frozen=True, slots=True)
class Presented:
    credential: Credential
    source: Source


NOTHING = Presented(Credential(CredentialKind.NONE), Source.NOWHERE)


def presented(request: Request, *, cookie: bool = True) -> Presented:
    """Answers the first credential; without the `cookie` where that turned out to be worth nothing.

    Anything in Authorization that is no bearer token is a token nobody knows, and so is an empty `?token=`.
    """
    if (authorization := request.headers.get("authorization")) is not None:
        scheme, _, token = authorization.partition(" ")
        value = token.strip()[:LONGEST_TOKEN] if scheme.lower() == "bearer" else ""
        return Presented(Credential(CredentialKind.PARTNER_TOKEN, value), Source.AUTHORIZATION)
    if cookie and (session := cookie_of(request)):
        return Presented(Credential(CredentialKind.SESSION, session[:LONGEST_SESSION]), Source.COOKIE)
    if (asked_with := query_token(request)) is not None:
        return Presented(token_credential(asked_with), Source.QUERY)
    return NOTHING


def query_token(request: Request) -> str | None:
    return request.query_params.get(TOKEN_PARAMETER)


def token_credential(token: str) -> Credential:
    """Answers a token of which only the server knows whose it is, a partner's or the page's."""
    return Credential(CredentialKind.PARTNER_OR_PAGE_TOKEN, token.strip()[:LONGEST_TOKEN])


def asked(request: Request, credential: Credential) -> Asked:
    return Asked(
        slug=request.path_params["slug"][:LONGEST_SLUG],
        credential=credential,
        client_ip=request.client.host if request.client else "",
        user_agent=request.headers.get("user-agent", "")[:LONGEST_USER_AGENT],
    )
