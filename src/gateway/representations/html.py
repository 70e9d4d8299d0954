"""The page for people: whole without a script, in their language; with refusals and the sign-in form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway import assets
from gateway.content_security import policy
from gateway.languages import LOCALES, language
from gateway.refusal import Refusal
from gateway.representations.rendering import rendering
from gateway.shown import Rendering, Shown
from gateway.view.page import page_view
from oncall.v1.partner_service_pb2 import GetStatusPageResponse

MEDIA_TYPE = "text/html; charset=utf-8"
WRONG_TOKEN = "TOKEN_UNKNOWN"  # noqa: S105 # the reason of a refusal


def render(shown: Shown, url: str, code: str, now: datetime, *, sign_out: str = "") -> Rendering:
    """Answers the page at `url` in the language of that code; `sign_out` is where who is signed in may sign out.

    A page that holds is the same at any time; of a stale one, `now` tells the age in minutes. So a rendering may be
    kept by its addresses, its language and `gateway.view.page.stale_minutes`.
    """
    spoken = language(code)
    view = page_view(shown, spoken, now)
    return _rendering(
        "page.html",
        spoken.code,
        {field.name: getattr(view, field.name) for field in fields(view)}
        | {
            "url": url,
            "sign_out": sign_out,
            "tag": shown.tag,
            "icon_path": assets.ICONS[view.headline.tone].path,
            "accent": assets.accent_stylesheet(view.accent_color),
        },
    )


def headers(content: GetStatusPageResponse, code: str) -> dict[str, str]:
    """Answers the headers that go with a page, also with a 304: its language, and what its HTML may load."""
    return {
        "Content-Language": language(code).code,
        "Content-Security-Policy": policy(content.status_page.logo_url),
    }


def render_refusal(refused: Refusal, code: str, sign_in: str = "") -> Rendering:
    """Answers a refusal in words; `sign_in` is where a form may send a token, for a page that may ask for one."""
    names = {"refused": refused, "wrong": refused.reason == WRONG_TOKEN, "action": sign_in}
    asks = sign_in and refused.status == 401
    return _rendering("sign_in.html" if asks else "refusal.html", language(code).code, names)


def _rendering(template: str, code: str, names: Mapping[str, Any]) -> Rendering:
    body = _templates(code).get_template(template).render(names).encode()
    return rendering(body, MEDIA_TYPE)


@cache
def _templates(code: str) -> Environment:
    """Answers the templates with the words of a language in them; each is compiled once."""
    environment = Environment(
        loader=PackageLoader("gateway"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    spoken = language(code)
    environment.install_gettext_callables(spoken.gettext, spoken.ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {
        "lang": code,
        "stylesheet": assets.STYLESHEET.path,
        "script": assets.SCRIPT.path,
        "languages": sorted(LOCALES),
    }
    return environment
