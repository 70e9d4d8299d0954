"""The representations of a page: one table, so that all of them pass the same gate and carry the same headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.representations import atom, badge, calendar, html, json_v2
from gateway.representations.rendering import kept
from gateway.shown import Rendering, Shown
from gateway.view.page import stale_minutes


@dataclass(frozen=True, slots=True)
class Viewing:
    """How a page is looked at: where people read it, and in which language."""

    url: str
    language: str
    sign_out: str = ""
    """Where the form of who is signed in goes to sign out; empty for who is not."""


@dataclass(frozen=True, slots=True)
class Represented:
    """One representation: its place below the page, empty for the page itself, and how it is made or found made.

    Of a page that holds it is the same at any time; of a stale one it may tell the age.
    """

    path: str
    of: Callable[[Shown, Viewing, datetime], Rendering]


def _html(shown: Shown, viewing: Viewing, now: datetime) -> Rendering:
    key = ("html", viewing.url, viewing.language, viewing.sign_out, stale_minutes(shown.stale_since, now))
    return kept(shown, key, lambda: html.render(shown, viewing.url, viewing.language, now, sign_out=viewing.sign_out))


def _document(name: str) -> Represented:
    return Represented(f"/api/v2/{name}.json", lambda shown, viewing, _: json_v2.render(shown, viewing.url, name))


def _below(path: str, render: Callable[[Shown, str], Rendering]) -> Represented:
    return Represented(f"/{path}", lambda shown, viewing, _: render(shown, viewing.url))


PAGE = Represented("", _html)
SUMMARY_PATH = "/api/v2/summary.json"

REPRESENTATIONS: Sequence[Represented] = (
    PAGE,
    *map(_document, json_v2.DOCUMENTS),
    *(_below(made.PATH, made.render) for made in (atom, calendar, badge)),
)
"""The page itself, and what stands at addresses below it; at the page's own address, a program gets the summary."""
