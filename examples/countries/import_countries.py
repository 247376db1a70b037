#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Turns what installed packages say about countries into signed claims for StemeDB.

Writes NDJSON to stdout or --output, or sends it with --server. See README.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Optional

import post
import report
import sources
from claims import SignedClaim, sign_all


def main() -> int:
    options = _arguments()
    claims = _read_sources(options.root, options.npm)
    if not claims:
        print("no source is installed, nothing to do", file=sys.stderr)
        return 1
    if options.report:
        report.print_report(claims)
    elif options.server:
        target = post.Target(options.server, options.batch, options.wait)
        return 1 if post.send(target, claims).has_failed() else 0
    else:
        _write(options.output, claims)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--output", type=Path, metavar="FILE", help="write NDJSON here (default: stdout)")
    where.add_argument("--server", metavar="URL", help="send to this server, e.g. http://127.0.0.1:18180")
    where.add_argument("--report", action="store_true", help="print what there is and who disagrees; write nothing")
    parser.add_argument("--npm", type=Path, metavar="DIR", help="a node_modules with world-countries, countries-list")
    parser.add_argument("--root", type=Path, default=Path("/"), help="read packages below this directory (default: /)")
    parser.add_argument("--batch", type=int, default=500, choices=range(1, post.BATCH_MAX + 1), metavar="N",
                        help=f"claims per request, 1 to {post.BATCH_MAX} (default: %(default)s)")
    parser.add_argument("--wait", type=int, default=0, metavar="SECONDS",
                        help="how long, in all, to wait when the server says 503, or 429 (default: don't)")
    return parser.parse_args()


def _read_sources(root: Path, npm: Optional[Path]) -> list[SignedClaim]:
    claims: list[SignedClaim] = []
    for module in sources.ALL:
        path = module.find(root, npm)
        if path is None:
            print(f"{module.SOURCE.name}: skipped, not installed; it comes from: "
                  f"{module.SOURCE.package}", file=sys.stderr)
            continue
        of_source = sign_all(module.SOURCE, module.facts(path))
        print(f"{module.SOURCE.name}: {len(of_source)} claims", file=sys.stderr)
        claims += of_source
    return claims


def _write(output: Optional[Path], claims: list[SignedClaim]) -> None:
    text = b"".join(claim.line() + b"\n" for claim in claims)
    if output:
        output.write_bytes(text)
    else:
        sys.stdout.buffer.write(text)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"import_countries: {error}")
