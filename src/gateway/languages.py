"""The languages that people read pages in: which one a browser asks for, and its words, dates and numbers.

The words stand in English where they are used, and in `locale/*.po` in the other languages. Catalogs are compiled when
the gateway starts, in a few milliseconds, so that nothing generated is kept in the repository.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from typing import NamedTuple

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_skeleton, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations

VARY = "Accept-Language"
"""What a representation in words varies by."""

LOCALES = {"en": Locale("en", "GB"), "de": Locale("de", "DE")}
"""Each language with the country whose dates and numbers it is written with: days before months, 24 hours."""

DEFAULT = "en"
LONGEST_HEADER = 1000

_WANTED = re.compile(
    r"\s*(?P<language>[a-z]{1,8}(?:-[a-z0-9]{1,8})*|\*)\s*(?:;\s*q\s*=\s*(?P<quality>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?",
    re.IGNORECASE,
)


class Moment(NamedTuple):
    """A time for people, in UTC, and for programs."""

    text: str
    machine: str


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its words, and how it writes times and numbers."""

    code: str
    locale: Locale
    translations: NullTranslations

    @property
    def gettext(self) -> Callable[[str], str]:
        return self.translations.gettext

    @property
    def ngettext(self) -> Callable[[str, str, int], str]:
        return self.translations.ngettext

    def moment(self, at: datetime) -> Moment:
        return Moment(f"{self.date(at)}, {self.time(at)} UTC", f"{at:%Y-%m-%dT%H:%M:%SZ}")

    def short_moment(self, at: datetime) -> Moment:
        """Answers a time without its year, for what stands under a heading that names it."""
        return Moment(f"{self.day(at)}, {self.time(at)} UTC", f"{at:%Y-%m-%dT%H:%M:%SZ}")

    def until(self, begin: datetime, end: datetime) -> Moment:
        """Answers the end of what began on the same day by its time alone."""
        if begin.date() != end.date():
            return self.moment(end)
        return Moment(f"{self.time(end)} UTC", f"{end:%Y-%m-%dT%H:%M:%SZ}")

    def date(self, day: date) -> str:
        return format_date(day, "long", locale=self.locale)

    def day(self, at: datetime) -> str:
        return format_skeleton("MMMMd", at, locale=self.locale)

    def month(self, at: datetime) -> str:
        return format_skeleton("yMMMM", at, locale=self.locale)

    def time(self, at: datetime) -> str:
        return format_time(at, "HH:mm", locale=self.locale)

    def percent(self, millionths: int) -> str:
        """Answers a share with two decimals, rounded down: what failed for a second is not 100 %."""
        hundredths = millionths // 100
        return f"{format_decimal(hundredths / 100, '0.##' if hundredths == 10_000 else '0.00', locale=self.locale)} %"

    def duration(self, seconds: int) -> str:
        """Answers hours and minutes, rounded down, as a length of time on a page needs no more."""
        hours, minutes = divmod(max(seconds, 0) // 60, 60)
        if hours >= 48:
            days, hours = divmod(hours, 24)
            return self.ngettext("%d day", "%d days", days) % days + (f" {hours} h" if hours else "")
        if hours:
            return f"{hours} h {minutes} min" if minutes else f"{hours} h"
        return f"{minutes} min" if minutes else self.gettext("less than a minute")


@cache
def language(code: str) -> Language:
    """Answers a language of `LOCALES`; any other is the default one."""
    code = code if code in LOCALES else DEFAULT
    return Language(code, LOCALES[code], _translations(code))


def preferred(accept_language: str | None) -> str:
    """Answers the code of the language that is wanted most of those that there are (RFC 9110, section 12.5.4)."""
    return _preferred((accept_language or "")[:LONGEST_HEADER])


@lru_cache(maxsize=256)  # readers are many, their headers few
def _preferred(accept_language: str) -> str:
    found = (_WANTED.fullmatch(part) for part in accept_language.split(","))
    wanted = [(float(match["quality"] or 1), match["language"].lower()) for match in found if match]
    ranked = sorted((one for one in wanted if one[0] > 0), key=lambda one: -one[0])
    best = negotiate_locale([code.replace("-", "_") for _, code in ranked], [*LOCALES])
    return best if best in LOCALES else DEFAULT


def _translations(code: str) -> NullTranslations:
    if code == DEFAULT:
        return NullTranslations()
    with (files("gateway") / "locale" / f"{code}.po").open("rb") as text:
        catalog = read_po(text, locale=code)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)
