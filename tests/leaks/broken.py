"""Gates that are broken on purpose, each in one way: what the walk must find, or it finds nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.asked import Asked, Client
from gateway.keep.admission import Clients
from gateway.keep.shelf import Shelf
from gateway.refusal import Refusal
from gateway.shown import Shown
from kernel.errors import NotFound
from server.domain.partner_gate import PartnerCredential, admit
from server.operations import show_status_page
from tests.leaks.callers import Carrier, Kind, Place
from tests.leaks.questions import VARIANTS, Question, Variant, whole_product
from tests.leaks.routes import PAGE
from tests.leaks.walk import Walk

BROWSER, PROGRAM, HEAD = VARIANTS
SUMMARY, FEED = f"{PAGE}/api/v2/summary.json", f"{PAGE}/history.atom"


def _same(app: ASGIApp) -> ASGIApp:
    return app


@dataclass(frozen=True, slots=True)
class Broken:
    """A way to break a gate, in `code` or `around` the application, and who profits by it where."""

    name: str
    kind: Kind
    path: str = SUMMARY
    variant: Variant = BROWSER
    carrier: Carrier = Carrier.HEADER
    code: Callable[[pytest.MonkeyPatch], None] = lambda _: None
    around: Callable[[ASGIApp], ASGIApp] = _same

    def questions(self, walk: Walk) -> list[Question]:
        routes = [route for route in walk.gated if route.path == self.path]
        places = [Place.FULL] if self.kind in (Kind.RIGHT, Kind.NARROW) else [Place.FULL, Place.MISSING]
        return whole_product(routes, [self.kind], places, [self.variant], [self.carrier])

    def applied(self) -> AbstractContextManager[None]:
        @contextmanager
        def breaking() -> Any:
            with pytest.MonkeyPatch.context() as patch:
                self.code(patch)
                yield

        return breaking()


class KeptByAddress:
    """Repeats to everybody what somebody was shown at that address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: dict[str, list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if kept := self._kept.get(scope["path"]):
            for message in kept:
                await send(message)
            return
        sent: list[Message] = []

        async def keeping(message: Message) -> None:
            sent.append(message)
            await send(message)

        await self._app(scope, receive, keeping)
        if sent[0].get("status") == 200 and scope["method"] == "GET" and not scope["path"].endswith("/events"):
            self._kept[scope["path"]] = sent


class HeldByAddress:
    """Says to everybody that what they hold still holds, before it is known who they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._tags: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = Headers(scope=scope).get("if-none-match", "")
        if any(tag in held for tag in self._tags):
            await send({"type": "http.response.start", "status": 304, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and (tag := Headers(scope=message).get("etag")):
                self._tags.add(tag)
            await send(message)

        await self._app(scope, receive, noting)


class WithoutVary:
    """Forgets to say what the answer depends on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def forgetting(message: Message) -> None:
            if message["type"] == "http.response.start":
                del MutableHeaders(scope=message)["vary"]
            await send(message)

        await self._app(scope, receive, forgetting)


def _any_address(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("server.domain.partner_gate.allows", lambda *_: True)


def _one_address_for_all(patch: pytest.MonkeyPatch) -> None:
    def of(self: Clients, asked: Asked) -> Client:
        digest = self._digest(asked.slug, asked.credential.kind.value, asked.credential.value)
        return Client(digest, digest, asked.client_ip, asked.user_agent)

    patch.setattr(Clients, "of", of)


def _one_feed_for_all(patch: pytest.MonkeyPatch) -> None:
    longest: dict[object, Any] = {}

    def kept(_: Any, key: object, make: Any) -> Any:
        longest[key] = max(make(), longest.get(key, make()), key=lambda made: len(made.body))
        return longest[key]

    patch.setattr("gateway.representations.atom.kept", kept)


def _everything_is_public(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("gateway.edge.page_headers.is_everybodys", lambda *_: True)


def _says_that_there_is_none(patch: pytest.MonkeyPatch) -> None:
    def admitting(page: Any, *arguments: Any) -> Any:
        if page is None:
            raise NotFound("there is no such status page")
        return admit(page, *arguments)

    patch.setattr(show_status_page, "admit", admitting)


def _revoked_or_not(patch: pytest.MonkeyPatch) -> None:
    def admitting(page: Any, credential: Any, *arguments: Any) -> Any:
        if isinstance(credential, PartnerCredential) and credential.known:
            partner = replace(credential.known.partner, revoked_at=None)
            credential = PartnerCredential(replace(credential.known, partner=partner))
        return admit(page, credential, *arguments)

    patch.setattr(show_status_page, "admit", admitting)


def _no_scope(patch: pytest.MonkeyPatch) -> None:
    compose = show_status_page.compose_page

    async def composing(session: Any, page: Any, _: Any, now: Any) -> Any:
        return await compose(session, page, frozenset(), now)

    patch.setattr(show_status_page, "compose_page", composing)


def compose_first(patch: pytest.MonkeyPatch) -> None:
    """Composes a page before it is known who asks: nothing is told, but the time that it takes."""
    find = show_status_page.status_pages.find_by_slug

    async def finding(session: Any, slug: str) -> Any:
        page = await find(session, slug)
        if page is not None:
            await show_status_page.status_pages.version_of(session, page.id)
        return page

    patch.setattr(show_status_page.status_pages, "find_by_slug", finding)


def stale_for_anybody(patch: pytest.MonkeyPatch) -> None:
    """Shows, while nobody can be asked, whatever is kept."""

    def stale(self: Shelf, *_: Any, background: bool) -> Shown:
        kept = next(iter(self.contents))
        content = self.contents.get(kept)
        if content is None:
            raise Refusal(503, "UNAVAILABLE", "", "")
        return Shown(content.shown, content.tag, content.held_at, None, content.renderings)

    patch.setattr(Shelf, "stale", stale)


BROKEN: Sequence[Broken] = (
    Broken("the address is not looked at", Kind.ELSEWHERE, code=_any_address),
    Broken("who was let in is let in from everywhere", Kind.ELSEWHERE, code=_one_address_for_all),
    Broken("what is kept is shown before anybody is asked", Kind.NOBODY, around=KeptByAddress),
    Broken("who holds it is told so before anybody is asked", Kind.GARBAGE, variant=PROGRAM, around=HeldByAddress),
    Broken("Vary is forgotten", Kind.RIGHT, around=WithoutVary),
    Broken("the feed is the same for all", Kind.NARROW, path=FEED, code=_one_feed_for_all),
    Broken("others may keep private pages", Kind.RIGHT, code=_everything_is_public),
    Broken("a page that is not there is said not to be", Kind.NOBODY, variant=HEAD, code=_says_that_there_is_none),
    Broken("revoked partners read on", Kind.REVOKED, path=PAGE, code=_revoked_or_not),
    Broken("the scope is not looked at", Kind.NARROW, path=PAGE, code=_no_scope),
)
