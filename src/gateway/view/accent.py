"""A page's own colour for links and focus, made readable: as it was chosen where it can be, else darker or lighter.

WCAG 2.2 asks for a contrast of 4.5 between text and its ground (1.4.3). The hue stays what it was.
"""

from __future__ import annotations

import re
from colorsys import hls_to_rgb, rgb_to_hls
from typing import NamedTuple

ENOUGH = 4.5
_COLOUR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
_STEP = 0.01

# The grounds that text stands on, as the stylesheet has them; a test compares.
LIGHT_GROUNDS = ("#f6f7f9", "#ffffff")
DARK_GROUNDS = ("#0f1217", "#181c23")


class Accent(NamedTuple):
    """The shade for each scheme."""

    light: str
    dark: str


def accent(colour: str) -> Accent | None:
    """Answers the shades of `#rrggbb`; nothing for anything else."""
    if not _COLOUR.fullmatch(colour):
        return None
    return Accent(_shade(colour, LIGHT_GROUNDS, -_STEP), _shade(colour, DARK_GROUNDS, _STEP))


def contrast(one: str, other: str) -> float:
    """Answers the contrast of two colours as WCAG defines it, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _shade(colour: str, grounds: tuple[str, ...], step: float) -> str:
    hue, lightness, saturation = rgb_to_hls(*_channels(colour))
    shade = colour.lower()
    while min(contrast(shade, ground) for ground in grounds) < ENOUGH and 0 <= lightness + step <= 1:
        lightness += step
        shade = "#" + "".join(f"{round(channel * 255):02x}" for channel in hls_to_rgb(hue, lightness, saturation))
    return shade


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _channels(colour: str) -> tuple[float, float, float]:
    return (int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255)
