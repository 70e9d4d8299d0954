"""Which language is chosen, that each says everything, and how it writes times and numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import gateway
from gateway import refusal
from gateway.languages import LOCALES, language, preferred

SOURCE = Path(gateway.__file__).parent
TEMPLATES = {"extensions": "jinja2.ext.i18n", "trim_blocks": "true", "lstrip_blocks": "true"}


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en-US,en;q=0.9,de;q=0.8", "en"),
        ("fr-FR, fr;q=0.9, de;q=0.5, en;q=0.2", "de"),
        ("en;q=0.2, DE ; q=0.5", "de"),
        ("de;q=0, en", "en"),
        ("ja", "en"),
        ("*", "en"),
        ("de;q=7, ../../etc, en;;", "en"),
        ("x" * 100_000, "en"),
    ],
)
def test_the_most_wanted_language_that_there_is_is_spoken(header: str | None, chosen: str) -> None:
    assert preferred(header) == chosen


def _said() -> set[str]:
    """Answers all words that the source marks as such, and those of refusals."""
    methods = [("templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]
    found = extract_from_dir(SOURCE, methods, {"templates/**.html": TEMPLATES})
    words = {message if isinstance(message, str) else message[0] for _, _, message, _, _ in found}
    refusals = [refusal.unavailable(), refusal.missing_token(), refusal.unknown_token(), refusal.unknown_page()]
    refusals += [refusal.too_many(1), *(refusal.forbidden(reason) for reason in refusal.FORBIDDEN_REASONS)]
    return words | {words for refused in refusals for words in (refused.title, refused.message)}


@pytest.mark.parametrize("code", sorted(set(LOCALES) - {"en"}))
def test_every_language_says_all_there_is_to_say(code: str) -> None:
    with (SOURCE / "locale" / f"{code}.po").open("rb") as text:
        catalog = read_po(text, locale=code)
    said = {message.id if isinstance(message.id, str) else message.id[0]: message for message in catalog if message.id}
    assert len(_said()) > 60
    assert _said() - set(said) == set()
    assert [one.id for one in said.values() if not one.string or one.fuzzy or list(one.check(catalog))] == []


@pytest.mark.parametrize(
    ("millionths", "english", "german"),
    [
        (1_000_000, "100 %", "100 %"),
        (999_999, "99.99 %", "99,99 %"),
        (999_500, "99.95 %", "99,95 %"),
        (900_000, "90.00 %", "90,00 %"),
        (0, "0.00 %", "0,00 %"),
    ],
)
def test_a_share_is_rounded_down_so_that_a_failure_always_shows(millionths: int, english: str, german: str) -> None:
    assert (language("en").percent(millionths), language("de").percent(millionths)) == (english, german)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 min"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (172_800, "2 days"),
        (180_000, "2 days 2 h"),
    ],
)
def test_a_length_of_time_is_told_as_people_do(seconds: int, text: str) -> None:
    assert language("en").duration(seconds) == text


def test_times_are_told_in_utc_in_the_manner_of_the_language() -> None:
    at = datetime(2026, 3, 5, 9, 5, 7, tzinfo=UTC)
    assert language("en").moment(at) == ("5 March 2026, 09:05 UTC", "2026-03-05T09:05:07Z")
    assert language("de").moment(at).text == "5. März 2026, 09:05 UTC"
    assert (language("en").short_moment(at).text, language("de").short_moment(at).text) == (
        "5 March, 09:05 UTC",
        "5. März, 09:05 UTC",
    )
