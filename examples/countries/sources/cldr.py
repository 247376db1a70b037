# SPDX-License-Identifier: Apache-2.0
"""unicode-cldr-core: Unicode's Common Locale Data Repository.

supplementalData.xml gives currencies with their periods, codes, languages, population, week and
measurement; main/<language>.xml gives names. The files state no date, but the DTD beside them
states CLDR's version, and RELEASED holds the days of the releases as the table at
https://cldr.unicode.org/index/downloads lists them; for a version that isn't listed the file's
modification time stands in.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Iterator, Optional

from claims import Fact, Source, Value, file_time, is_country, midnight

SOURCE = Source("unicode-cldr-core", "unicode-cldr-core", "expert", 0.85,
                "http://unicode.org/Public/cldr/")
RELEASED = {"40": (2021, 10, 27), "41": (2022, 4, 6), "42": (2022, 10, 19), "43": (2023, 4, 12),
            "44": (2023, 10, 31), "45": (2024, 4, 17), "46": (2024, 10, 24), "47": (2025, 3, 13),
            "48": (2025, 10, 29)}
_WORLD = "001"  # CLDR's code for "every territory that isn't named"
_OFFICIAL = ("official", "de_facto_official")


def find(root: Path, npm: Optional[Path]) -> Optional[Path]:
    path = root / "usr/share/unicode/cldr/common"
    return path if (path / "supplemental/supplementalData.xml").is_file() else None


def facts(directory: Path) -> Iterator[Fact]:
    supplemental = _Supplemental(directory / "supplemental/supplementalData.xml")
    yield from supplemental.currencies()
    yield from supplemental.codes()
    yield from supplemental.people()
    yield from supplemental.customs()
    yield from _names(directory / "main", supplemental.official_languages())


class _Supplemental:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._tree = ET.parse(path).getroot()
        self._made_at = release_date(path)

    def _fact(self, country: str, predicate: str, value: Value, **more) -> Fact:
        return Fact(country, predicate, value, self._path, self._path.name, self._made_at, **more)

    def currencies(self) -> Iterator[Fact]:
        for region in self._tree.iterfind("currencyData/region"):
            country = region.get("iso3166", "")
            if not is_country(country):
                continue
            for entry in region.iterfind("currency"):
                # tender="false" marks units of account and the like (CHE, USN): nobody pays with
                # them, so they don't contradict anybody's currency and get their own predicate.
                predicate = "non_tender_currency" if entry.get("tender") == "false" else "currency"
                start, end = entry.get("from"), entry.get("to")
                yield self._fact(country, predicate, entry.get("iso4217", ""),
                                 valid_from=_day(start) if start else None,
                                 valid_to=_end_of_day(end) if end else None)

    def codes(self) -> Iterator[Fact]:
        for entry in self._tree.iterfind("codeMappings/territoryCodes"):
            country = entry.get("type", "")
            for key, predicate in (("alpha3", "alpha3"), ("numeric", "numeric_code")):
                if is_country(country) and entry.get(key):
                    yield self._fact(country, predicate, entry.get(key, ""))

    def official_languages(self) -> dict[str, list[str]]:
        languages = {}
        for territory in self._territories():
            languages[territory.get("type", "")] = sorted(
                entry.get("type", "") for entry in territory.iterfind("languagePopulation")
                if entry.get("officialStatus") in _OFFICIAL)
        return languages

    def people(self) -> Iterator[Fact]:
        languages = self.official_languages()
        for territory in self._territories():
            country = territory.get("type", "")
            yield self._fact(country, "population", int(territory.get("population", "")))
            if languages[country]:
                yield self._fact(country, "official_languages", ",".join(languages[country]))

    def customs(self) -> Iterator[Fact]:
        yield from self._by_territory("weekData/firstDay", "day", "first_weekday", str)
        yield from self._by_territory("weekData/minDays", "count", "min_days_in_first_week", int)
        yield from self._by_territory("measurementData/measurementSystem", "type",
                                      "measurement_system", str)
        yield from self._by_territory("measurementData/paperSize", "type", "paper_size", str)

    def _by_territory(self, element: str, attribute: str, predicate: str,
                      convert: type) -> Iterator[Fact]:
        """A list of territories per value; a territory in no list takes the world's value."""
        values = {}
        for entry in self._tree.iterfind(element):
            if not entry.get("alt") and not entry.get("category"):
                for territory in entry.get("territories", "").split():
                    values[territory] = convert(entry.get(attribute, ""))
        for territory in self._territories():
            country = territory.get("type", "")
            if country in values:
                yield self._fact(country, predicate, values[country])
            elif _WORLD in values:
                yield self._fact(country, predicate, values[_WORLD],
                                 metadata={"inherited_from": _WORLD})

    def _territories(self) -> Iterator[ET.Element]:
        for territory in self._tree.iterfind("territoryInfo/territory"):
            if is_country(territory.get("type", "")):
                yield territory


def _names(directory: Path, official: dict[str, list[str]]) -> Iterator[Fact]:
    """Every name in English, and each country's name in its own official languages."""
    speakers: dict[str, set[str]] = {}
    for country, languages in official.items():
        for language in languages:
            speakers.setdefault(language, set()).add(country)
    for language in sorted(set(speakers) | {"en"}):
        path = directory / f"{language}.xml"
        if not path.is_file():
            continue
        for entry in ET.parse(path).iterfind("localeDisplayNames/territories/territory"):
            country = entry.get("type", "")
            wanted = language == "en" or country in speakers[language]
            # A name that CLDR hasn't translated is three arrows, or absent.
            if is_country(country) and wanted and not entry.get("alt") and entry.text != "↑↑↑":
                predicate = "name" if language == "en" else f"name:{language}"
                yield Fact(country, predicate, entry.text or "", path, f"main/{path.name}",
                           release_date(path))


def release_date(path: Path) -> datetime:
    """`path` is common/<folder>/<file>."""
    day = RELEASED.get(_version(path.parents[1] / "dtd/ldml.dtd"))
    return midnight(*day) if day else file_time(path)


@lru_cache(maxsize=None)
def _version(dtd: Path) -> str:
    found = re.search(r'cldrVersion CDATA #FIXED "([\d.]+)"',
                      dtd.read_text("utf-8") if dtd.is_file() else "")
    return found[1] if found else ""


def _day(text: str) -> datetime:
    return midnight(*map(int, text.split("-")))


def _end_of_day(text: str) -> datetime:
    """CLDR's `to` is the last day on which the currency was used."""
    return _day(text) + timedelta(days=1, milliseconds=-1)
