"""Where people read a page: as configured, or as their request was addressed."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from starlette.requests import Request

_HOST = re.compile(r"[A-Za-z0-9.\-_]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")

_PLAIN = re.compile(r"[a-z0-9-]+")
"""A slug that needs no quoting, as every page's own is."""


class Addresses:
    """`public_url` is what partners put before `/status/…`; empty: as each request was addressed."""

    def __init__(self, public_url: str = "") -> None:
        self._public_url = public_url

    def page(self, request: Request) -> str:
        """Answers the address of the page that a request is about."""
        return f"{self._base(request)}/status/{_slug(request)}"

    def page_path(self, request: Request) -> str:
        """Answers its path, as browsers see it: with whatever a proxy takes away in front."""
        return f"{urlsplit(self._public_url).path}/status/{_slug(request)}"

    def origin(self, request: Request) -> str:
        parts = urlsplit(self._base(request))
        return f"{parts.scheme}://{parts.netloc}"

    def _base(self, request: Request) -> str:
        if self._public_url:
            return self._public_url
        host = request.headers.get("host", "")
        return f"{request.scope['scheme']}://{host}" if _HOST.fullmatch(host) else ""


def _slug(request: Request) -> str:
    slug: str = request.path_params["slug"]
    return slug if _PLAIN.fullmatch(slug) else quote(slug, safe="")
