# SPDX-License-Identifier: Apache-2.0
"""GET /v1/trace/{id} and GET /v1/feed."""

import unittest

from knowledge import KnowledgeCase, at
from server_process import claim
from signer import TIME, seed, signed


class Trace(KnowledgeCase):
    def test_of_a_claim_of_which_nobody_said_anything(self):
        id = self.store("t/alone")
        trace = self.trace(id)
        self.assertEqual(trace["assertion"], self.server.get("/v1/assertions/" + id).json)
        self.assertEqual({name: value for name, value in trace.items() if name != "assertion"},
                         {"status": "active", "trust": 0.5, "derived_trust": 0.5, "votes": {"count": 0, "weight": 0},
                          "rests_on": [], "resting_on_it": [], "operations": [], "queried_by": []})

    def test_it_goes_one_step_up_and_one_step_down(self):
        top = self.store("t/top")
        parent = self.store("t/parent", value=1)
        missing = "ab" * 32
        middle = self.store("t/middle", derived_from=[top, missing], parent=parent)
        below = self.store("t/below", predicate="follows", derived_from=[middle])
        heir = self.store("t/heir", parent=middle)
        self.store("t/bottom", derived_from=[below])
        self.record("/v1/retract", assertion_id=top)
        trace = self.trace(middle)

        def linked(id, relation, path, status="active", predicate="thins_blood"):
            stored = self.server.get("/v1/assertions/" + id).json
            return {"id": id, "relation": relation, "concept_path": path, "predicate": predicate,
                    "sequence": stored["sequence"], "status": status}

        self.assertEqual(trace["rests_on"], [linked(parent, "parent", "t/parent"),
                                             linked(top, "derived_from", "t/top", "retracted"),
                                             {"id": missing, "relation": "derived_from", "status": "unknown"}])
        self.assertEqual(trace["resting_on_it"], [linked(below, "derived_from", "t/below", predicate="follows"),
                                                  linked(heir, "parent", "t/heir")])

    def test_it_tells_everything_that_was_said_about_the_claim(self):
        self.record("/v1/source", id="t/source", title="T", content="left out", timestamp=at(1))
        self.record("/v1/epoch", name="t/epoch")
        self.store("t/other")
        self.record("/v1/retract", concept_path="t/other")  # before the claim, and about another path
        id = self.store("t/said/here", source={"id": "t/source"}, epoch="t/epoch")
        new = self.store("t/said/new")
        self.record("/v1/vote", **signed(seed(1), {"assertion_id": id, "weight": 0.5, "timestamp": at(2)}, "vote"))
        self.record("/v1/supersede", target=id, replacement=new, reason="better")
        self.record("PATCH /v1/sources/t%2Fsource", status="under_review")
        self.record("/v1/epoch", name="t/next", supersedes="t/epoch", supersession_type="expires")
        self.record("/v1/retract", concept_path="t/said/here", timestamp=at(3))
        self.record("/v1/retract", concept_path="t/said/*", timestamp=at(4), cascade=True)
        self.record("/v1/retract", assertion_id=id, reason="all of it")
        trace = self.trace(id)
        self.assertEqual([operation["kind"] for operation in trace["operations"]],
                         ["source", "epoch", "vote", "supersession", "source_status", "epoch", "retraction", "retraction",
                          "retraction"])
        source, _, vote, supersession, _, epoch, by_path, by_subtree, by_id = trace["operations"]
        self.assertEqual((source["id"], "content" in source), ("t/source", False))
        self.assertEqual((vote["weight"], vote["timestamp"]), (0.5, at(2)))
        self.assertIn("signature", vote)
        self.assertEqual((supersession["target"], supersession["replacement"], supersession["reason"]), (id, new, "better"))
        self.assertEqual((epoch["name"], epoch["supersedes"], epoch["supersession_type"]), ("t/next", "t/epoch", "expires"))
        self.assertEqual((by_path["concept_path"], by_subtree["concept_path"], by_subtree["cascade"]),
                         ("t/said/here", "t/said/*", True))
        self.assertEqual((by_id["assertion_id"], by_id["reason"]), (id, "all of it"))
        self.assertEqual(trace["votes"], {"count": 1, "weight": 0.5})
        self.assertEqual((trace["status"], trace["assertion"]["status"]), ("retracted", "retracted"))
        sequences = [operation["sequence"] for operation in trace["operations"]]
        self.assertEqual(sequences, sorted(sequences))
        # The other side of the supersession tells of it too.
        self.assertEqual([o["kind"] for o in self.trace(new)["operations"]], ["supersession", "retraction"])

    def test_it_names_the_retraction_behind_a_cascade(self):
        root = self.store("t/cause/root", source={"id": "t/cause source"})
        middle = self.store("t/cause/middle", derived_from=[self.store("t/cause/other"), root])
        leaf = self.store("t/cause/leaf", derived_from=[middle])
        self.assertNotIn("retraction", self.trace(leaf))
        self.record("/v1/retract", concept_path="t/cause/middle")  # without a cascade
        self.assertNotIn("retraction", self.trace(leaf))
        self.assertEqual(self.trace(middle)["retraction"]["operation"]["concept_path"], "t/cause/middle")
        answer = self.record("/v1/retract", source_id="t/cause source", cascade=True, reason="withdrawn")
        retraction = self.trace(leaf)["retraction"]
        self.assertEqual(retraction["assertion_id"], root)
        self.assertEqual((retraction["operation"]["id"], retraction["operation"]["reason"]), (answer["id"], "withdrawn"))
        self.assertEqual(self.trace(root)["retraction"], retraction)
        self.assertEqual(self.trace(middle)["retraction"]["assertion_id"], middle)  # the first that reached it
        # Of one that comes later it is the same.
        later = self.store("t/cause/later", derived_from=[leaf])
        self.assertEqual(self.trace(later)["retraction"], retraction)

    def test_long_lists_are_cut_and_say_so(self):
        id = self.store("t/popular")
        items = [claim(concept_path=f"t/fans/{i}", derived_from=[id], timestamp=TIME) for i in range(101)]
        self.assertEqual(self.server.post("/v1/assert/batch", items[:100]).json["created"], 100)
        trace = self.trace(id)
        self.assertEqual((len(trace["resting_on_it"]), "resting_on_it_cut" in trace), (100, False))
        self.assertEqual(self.server.post("/v1/assert/batch", items[100:]).json["created"], 1)
        for i in range(101):
            self.record("/v1/vote", assertion_id=id, weight=0.5, timestamp=at(i))
        trace = self.trace(id)
        self.assertEqual((len(trace["resting_on_it"]), trace["resting_on_it_cut"]), (100, True))
        self.assertEqual((len(trace["operations"]), trace["operations_cut"]), (100, True))
        self.assertEqual(trace["operations"][-1]["timestamp"], at(100))  # the newest are kept
        self.assertEqual(trace["votes"], {"count": 1, "weight": 0.5})

    def test_what_is_no_assertion_has_no_trace(self):
        vote = self.record("/v1/vote", assertion_id=self.store("t/voted"), weight=1)["id"]
        for id in ("0" * 64, vote):
            answer = self.server.get("/v1/trace/" + id)
            self.assertEqual((answer.status, answer.code), (404, "unknown_assertion"))
            self.assertEqual(self.server.get("/v1/assertions/" + id).code, "unknown_assertion")
        for id in ("G" * 64, "AB" * 32, "ab"):
            answer = self.server.get("/v1/trace/" + id)
            self.assertEqual((answer.status, answer.code, answer.pointers), (400, "invalid_request", ["id"]))
        self.assertEqual(self.server.get("/v1/trace/" + "0" * 64, depth="2").code, "invalid_request")


class Feed(KnowledgeCase):
    def feed(self, **params):
        answer = self.server.get("/v1/feed", **params)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def test_it_tells_what_came_in_newest_first_page_by_page(self):
        self.assertEqual(self.feed(), {"items": []})
        first = self.store("f/first")
        second = self.store("f/second")
        vote = self.record("/v1/vote", assertion_id=first, weight=1)
        source = self.record("/v1/source", id="f/source", content="left out")
        retraction = self.record("/v1/retract", assertion_id=first)
        alias = self.record("/v1/concepts/alias", alias="f/name", concept_path="f/second")
        whole = self.feed()
        self.assertNotIn("next_cursor", whole)
        self.assertEqual([item["type"] for item in whole["items"]], ["operation"] * 4 + ["assertion"] * 2)
        operations = [item["operation"] for item in whole["items"][:4]]
        self.assertEqual([operation["kind"] for operation in operations], ["alias", "retraction", "source", "vote"])
        self.assertEqual([operation["sequence"] for operation in operations],
                         [answer["sequence"] for answer in (alias, retraction, source, vote)])
        self.assertEqual((operations[2]["operation_id"], "content" in operations[2]), (source["id"], False))
        self.assertEqual([(item["assertion"]["id"], item["assertion"]["status"]) for item in whole["items"][4:]],
                         [(second, "active"), (first, "retracted")])
        for limit in (1, 2, 4, 5, 6):
            self.assertEqual(self.pages(limit), whole["items"], limit)

    def pages(self, limit):
        items, cursor = [], {}
        while True:
            page = self.feed(limit=limit, **cursor)
            self.assertLessEqual(len(page["items"]), limit)
            items += page["items"]
            if "next_cursor" not in page:
                break
            cursor = {"cursor": page["next_cursor"]}
        self.assertEqual(items[-1]["assertion"]["sequence"], 1)
        return items

    def test_pages_go_on_where_they_were_while_writes_go_on(self):
        self.store("f/pages")
        first = self.feed(limit=1)
        for i in range(3):
            self.store(f"f/pages/{i}")
        second = self.feed(limit=1, cursor=first["next_cursor"])
        one, other = (page["items"][0] for page in (first, second))
        self.assertEqual(one["assertion"]["concept_path"], "f/pages")
        self.assertEqual(other[other["type"]]["sequence"], one["assertion"]["sequence"] - 1)
        self.assertEqual(self.feed(limit=1)["items"][0]["assertion"]["concept_path"], "f/pages/2")

    def test_wrong_pages_are_refused(self):
        for params, pointer in (({"limit": 0}, "limit"), ({"limit": "-1"}, "limit"), ({"limit": 1_001}, "limit"),
                                ({"cursor": ""}, "cursor"), ({"cursor": "x"}, "cursor"), ({"cursor": "1x"}, "cursor"),
                                ({"cursor": "-1"}, "cursor"), ({"cursor": "9" * 20}, "cursor"), ({"cursor": "1" * 21}, "cursor"),
                                ({"since": 1}, "since")):
            answer = self.server.get("/v1/feed", **params)
            self.assertEqual((answer.status, answer.code, answer.pointers), (400, "invalid_request", [pointer]), params)
        self.assertEqual(self.server.request("GET", "/v1/feed?limit=%ff").code, "invalid_query")


if __name__ == "__main__":
    unittest.main()
