# SPDX-License-Identifier: Apache-2.0
"""From a fact in a file to a signed claim.

A source module yields Facts; sign_fact() turns one into the claim that is sent. The agent signs
"stemedb/assertion/v1" + LF + the RFC 8785 form of the claim's own fields; the SHA-256 of the same
bytes is the assertion's id. Nothing here looks at the clock or draws a random number, so a second
run over the same packages gives the same ids.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Callable, Iterator, Optional, Union

from nacl.signing import SigningKey

from jcs import canonical_json

DOMAIN = b"stemedb/assertion/v1\n"
SEED_PHRASE = "stemedb example agent: {source}"

Value = Union[str, int, float, bool]


@dataclass(frozen=True)
class Source:
    """One package that speaks about countries, and the agent that speaks for it."""

    name: str  # first part of source.id, and what the agent's key is derived from
    package: str  # what to install when it is absent
    source_class: str  # tier; the README gives the reasons
    confidence: float  # one fixed number for all claims of the source
    url: Optional[str]  # upstream's home, where the package states one


@dataclass(frozen=True)
class Fact:
    country: str  # ISO 3166-1 alpha-2, upper case
    predicate: str
    value: Value
    file: Path  # hashed into source.hash
    label: str  # the file's name in source.id
    made_at: datetime
    valid_from: Optional[datetime] = None
    valid_to: Optional[datetime] = None
    metadata: dict = field(default_factory=dict)


@dataclass(frozen=True)
class SignedClaim:
    source: Source
    fields: dict  # the claim's own fields
    id: str
    signature: str

    def line(self) -> bytes:
        """One NDJSON line, ready for POST /v1/assert/batch."""
        return canonical_json({**self.fields, "signature": self.signature})


# User-assigned codes ("unknown", tests, pseudo-locales) and the codes of unions are not countries.
# XK is user-assigned as well, but every source uses it for Kosovo.
_NOT_COUNTRIES = re.compile(r"AA|Q[M-Z]|X(?!K)[A-Z]|ZZ|EU|EZ|UN")


def is_country(code: str) -> bool:
    return bool(re.fullmatch(r"[A-Z]{2}", code)) and not _NOT_COUNTRIES.fullmatch(code)


def rfc3339(moment: datetime) -> str:
    utc = moment.astimezone(timezone.utc)
    # Not strftime: %Y doesn't pad years before 1000 on every libc.
    return (f"{utc.year:04}-{utc.month:02}-{utc.day:02}T{utc.hour:02}:{utc.minute:02}"
            f":{utc.second:02}.{utc.microsecond // 1000:03}Z")


def stated_time(changelog: Path, read: Callable[[str], Optional[datetime]], path: Path) -> datetime:
    """The newest date that `read` finds in the package's changelog; where documentation isn't
    installed (some images leave it out), the modification time of `path`."""
    if changelog.is_file():
        with gzip.open(changelog, "rt", encoding="utf-8") as lines:
            for line in lines:
                found = read(line)
                if found:
                    return found
    return file_time(path)


def file_time(path: Path) -> datetime:
    """Modification time as the package carries it; dpkg keeps it when it unpacks."""
    return datetime.fromtimestamp(int(path.stat().st_mtime), timezone.utc)


def midnight(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=timezone.utc)


@lru_cache(maxsize=None)
def file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@lru_cache(maxsize=None)
def example_key(source_name: str) -> SigningKey:
    """An EXAMPLE key: anybody can derive it from the source's name, so it proves nothing."""
    return SigningKey(hashlib.sha256(SEED_PHRASE.format(source=source_name).encode()).digest())


def agent_id(source_name: str) -> str:
    return example_key(source_name).verify_key.encode().hex()


def canonical_bytes(fields: dict) -> bytes:
    return DOMAIN + canonical_json(fields)


def sign_fact(source: Source, fact: Fact) -> SignedClaim:
    fields = _claim_fields(source, fact)
    message = canonical_bytes(fields)
    signature = example_key(source.name).sign(message).signature.hex()
    return SignedClaim(source, fields, hashlib.sha256(message).hexdigest(), signature)


def _claim_fields(source: Source, fact: Fact) -> dict:
    origin = {"id": f"{source.name}/{fact.label}", "class": source.source_class,
              "hash": file_hash(fact.file)}
    if source.url:
        origin["url"] = source.url
    fields = {"concept_path": f"countries/{fact.country}", "predicate": fact.predicate,
              "value": fact.value, "confidence": source.confidence,
              "agent_id": agent_id(source.name), "source": origin,
              "timestamp": rfc3339(fact.made_at)}
    if fact.valid_from:
        fields["valid_from"] = rfc3339(fact.valid_from)
    if fact.valid_to:
        fields["valid_to"] = rfc3339(fact.valid_to)
    if fact.metadata:
        fields["metadata"] = fact.metadata
    return fields


def sign_all(source: Source, facts: Iterator[Fact]) -> list[SignedClaim]:
    """All claims of a source in a fixed order, each content once."""
    claims = {claim.id: claim for claim in (sign_fact(source, fact) for fact in facts)}
    return sorted(claims.values(), key=lambda claim: (
        claim.fields["concept_path"], claim.fields["predicate"],
        claim.fields.get("valid_from", ""), str(claim.fields["value"]), claim.id))
