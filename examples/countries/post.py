# SPDX-License-Identifier: Apache-2.0
"""Sends claims to POST /v1/assert/batch as NDJSON and adds up what the server says to each.

The server answers per item, in order. An item's id must be the one computed here: that is the
check that both sides canonicalise alike.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field

from claims import SignedClaim

BATCH_MAX = 1000  # claims per request
TIMEOUT_SECONDS = 60
REASONS_MAX = 5  # refusals that are printed in full
_ACCEPTED = ("created", "duplicate", "quarantined")
_RETRY_LATER = (429, 503)


@dataclass
class Target:
    url: str
    batch: int
    wait_seconds: int  # what is left of the time to wait, over all requests


@dataclass
class Summary:
    counts: Counter = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)

    def add(self, claim: SignedClaim, item: dict) -> None:
        status = item.get("status")
        if status not in _ACCEPTED:
            self.refuse(claim, _reason(item))
        elif "id" in item and item["id"] != claim.id:
            self.refuse(claim, f"the server's id {item['id']} is not ours, {claim.id}")
        else:
            self.counts[status] += 1

    def refuse(self, claim: SignedClaim, reason: str) -> None:
        self.counts["refused"] += 1
        if len(self.reasons) < REASONS_MAX:
            path, predicate = claim.fields["concept_path"], claim.fields["predicate"]
            self.reasons.append(f"{claim.source.name} {path} {predicate}: {reason}")

    def has_failed(self) -> bool:
        return self.counts["refused"] > 0

    def show(self) -> None:
        print(", ".join(f"{self.counts[name]} {name}" for name in (*_ACCEPTED, "refused")))
        for reason in self.reasons:
            print(f"  {reason}")


def send(target: Target, claims: list[SignedClaim]) -> Summary:
    summary = Summary()
    for start in range(0, len(claims), target.batch):
        batch = claims[start:start + target.batch]
        try:
            items = _post(target, b"".join(claim.line() + b"\n" for claim in batch))
        except _RequestRefused as refusal:
            for claim in batch:
                summary.refuse(claim, str(refusal))
            continue
        if len(items) != len(batch):
            raise ValueError(f"{len(batch)} claims sent, {len(items)} results came back")
        for claim, item in zip(batch, items):
            summary.add(claim, item)
    summary.show()
    return summary


class _RequestRefused(Exception):
    """The server refused the request as a whole."""


def _post(target: Target, body: bytes) -> list[dict]:
    request = urllib.request.Request(f"{target.url.rstrip('/')}/v1/assert/batch", data=body,
                                     headers={"Content-Type": "application/x-ndjson"})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return _items(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read()
            pause = max(1, int(error.headers.get("Retry-After") or 1))
            if error.code not in _RETRY_LATER or pause > target.wait_seconds:
                raise _RequestRefused(f"HTTP {error.code}: {_reason(_problem(text))}") from error
            target.wait_seconds -= pause
            time.sleep(pause)
        except urllib.error.URLError as error:
            raise ValueError(f"no server answers at {target.url} ({error.reason}); "
                             "start it, or give another --server") from error


def _items(text: bytes) -> list[dict]:
    answer = json.loads(text)
    return answer["results"] if isinstance(answer, dict) else answer


def _problem(text: bytes) -> dict:
    try:
        problem = json.loads(text)
    except ValueError:
        return {"detail": text[:200].decode("utf-8", "replace")}
    return problem if isinstance(problem, dict) else {"detail": str(problem)}


def _reason(item: dict) -> str:
    problem = item.get("error", item)
    if not isinstance(problem, dict):
        return str(problem)
    words = [str(problem[key]) for key in ("code", "detail", "title") if problem.get(key)]
    return ": ".join(words[:2]) or json.dumps(item)
