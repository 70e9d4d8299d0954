"""Incidents and maintenances of a page as an Atom feed (RFC 4287): one entry each, with all that was said of it.

The tree is made by a library that escapes what stands in it; the HTML in it is the sanitised one of the page. Nothing
in it is a credential: its addresses are those of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

from gateway.representations.events import Update, address, names, status_word, utc, written
from gateway.representations.rendering import kept, printable, rendering
from gateway.shown import Rendering, Shown
from gateway.view.markdown import html
from gateway.view.marks import IMPACTS
from gateway.view.plain import plain
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from oncall.v1.shown_status_page_pb2 import ShownIncident, ShownMaintenance

MEDIA_TYPE = "application/atom+xml; charset=utf-8"
NAMESPACE = "http://www.w3.org/2005/Atom"
PATH = "history.atom"

MINTED = "2026"
"""The year in the ids (RFC 4151): from when on whoever owns the host's name named things so."""

_NOT_OF_A_NAME = re.compile(r"[^a-z0-9.-]")

_Told = ShownIncident | ShownMaintenance


def render(shown: Shown, url: str) -> Rendering:
    """Answers the feed of the page that people read at `url`; it stands at `history.atom` below that."""
    return kept(shown, ("atom", url), lambda: rendering(_feed(shown.content, url), MEDIA_TYPE))


def _feed(content: GetStatusPageResponse, url: str) -> bytes:
    page = content.status_page
    feed = Element("feed", {"xmlns": NAMESPACE})
    _text(feed, "id", _id(url, "page", page.id))
    _text(feed, "title", page.name)
    _text(feed, "subtitle", content.headline.description)
    _text(feed, "updated", _time(utc(page.updated_at)))
    _text(SubElement(feed, "author"), "name", page.name)
    SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": f"{url}/{PATH}"})
    SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": url})
    told: list[_Told] = [*content.incidents, *content.maintenances]
    for one in sorted(told, key=lambda one: (utc(one.updated_at), one.id), reverse=True):
        _entry(feed, content, url, one)
    body: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return body


def _entry(feed: Element, content: GetStatusPageResponse, url: str, one: _Told) -> None:
    is_incident = isinstance(one, ShownIncident)
    last = one.updates[0]
    entry = SubElement(feed, "entry")
    _text(entry, "id", _id(url, "incident" if is_incident else "maintenance", one.id))
    _text(entry, "title", one.title)
    _text(entry, "published", _time(utc(one.created_at)))
    _text(entry, "updated", _time(utc(one.updated_at)))
    SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": address(url, one.id)})
    SubElement(entry, "category", {"term": "incident" if is_incident else "maintenance"})
    _text(entry, "summary", f"{status_word(last)}: {plain(last.message)}")
    _text(entry, "content", _facts(content, one) + _said(one.updates), type="html")


def _facts(content: GetStatusPageResponse, one: _Told) -> Markup:
    """Answers a paragraph of what an incident affects and how badly, or of when work is done and on what."""
    if isinstance(one, ShownIncident):
        affected = names(content, (impact.component_id for impact in one.components))
        facts = [IMPACTS[one.impact].label] if one.impact in IMPACTS else []
    else:
        affected = names(content, one.component_ids)
        facts = [f"{written(utc(one.scheduled_for))} – {written(utc(one.scheduled_until))}"]
    return Markup("<p>{}</p>").format(" · ".join([*facts, *([", ".join(affected)] if affected else [])]))


def _said(updates: Iterable[Update]) -> Markup:
    told = Markup("<p><strong>{}</strong> · {}</p>{}")
    said = (told.format(status_word(one), written(utc(one.created_at)), html(one.message)) for one in updates)
    return Markup("").join(said)


def _text(parent: Element, name: str, text: str, **attributes: str) -> None:
    SubElement(parent, name, attributes).text = printable(text)


def _id(url: str, kind: str, of: str) -> str:
    """Answers an id that is the same as long as the page is read under the same host's name."""
    host = _NOT_OF_A_NAME.sub("-", (urlsplit(url).hostname or "").lower())
    return f"tag:{host},{MINTED}:{kind}/{of}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
