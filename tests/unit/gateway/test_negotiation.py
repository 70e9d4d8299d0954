"""Which representation an Accept header asks for."""

from __future__ import annotations

import pytest

from gateway.negotiation import Representation, preferred

HTML, JSON = Representation.HTML, Representation.JSON


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, HTML),
        ("", HTML),
        ("*/*", HTML),
        ("text/html", HTML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        ("application/json", JSON),
        ("APPLICATION/JSON", JSON),
        ("application/*", JSON),
        ("application/json;charset=utf-8", JSON),
        ("application/json, text/plain, */*", JSON),
        ("application/json;q=0.9, text/html;q=0.8", JSON),
        ("application/json;q=0.8, text/html;q=0.9", HTML),
        ("application/json; q=0.5, */*; q=0.9", HTML),
        ("text/*;q=0.3, text/html;q=0.7, application/json;q=0.5", HTML),
        ("text/html;q=0, application/json;q=0.001", JSON),
        ("text/html;q=0, */*", JSON),
        ("application/json;q=0", HTML),
        ("text/html, application/json", HTML),
        ("image/png", HTML),
        ("application/json;q=2, text/html;q=0.1", HTML),
        ("application/json;q=, text/html;q=0.1", HTML),
        (";;,,=, /", HTML),
    ],
)
def test_quality_decides_then_exactness_then_html(accept: str | None, expected: Representation) -> None:
    assert preferred(accept) is expected
