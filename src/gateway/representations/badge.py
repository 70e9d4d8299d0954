"""The headline of a page as a small drawing, for a README or a dashboard: its words, and a colour that goes with them.

It is an image to whoever shows it: no script, no link, no font or picture from elsewhere.
"""

from __future__ import annotations

import unicodedata

from markupsafe import Markup

from gateway.representations.rendering import kept, printable, rendering
from gateway.shown import Rendering, Shown
from oncall.v1 import partner_pb2 as partner
from oncall.v1.partner_service_pb2 import GetStatusPageResponse

MEDIA_TYPE = "image/svg+xml"
PATH = "badge.svg"
LONGEST_LABEL = 40

LABEL_GROUND = "#3d4651"
UNKNOWN_GROUND = "#58626d"
GROUNDS = {
    partner.HEADLINE_INDICATOR_NONE: "#1a7f37",
    partner.HEADLINE_INDICATOR_MAINTENANCE: "#0860ca",
    partner.HEADLINE_INDICATOR_MINOR: "#8a5c00",
    partner.HEADLINE_INDICATOR_MAJOR: "#b54400",
    partner.HEADLINE_INDICATOR_CRITICAL: "#c4202c",
}
"""The tones of the page; white stands on each with the contrast of WCAG AA."""

# `textLength` makes the words as wide as they were reckoned, whichever font the reader has.
_BADGE = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" viewBox="0 0 {width} 20" role="img"'
    ' aria-labelledby="t"><title id="t">{label}: {words}</title>'
    '<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>'
    '<g clip-path="url(#r)"><rect width="{left}" height="20" fill="{label_ground}"/>'
    '<rect x="{left}" width="{right}" height="20" fill="{ground}"/></g>'
    '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
    '<text x="{label_middle}" y="14" textLength="{label_width}" lengthAdjust="spacingAndGlyphs">{label}</text>'
    '<text x="{words_middle}" y="14" textLength="{words_width}" lengthAdjust="spacingAndGlyphs">{words}</text>'
    "</g></svg>"
)

_PADDING = 6
_NARROW, _USUAL, _CAPITAL, _WIDE = 4, 7, 8, 12


def render(shown: Shown, url: str) -> Rendering:
    """Answers the badge of a page, which is the same at every address."""
    del url
    return kept(shown, "badge", lambda: rendering(_badge(shown.content).encode(), MEDIA_TYPE))


def _badge(content: GetStatusPageResponse) -> str:
    label = _clipped(printable(" ".join(content.status_page.name.split())) or "status")
    words = printable(content.headline.description) or "unknown"
    label_width, words_width = _width(label), _width(words)
    left, right = label_width + 2 * _PADDING, words_width + 2 * _PADDING
    return _BADGE.format(
        width=left + right,
        left=left,
        right=right,
        label=label,
        words=words,
        label_width=label_width,
        words_width=words_width,
        label_middle=left / 2,
        words_middle=left + right / 2,
        label_ground=LABEL_GROUND,
        ground=GROUNDS.get(content.headline.indicator, UNKNOWN_GROUND),
    )


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1].rstrip()}…"


def _width(text: str) -> int:
    """Answers about how many pixels a text takes at 11 pixels of Verdana."""
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.east_asian_width(character) in "WF":
        return _WIDE
    if character in " .,:;!'|ijlftI()":
        return _NARROW
    return _CAPITAL if character.isupper() else _USUAL
