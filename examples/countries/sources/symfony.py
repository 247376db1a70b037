# SPDX-License-Identifier: Apache-2.0
"""php-symfony-intl: Symfony's copy of ICU's data, i.e. of a later CLDR than Debian's own.

The PHP files are plain nested arrays of strings, read here line by line. The date is the one in
git-info.txt: that of the ICU commit from which the files were made.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Iterator, Optional

from claims import Fact, Source, is_country

SOURCE = Source("php-symfony-intl", "php-symfony-intl", "community", 0.75,
                "https://github.com/symfony/symfony")

_STRING = r"'((?:[^'\\]|\\.)*)'"
_SECTION = re.compile(rf"^    {_STRING} => \[$")
_PAIR = re.compile(rf"^        {_STRING} => {_STRING},$")
_LIST = re.compile(rf"^        {_STRING} => \[$")
_ITEM = re.compile(rf"^            {_STRING},$")


def find(root: Path, npm: Optional[Path]) -> Optional[Path]:
    path = root / "usr/share/php/Symfony/Component/Intl/Resources/data"
    return path if (path / "git-info.txt").is_file() else None


def facts(directory: Path) -> Iterator[Fact]:
    made_at = _date(directory / "git-info.txt")
    file = "regions/en.php"
    for code, name in _pairs(directory / file, "Names"):
        if is_country(code):
            yield Fact(code, "name", name, directory / file, file, made_at)

    file = "timezones/meta.php"
    for code, zones in _lists(directory / file, "CountryToZone"):
        if is_country(code):
            yield Fact(code, "timezones", ",".join(sorted(zones)), directory / file, file, made_at)


def _date(path: Path) -> datetime:
    found = re.search(r"^Date: (\S+)$", path.read_text("utf-8"), re.MULTILINE)
    if not found:
        raise ValueError(f"{path}: no line 'Date: ...'")
    return datetime.fromisoformat(found[1])


def _lines(path: Path, section: str) -> Iterator[str]:
    inside = False
    for line in path.read_text("utf-8").splitlines():
        opening = _SECTION.match(line)
        if opening:
            inside = opening[1] == section
        elif inside:
            yield line


def _pairs(path: Path, section: str) -> Iterator[tuple[str, str]]:
    for line in _lines(path, section):
        pair = _PAIR.match(line)
        if pair:
            yield _unescape(pair[1]), _unescape(pair[2])


def _lists(path: Path, section: str) -> Iterator[tuple[str, list[str]]]:
    current: Optional[tuple[str, list[str]]] = None
    for line in _lines(path, section):
        opening, item = _LIST.match(line), _ITEM.match(line)
        if opening:
            current = (_unescape(opening[1]), [])
        elif item and current:
            current[1].append(_unescape(item[1]))
        elif line == "        ]," and current:
            yield current
            current = None


def _unescape(text: str) -> str:
    return re.sub(r"\\(['\\])", r"\1", text)
