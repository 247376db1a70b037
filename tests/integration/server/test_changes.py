# SPDX-License-Identifier: Apache-2.0
"""`changes` of a question with `since`: a client with an earlier answer brings it up to date."""

import random
import unittest

from knowledge import KnowledgeCase, at
from signer import TIME, seed, sign, signed


class Copy:
    """A client's answer to one question, by id. It knows no rule but the one in docs/http-api.md, Since."""

    def __init__(self, test, **question):
        self.test, self.question = test, question
        self.wanted = question.get("status", "active")
        self.catch_up_from_nothing()

    def pages(self, **more):
        cursor = {}
        for _ in range(1000):
            answer = self.test.server.query(**self.question, **more, **cursor)
            self.test.assertEqual(answer.status, 200, answer.body)
            yield answer.json
            if "next_cursor" not in answer.json:
                return
            cursor = {"cursor": answer.json["next_cursor"]}
        self.test.fail("the pages have no end")

    def catch_up_from_nothing(self):
        self.claims = {}
        for page in self.pages():
            self.test.assertNotIn("changes", page)
            self.claims |= {claim["id"]: claim for claim in page["assertions"]}
            self.as_of = page["as_of"]["sequence"]

    def catch_up(self, limit):
        """Returns the changes."""
        changes, assertions = [], []
        for page in self.pages(since=self.as_of, limit=limit):
            changes += page["changes"]
            assertions += page["assertions"]
            as_of = page["as_of"]["sequence"]
        sequences = [change[change["type"]]["sequence"] for change in changes]
        self.test.assertEqual(sequences, sorted(set(sequences)))
        for change in changes:
            self.test.assertNotIn("claims_cut", change)
            for claim in change["claims"]:
                self.apply(claim)
        self.claims |= {claim["id"]: claim for claim in assertions}
        self.as_of = as_of
        return changes

    def apply(self, claim):
        known = self.claims.pop(claim["id"], None)
        if claim["to"] is None or self.wanted not in ("any", claim["to"]):
            return
        if known is None:
            known = self.test.server.get("/v1/assertions/" + claim["id"]).json
        self.claims[claim["id"]] = known | {"status": claim["to"]}


class Changes(KnowledgeCase):
    def assert_as(self, agent, path, value, **more):
        answer = self.server.post("/v1/assert", signed(seed(agent), {
            "concept_path": path, "predicate": "p", "value": value, "confidence": 0.8, "timestamp": TIME} | more))
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json["id"]

    def since(self, path, since, **question):
        answer = self.server.query(concept_path=path, since=since, **question)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def kinds(self, answer):
        return [change["operation"]["kind"] if change["type"] == "operation" else "assertion" for change in answer["changes"]]

    def test_each_says_what_it_names_and_what_it_did(self):
        agent = sign(seed(1), {"timestamp": TIME})["agent_id"]
        first = self.assert_as(1, "c/each", 1, source={"id": "c each"}, epoch="c old")
        second = self.store("c/each", value=2)
        self.store("c/beside", value=3)
        start = self.sequence()
        self.record("/v1/vote", assertion_id=first, weight=0.25)
        self.record("/v1/vote", assertion_id=self.store("c/beside", value=4), weight=1)  # of no interest here
        self.record(f"/v1/admin/trust/{agent}", rank=0.9, reason="r")
        self.record("/v1/admin/trust/" + "ab" * 32, rank=0.1)  # nor this
        self.record("/v1/epoch", name="c new", supersedes="c old")
        self.record("/v1/sources", id="c each")  # changes nothing
        self.record("PATCH /v1/sources/c%20each", status="under_review", reason="r")
        self.record("/v1/concepts/alias", alias="c/name", concept_path="c/each")
        self.record("/v1/supersede", target=first, replacement=second)
        self.record("/v1/retract", concept_path="c/*", reason="all")
        third = self.store("c/each", value=5)
        answer = self.since("c/each", start)
        self.assertEqual(self.kinds(answer),
                         ["vote", "trust", "epoch", "source_status", "alias", "supersession", "retraction"])
        self.assertEqual([claim["id"] for claim in answer["assertions"]], [third])
        vote, trust, epoch, source, alias, supersession, retraction = answer["changes"]
        self.assertEqual(vote["votes"], {"count": 1, "weight": 0.25})
        self.assertEqual((trust["trust"], trust["operation"]["agent"]), ({"from": 0.5, "to": 0.9}, agent))
        self.assertEqual(alias["paths"], {"joined": ["c/name"], "left": []})
        for change in (vote, trust, epoch, source, alias):
            self.assertEqual(change["claims"], [])
        sequence = {id: self.server.get("/v1/assertions/" + id).json["sequence"] for id in (first, second)}
        self.assertEqual(supersession["claims"],
                         [{"id": first, "sequence": sequence[first], "from": "active", "to": "superseded"}])
        self.assertEqual(retraction["claims"],
                         [{"id": first, "sequence": sequence[first], "from": "superseded", "to": "retracted"},
                          {"id": second, "sequence": sequence[second], "from": "active", "to": "retracted"}])
        feed = {item["operation"]["sequence"]: item["operation"] for item in self.server.get("/v1/feed", limit=100).json["items"]
                if item["type"] == "operation"}
        for change in answer["changes"]:
            self.assertEqual(change["operation"], feed[change["operation"]["sequence"]])

    def test_the_window_ends_with_as_of_and_may_be_given_as_a_time(self):
        claim = self.store("c/window")
        first = self.record("/v1/vote", assertion_id=claim, weight=0.1, timestamp=at(1))
        second = self.record("/v1/vote", assertion_id=claim, weight=0.2, timestamp=at(2))
        third = self.record("/v1/vote", assertion_id=claim, weight=0.3, timestamp=at(3))
        weights = lambda answer: [change["operation"]["weight"] for change in answer["changes"]]
        answer = self.since("c/window", first["sequence"], as_of=second["sequence"])
        self.assertEqual(weights(answer), [0.2])
        self.assertEqual(answer["changes"][0]["votes"], {"count": 1, "weight": 0.2})
        self.assertEqual(weights(self.since("c/window", 0)), [0.1, 0.2, 0.3])
        self.assertEqual(weights(self.since("c/window", third["sequence"])), [])
        self.assertEqual(weights(self.since("c/window", third["recorded_at"])), [])
        self.assertEqual(weights(self.since("c/window", "2001-01-01T00:00:00Z")), [0.1, 0.2, 0.3])
        # The same window has the same bytes, whatever comes later.
        window = {"concept_path": "c/window", "since": first["sequence"],
                  "as_of": {"sequence": second["sequence"], "time": second["recorded_at"]}}
        before = self.server.query(**window).body
        self.record("/v1/retract", concept_path="c/window")
        for value in range(20):
            self.store("c/window", value=value)
        self.assertEqual(self.server.query(**window).body, before)

    def test_filters_count_for_changes_too(self):
        times = {"valid_from": "2020-01-01T00:00:00Z", "valid_to": "2021-01-01T00:00:00Z"}
        past, other = self.store("c/filters", value="past", **times), self.store("c/filters", predicate="q", value="other")
        start = self.sequence()
        for id in (past, other):
            self.record("/v1/retract", assertion_id=id)
        changed = lambda **question: [claim["id"] for change in self.since("c/filters", start, **question)["changes"]
                                      for claim in change["claims"]]
        self.assertEqual(changed(), [past, other])
        self.assertEqual(changed(predicate="q"), [other])
        self.assertEqual(changed(valid_at="2020-06-01T00:00:00Z", predicate="thins_blood"), [past])
        self.assertEqual(changed(valid_at="2022-06-01T00:00:00Z"), [other])
        self.assertEqual(changed(lifecycle="approved"), [])
        self.assertEqual(changed(min_confidence=0.95), [])
        self.assertEqual(self.since("c/filters", start, limit=0)["changes"], [])

    def test_a_question_with_a_lens_and_one_in_the_address_have_them_too(self):
        claim = self.store("c/lens")
        start = self.sequence()
        self.record("/v1/vote", assertion_id=claim, weight=1)
        self.assertEqual(self.kinds(self.since("c/lens", start, lens="recency")), ["vote"])
        for path in ("/v1/query", "/v1/skeptic"):
            answer = self.server.get(path, concept_path="c/lens", since=start)
            self.assertEqual(self.kinds(answer.json), ["vote"], path)
        compared = self.server.post("/v1/lenses/compare", {"concept_path": "c/lens", "since": start, "lenses": ["recency"]})
        self.assertNotIn("changes", compared.json)

    def test_a_copy_follows_whatever_is_said(self):
        numbers = random.Random(seed_value := random.randrange(2**32))
        print(f"random seed {seed_value}")
        paths = ["c/f", "c/f/a", "c/f/b", "c/g"]
        copies = [Copy(self, concept_path=path, status=status) for path in ("c/f", "c/f/*", "c/*")
                  for status in ("active", "retracted", "any")]
        claims = []
        for step in range(120):
            self.say(numbers, paths, claims, step)
            if numbers.random() < 0.2:
                copy = numbers.choice(copies)
                copy.catch_up(limit=numbers.choice((1, 3, 100)))
                self.check(copy, seed_value)
        for copy in copies:
            copy.catch_up(limit=2)
            self.check(copy, seed_value)

    def check(self, copy, seed_value):
        fresh = Copy(self, **copy.question)
        self.assertEqual(fresh.as_of, copy.as_of)
        self.assertEqual(copy.claims, fresh.claims, f"{copy.question}, random seed {seed_value}")

    def say(self, numbers, paths, claims, step):
        kind = numbers.choice(["claim"] * 6 + ["vote", "retract", "cascade", "path", "source", "supersede", "alias"])
        if kind == "claim" or len(claims) < 2:
            above = numbers.sample(claims, min(len(claims), numbers.randrange(3)))
            more = {"derived_from": above} if above else {}
            claims.append(self.store(numbers.choice(paths), value=step, source={"id": f"c s{numbers.randrange(4)}"}, **more))
            return
        first, second = numbers.sample(claims, 2)
        call, body = {
            "vote": ("/v1/vote", {"assertion_id": first, "weight": 0.5}),
            "retract": ("/v1/retract", {"assertion_id": first}),
            "cascade": ("/v1/retract", {"assertion_id": first, "cascade": True}),
            "path": ("/v1/retract", {"concept_path": numbers.choice(["c/f/a", "c/f/*", "c/g"]), "cascade": numbers.random() < 0.5}),
            "source": ("/v1/retract", {"source_id": f"c s{numbers.randrange(40)}", "cascade": True}),
            "supersede": ("/v1/supersede", {"target": first, "replacement": second}),
            "alias": ("/v1/concepts/alias", {"alias": numbers.choice(["c/g", "c/f/b"]), "concept_path": numbers.choice(["c/f", "c/h"])}),
        }[kind]
        self.assertIn(self.send(call, body).status, (200, 201, 404, 409))


if __name__ == "__main__":
    unittest.main()
