# SPDX-License-Identifier: Apache-2.0
"""What must be true of a server that has just started again."""

from claims import canonical, id_of, own_fields
from ledger import Violation
from workload import expect

PAGE = 2_000


def walk(connection):
    """Everything that the server has, page by page: id -> assertion. Each id must follow from what is shown with it."""
    found, cursor, below = {}, None, None
    while True:
        question = {"concept_path": "*", "limit": PAGE}
        if cursor:
            question["cursor"] = cursor
        answer = expect(connection.post("/v1/query", question), 200)
        for assertion in answer["assertions"]:
            if below is not None and assertion["sequence"] >= below:
                raise Violation(f"the walk shows sequence {assertion['sequence']} behind {below}")
            below = assertion["sequence"]
            if id_of(canonical(own_fields(assertion))) != assertion["id"]:
                raise Violation(f"the id doesn't belong to the content: {assertion}")
            found[assertion["id"]] = assertion
        cursor = answer.get("next_cursor")
        if not cursor:
            return found


def told(found):
    return {i: (assertion["sequence"], assertion["recorded_at"]) for i, assertion in found.items()}


def check_order(found):
    """Sequences 1 to n without a gap, and times that never go back."""
    in_order = sorted(found.values(), key=lambda assertion: assertion["sequence"])
    sequences = [assertion["sequence"] for assertion in in_order]
    if sequences != list(range(1, len(in_order) + 1)):
        first = next(i for i, sequence in enumerate(sequences, 1) if sequence != i)
        raise Violation(f"{len(sequences)} claims; sequence {first} is missing or given twice")
    for before, after in zip(in_order, in_order[1:]):
        if after["recorded_at"] < before["recorded_at"]:
            raise Violation(f"time goes back from sequence {before['sequence']} to {after['sequence']}")


def check_restarted(connection, ledger, rng):
    """The whole content against the ledger. Returns how many claims there are."""
    found = walk(connection)
    check_order(found)
    ledger.settle(told(found))
    health = expect(connection.get("/v1/health"), 200)
    for name in ("assertion_count", "sequence"):
        if health[name] != len(found):
            raise Violation(f"/v1/health says {name} {health[name]}, there are {len(found)}: {health}")
    ids = rng.sample(sorted(found), min(60, len(found)))
    check_by_id(connection, ledger, ids)
    by_path = ids_by_path(ledger)
    for claim_id in ids[:5]:
        path = ledger.claims[claim_id].path
        check_by_question(connection, path, by_path[path])
    return len(found)


def check_by_id(connection, ledger, ids):
    for claim_id, answer in zip(ids, connection.get_many([f"/v1/assertions/{i}" for i in ids])):
        assertion = expect(answer, 200)
        if (assertion["sequence"], assertion["recorded_at"]) != ledger.known[claim_id] or \
                canonical(own_fields(assertion)) != ledger.claims[claim_id].canonical:
            raise Violation(f"{claim_id}, acknowledged as {ledger.known[claim_id]}, is now {assertion}")


def ids_by_path(ledger):
    by_path = {}
    for claim_id in ledger.known:
        by_path.setdefault(ledger.claims[claim_id].path, set()).add(claim_id)
    return by_path


def check_by_question(connection, path, wanted):
    """The index knows of the concept what the ledger knows of it."""
    answer = expect(connection.post("/v1/query", {"concept_path": path, "limit": 10_000, "lens": "skeptic"}), 200)
    shown = {assertion["id"] for assertion in answer["assertions"]}
    if shown != wanted:
        raise Violation(f"{path} should have {len(wanted)} claims; {len(wanted - shown)} are missing, "
                        f"{len(shown - wanted)} are too many")
    counted = sum(resolution["candidates_count"] for resolution in answer["resolutions"])
    if counted != len(wanted):
        raise Violation(f"the lens counted {counted} candidates on {path}, there are {len(wanted)}")


def check_everything(connection, ledger):
    """At the end of a leg: each claim by its id, each concept by a question."""
    check_by_id(connection, ledger, sorted(ledger.known))
    for path, wanted in sorted(ids_by_path(ledger).items()):
        check_by_question(connection, path, wanted)


def check_writes_go_on(connection, ledger, claim, again):
    """A restarted server takes new claims and recognises old ones."""
    for one in [claim] + again:
        known = ledger.sending([one])
        item = expect(connection.post("/v1/assert", one.body), 200, 201)
        ledger.stored(one, item, one.id in known)
