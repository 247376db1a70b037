# SPDX-License-Identifier: Apache-2.0
"""What the two npm packages share: where they are, and when their version was released.

npm packages carry no date at all (all files are stamped 1985). RELEASED holds what
`npm view <package> time` printed; a version that isn't listed is refused rather than guessed at.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Optional

RELEASED = {
    ("world-countries", "5.0.0"): "2024-12-09T00:31:29.345+00:00",
    ("world-countries", "5.1.0"): "2025-06-03T12:09:39.442+00:00",
    ("countries-list", "3.4.0"): "2026-07-09T19:58:20.778+00:00",
    ("countries-list", "3.4.1"): "2026-07-14T23:44:10.147+00:00",
}


def find_file(npm: Optional[Path], package: str, file: str) -> Optional[Path]:
    path = npm / package / file if npm else None
    return path if path and path.is_file() else None


def release_date(package_json: Path) -> datetime:
    package = json.loads(package_json.read_text("utf-8"))
    key = (package["name"], package["version"])
    if key not in RELEASED:
        raise ValueError(f"{package_json}: no release date known for {key[0]} {key[1]}; add what "
                         f"`npm view {key[0]} time` says to RELEASED in sources/npm_package.py")
    return datetime.fromisoformat(RELEASED[key])
