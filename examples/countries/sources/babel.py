# SPDX-License-Identifier: Apache-2.0
"""python-babel-localedata: what the Babel library ships of CLDR.

It is a copy of CLDR, and that is why it is here: a copy counts as a second voice for the
`consensus` lens although nobody looked a second time. The data are pickles; they are opened with an
unpickler that can't call anything. They have no date inside and are made when Debian builds the
package, so their date is that of the package's newest changelog entry.
"""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Iterator, Optional

from claims import Fact, Source, is_country, midnight, stated_time

# The copyright file states only a download page, so the claims carry no URL.
SOURCE = Source("python-babel-localedata", "python-babel-localedata", "community", 0.7, None)
_OFFICIAL = ("official", "de_facto_official")


class _Inert:
    """Stands in for every class that a pickle names: takes anything, does nothing."""

    def __new__(cls, *_: Any) -> "_Inert":
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _Inert


def find(root: Path, npm: Optional[Path]) -> Optional[Path]:
    path = root / "usr/share/python-babel-localedata"
    return path if (path / "global.dat").is_file() else None


def facts(directory: Path) -> Iterator[Fact]:
    path = directory / "global.dat"
    data = _load(path)
    changelog = directory.parent / "doc/python-babel-localedata/changelog.Debian.gz"
    made_at = stated_time(changelog, _entry_date, path)
    yield from _currencies(data["territory_currencies"], path, made_at)
    for code, languages in data["territory_languages"].items():
        official = sorted(name for name, info in languages.items()
                          if info["official_status"] in _OFFICIAL)
        if is_country(code) and official:
            yield Fact(code, "official_languages", ",".join(official), path, path.name, made_at)
    for code, zones in data["territory_zones"].items():
        if is_country(code):
            yield Fact(code, "timezones", ",".join(sorted(zones)), path, path.name, made_at)

    english = directory / "locale-data/en.dat"
    for code, name in _load(english)["territories"].items():
        if is_country(code):
            yield Fact(code, "name", name, english, "locale-data/en.dat", made_at)


def _currencies(table: dict, path: Path, made_at: datetime) -> Iterator[Fact]:
    for code, periods in table.items():
        if not is_country(code):
            continue
        for currency, start, end, tender in periods:
            yield Fact(code, "currency" if tender else "non_tender_currency", currency, path,
                       path.name, made_at, midnight(*start) if start else None,
                       _end_of_day(end) if end else None)


def _entry_date(line: str) -> Optional[datetime]:
    """` -- Somebody <address>  Tue, 27 Sep 2022 19:44:32 +0200`, the last line of an entry"""
    return parsedate_to_datetime(line.split("  ")[1]) if line.startswith(" -- ") else None


def _end_of_day(day: tuple[int, int, int]) -> datetime:
    return midnight(*day) + timedelta(days=1, milliseconds=-1)


def _load(path: Path) -> dict:
    with path.open("rb") as stream:
        return _Unpickler(stream).load()
