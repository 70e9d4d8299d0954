"""What pages need besides their HTML: one stylesheet, one script, an icon for each tone, and a page's own colour.

Each address names its content, so that it may be kept for ever; the gateway reads the files once, when it starts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

from gateway.view.accent import accent
from gateway.view.marks import TONES

CACHE_CONTROL = "public, max-age=31536000, immutable"
FOLDER = "/assets/"


@dataclass(frozen=True, slots=True)
class Asset:
    path: str
    body: bytes
    media_type: str


def _asset(name: str, kind: str, body: bytes, media_type: str) -> Asset:
    return Asset(f"{FOLDER}{name}.{sha256(body).hexdigest()[:12]}.{kind}", body, media_type)


def _static(name: str) -> bytes:
    return (files("gateway") / "static" / name).read_bytes()


STYLESHEET = _asset("status", "css", _static("status.css"), "text/css")
SCRIPT = _asset("status", "js", _static("status.js"), "text/javascript")
ICONS = {tone: _asset(tone, "svg", _static(f"icon-{tone}.svg"), "image/svg+xml") for tone in TONES}

_BY_PATH = {asset.path: asset for asset in (STYLESHEET, SCRIPT, *ICONS.values())}
_ACCENT = re.compile(re.escape(FOLDER) + r"accent\.([0-9a-f]{6})\.[0-9a-f]{12}\.css")


def asset(path: str) -> Asset | None:
    """Answers what stands at `/assets/…`, if anything does."""
    if found := _BY_PATH.get(path):
        return found
    named = _ACCENT.fullmatch(path)
    colour = accent_stylesheet(f"#{named[1]}") if named else None
    return colour if colour and colour.path == path else None


@lru_cache(256)
def accent_stylesheet(colour: str) -> Asset | None:
    """Answers the few lines that give a page its own colour, if `colour` is one."""
    shades = accent(colour)
    if not shades:
        return None
    light, dark = shades
    body = (
        f":root{{--accent:{light}}}@media screen and (prefers-color-scheme:dark){{:root{{--accent:{dark}}}}}".encode()
    )
    return _asset(f"accent.{colour[1:].lower()}", "css", body, "text/css")
