"""Who reads with what, and what they may see: pages, partners and credentials as their administrators know them."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.storm.history import History

Seen = frozenset[str]
"""Names of components."""


@dataclass(eq=False, slots=True)
class Page:
    """A status page; `private` where nobody reads it without a credential."""

    id: str
    slug: str
    components: History[Seen]
    private: History[bool]
    lasting: tuple[tuple[str, str], ...] = ()
    """Components that stay, by id and name."""
    busy: bool = False
    """Somebody is changing it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a partner may read; `scope` and `sources` None: everything, from anywhere."""

    scope: Seen | None = None
    sources: frozenset[str] | None = None
    ended: bool = False


@dataclass(eq=False, slots=True)
class Partner:
    """`limited`: they have a rate, and may be told to wait. `busy`: somebody is changing them."""

    id: str
    page: Page
    terms: History[Terms]
    limited: bool = False
    busy: bool = False
    passes: list[Pass] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Pass:
    """One credential, or none: lines of headers and a query that say it; `prefix` is what its accesses are told by."""

    page: Page
    ended: History[bool]
    partner: Partner | None = None
    prefix: str = ""
    headers: str = ""
    query: str = ""

    def views(self, source: str, begun: float, ended: float) -> Views:
        """Answers what a request between two moments may be answered with."""
        views, refused = set(), False
        for is_ended in self.ended.within(begun, ended):
            for terms in self.partner.terms.within(begun, ended) if self.partner else (Terms(),):
                if is_ended or terms.ended or (terms.sources is not None and source not in terms.sources):
                    refused = True
                    continue
                for there in self.page.components.within(begun, ended):
                    views.add(there if terms.scope is None else there & terms.scope)
        return Views(frozenset(views), refused)


@dataclass(frozen=True, slots=True)
class Views:
    """The sets of components that an answer may show, and whether it may be a refusal."""

    shown: frozenset[Seen]
    refused: bool


@dataclass(frozen=True, slots=True)
class Representation:
    """One way to read a page; `whole` where it names all components that there are for the reader."""

    path: str
    accept: str = ""
    whole: bool = False


REPRESENTATIONS = (
    Representation("", "text/html", whole=True),
    Representation("/api/v2/summary.json", whole=True),
    Representation("/api/v2/components.json", whole=True),
    Representation("/api/v2/status.json"),
    Representation("/api/v2/incidents.json"),
    Representation("/api/v2/scheduled-maintenances.json"),
    Representation("/history.atom"),
    Representation("/maintenance.ics"),
    Representation("/badge.svg"),
)
WEIGHTS = (20, 25, 8, 5, 5, 5, 5, 5, 4)
