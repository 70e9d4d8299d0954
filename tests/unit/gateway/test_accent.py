"""A page's own colour is readable in both schemes, whatever was chosen."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import assets
from gateway.view.accent import DARK_GROUNDS, ENOUGH, LIGHT_GROUNDS, accent, contrast


def test_contrast_is_measured_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#ffffff") == pytest.approx(1)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@given(st.integers(0, 0xFFFFFF))
def test_every_colour_becomes_readable(number: int) -> None:
    shades = accent(f"#{number:06x}")
    assert shades
    assert all(contrast(shades.light, ground) >= ENOUGH for ground in LIGHT_GROUNDS)
    assert all(contrast(shades.dark, ground) >= ENOUGH for ground in DARK_GROUNDS)


def test_a_colour_that_is_readable_stays_what_it_is() -> None:
    shades = accent("#6D3FD1")
    assert shades
    assert shades.light == "#6d3fd1"


@pytest.mark.parametrize("colour", ["", "red", "#fff", "#12345g", "#123456;}", "#1234567", "#123456\n"])
def test_anything_else_is_no_colour(colour: str) -> None:
    assert accent(colour) is None
    assert assets.accent_stylesheet(colour) is None


def test_the_grounds_are_those_of_the_stylesheet() -> None:
    found = re.findall(r"--(?:ground|card): (#[0-9a-f]{6})", assets.STYLESHEET.body.decode())
    assert tuple(found[:4]) == (*LIGHT_GROUNDS, *DARK_GROUNDS)


def test_an_asset_is_found_by_its_whole_address_alone() -> None:
    own = assets.accent_stylesheet("#6d3fd1")
    assert own
    for known in (assets.STYLESHEET, assets.SCRIPT, *assets.ICONS.values(), own):
        assert assets.asset(known.path) == known
        assert assets.asset(known.path + "x") is None
    assert assets.asset(own.path.replace("6d3fd1", "000000")) is None
    assert assets.asset("/assets/status.css") is None
