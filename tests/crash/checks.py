# SPDX-License-Identifier: Apache-2.0
"""What must be true of a server that has just started again."""

import operations
from claims import canonical, id_of, own_fields
from ledger import Violation
from operations import Author, Knowledge
from workload import expect, tell

PAGE = 2_000
FEED_PAGE = 1_000
SAMPLE = 12  # of what is asked for one by one


def walk(connection):
    """Everything that the server has, page by page: id -> claim or operation. Each id must follow from what is shown with
    it. Claims come from the index, and must be those of the feed, which comes from the records."""
    claims, feed = walk_claims(connection), walk_feed(connection)
    fed = {one_id: one for one_id, one in feed.items() if is_claim(one)}
    if claims != fed:
        wrong = [i for i in claims.keys() | fed.keys() if claims.get(i) != fed.get(i)]
        raise Violation(f"{len(wrong)} claims differ between the index and the feed: {claims.get(wrong[0])}, "
                        f"{fed.get(wrong[0])}")
    return feed


def is_claim(shown):
    return "predicate" in shown


def walk_claims(connection):
    found, cursor, below = {}, None, None
    while True:
        question = {"concept_path": "*", "limit": PAGE, "status": "any"}
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


def walk_feed(connection):
    found, cursor = {}, ""
    while True:
        answer = expect(connection.get(f"/v1/feed?limit={FEED_PAGE}{cursor}"), 200)
        for item in answer["items"]:
            shown = item[item["type"]]
            if item["type"] == "assertion":
                found[shown["id"]] = shown
                continue
            found[operations.shown_id(shown)] = shown
            check_operation_id(connection, shown)
        if "next_cursor" not in answer:
            return found
        cursor = f"&cursor={answer['next_cursor']}"


def check_operation_id(connection, shown):
    whole = shown
    if shown["kind"] == "source":  # a list leaves its content out
        whole = expect(connection.get(f"/v1/sources/{shown['id']}"), 200)["source"]
        if {key: value for key, value in whole.items() if key != "content"} != shown:
            raise Violation(f"the feed has {shown}, the source is {whole}")
    if operations.id_of(shown["kind"], canonical(operations.own_fields(whole))) != operations.shown_id(shown):
        raise Violation(f"the id doesn't belong to the content: {whole}")


def told(found):
    return {i: (assertion["sequence"], assertion["recorded_at"]) for i, assertion in found.items()}


def check_order(found):
    """Sequences 1 to n without a gap, and times that never go back."""
    in_order = sorted(found.values(), key=lambda assertion: assertion["sequence"])
    sequences = [assertion["sequence"] for assertion in in_order]
    if sequences != list(range(1, len(in_order) + 1)):
        first = next(i for i, sequence in enumerate(sequences, 1) if sequence != i)
        raise Violation(f"{len(sequences)} records; sequence {first} is missing or given twice")
    for before, after in zip(in_order, in_order[1:]):
        if after["recorded_at"] < before["recorded_at"]:
            raise Violation(f"time goes back from sequence {before['sequence']} to {after['sequence']}")


def check_restarted(connection, ledger, rng):
    """The whole content against the ledger. Returns how many claims and operations there are."""
    found = walk(connection)
    check_order(found)
    ledger.settle(told(found))
    claims = [one for one in found.values() if is_claim(one)]
    health = expect(connection.get("/v1/health"), 200)
    for name, number in (("assertion_count", len(claims)), ("sequence", len(found))):
        if health[name] != number:
            raise Violation(f"/v1/health says {name} {health[name]}, there are {number}: {health}")
    knowledge = knowledge_of(found)
    check_refusals(ledger, knowledge)
    statuses = knowledge.statuses()
    check_statuses(claims, statuses)
    ids = rng.sample(sorted(claim["id"] for claim in claims), min(60, len(claims)))
    check_by_id(connection, ledger, ids)
    by_path = ids_by_path(ledger)
    for claim_id in ids[:5]:
        path = ledger.claims[claim_id].path
        check_by_question(connection, path, by_path[path])
        check_by_question(connection, path, {i for i in by_path[path] if statuses[i] == "active"}, "active")
    check_votes(connection, knowledge, rng)
    check_aliases(connection, knowledge, by_path, rng)
    return len(found)


def knowledge_of(found):
    claims = [one for one in found.values() if is_claim(one)]
    return Knowledge(claims, [one for one in found.values() if not is_claim(one)])


def check_refusals(ledger, knowledge):
    """Each operation that was refused contradicts something that is there."""
    wrong = [(operation, code) for operation, code, seen in ledger.take_refusals()
             if not knowledge.accounts_for(operation, code, seen)]
    if wrong:
        raise Violation(f"{len(wrong)} operations were refused for a reason that nothing accounts for; the first is "
                        f"{wrong[0][0]}: {wrong[0][1]}")


def check_statuses(claims, statuses):
    wrong = [claim for claim in claims if claim["status"] != statuses[claim["id"]]]
    if wrong:
        raise Violation(f"{len(wrong)} claims have another status than what was said about them; the first is "
                        f"{statuses[wrong[0]['id']]}: {wrong[0]}")


def check_votes(connection, knowledge, rng):
    """Of some claims, with and without votes."""
    votes = knowledge.votes()
    ids = rng.sample(sorted(votes), min(SAMPLE, len(votes)))
    ids += [claim["id"] for claim in rng.sample(knowledge.claims, min(2, len(knowledge.claims)))]
    for claim_id, answer in zip(ids, connection.get_many([f"/v1/trace/{i}" for i in ids])):
        trace, wanted = expect(answer, 200), votes.get(claim_id, {})
        weight = round(sum(wanted.values()), 9)
        if trace["votes"]["count"] != len(wanted) or abs(trace["votes"]["weight"] - weight) > 1e-9:
            raise Violation(f"{claim_id} has the votes {wanted}, its trace says {trace['votes']}")


def check_aliases(connection, knowledge, by_path, rng):
    aliases = knowledge.aliases()
    for alias in rng.sample(sorted(aliases), min(SAMPLE, len(aliases))):
        concept = aliases[alias]
        answer = check_by_question(connection, alias, by_path.get(concept, set()))
        if answer.get("alias_of", alias) != concept:
            raise Violation(f"{alias} stands for {concept}, the answer says {answer.get('alias_of')}")


def check_by_id(connection, ledger, ids):
    for claim_id, answer in zip(ids, connection.get_many([f"/v1/assertions/{i}" for i in ids])):
        assertion = expect(answer, 200)
        if (assertion["sequence"], assertion["recorded_at"]) != ledger.known[claim_id] or \
                canonical(own_fields(assertion)) != ledger.claims[claim_id].canonical:
            raise Violation(f"{claim_id}, acknowledged as {ledger.known[claim_id]}, is now {assertion}")


def ids_by_path(ledger):
    by_path = {}
    for claim in (ledger.claims[i] for i in ledger.known):
        if claim.is_claim:
            by_path.setdefault(claim.path, set()).add(claim.id)
    return by_path


def check_by_question(connection, path, wanted, status="any"):
    """The index knows of the concept what the ledger knows of it."""
    question = {"concept_path": path, "limit": 10_000, "lens": "skeptic", "status": status}
    answer = expect(connection.post("/v1/query", question), 200)
    shown = {assertion["id"] for assertion in answer["assertions"]}
    if shown != wanted:
        raise Violation(f"{path} should have {len(wanted)} claims; {len(wanted - shown)} are missing, "
                        f"{len(shown - wanted)} are too many")
    counted = sum(resolution["candidates_count"] for resolution in answer["resolutions"])
    if counted != len(wanted):
        raise Violation(f"the lens counted {counted} candidates on {path}, there are {len(wanted)}")
    return answer


def check_everything(connection, ledger):
    """At the end of a leg: each claim by its id, each concept by a question. Operations were checked by the walk."""
    check_by_id(connection, ledger, sorted(i for i in ledger.known if ledger.claims[i].is_claim))
    for path, wanted in sorted(ids_by_path(ledger).items()):
        check_by_question(connection, path, wanted)


def check_writes_go_on(connection, ledger, claim, again):
    """A restarted server takes new claims and recognises old ones."""
    for one in [claim] + again:
        known = ledger.sending([one])
        item = expect(connection.post("/v1/assert", one.body), 200, 201)
        ledger.stored(one, item, one.id in known)


def check_operations_go_on(connection, ledger, rng, name):
    """Likewise operations."""
    targets = ledger.pick_known(rng, 2)
    author = Author(rng, name)
    fresh = [author.make(targets) for _ in range(6)] if len(targets) == 2 else []
    for operation in fresh + ledger.pick_operations(rng, 3):
        answer = tell(connection, ledger, operation)
        expect(answer, 200, 201, 404, 409)
    check_refusals(ledger, knowledge_of(walk(connection)))
