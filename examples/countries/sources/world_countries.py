# SPDX-License-Identifier: Apache-2.0
"""npm's world-countries: a list kept by many hands on GitHub. Optional, needs --npm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator, Optional

from claims import Fact, Source
from sources.npm_package import find_file, release_date

SOURCE = Source("world-countries", "npm install world-countries (--npm DIR)", "community", 0.7,
                "https://github.com/mledoze/countries")
# Complete codes shared by several countries; their "suffixes" are area codes.
_SHARED_CALLING_CODES = ("+1", "+7")


def find(root: Path, npm: Optional[Path]) -> Optional[Path]:
    return find_file(npm, "world-countries", "countries.json")


def facts(path: Path) -> Iterator[Fact]:
    made_at = release_date(path.parent / "package.json")
    for entry in json.loads(path.read_text("utf-8")):
        for predicate, value in _statements(entry):
            yield Fact(entry["cca2"], predicate, value, path, path.name, made_at)


def _statements(entry: dict) -> Iterator[tuple[str, str]]:
    yield "name", entry["name"]["common"]
    yield "official_name", entry["name"]["official"]
    yield "alpha3", entry["cca3"]
    if entry.get("ccn3"):
        yield "numeric_code", entry["ccn3"]
    for currency in entry["currencies"]:
        yield "currency", currency
    for capital in entry["capital"]:
        yield "capital", capital
    for code in _calling_codes(entry.get("idd", {})):
        yield "calling_code", code


def _calling_codes(idd: dict) -> Iterator[str]:
    root, suffixes = idd.get("root", ""), idd.get("suffixes", [])
    if len(suffixes) > 1 and root in _SHARED_CALLING_CODES:
        suffixes = [""]
    for suffix in suffixes:
        yield (root + suffix).lstrip("+")
