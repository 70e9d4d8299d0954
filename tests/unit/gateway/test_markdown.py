"""What becomes of what people wrote: Markdown is shown, and nothing in it can do harm."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.view.markdown import TAGS, html

HOSTILE = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/pixel.gif)",
    "![x](javascript:alert(1))",
    "![x][1]\n\n[1]: https://evil.example/pixel.gif",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](vbscript:msgbox)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    '[x](https://ok.example "onmouseover=alert(1)")',
    '[x](https://ok.example/"onmouseover="alert(1))',
    "<javascript:alert(1)>",
    "<https://ok.example/'onclick='alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>*{display:none}</style>",
    "<p style='position:fixed'>x</p>",
    "<iframe src=https://evil.example></iframe>",
    "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<form action=//evil.example><input name=token></form>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example>",
    "<!-- <img src=x> -->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "```html\n<script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    '```"><script>alert(1)</script>\nx\n```',
    "# <script>alert(1)</script>",
    "|a|b|\n|-|-|\n|<script>|![x](//e)|",
    '<div id="main" class="headline">x</div>',
    "\x00<scr\x00ipt>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


class Reader(HTMLParser):
    """Notes what a browser would make elements of."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def elements(text: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = Reader()
    reader.feed(str(html(text)))
    return reader.elements


def assert_harmless(text: str) -> None:
    for tag, attributes in elements(text):
        assert tag in TAGS
        assert set(attributes) <= {"href", "rel", "start"}
        if tag == "a":
            assert attributes["rel"] == "nofollow noopener noreferrer"
        if "href" in attributes:
            assert re.match(r"(https?:|mailto:|[^:]*$|[/?#.])", attributes["href"] or "", re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_hostile_becomes_text(text: str) -> None:
    assert_harmless(text)
    assert_harmless(f"- {text}\n\n> {text}")


@given(st.text(alphabet=st.sampled_from("<>\"'/=![]()`#&;:\\ \n\tabjscript"), max_size=200))
def test_no_text_at_all_becomes_anything_else_than_what_is_listed(text: str) -> None:
    assert_harmless(text)


def test_markdown_is_shown_as_meant() -> None:
    assert html("**Two** of _three_\nlines") == "<p><strong>Two</strong> of <em>three</em><br>\nlines</p>"
    assert html("3. a\n4. b") == '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>'
    assert "<table>" in html("|a|b|\n|-|-|\n|1|2|")
    assert html("[page](https://a.example/?x=1&y=2)") == (
        '<p><a href="https://a.example/?x=1&amp;y=2" rel="nofollow noopener noreferrer">page</a></p>'
    )


def test_headings_stand_below_those_of_the_page() -> None:
    assert [tag for tag, _ in elements("# a\n\n## b\n\n###### c")] == ["h4", "h5", "h6"]
