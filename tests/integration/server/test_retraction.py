# SPDX-License-Identifier: Apache-2.0
"""POST /v1/retract and the question's `status`: what a retraction reaches, when it holds, and what a dry run says."""

import json
import random
import unittest
from urllib.parse import urlencode

from knowledge import IMPACT, STORED, KnowledgeCase, at, id_of
from server_process import claim
from signer import TIME

RANDOM_SEED = random.randrange(2**31)


class Retraction(KnowledgeCase):
    def impact(self, answer):
        return answer["retracted"], answer["cascaded"]

    # Of an assertion

    def test_a_retracted_assertion_counts_no_more_and_did_before(self):
        wrong, right = self.store("r/one", value="wrong"), self.store("r/one", value="right")
        before = self.sequence()
        answer = self.record("/v1/retract", assertion_id=wrong, reason="misread")
        self.assertEqual((set(answer), answer["kind"]), (STORED | IMPACT, "retraction"))
        self.assertEqual((self.impact(answer), answer["cascade"], answer["ids_sample"]), ((1, 0), False, [wrong]))
        self.assertEqual(self.values("r/one"), ["right"])
        self.assertEqual(self.statuses("r/one"), {"wrong": "retracted", "right": "active"})
        self.assertEqual((self.status_of(wrong), self.status_of(right)), ("retracted", "active"))
        self.assertEqual(self.values("r/one", as_of=before), ["right", "wrong"])
        self.assertEqual(self.statuses("r/one", as_of=before), {"wrong": "active", "right": "active"})
        self.assertEqual(self.values("r/one", as_of=answer["sequence"]), ["right"])
        self.assertEqual(self.values("r/one", as_of=answer["recorded_at"]), self.values("r/one"))

    def test_a_repeat_is_recognised_and_another_retraction_of_the_same_is_refused(self):
        id = self.store("r/twice")
        first = self.record("/v1/retract", assertion_id=id, timestamp=at(1))
        again = self.record("/v1/retract", expect=200, assertion_id=id, timestamp=at(1))
        self.assertEqual({name: again[name] for name in STORED}, {name: first[name] for name in STORED} | {"status": "duplicate"})
        self.assertEqual((self.impact(again), again["ids_sample"]), ((0, 0), []))  # nothing is left to be retracted
        self.refuse(409, "already_retracted", "/v1/retract", assertion_id=id, timestamp=at(2))
        # `false` is the same as nothing: the same content, the same operation.
        self.record("/v1/retract", expect=200, assertion_id=id, timestamp=at(1), cascade=False)

    def test_many_clients_may_retract_different_assertions_at_once(self):
        ids = [self.store("r/many", value=i) for i in range(64)]
        clients = [self.server.connect() for _ in ids]
        try:
            for client in clients:
                client.connect()
            for client, id in zip(clients, ids):
                client.request("POST", "/v1/retract", json.dumps({"assertion_id": id}))
            answers = [client.getresponse() for client in clients]
            bodies = [json.loads(answer.read()) for answer in answers]
        finally:
            for client in clients:
                client.close()
        self.assertEqual({answer.status for answer in answers}, {201}, bodies)
        self.assertEqual({body["retracted"] for body in bodies}, {1})
        self.assertEqual(self.values("r/many"), [])

    def test_a_retraction_without_cascade_may_be_followed_by_one_with(self):
        a = self.store("r/further", value="a")
        self.store("r/further", value="b", derived_from=[a])
        self.record("/v1/retract", assertion_id=a, timestamp=at(1))
        self.assertEqual(self.statuses("r/further"), {"a": "retracted", "b": "active"})
        answer = self.record("/v1/retract", assertion_id=a, timestamp=at(2), cascade=True)
        self.assertEqual(self.impact(answer), (1, 1))
        self.assertEqual(self.statuses("r/further"), {"a": "retracted", "b": "retracted"})
        self.refuse(409, "already_retracted", "/v1/retract", assertion_id=a, timestamp=at(3), cascade=True)

    def test_what_is_superseded_and_retracted_counts_as_retracted(self):
        old, new = self.store("r/both", value="old"), self.store("r/both", value="new")
        superseded = self.record("/v1/supersede", target=old, replacement=new)
        self.record("/v1/retract", assertion_id=old)
        self.assertEqual(self.statuses("r/both"), {"old": "retracted", "new": "active"})
        self.assertEqual(self.values("r/both", status="superseded"), [])
        self.assertEqual(self.values("r/both", status="superseded", as_of=superseded["sequence"]), ["old"])

    def test_a_replacement_that_is_retracted_does_not_bring_back_what_it_replaced(self):
        old, new = self.store("r/replaced", value="old"), self.store("r/replaced", value="new")
        self.record("/v1/supersede", target=old, replacement=new)
        self.record("/v1/retract", assertion_id=new)
        self.assertEqual(self.statuses("r/replaced"), {"old": "superseded", "new": "retracted"})
        self.assertEqual(self.values("r/replaced"), [])

    # Cascade

    def lineage(self, path):
        """a ← b ← c; d rests on a and on x; e has a as its parent."""
        ids = {"a": self.store(path, value="a"), "x": self.store(path, value="x")}
        ids["b"] = self.store(path, value="b", derived_from=[ids["a"]])
        ids["c"] = self.store(path, value="c", derived_from=[ids["b"]])
        ids["d"] = self.store(path, value="d", derived_from=[ids["x"], ids["a"]])
        ids["e"] = self.store(path, value="e", parent=ids["a"])
        return ids

    def test_a_cascade_reaches_all_that_is_derived_and_nothing_else(self):
        ids = self.lineage("r/cascade")
        before = self.sequence()
        preview = self.record("/v1/retract", expect=200, assertion_id=ids["a"], cascade=True, dry_run=True)
        self.assertEqual((set(preview), preview["status"], preview["allowed"]),
                         ({"status", "kind", "allowed"} | IMPACT, "dry_run", True))
        self.assertEqual((self.impact(preview), preview["cascade"]), ((4, 3), True))
        self.assertEqual(sorted(preview["ids_sample"]), sorted(ids[name] for name in "abcd"))
        self.assertEqual(self.sequence(), before)
        self.assertEqual(set(self.statuses("r/cascade").values()), {"active"})

        answer = self.record("/v1/retract", assertion_id=ids["a"], cascade=True)
        self.assertEqual({name: answer[name] for name in IMPACT}, {name: preview[name] for name in IMPACT})
        self.assertEqual(self.sequence(), before + 1)  # however many it reaches
        after = {"a": "retracted", "b": "retracted", "c": "retracted", "d": "retracted", "x": "active", "e": "active"}
        self.assertEqual(self.statuses("r/cascade"), after)
        self.assertEqual({name: self.status_of(ids[name]) for name in ids}, after)
        self.assertEqual(set(self.statuses("r/cascade", as_of=before).values()), {"active"})

    def test_without_cascade_what_is_derived_stays(self):
        ids = self.lineage("r/alone")
        answer = self.record("/v1/retract", assertion_id=ids["a"])
        self.assertEqual((self.impact(answer), answer["ids_sample"]), ((1, 0), [ids["a"]]))
        self.assertEqual(self.values("r/alone"), ["b", "c", "d", "e", "x"])

    def test_what_is_retracted_already_is_not_counted_again(self):
        ids = self.lineage("r/counted")
        self.record("/v1/retract", assertion_id=ids["b"])
        answer = self.record("/v1/retract", assertion_id=ids["a"], cascade=True)
        self.assertEqual(self.impact(answer), (3, 2))  # a, and c and d with it: c rests on a, though b is gone
        self.assertEqual(self.values("r/counted"), ["e", "x"])

    def test_a_cascade_reaches_claims_that_are_made_later(self):
        a = self.store("r/late", value="a")
        retraction = self.record("/v1/retract", assertion_id=a, cascade=True)
        b = self.store("r/late", value="b", derived_from=[a])
        self.store("r/late", value="c", derived_from=[b])
        self.assertEqual(self.statuses("r/late"), {"a": "retracted", "b": "retracted", "c": "retracted"})
        self.assertEqual(self.values("r/late", as_of=retraction["sequence"] - 1), ["a"])

    def test_who_makes_a_claim_that_is_retracted_from_its_first_moment_is_told(self):
        premise, gone = self.store("r/born", value="premise"), {"id": "r/born source"}
        plain = self.server.post("/v1/assert", claim(concept_path="r/born", value="plain", source={"id": "r/born other"}))
        self.assertNotIn("status_now", plain.json)
        self.record("/v1/retract", assertion_id=premise, cascade=True)
        self.record("/v1/retract", source_id=gone["id"])
        reached = [claim(concept_path="r/born", value="derived", derived_from=[premise], timestamp=TIME),
                   claim(concept_path="r/born", value="of the source", source=gone, timestamp=TIME)]
        good = claim(concept_path="r/born", value="good", source={"id": "r/born other"}, timestamp=TIME)
        for status, told in ((201, "created"), (200, "duplicate")):
            for one in reached:
                answer = self.server.post("/v1/assert", one)
                self.assertEqual((answer.status, answer.json["status"], answer.json.get("status_now")),
                                 (status, told, "retracted"), answer.body)
            answer = self.server.post("/v1/assertions", good)
            self.assertEqual((answer.status, answer.json["status"]), (status, told), answer.body)
            self.assertNotIn("status_now", answer.json)
        # Not so when it comes first, and nobody is told of what comes to pass later.
        replacement = self.store("r/born", value="better")
        self.record("/v1/supersede", target=id_of(good), replacement=replacement)
        batch = self.server.post("/v1/assert/batch", [good, claim(concept_path="r/born", confidence=2), *reached,
                                                      claim(concept_path="r/born", value="new", derived_from=[replacement]),
                                                      claim(concept_path="r/born", value="too", derived_from=[id_of(reached[0])])])
        self.assertEqual(batch.status, 201, batch.body)
        self.assertEqual([result.get("status_now") for result in batch.json["results"]],
                         ["superseded", None, "retracted", "retracted", None, "retracted"])

    def test_a_claim_may_be_derived_from_one_that_comes_later(self):
        above = claim(concept_path="r/order", value="above", timestamp=TIME, source={"id": "r/order source"})
        self.store("r/order", value="below", derived_from=[id_of(above)])
        self.record("/v1/retract", source_id="r/order source", cascade=True)
        self.assertEqual(self.statuses("r/order"), {"below": "active"})  # what it rests on isn't there yet
        before = self.sequence()
        answer = self.server.post("/v1/assert", above)
        self.assertEqual((answer.status, answer.json["id"]), (201, id_of(above)))
        self.assertEqual(self.statuses("r/order"), {"below": "retracted", "above": "retracted"})
        self.assertEqual(self.statuses("r/order", as_of=before), {"below": "active"})

    # By path and by source

    def test_by_path_it_reaches_what_was_there(self):
        self.store("r/path", value="there")
        self.store("r/path/below", value="below")
        self.record("/v1/retract", concept_path="r/path", timestamp=at(1))
        self.store("r/path", value="later")
        self.assertEqual(self.statuses("r/path"), {"there": "retracted", "later": "active"})
        self.assertEqual(self.values("r/path/below"), ["below"])
        # So it may be done again.
        for moment, expected in ((2, (1, 0)), (3, (0, 0))):
            self.assertEqual(self.impact(self.record("/v1/retract", concept_path="r/path", timestamp=at(moment))), expected)

    def test_a_repeat_by_path_says_nothing_of_later_claims_that_it_leaves_alone(self):
        self.store("r/again", value="there")
        first = self.record("/v1/retract", concept_path="r/again", timestamp=at(1))
        self.assertEqual(self.impact(first), (1, 0))
        self.store("r/again", value="later")
        for more in ({}, {"dry_run": True}):
            again = self.record("/v1/retract", expect=200, concept_path="r/again", timestamp=at(1), **more)
            self.assertEqual((self.impact(again), again["ids_sample"]), ((0, 0), []))
        self.assertEqual(self.statuses("r/again"), {"there": "retracted", "later": "active"})

    def test_a_subtree_is_all_below_and_not_the_path_itself(self):
        self.store("r/tree", value="itself")
        for name in ("r/tree/a", "r/tree/b/c"):
            self.store(name, value=name)
        self.store("r/treehouse", value="beside")
        self.assertEqual(self.impact(self.record("/v1/retract", concept_path="r/tree/*")), (2, 0))
        self.store("r/tree/a", value="later")
        self.assertEqual(self.statuses("r/tree/*"), {"r/tree/a": "retracted", "r/tree/b/c": "retracted", "later": "active"})
        self.assertEqual((self.values("r/tree"), self.values("r/treehouse")), (["itself"], ["beside"]))

    def test_a_scheme_is_a_subtree_too(self):
        self.store("rfda://labels/x", value=1)
        self.assertEqual(self.impact(self.record("/v1/retract", concept_path="rfda://*")), (1, 0))
        self.assertEqual(self.statuses("rfda://labels/x"), {1: "retracted"})

    def test_by_path_it_cascades_to_other_paths(self):
        a = self.store("r/from/a", value="a")
        self.store("r/to/b", value="b", derived_from=[a])
        answer = self.record("/v1/retract", concept_path="r/from/*", cascade=True)
        self.assertEqual(self.impact(answer), (2, 1))
        self.assertEqual(self.statuses("r/to/b"), {"b": "retracted"})

    def test_a_path_without_claims_can_not_be_retracted(self):
        self.store("r/leaf")
        for path in ("r/nowhere", "r/nowhere/*", "r/leaf/*"):
            answer = self.refuse(404, "unknown_concept", "/v1/retract", concept_path=path)
            self.assertIn(path, answer.json["detail"])

    def test_by_source_it_reaches_later_claims_as_well(self):
        blog = {"id": "r/blog", "class": "community"}
        self.store("r/source", value="before", source=blog)
        self.store("r/source", value="other", source={"id": "r/journal"})
        before = self.sequence()
        answer = self.record("/v1/retract", source_id="r/blog", timestamp=at(1))
        self.assertEqual(self.impact(answer), (1, 0))
        self.store("r/source", value="after", source=blog)
        self.assertEqual(self.statuses("r/source"), {"before": "retracted", "other": "active", "after": "retracted"})
        self.assertEqual(self.values("r/source", as_of=before), ["before", "other"])
        self.refuse(409, "already_retracted", "/v1/retract", source_id="r/blog", timestamp=at(2))
        self.record("/v1/retract", source_id="r/blog", timestamp=at(3), cascade=True)
        self.refuse(409, "already_retracted", "/v1/retract", source_id="r/blog", timestamp=at(4), cascade=True)

    # Answers

    def test_the_known_answer_of_two_that_contradict_is_unanimous_once_one_is_retracted(self):
        ids = [self.store("r/known", value=value, confidence=0.85, source={"id": f"trial-{value}", "class": "clinical"})
               for value in (10, 20)]
        before = self.resolution("r/known", "skeptic")
        self.assertEqual((before["conflict_score"], before["status"]), (1.0, "contested"))
        retraction = self.record("/v1/retract", assertion_id=ids[0])
        after = self.resolution("r/known", "skeptic")
        self.assertEqual((after["conflict_score"], after["status"], [c["value"] for c in after["claims"]]),
                         (0.0, "unanimous", [20]))
        self.assertEqual(self.resolution("r/known", "skeptic", as_of=retraction["sequence"] - 1)["claims"], before["claims"])
        self.assertEqual(self.resolution("r/known", "skeptic", status="any")["claims"], before["claims"])
        self.record("/v1/retract", assertion_id=ids[1])
        nothing = self.resolution("r/known", "recency", predicate="thins_blood")
        self.assertEqual((nothing["status"], nothing["candidates_count"]), ("none", 0))

    def test_every_question_call_knows_the_status(self):
        gone, new = self.store("r/calls", value="gone"), self.store("r/calls", value="new")
        self.record("/v1/supersede", target=self.store("r/calls", value="old"), replacement=new)
        self.record("/v1/retract", assertion_id=gone)
        expected = {"active": ["new"], "superseded": ["old"], "retracted": ["gone"], "any": ["gone", "new", "old"]}
        for status, values in expected.items():
            question = {"concept_path": "r/calls", "status": status}
            answers = [self.server.query(**question), self.server.get("/v1/query", **question),
                       self.server.get("/v1/skeptic", **question), self.server.get("/v1/layered", **question),
                       self.server.query(**question, lens="recency")]
            for answer in answers:
                self.assertEqual(sorted(a["value"] for a in answer.json["assertions"]), values)
                for resolution in answer.json["resolutions"]:
                    self.assertEqual(resolution["candidates_count"], len(values))
            compared = self.server.post("/v1/lenses/compare", question | {"lenses": ["recency", "skeptic"]}).json
            for result in compared["results"]:
                self.assertEqual(sorted(c["value"] for c in result["resolutions"][0]["claims"]), values)
        self.assertEqual(self.values("r/calls"), expected["active"])

    def test_a_wrong_status_is_named_with_what_is_allowed(self):
        for status in ("proposed", "Active", "", 1, ["active"], None):
            answer = self.server.query(concept_path="a", status=status)
            self.assertEqual((answer.status, answer.pointers), (400, ["/status"]), status)
        answer = self.server.get("/v1/query?" + urlencode({"concept_path": "a", "status": "quarantined"}))
        self.assertEqual((answer.status, answer.pointers), (400, ["status"]))
        self.assertIn("active, superseded, retracted, any", answer.json["detail"])

    def test_pages_fit_together_over_what_is_left_out(self):
        ids = [self.store("r/pages", value=i) for i in range(25)]
        for id in ids[::2]:
            self.record("/v1/retract", assertion_id=id)
        for status, expected in (("active", range(23, 0, -2)), ("retracted", range(24, -1, -2)), ("any", range(24, -1, -1))):
            seen, cursor = [], {}
            for _ in range(30):
                answer = self.server.query(concept_path="r/pages", predicate="thins_blood", status=status, limit=4, **cursor).json
                seen += [assertion["value"] for assertion in answer["assertions"]]
                if "next_cursor" not in answer:
                    break
                cursor = {"cursor": answer["next_cursor"]}
            self.assertEqual(seen, list(expected), status)

    def test_counts_of_concepts_include_whatever_was_said(self):
        self.record("/v1/retract", assertion_id=self.store("r/counts/a"))
        listing = self.server.get("/v1/concepts", prefix="r/counts").json["concepts"]
        self.assertEqual([(c["concept_path"], c["assertion_count"]) for c in listing], [("r/counts/a", 1)])

    # Refusals

    def test_a_retraction_names_one_target(self):
        id = self.store("r/target")
        answer = self.refuse(400, "invalid_request", "/v1/retract", [""], reason="no target")
        self.assertIn("assertion_id, concept_path, source_id", answer.json["detail"])
        self.refuse(400, "invalid_request", "/v1/retract", ["/concept_path"], assertion_id=id, concept_path="r/target")
        self.refuse(400, "invalid_request", "/v1/retract", ["/source_id"], concept_path="r/target", source_id="s")
        self.assertEqual(self.status_of(id), "active")

    def test_everything_at_once_is_not_retracted(self):
        for path in ("*", "/*", "//*", "r//*"):
            self.refuse(400, "invalid_request", "/v1/retract", ["/concept_path"], concept_path=path)

    def test_what_is_no_assertion_can_not_be_retracted(self):
        id = self.store("r/kinds")
        vote = self.record("/v1/vote", assertion_id=id, weight=1)["id"]
        for missing in ("0" * 64, vote):
            for dry_run in (False, True):
                self.refuse(404, "unknown_assertion", "/v1/retract", assertion_id=missing, dry_run=dry_run)

    def test_wrong_retractions_are_refused_with_their_fields(self):
        id = "ab" * 32
        for pointers, body in ((["/assertion_id"], {"assertion_id": id[1:]}), (["/cascade"], {"assertion_id": id, "cascade": 1}),
                               (["/dry_run"], {"assertion_id": id, "dry_run": "true"}), (["/source_id"], {"source_id": ""}),
                               (["/source_id"], {"source_id": "x" * 513}), (["/concept_path"], {"concept_path": "a//b"}),
                               (["/concept_path"], {"concept_path": 7}), (["/reason"], {"source_id": "s", "reason": "x" * 1025}),
                               (["/subject"], {"subject": "a", "source_id": "s"})):
            self.refuse(400, "invalid_request", "/v1/retract", pointers, **body)


class Recomputed(KnowledgeCase):
    """Claims that rest on each other at random, operations about them at random: at every moment the database must say
    what follows from the log up to there, by the rules of docs/knowledge.md and nothing else.
    """

    def test_every_moment_is_what_follows_from_the_log_up_to_there(self):
        print(f"random seed {RANDOM_SEED}")
        dice = random.Random(RANDOM_SEED)
        self.claims, self.operations = [], []
        for step in range(160):
            if not self.claims or dice.random() < 0.5:
                self.add_claim(dice)
            else:
                self.add_operation(dice, step)
            if step % 8 == 7:
                self.compare(self.sequence())
        last = self.sequence()
        for sequence in dice.sample(range(1, last + 1), 40):
            self.compare(sequence)

    def add_claim(self, dice):
        number = len(self.claims)
        above = dice.sample(self.claims, min(len(self.claims), dice.choice((0, 0, 1, 2))))
        fields = {"path": f"dag/{dice.choice('ab')}/{dice.choice('cd')}", "source": f"source {dice.randrange(6)}"}
        more = {"derived_from": [other["id"] for other in above]} if above else {}
        id = self.store(fields["path"], value=number, source={"id": fields["source"]}, **more)
        self.claims.append(fields | {"id": id, "value": number, "sequence": self.sequence(), "above": above})

    def add_operation(self, dice, step):
        kind = dice.choice(("assertion_id", "assertion_id", "concept_path", "source_id", "supersede"))
        one, other = dice.choice(self.claims), dice.choice(self.claims)
        if kind == "supersede":
            call, body = "/v1/supersede", {"target": one["id"], "replacement": other["id"]}
        else:
            subtree = one["path"].rsplit("/", 1)[0] + "/*"
            targets = {"assertion_id": one["id"], "source_id": one["source"],
                       "concept_path": one["path"] if dice.random() < 0.7 else subtree}
            call, body = "/v1/retract", {kind: targets[kind], "cascade": dice.random() < 0.5}
        before = self.retracted(self.sequence())
        answer = self.send(call, body | {"timestamp": at(step)})
        if answer.status != 201:  # final already, or the claim itself
            self.assertIn(answer.status, (400, 409), answer.body)
            return
        self.operations.append({"kind": kind, "body": body, "sequence": answer.json["sequence"]})
        if kind != "supersede":
            new = self.retracted(answer.json["sequence"]) - before
            self.assertEqual(answer.json["retracted"], len(new), body)
            self.assertTrue(set(answer.json["ids_sample"]) <= new)

    @staticmethod
    def names(operation, one):
        target = operation["body"].get(operation["kind"])
        if operation["kind"] == "assertion_id":
            return one["id"] == target
        if operation["kind"] == "source_id":
            return one["source"] == target
        at_path = one["path"].startswith(target[:-1]) if target.endswith("/*") else one["path"] == target
        return at_path and one["sequence"] < operation["sequence"]

    def retracted(self, moment):
        """Ids of all that is retracted at the end of a sequence."""
        retractions = [o for o in self.operations if o["kind"] != "supersede" and o["sequence"] <= moment]
        cascading = [o for o in retractions if o["body"]["cascade"]]
        gone, reached = set(), set()
        for one in self.claims:  # what a claim is derived from comes before it
            if one["sequence"] > moment:
                break
            if any(self.names(o, one) for o in cascading) or any(other["id"] in reached for other in one["above"]):
                reached.add(one["id"])
            if one["id"] in reached or any(self.names(o, one) for o in retractions):
                gone.add(one["id"])
        return gone

    def compare(self, moment):
        gone = self.retracted(moment)
        superseded = {o["body"]["target"] for o in self.operations if o["kind"] == "supersede" and o["sequence"] <= moment}
        expected = {one["value"]: "retracted" if one["id"] in gone else "superseded" if one["id"] in superseded else "active"
                    for one in self.claims if one["sequence"] <= moment}
        self.assertEqual(self.statuses("dag/*", as_of=moment), expected, f"at {moment}")


class LongLineages(KnowledgeCase):
    """Each claim derived from the one before it, so many that an event loop doesn't look at them all."""

    LENGTH = 3000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        items = []
        for i in range(cls.LENGTH):
            above = {"derived_from": [id_of(items[-1])]} if items else {}
            items.append(claim(concept_path=f"long/{i}", value=i, timestamp=TIME, **above))
        cls.ids = [id_of(item) for item in items]
        answer = cls.server.post("/v1/assert/batch", items).json
        assert answer["created"] == cls.LENGTH and answer["results"][-1]["id"] == cls.ids[-1], answer
        cls.preview = cls.server.post("/v1/retract", {"assertion_id": cls.ids[0], "cascade": True, "dry_run": True})
        cls.retraction = cls.server.post("/v1/retract", {"assertion_id": cls.ids[0], "cascade": True})

    def test_a_cascade_goes_all_the_way(self):
        self.assertEqual((self.preview.status, self.retraction.status), (200, 201))
        for answer in (self.preview.json, self.retraction.json):
            self.assertEqual((answer["retracted"], answer["cascaded"]), (self.LENGTH, self.LENGTH - 1))
            self.assertEqual(answer["ids_sample"], self.ids[:20])
            self.assertNotIn("at_least", answer)

    def test_a_question_about_its_end_is_answered(self):
        path = f"long/{self.LENGTH - 1}"
        self.assertEqual(self.values(path), [])
        self.assertEqual(self.statuses(path), {self.LENGTH - 1: "retracted"})
        self.assertEqual(self.resolution(path, "recency", predicate="thins_blood")["candidates_count"], 0)
        before = self.retraction.json["sequence"] - 1
        self.assertEqual(self.resolution(path, "recency", as_of=before)["value"], self.LENGTH - 1)

    def test_a_question_about_all_of_it_is_answered(self):
        answer = self.server.query(concept_path="long/*", status="retracted", limit=10_000)
        self.assertEqual((answer.status, len(answer.json["assertions"])), (200, self.LENGTH))

    def test_calls_without_a_question_are_answered_as_well(self):
        last = self.ids[-1]
        for target in ("/v1/assertions/" + last, "/v1/trace/" + last, "/v1/feed?limit=2"):
            answer = self.server.request("GET", target)
            self.assertEqual(answer.status, 200, f"{target}: {answer.body[:300]!r}")
        self.assertEqual(self.status_of(last), "retracted")
        self.assertEqual(self.trace(last)["status"], "retracted")


if __name__ == "__main__":
    unittest.main()
