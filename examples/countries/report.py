# SPDX-License-Identifier: Apache-2.0
"""What there is before any lens has judged it: counts, disagreements, and two countries in full."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timezone

from claims import SignedClaim, agent_id, rfc3339

_PERIODS_AT = rfc3339(datetime(2023, 6, 1, tzinfo=timezone.utc))


def print_report(claims: list[SignedClaim]) -> None:
    _print_agents(claims)
    _print_counts(claims)
    _print_disagreements(claims)
    for country in ("HR", "DE"):
        _print_rows(claims, f"countries/{country}", "currency")


def _print_agents(claims: list[SignedClaim]) -> None:
    counts = Counter(claim.source for claim in claims)
    print("agents")
    for source, count in counts.items():
        print(f"  {source.name:24} {count:5} claims  {source.source_class:10} "
              f"{source.confidence:.2f}  {agent_id(source.name)}")


def _kind(claim: SignedClaim) -> str:
    """name:hr, name:de, ... are counted together."""
    predicate, colon, _ = claim.fields["predicate"].partition(":")
    return f"{predicate}:<language>" if colon else predicate


def _print_counts(claims: list[SignedClaim]) -> None:
    names = list(dict.fromkeys(claim.source.name for claim in claims))
    table = Counter((_kind(claim), claim.source.name) for claim in claims)
    print(f"\n{len(claims)} claims by predicate and source")
    for kind in sorted({kind for kind, _ in table}):
        parts = [f"{name} {table[kind, name]}" for name in names if table[kind, name]]
        print(f"  {kind:24} {', '.join(parts)}")


def holds_at(claim: SignedClaim, moment: str) -> bool:
    """Canonical times are of one length, so they compare as text."""
    return (claim.fields.get("valid_from", moment) <= moment
            <= claim.fields.get("valid_to", moment))


def disagreements(claims: list[SignedClaim]) -> dict[str, dict[tuple[str, str], set]]:
    """predicate -> (country, predicate in full) -> its values, where sources differ.

    A source that gives several values (two currencies in use) isn't in conflict with itself: the
    sets of values are compared between sources.
    """
    said: dict = defaultdict(lambda: defaultdict(set))
    kinds = {}
    for claim in claims:
        if holds_at(claim, _PERIODS_AT):
            key = (claim.fields["concept_path"], claim.fields["predicate"])
            said[key][claim.source.name].add(claim.fields["value"])
            kinds[key] = _kind(claim)
    found: dict = defaultdict(dict)
    for key, by_source in said.items():
        if len({frozenset(values) for values in by_source.values()}) > 1:
            found[kinds[key]][key] = set().union(*by_source.values())
    return found


def _print_disagreements(claims: list[SignedClaim]) -> None:
    print(f"\ncountries about which the sources disagree (claims that hold at {_PERIODS_AT})")
    found = disagreements(claims)
    for kind, countries in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        sample = [f"{path.rpartition('/')[2]}: {' | '.join(sorted(map(str, values)))}"
                  for (path, _), values in sorted(countries.items()) if len(str(values)) < 60]
        print(f"  {kind:24} {len(countries):4}   e.g. {'; '.join(sample[:3])}")


def _print_rows(claims: list[SignedClaim], path: str, predicate: str) -> None:
    print(f"\n{path} {predicate}")
    for claim in claims:
        fields = claim.fields
        if fields["concept_path"] == path and fields["predicate"] == predicate:
            period = f"{fields.get('valid_from', '')[:10]:10} .. {fields.get('valid_to', '')[:10]:10}"
            print(f"  {fields['value']}  {period}  {fields['timestamp'][:10]}  "
                  f"{fields['source']['class']:10} {fields['confidence']:.2f}  {fields['source']['id']}")
