"""A server with the pages of `Place`, and for each of them everybody of `Kind` with what they hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from oncall.v1 import partner_service_pb2, status_page_pb2, status_page_service_pb2
from tests.builders import a_person, a_team
from tests.leaks.callers import READERS, Held, Kind, Place
from tests.leaks.canaries import ADDRESS, Known, ids_in, word
from tests.leaks.furnished import FurnishedPage, a_furnished_page
from tests.rpc.conftest import RunningServer, a_server
from tests.status_pages import PRIVATE, PUBLIC, KnownPartner, StatusPageDesk

HERE, THERE = "127.0.0.1", "127.0.0.2"
"""Where everybody asks from, and where the one with a wrong address is let in."""

NOTHING = Held("", "")


@dataclass(frozen=True, slots=True)
class Cast:
    """Who may ask for a page: what each kind holds, and the words that readers may be told of themselves."""

    held: dict[Kind, Held]
    own: Mapping[Kind, set[str]]


@dataclass(frozen=True, slots=True)
class World:
    """`known` are all ids of the database; `secrets` everything that was ever handed out to come in with."""

    server: RunningServer
    desk: StatusPageDesk
    pages: Mapping[Place, FurnishedPage]
    casts: Mapping[Place, Cast]
    known: Known
    secrets: set[str]

    def held(self, kind: Kind, place: Place) -> Held:
        """Answers what somebody holds who comes to a place; to a page that is not there, those of the full one come."""
        return self.casts[Place.FULL if place is Place.MISSING else place].held.get(kind, NOTHING)

    async def sign_in_again(self, kind: Kind) -> None:
        """Gives somebody new sessions, for they have signed out of those they had."""
        for place, cast in self.casts.items():
            cast.held[kind] = again = await _with_session(self.desk, place.value, cast.held[kind].token)
            self.secrets.add(again.session)

    def may_be_told(self, kind: Kind, place: Place) -> set[str]:
        """Answers all that one who is let in may be told, and shall be."""
        furniture = self.pages[place].furniture
        own = self.casts[place].own.get(kind, set())
        return own | furniture.seen | (set() if kind is Kind.NARROW else furniture.hidden)


@asynccontextmanager
async def a_world(database_url: str, redis_url: str) -> AsyncIterator[World]:
    async with a_server(database_url, redis_url, bad_credentials_per_minute=1_000_000) as server:
        gateway = await a_person(server.sessions, service_account="gateway")
        desk, others = [
            StatusPageDesk(server.channel, server.sessions, await a_team(server.sessions), gateway) for _ in range(2)
        ]
        full, public = [
            await a_furnished_page(desk, place.value, visibility)
            for place, visibility in ((Place.FULL, PRIVATE), (Place.OPEN, PUBLIC))
        ]
        bare = FurnishedPage(desk, await desk.a_page(slug=Place.BARE.value), full.furniture)
        pages = {Place.FULL: full, Place.OPEN: public, Place.BARE: bare}
        strangers = await _strangers(others)
        casts = {place: await _cast(desk, page, strangers) for place, page in pages.items()}
        known = Known(ids_in(await server.everything_stored()))
        handed = [one for cast in casts.values() for held in cast.held.values() for one in (held.token, held.session)]
        handed += [gateway.token, *(person.token for person in (desk.team.author, desk.team.responder))]
        yield World(server, desk, pages, casts, known, set(filter(None, handed)))


async def _strangers(desk: StatusPageDesk) -> Mapping[Kind, Held]:
    """Answers those who may read another page, of another team, with a component and an incident of its own."""
    page = await desk.a_page(slug="else-page-1", name=word(), logo_url=f"https://{word()}.example/")
    component = await desk.a_component(page, word(), description=word())
    await desk.an_incident(page, {component.id: status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE}, title=word())
    partner = await desk.a_partner(page, name=word(), contact_email=f"{word()}@example.org")
    return {
        Kind.PARTNER_OF_ANOTHER: await _with_session(desk, page.slug, partner.token),
        Kind.PAGE_TOKEN_OF_ANOTHER: await _with_session(desk, page.slug, await _page_token(desk, page.id)),
    }


async def _cast(desk: StatusPageDesk, furnished: FurnishedPage, strangers: Mapping[Kind, Held]) -> Cast:
    page = furnished.page
    scope = [furnished.seen_id] if furnished.seen_id else []
    fields = {
        Kind.NARROW: {"component_ids": scope},
        Kind.ELSEWHERE: {"ip_allowlist": [THERE, ADDRESS]},
        Kind.BUSY: {"requests_per_minute": 1},
    }
    kinds = (Kind.RIGHT, Kind.NARROW, Kind.REVOKED, Kind.ROTATED, Kind.EXPIRED, Kind.ELSEWHERE, Kind.BUSY)
    names = {kind: word() for kind in kinds}
    made: list[KnownPartner] = await asyncio.gather(
        *(
            desk.a_partner(page, name=names[kind], contact_email=f"{word()}@example.org", **fields.get(kind, {}))
            for kind in kinds
        )
    )
    partners = dict(zip(kinds, made, strict=True))
    tokens = {kind: partner.token for kind, partner in partners.items()}
    tokens[Kind.PAGE_TOKEN] = await _page_token(desk, page.id)
    held = {
        kind: await _with_session(desk, page.slug, token, THERE if kind is Kind.ELSEWHERE else HERE)
        for kind, token in tokens.items()
    }
    await _cut_off(desk, partners)
    own = {kind: {names[kind], _prefix(partners[kind].token)} for kind in READERS if kind in partners}
    return Cast({**held, **strangers}, own)


async def _cut_off(desk: StatusPageDesk, partners: Mapping[Kind, KnownPartner]) -> None:
    await desk.revoke(partners[Kind.REVOKED])
    await desk.expire(partners[Kind.EXPIRED])
    rotate = partner_service_pb2.RotatePartnerTokenRequest(partner_id=partners[Kind.ROTATED].id)
    await desk.partners.RotatePartnerToken(rotate, metadata=desk.team.author.metadata)


async def _with_session(desk: StatusPageDesk, slug: str, token: str, client_ip: str = HERE) -> Held:
    request = partner_service_pb2.CreatePageSessionRequest(slug=slug, token=token, client_ip=client_ip, user_agent="x")
    answer = await desk.partners.CreatePageSession(request, metadata=desk.gateway.metadata)
    return Held(token, answer.session_token)


async def _page_token(desk: StatusPageDesk, page_id: str) -> str:
    request = status_page_service_pb2.RotatePageTokenRequest(status_page_id=page_id)
    return (await desk.pages.RotatePageToken(request, metadata=desk.team.author.metadata)).token


def _prefix(token: str) -> str:
    return token[: len("ocp_") + 16]
