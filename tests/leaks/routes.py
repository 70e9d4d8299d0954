"""The requests that a gateway takes: from its table of routes and its OpenAPI document, which must say the same.

What is new is walked by itself. Where nobody can tell how its address or its body is made, that is an error: a route
that is not walked is not held to anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from gateway import assets, openapi

PAGE = "/status/{slug}"
VALUES = {"name": assets.STYLESHEET.path.removeprefix(assets.FOLDER)}
"""What stands in the place of a parameter that is no page's."""
UNDOCUMENTED = frozenset({assets.FOLDER + "{name}"})
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "DELETE", "PUT")


class UnknownRoute(Exception):
    """There is a route, or a part of one, of which this walk does not know how it is asked."""


@dataclass(frozen=True, slots=True)
class Walked:
    """A route: its address with the page's place left open, and what it takes."""

    path: str
    methods: frozenset[str]
    forms: frozenset[str]
    """Those of the methods with which it takes a form with a token."""

    @property
    def below(self) -> str:
        return self.path.removeprefix(PAGE)

    @property
    def is_gated(self) -> bool:
        """Whether it shows something of a page."""
        return self.is_of_a_page and "GET" in self.methods

    @property
    def is_of_a_page(self) -> bool:
        return self.path.startswith(PAGE)

    def at(self, slug: str) -> str:
        return self.path.replace("{slug}", slug)


def walked_routes(app: Starlette) -> list[Walked]:
    return [_walked(route) for route in app.routes]


def _walked(route: Any) -> Walked:
    if not isinstance(route, Route):
        raise UnknownRoute(f"{route!r} is no plain route: say how it is asked")
    for name in set(route.param_convertors) - {"slug"}:
        if name not in VALUES:
            raise UnknownRoute(f"{route.path}: what stands for {{{name}}}?")
    methods = frozenset(route.methods or ())
    documented = set(_operations(route.path))
    if route.path not in UNDOCUMENTED and documented != methods - {"HEAD"}:
        raise UnknownRoute(f"{route.path} takes {sorted(methods)}, and the document tells of {sorted(documented)}")
    path = route.path
    for name in set(route.param_convertors) - {"slug"}:
        path = path.replace(f"{{{name}}}", VALUES[name])
    return Walked(path, methods, frozenset(filter(lambda method: _takes_form(route.path, method), documented)))


def _operations(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(openapi.DOCUMENT)["paths"].get(path, {})
    return {method.upper(): operation for method, operation in found.items()}


def _takes_form(path: str, method: str) -> bool:
    body = _operations(path)[method].get("requestBody")
    if body is None:
        return False
    sent = body["content"].get("application/x-www-form-urlencoded", {}).get("schema", {}).get("properties")
    if sent is None or set(sent) != {"token"}:
        raise UnknownRoute(f"{method} {path}: how is its body made?")
    return True
