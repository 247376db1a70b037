# SPDX-License-Identifier: Apache-2.0
"""tzdata: the time zone database's own list of countries, and the zones of each.

Both tables open with a comment "# From <who> (YYYY-MM-DD):"; that is the date of the claims.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Iterator, Optional

from claims import Fact, Source, file_time, midnight

SOURCE = Source("tzdata", "tzdata", "expert", 0.8, "https://www.iana.org/time-zones")
_DATED = re.compile(r"^# From .*\((\d{4})-(\d\d)-(\d\d)\)", re.MULTILINE)


def find(root: Path, npm: Optional[Path]) -> Optional[Path]:
    path = root / "usr/share/zoneinfo"
    return path if (path / "iso3166.tab").is_file() and (path / "zone.tab").is_file() else None


def facts(directory: Path) -> Iterator[Fact]:
    names = directory / "iso3166.tab"
    for code, name in _rows(names):
        yield Fact(code, "name", name, names, names.name, _date(names))

    table = directory / "zone.tab"
    zones = defaultdict(list)
    for code, _, zone, *_ in _rows(table):
        zones[code].append(zone)
    for code, of_country in zones.items():
        yield Fact(code, "timezones", ",".join(sorted(of_country)), table, table.name, _date(table))


def _rows(path: Path) -> Iterator[list[str]]:
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def _date(path: Path) -> datetime:
    dates = _DATED.findall(path.read_text("utf-8"))
    return midnight(*map(int, max(dates))) if dates else file_time(path)
