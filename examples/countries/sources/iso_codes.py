# SPDX-License-Identifier: Apache-2.0
"""iso-codes: the ISO 3166-1 register as JSON.

The file has no date inside; the date of the release is in the package's own changelog.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Iterator, Optional

from claims import Fact, Source, midnight, stated_time

SOURCE = Source("iso-codes", "iso-codes", "regulatory", 0.9,
                "https://salsa.debian.org/iso-codes-team/iso-codes")
PREDICATES = {"name": "name", "official_name": "official_name", "alpha_3": "alpha3",
              "numeric": "numeric_code"}


def find(root: Path, npm: Optional[Path]) -> Optional[Path]:
    path = root / "usr/share/iso-codes/json/iso_3166-1.json"
    return path if path.is_file() else None


def facts(path: Path) -> Iterator[Fact]:
    made_at = stated_time(path.parents[2] / "doc/iso-codes/changelog.gz", _release_date, path)
    for entry in json.loads(path.read_text("utf-8"))["3166-1"]:
        for key, predicate in PREDICATES.items():
            if key in entry:
                yield Fact(entry["alpha_2"], predicate, entry[key], path, path.stem, made_at)


def _release_date(line: str) -> Optional[datetime]:
    """`## [4.15.0] – 2023-04-27`"""
    found = re.match(r"## \[[\d.]+\]\W+(\d{4})-(\d\d)-(\d\d)$", line)
    return midnight(*map(int, found.groups())) if found else None
