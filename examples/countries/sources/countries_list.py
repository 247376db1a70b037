# SPDX-License-Identifier: Apache-2.0
"""npm's countries-list: "prepared from different public sources". Optional, needs --npm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator, Optional

from claims import Fact, Source
from sources.npm_package import find_file, release_date

SOURCE = Source("countries-list", "npm install countries-list (--npm DIR)", "anecdotal", 0.6,
                "https://github.com/annexare/Countries")


def find(root: Path, npm: Optional[Path]) -> Optional[Path]:
    return find_file(npm, "countries-list", "countries.min.json")


def facts(path: Path) -> Iterator[Fact]:
    made_at = release_date(path.parent / "package.json")
    for country, entry in json.loads(path.read_text("utf-8")).items():
        for predicate, value in _statements(entry):
            yield Fact(country, predicate, value, path, path.name, made_at)


def _statements(entry: dict) -> Iterator[tuple[str, str]]:
    yield "name", entry["name"]
    if entry["capital"]:
        yield "capital", entry["capital"]
    for currency in entry["currency"]:
        yield "currency", currency
    for code in entry["phone"]:
        yield "calling_code", str(code)
    if entry["languages"]:
        yield "official_languages", ",".join(sorted(entry["languages"]))
