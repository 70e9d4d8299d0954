"""A whole page: what stands over it, what is wrong, what is announced, its components, and what is over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from gateway.languages import Language, Moment
from gateway.shown import Shown
from gateway.view.components import Components, SectionView
from gateway.view.events import Events, EventView, MonthView
from gateway.view.marks import HEADLINES, Mark

_ORIGIN = re.compile(r"https://[a-z0-9.-]+(:[0-9]{1,5})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StaleView:
    """Since when nothing newer is known, and how long that is."""

    since: Moment
    minutes: int


@dataclass(frozen=True, slots=True)
class PageView:
    name: str
    headline: Mark
    announcement: str
    partner_name: str
    updated: Moment
    time_zone: str
    logo_url: str
    support_url: str
    accent_color: str
    stale: StaleView | None
    incidents: Sequence[EventView]
    ongoing: Sequence[EventView]
    upcoming: Sequence[EventView]
    sections: Sequence[SectionView]
    months: Sequence[MonthView]


def page_view(shown: Shown, language: Language, now: datetime) -> PageView:
    """Answers what to show; `now` tells only how old a stale page is."""
    page = shown.content.status_page
    events = Events(shown.content, language)
    headline = Mark(HEADLINES[shown.content.headline.indicator], language.gettext(shown.content.headline.description))
    incidents = events.open_incidents()
    return PageView(
        name=page.name,
        headline=headline,
        announcement=_announcement(headline, len(incidents), language),
        partner_name=shown.content.audience.partner_name,
        updated=language.moment(page.updated_at.ToDatetime(tzinfo=UTC)),
        time_zone=page.time_zone or "UTC",
        logo_url=page.logo_url if origin(page.logo_url) else "",
        support_url=page.support_url if page.support_url.startswith(("https://", "mailto:")) else "",
        accent_color=page.accent_color,
        stale=_stale(shown.stale_since, language, now),
        incidents=incidents,
        ongoing=events.ongoing_maintenances(),
        upcoming=events.upcoming_maintenances(),
        sections=Components(shown.content, language).sections(),
        months=events.months(),
    )


def origin(url: str) -> str:
    """Answers the origin of an `https://` address, as a browser may be told to load from it; empty for any other."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    found = f"{parts.scheme}://{parts.netloc}"
    return found.lower() if _ORIGIN.fullmatch(found) else ""


def stale_minutes(since: datetime | None, now: datetime) -> int | None:
    """Answers the age of a stale page in whole minutes; nothing for one that holds."""
    return None if since is None else max(0, int((now - since).total_seconds()) // 60)


def _stale(since: datetime | None, language: Language, now: datetime) -> StaleView | None:
    minutes = stale_minutes(since, now)
    return None if since is None or minutes is None else StaleView(language.moment(since), minutes)


def _announcement(headline: Mark, incidents: int, language: Language) -> str:
    """Answers what is read aloud when the page changed under its reader."""
    words = language.ngettext("%d open incident", "%d open incidents", incidents) % incidents
    return language.gettext("This page was updated: %(headline)s, %(incidents)s.") % {
        "headline": headline.label,
        "incidents": words,
    }
