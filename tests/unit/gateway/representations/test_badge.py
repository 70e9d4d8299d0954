"""The badge: what it says, how it looks, and that nothing in it is anybody's markup."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.representations.badge import GROUNDS, LABEL_GROUND, UNKNOWN_GROUND, render
from gateway.shown import Shown
from gateway.view.accent import contrast
from oncall.v1 import partner_pb2 as partner
from tests.unit.gateway.pages import an_answer

SVG = {"s": "http://www.w3.org/2000/svg"}
URL = "https://status.example/status/acme"


def drawn(name: str = "Acme", indicator: int = partner.HEADLINE_INDICATOR_MAJOR) -> etree._Element:
    answer = an_answer(name=name)
    answer.headline.indicator = indicator  # type: ignore[assignment]
    return etree.fromstring(render(Shown(answer, "tag"), URL).body)


def test_it_says_the_name_and_the_headline_to_eyes_and_ears() -> None:
    badge = drawn()
    assert [text.text for text in badge.iterfind(".//s:text", SVG)] == ["Acme", "Partial System Outage"]
    title = badge.find("s:title", SVG)
    assert title is not None
    assert title.text == "Acme: Partial System Outage"
    assert badge.get("role") == "img"
    assert badge.get("aria-labelledby") == title.get("id")


@pytest.mark.parametrize(("indicator", "ground"), GROUNDS.items())
def test_each_indicator_has_its_colour(indicator: int, ground: str) -> None:
    assert [rect.get("fill") for rect in drawn(indicator=indicator).iterfind("s:g/s:rect", SVG)] == [
        LABEL_GROUND,
        ground,
    ]


def test_every_indicator_has_a_colour_of_its_own_and_white_is_readable_on_it() -> None:
    assert set(GROUNDS) == set(partner.HeadlineIndicator.values()) - {0}
    assert len(set(GROUNDS.values())) == len(GROUNDS)
    for ground in [*GROUNDS.values(), LABEL_GROUND, UNKNOWN_GROUND]:
        assert contrast("#ffffff", ground) >= 4.5


def test_a_name_is_text_and_is_clipped() -> None:
    hostile = '</title><script>alert(1)</script>" onload="x\x00'
    badge = drawn(hostile)
    tags = {etree.QName(element).localname for element in badge.iter()}
    assert tags == {"svg", "title", "clipPath", "rect", "g", "text"}
    text = badge.findtext(".//s:text", namespaces=SVG)
    assert text == hostile[:39] + "…"
    assert drawn("a\x00b").findtext(".//s:text", namespaces=SVG) == "a\ufffdb"


def test_a_longer_name_makes_a_wider_badge_whose_words_fit() -> None:
    assert int(drawn("漢字漢字").get("width", "")) > int(drawn("iiii").get("width", ""))
    for name in ("", "Acme", "漢字漢字漢字漢字", "W" * 100):
        badge = drawn(name)
        rects = [int(rect.get("width", "")) for rect in badge.iterfind("s:g/s:rect", SVG)]
        lengths = [int(text.get("textLength", "")) for text in badge.iterfind(".//s:text", SVG)]
        assert all(length < rect for length, rect in zip(lengths, rects, strict=True))
        assert sum(rects) == int(badge.get("width", ""))


def test_it_is_made_once_for_all_addresses() -> None:
    shown = Shown(an_answer(), "tag")
    assert render(shown, URL) is render(shown, "https://other.example")
