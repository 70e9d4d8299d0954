"""The addresses: each route reads its request, asks the keep, and answers.

Everything about a page goes through `_shown`, the one gate: a representation that is added to the table has it too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import answers, assets, openapi
from gateway.access_report import report, wanted_page
from gateway.addresses import Addresses
from gateway.asked import Asked, Credential, CredentialKind
from gateway.edge import body, credentials, own_origin, session_cookie
from gateway.edge.credentials import TOKEN_PARAMETER, Presented, Source, presented
from gateway.edge.event_stream import LONGEST_TAG, EventStream, Streams
from gateway.edge.keeper import Health, Keeper
from gateway.edge.metrics import Metrics
from gateway.edge.page_headers import CREDENTIALS, stale_headers
from gateway.edge.reading import Reading, narrowed
from gateway.edge.represented import PAGE, SUMMARY_PATH, Represented, Viewing
from gateway.negotiation import Representation
from gateway.refusal import Refusal, unknown_page
from gateway.shown import Shown
from gateway.warm_pages import WarmPages

T = TypeVar("T")
_OPENAPI_HEADERS = {"Cache-Control": "public, max-age=300"}
_UNBELIEVED = frozenset({401, 403, 404})


class Routes:
    """The routes over the keep."""

    def __init__(
        self,
        keeper: Keeper,
        health: Health,
        addresses: Addresses,
        representations: Sequence[Represented],
        streams: Streams,
        metrics: Metrics,
        warm: WarmPages,
    ) -> None:
        self._keeper = keeper
        self._health = health
        self._addresses = addresses
        self._representations = {one.path: one for one in representations}
        self._streams = streams
        self._metrics = metrics
        self._warm = warm

    def all(self) -> list[Route]:
        page = "/status/{slug}"
        below = [path for path in self._representations if path]
        return [
            Route(page, self.page, methods=["GET"]),
            *(Route(page + path, self._representation(path), methods=["GET"]) for path in below),
            Route(f"{page}/events", self.events, methods=["GET"]),
            Route(f"{page}/access.json", self.access, methods=["GET"]),
            Route(f"{page}/session", self.session, methods=["POST", "DELETE"]),
            Route(f"{page}/sign-out", self.sign_out, methods=["POST"]),
            Route(f"{assets.FOLDER}{{name}}", self.asset, methods=["GET"]),
            Route("/openapi.json", self.openapi, methods=["GET"]),
            Route("/livez", self.livez, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def page(self, request: Request) -> Response:
        """Answers the page itself: HTML, or the summary where `Accept` asks for JSON."""
        if answers.wanted(request) is Representation.JSON:
            return await self._represent(request, self._representations[SUMMARY_PATH])
        if credentials.query_token(request) is not None and "authorization" not in request.headers:
            return await self._trade_query_token(request)
        return await self._represent(request, PAGE)

    async def events(self, request: Request) -> Response:
        """Answers changes of the page as they happen; who may not see it hears so before the stream begins."""
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        client = request.client.host if request.client else ""
        slug = request.path_params["slug"]

        async def admit(asked: Asked) -> tuple[Asked, Shown]:
            self._streams.require_room(client)
            shown = await self._keeper.show(asked)
            self._streams.require_room(client)  # those who waited for the page together were not counted before
            self._streams.require_room_at(slug)
            return asked, shown

        async def answer(admitted: tuple[Asked, Shown], _: Source) -> Response:
            asked, shown = admitted
            changes = self._keeper.changes(asked, after[:LONGEST_TAG])
            return EventStream(changes, self._streams, client, slug, stale_headers(shown))

        return await self._gated(request, admit, answer)

    async def access(self, request: Request) -> Response:
        """Answers a partner's own report of who read as them."""
        size, token = wanted_page(request)

        async def answer(found: object, _: Source) -> Response:
            return JSONResponse(found, headers={"Vary": CREDENTIALS})

        async def ask(asked: Asked) -> object:
            return report(await self._keeper.access_report(asked, size, token))

        return await self._gated(request, ask, answer)

    async def session(self, request: Request) -> Response:
        """Trades the token of the sign-in form for a cookie; DELETE forgets the cookie."""
        if request.method == "DELETE":
            return await self.sign_out(request)
        own_origin.require(request, self._addresses.origin(request))
        token = (await body.fields(request)).get(TOKEN_PARAMETER)
        if not token:
            raise Refusal(400, "INVALID_ARGUMENT", "No token", "Enter the access token that you were given.")
        return await self._start_session(request, token, self._addresses.page_path(request))

    async def sign_out(self, request: Request) -> Response:
        """Ends the session of the cookie, everywhere, and forgets it; the browser's at any rate."""
        own_origin.require(request, self._addresses.origin(request))
        if session := session_cookie.cookie_of(request):
            await self._keeper.end_session(credentials.asked(request, Credential(CredentialKind.SESSION, session)))
        path = self._addresses.page_path(request)
        response = Response(None, 303, {"Location": path})
        session_cookie.clear(response, request, path)
        return response

    async def asset(self, request: Request) -> Response:
        found = assets.asset(request.url.path)
        if not found:
            raise unknown_page()
        return Response(found.body, media_type=found.media_type, headers={"Cache-Control": assets.CACHE_CONTROL})

    async def openapi(self, _: Request) -> Response:
        return Response(openapi.DOCUMENT, media_type="application/json", headers=_OPENAPI_HEADERS)

    async def livez(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(self, _: Request) -> Response:
        if not self._streams.closing.is_set() and await self._health.is_ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "the server cannot be reached"}, 503)

    async def metrics(self, _: Request) -> Response:
        exposed = self._metrics.exposed(self._health.state(), len(self._streams))
        return Response(exposed, media_type=self._metrics.media_type)

    def _representation(self, path: str) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await self._represent(request, self._representations[path])

        return endpoint

    async def _represent(self, request: Request, represented: Represented) -> Response:
        request = narrowed(request)
        first = presented(request)

        async def answer(shown: Shown, source: Source) -> Response:
            self._metrics.shown(shown)
            reading = self._reading(request, represented, source)
            answered = answers.page(reading, shown, datetime.now(UTC))
            if source is first.source:  # whose session is worth nothing is told so each time
                asked = credentials.asked(request, first.credential)
                self._warm.keep(request.scope, reading, self._keeper.client(asked))
            return answers.PageResponse(answered)

        return await self._gated(request, self._keeper.show, answer)

    def _reading(self, request: Request, represented: Represented, source: Source) -> Reading:
        # Who came by another way than a session has nothing to sign out of.
        sign_out = f"{self._addresses.page_path(request)}/sign-out" if source is Source.COOKIE else ""
        return Reading(
            represented,
            Viewing(self._addresses.page(request), answers.language(request), sign_out),
            source,
            request.scope["scheme"],
            negotiated=not (represented.path and request.scope["path"].endswith(represented.path)),
            if_none_match=", ".join(request.headers.getlist("if-none-match")),
        )

    async def _gated(
        self,
        request: Request,
        ask: Callable[[Asked], Awaitable[T]],
        answer: Callable[[T, Source], Awaitable[Response]],
    ) -> Response:
        """Asks with the first credential and answers; a session that is not known counts as none, and is cleared."""
        found = presented(request)
        try:
            return await answer(*await self._ask(request, ask, found))
        except Refusal as refused:
            if found.source is not Source.COOKIE or refused.status not in _UNBELIEVED:
                raise
            response = self._refused(request, refused)
            if refused.status == 401:
                try:
                    response = await answer(*await self._ask(request, ask, presented(request, cookie=False)))
                except Refusal as again:
                    response = self._refused(request, again)
            session_cookie.clear(response, request, self._addresses.page_path(request))
            response.headers["Cache-Control"] = "private, no-store"
            return response

    async def _ask(self, request: Request, ask: Callable[[Asked], Awaitable[T]], found: Presented) -> tuple[T, Source]:
        return await ask(credentials.asked(request, found.credential)), found.source

    def _refused(self, request: Request, refused: Refusal) -> Response:
        return answers.refusal(request, refused, self.sign_in(request))

    def sign_in(self, request: Request) -> str:
        """Answers where the sign-in form of a page sends its token; empty for an address that is no page's."""
        return f"{self._addresses.page_path(request)}/session" if "slug" in request.path_params else ""

    async def _trade_query_token(self, request: Request) -> Response:
        """Trades `?token=` for a session and sends the browser to the same address without it."""
        others = [(name, value) for name, value in request.query_params.multi_items() if name != TOKEN_PARAMETER]
        path = self._addresses.page_path(request)
        target = f"{path}?{urlencode(others)}" if others else path
        found = presented(request)
        if found.source is Source.COOKIE:  # who is signed in already stays whom they are
            try:
                await self._keeper.show(credentials.asked(request, found.credential))
            except Refusal as refused:
                if refused.status not in _UNBELIEVED:
                    raise
            else:
                return Response(None, 303, {"Location": target})
        return await self._start_session(request, credentials.query_token(request) or "", target)

    async def _start_session(self, request: Request, token: str, target: str) -> Response:
        asked = credentials.asked(request, credentials.token_credential(token))
        session = await self._keeper.start_session(
            asked.slug, asked.credential.value, asked.client_ip, asked.user_agent
        )
        seconds = session_cookie.seconds_until(session.expires_at.ToDatetime(tzinfo=UTC), datetime.now(UTC))
        response = Response(None, 303, {"Location": target})
        path = self._addresses.page_path(request)
        session_cookie.keep(response, request, path, session.session_token, seconds)
        return response
