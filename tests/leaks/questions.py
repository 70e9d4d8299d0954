"""The questions of the walk: who asks for what, how, with what in which place; and what the gate owes them for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from tests.leaks.callers import REFUSED_AT_HOME, UNKNOWN, Carrier, Kind, Place, owed
from tests.leaks.routes import PAGE, Walked
from tests.leaks.world import THERE

REPORT = PAGE + "/access.json"
SPOOFED = {
    "x-forwarded-for": THERE,
    "forwarded": f"for={THERE}",
    "x-real-ip": THERE,
    "x-original-url": f"/status/{Place.FULL.value}",
}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to ask; `holds` what the readers hold: by their tags, or by all."""

    name: str
    method: str
    headers: dict[str, str]
    holds: str = ""


VARIANTS = (
    Variant("as a browser", "GET", {"accept": "text/html"}),
    Variant(
        "as a program that holds it",
        "GET",
        {"accept": "application/json", "accept-language": "de", "range": "bytes=0-99"} | SPOOFED,
        holds="tags",
    ),
    Variant("for the head alone", "HEAD", {"accept": "*/*"} | SPOOFED, holds="*"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """One request of the walk."""

    route: Walked
    variant: Variant
    kind: Kind
    carrier: Carrier
    place: Place

    def __str__(self) -> str:
        where = f"{self.variant.method} {self.route.path} {self.variant.name}, {self.carrier.value}"
        return f"{self.kind.value} at {self.place.value}: {where}"

    @property
    def owed(self) -> tuple[int, str] | None:
        """Answers the refusal; a report is for partners alone, and nobody else who is let in has one."""
        found = owed(self.kind, self.carrier, self.place)
        is_no_partner = self.kind in (Kind.NOBODY, Kind.PAGE_TOKEN, *UNKNOWN)
        return found or ((404, "NOT_FOUND") if self.route.path == REPORT and is_no_partner else None)

    @property
    def sends_form(self) -> bool:
        return self.variant.method in self.route.forms

    @property
    def trades(self) -> bool:
        """Whether a token in a browser's address is traded for a session."""
        is_page = self.route.path == PAGE and "json" not in self.variant.headers["accept"]
        return is_page and self.carrier is Carrier.QUERY and self.kind is not Kind.NOBODY


def whole_product(
    routes: Sequence[Walked],
    kinds: Iterable[Kind] = tuple(Kind),
    places: Sequence[Place] = tuple(Place),
    variants: Sequence[Variant] = VARIANTS,
    carriers: Iterable[Carrier] = tuple(Carrier),
) -> list[Question]:
    """Answers every way of everybody to ask for each; for the bare page those whom it tells more than none does."""
    return [
        Question(*asked)
        for asked in product(routes, variants, kinds, carriers, places)
        if asked[-1] is not Place.BARE or asked[2] in REFUSED_AT_HOME
    ]


def by_turns(routes: Sequence[Walked]) -> list[Question]:
    """Answers everybody, everywhere, on every route, each in one way; over all routes, in every way.

    What nobody knows comes as one kind of it on each route, and the public page is asked for on every other one.
    """
    ways = list(product(VARIANTS, Carrier))
    found = []
    for turn, route in enumerate(routes):
        kinds = [kind for kind in Kind if kind not in UNKNOWN or kind is UNKNOWN[turn % len(UNKNOWN)]]
        places = [place for place in Place if place is not Place.OPEN or turn % 2 == 0]
        for shift, kind in enumerate(kinds):
            variant, carrier = ways[(turn + 2 * shift) % len(ways)]
            found += whole_product([route], [kind], places, [variant], [carrier])
    return found
