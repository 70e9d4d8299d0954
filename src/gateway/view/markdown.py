"""What people wrote about incidents and maintenances, from Markdown to HTML that is safe to show to anybody.

Two libraries, each of which would do: one makes HTML of CommonMark and lets no HTML through, the other keeps only
what is listed here, whatever the first one lets through by mistake.
"""

from __future__ import annotations

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

KEPT = 4096
"""So many texts are kept rendered: one change of a page says the other texts again."""

TAGS = {"a", "blockquote", "br", "code", "em", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong", "ul"}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}

# Headings of a text stand under the heading of what it is about, so they begin at the fourth level.
_DEEPER = {"h1": "h4", "h2": "h5", "h3": "h6", "h4": "h6", "h5": "h6"}

_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": False}).enable("table").disable("image")
_cleaner = nh3.Cleaner(
    tags=TAGS,
    attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
    link_rel="nofollow noopener noreferrer",
    strip_comments=True,
)


@lru_cache(KEPT)
def html(text: str) -> Markup:
    """Answers the HTML of a text: links to the web and to mail only, no image, nothing of anybody's own HTML."""
    tokens = _markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = _DEEPER.get(token.tag, token.tag)
    rendered = _markdown.renderer.render(tokens, _markdown.options, {})
    return Markup(_cleaner.clean(rendered).strip())  # noqa: S704 # made safe by the line itself
