"""What people wrote in Markdown, as plain text for calendars and summaries: read by the same library as its HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")

_SPACE = re.compile(r"\n{3,}")


def plain(text: str) -> str:
    """Answers the words of a text: paragraphs apart, points with a dash, links with their address behind them."""
    return _SPACE.sub("\n\n", "".join(_blocks(_markdown.parse(text)))).strip()


def _blocks(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "inline":
            yield from _words(token.children or [])
        elif token.type in ("fence", "code_block"):
            yield f"{token.content}\n"
        elif token.type == "list_item_open":
            yield f"{token.info}{token.markup} " if token.info else "- "
        elif token.type in ("paragraph_close", "heading_close"):
            yield "\n" if token.hidden else "\n\n"
        elif token.type in ("th_close", "td_close"):
            yield " "
        elif token.type in ("tr_close", "bullet_list_close", "ordered_list_close"):
            yield "\n"


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    addresses: list[tuple[str, str]] = []
    for place, token in enumerate(tokens):
        if token.type in ("softbreak", "hardbreak"):
            yield "\n"
        elif token.type == "link_open":
            named = tokens[place + 1].content if place + 1 < len(tokens) else ""
            addresses.append((str(token.attrs.get("href", "")), named))
        elif token.type == "link_close":
            address, named = addresses.pop()
            yield f" ({address})" if address != named else ""
        else:
            yield token.content
