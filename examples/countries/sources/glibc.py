# SPDX-License-Identifier: Apache-2.0
"""glibc's locale sources (package `locales`), one file per language and country.

A category may say `copy "xx_YY"`; the value then comes from that file and metadata names it. The
date is the file's own LC_IDENTIFICATION `date` (a file without one is left out). Several locales of
one country often say the same: one of them makes the claim (rather one that states the value than
one that copies it, then the newest), and metadata names the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Iterator, Optional

from claims import Fact, Source, Value, midnight

SOURCE = Source("glibc-locales", "locales", "community", 0.65,
                "https://sourceware.org/git/glibc.git")

_FILE = re.compile(r"([a-z]{2,3})_([A-Z]{2})")  # no @variants: they only restate their base
_DATE = re.compile(r"(\d{4})\W+(\w+)\W+(\d{1,2})\b")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PAPER = {("297", "210"): "A4", ("279", "216"): "US-Letter"}  # CLDR's words
_MEASUREMENT = {"1": "metric", "2": "US"}  # CLDR's words
_COPIES_MAX = 8


@dataclass(frozen=True)
class _Statement:
    predicate: str
    value: Value
    copied_from: Optional[str]


def find(root: Path, npm: Optional[Path]) -> Optional[Path]:
    path = root / "usr/share/i18n/locales"
    return path if (path / "en_US").is_file() else None


def facts(directory: Path) -> Iterator[Fact]:
    said: dict[tuple[str, str, Value], list[tuple[datetime, Path, _Statement]]] = {}
    for path in sorted(directory.iterdir()):
        name = _FILE.fullmatch(path.name)
        made_at = _date(path) if name else None
        if not name or not made_at:
            continue
        for statement in _statements(path, name[1]):
            key = (name[2], statement.predicate, statement.value)
            said.setdefault(key, []).append((made_at, path, statement))

    for (country, predicate, value), witnesses in said.items():
        witnesses.sort(key=lambda witness: (witness[2].copied_from is not None,
                                            -witness[0].timestamp(), witness[1].name))
        made_at, path, statement = witnesses[0]
        others = [witness[1].name for witness in witnesses[1:] if witness[1] != path]
        metadata: dict = {"also_in": others} if others else {}
        if statement.copied_from:
            metadata["copied_from"] = statement.copied_from
        yield Fact(country, predicate, value, path, path.name, made_at, metadata=metadata)


def _statements(path: Path, language: str) -> Iterator[_Statement]:
    def get(category: str, keyword: str) -> Optional[tuple[str, Optional[str]]]:
        found = _lookup(path, category, keyword)
        return found and (found[0], found[1].name if found[1] != path else None)

    for category, keyword, predicate, convert in (
            ("LC_IDENTIFICATION", "territory", "name", str),
            ("LC_ADDRESS", "country_name", "name" if language == "en" else f"name:{language}", str),
            ("LC_ADDRESS", "country_ab3", "alpha3", str),
            ("LC_ADDRESS", "country_num", "numeric_code", lambda text: text.zfill(3)),
            ("LC_ADDRESS", "country_car", "car_code", str),
            ("LC_TELEPHONE", "int_prefix", "calling_code", str),
            ("LC_MONETARY", "int_curr_symbol", "currency", str.strip),
            ("LC_MEASUREMENT", "measurement", "measurement_system", _MEASUREMENT.get)):
        found = get(category, keyword)
        value = convert(found[0]) if found and found[0] else None
        if value:
            yield _Statement(predicate, value, found[1])
    yield from _week(get)
    height, width = get("LC_PAPER", "height"), get("LC_PAPER", "width")
    if height and width:
        size = _PAPER.get((height[0], width[0]), f"{width[0]}x{height[0]} mm")
        yield _Statement("paper_size", size, height[1])


def _week(get) -> Iterator[_Statement]:
    """`week 7;YYYYMMDD;N`: a date on which the list of days begins, and the days that make a week
    the first; `first_weekday` counts from the day of that date."""
    week, first = get("LC_TIME", "week"), get("LC_TIME", "first_weekday")
    if not week:
        return
    _, origin, minimum = week[0].split(";")
    yield _Statement("min_days_in_first_week", int(minimum), week[1])
    if first:
        day = midnight(int(origin[:4]), int(origin[4:6]), int(origin[6:8]))
        day += timedelta(days=int(first[0]) - 1)
        yield _Statement("first_weekday", _WEEKDAYS[day.weekday()], first[1])


def _lookup(path: Path, category: str, keyword: str) -> Optional[tuple[str, Path]]:
    """The value and the file that states it, along `copy` lines."""
    for _ in range(_COPIES_MAX):
        section = _parse(path).get(category, {})
        if keyword in section:
            return section[keyword], path
        if "copy" not in section:
            return None
        path = path.parent / section["copy"]
        if not path.is_file():
            return None
    return None


@lru_cache(maxsize=None)
def _parse(path: Path) -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    current: Optional[dict[str, str]] = None
    for line in path.read_text("utf-8").splitlines():
        words = line.split(None, 1)
        if not words or words[0].startswith("%"):
            continue
        if words[0].startswith("LC_") and len(words) == 1:
            current = sections.setdefault(words[0], {})
        elif words[0] == "END":
            current = None
        elif current is not None and len(words) == 2:
            current.setdefault(words[0], _value(words[1]))
    return sections


def _value(text: str) -> str:
    quoted = re.match(r'"((?:[^"/]|/.)*)"', text)
    if not quoted:
        return text.split("%")[0].strip()
    plain = re.sub(r"/(.)", r"\1", quoted[1])  # the escape character of every file here is /
    return re.sub(r"<U([0-9A-F]{4,8})>", lambda found: chr(int(found[1], 16)), plain)


def _date(path: Path) -> Optional[datetime]:
    found = _DATE.search(_parse(path).get("LC_IDENTIFICATION", {}).get("date", ""))
    if not found:
        return None
    month = found[2].lower()
    number = int(month) if month.isdigit() else _MONTHS.index(month[:3]) + 1
    return midnight(int(found[1]), number, int(found[3]))
