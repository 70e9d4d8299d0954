"""The addresses: each route reads its request, asks the keep, and answers."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import answers, assets, languages
from gateway.asked import Asked, Credential, CredentialKind
from gateway.keep.keeper import Keeper
from gateway.negotiation import Representation, preferred
from gateway.refusal import unknown_page
from gateway.server_client import Server

LONGEST_SLUG = 100
LONGEST_TOKEN = 200
LONGEST_USER_AGENT = 500

_HOST = re.compile(r"[A-Za-z0-9.\-_]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


class Routes:
    """The routes over what is kept, and the server behind it."""

    def __init__(self, keeper: Keeper, server: Server, public_url: str) -> None:
        self._keeper = keeper
        self._server = server
        self._public_url = public_url

    def all(self) -> list[Route]:
        return [
            Route("/status/{slug}", self.status_page),
            Route(f"{assets.FOLDER}{{name}}", self.asset),
            Route("/livez", self.livez),
            Route("/readyz", self.readyz),
        ]

    async def status_page(self, request: Request) -> Response:
        shown = await self._keeper.show(asked(request))
        return answers.page(shown, self._url(request), wanted(request), language(request))

    async def asset(self, request: Request) -> Response:
        found = assets.asset(request.url.path)
        if not found:
            raise unknown_page()
        return Response(found.body, media_type=found.media_type, headers={"Cache-Control": assets.CACHE_CONTROL})

    async def livez(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(self, _: Request) -> Response:
        if await self._server.is_reachable():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "the server cannot be reached"}, 503)

    def _url(self, request: Request) -> str:
        """Answers where people read this page, as configured or as this request was addressed."""
        host = request.headers.get("host", "")
        addressed = f"{request.url.scheme}://{host}" if _HOST.fullmatch(host) else ""
        return f"{self._public_url or addressed}/status/{request.path_params['slug']}"


def asked(request: Request) -> Asked:
    """Answers what is asked for; anything in Authorization that is no bearer token is a token nobody knows."""
    credential = Credential(CredentialKind.NONE)
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        value = token.strip()[:LONGEST_TOKEN] if scheme.lower() == "bearer" else ""
        credential = Credential(CredentialKind.PARTNER_TOKEN, value)
    return Asked(
        slug=request.path_params["slug"][:LONGEST_SLUG],
        credential=credential,
        client_ip=request.client.host if request.client else "",
        user_agent=request.headers.get("user-agent", "")[:LONGEST_USER_AGENT],
    )


def wanted(request: Request) -> Representation:
    return preferred(", ".join(request.headers.getlist("accept")))


def language(request: Request) -> str:
    return languages.preferred(request.headers.get("accept-language"))
