# SPDX-License-Identifier: Apache-2.0
"""POST /v1/concepts/alias: one concept under several paths."""

import unittest

from knowledge import STORED, KnowledgeCase, at

ALIAS = "/v1/concepts/alias"


class Aliases(KnowledgeCase):
    def alias(self, alias, concept_path, **more):
        return self.record(ALIAS, alias=alias, concept_path=concept_path, **more)

    def ask(self, path, **question):
        answer = self.server.query(concept_path=path, **question)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def test_a_question_about_either_covers_the_claims_of_both(self):
        self.store("al/semaglutide", value="drug")
        self.store("al/ozempic", value="brand")
        before = self.sequence()
        self.assertEqual(self.values("al/ozempic"), ["brand"])
        answer = self.alias("al/ozempic", "al/semaglutide")
        self.assertEqual((set(answer), answer["kind"]), (STORED, "alias"))
        for path in ("al/semaglutide", "al/ozempic"):
            shown = self.ask(path, lens="skeptic")
            self.assertEqual((shown["concept_path"], shown.get("alias_of")), (path, "al/semaglutide" if "oz" in path else None))
            self.assertEqual(sorted(a["concept_path"] for a in shown["assertions"]), ["al/ozempic", "al/semaglutide"])
            resolution, = shown["resolutions"]
            self.assertEqual((resolution["concept_path"], resolution["conflict_score"], resolution["status"]),
                             ("al/semaglutide", 1.0, "contested"))
            self.assertEqual(self.values(path), ["brand", "drug"])
            self.assertEqual(self.values(path, as_of=answer["sequence"]), ["brand", "drug"])
        self.assertEqual(self.values("al/ozempic", as_of=before), ["brand"])
        self.assertNotIn("alias_of", self.ask("al/ozempic", as_of=before))

    def test_every_question_call_follows_it(self):
        self.store("al/calls/target", value="there")
        self.alias("al/calls/name", "al/calls/target")
        question = {"concept_path": "al/calls/name"}
        answers = [self.server.query(**question), self.server.get("/v1/query", **question),
                   self.server.get("/v1/skeptic", **question), self.server.get("/v1/layered", **question)]
        for answer in answers:
            self.assertEqual((answer.json["alias_of"], [a["value"] for a in answer.json["assertions"]]),
                             ("al/calls/target", ["there"]))
        compared = self.server.post("/v1/lenses/compare", question | {"lenses": ["recency"]}).json
        self.assertEqual((compared["alias_of"], compared["results"][0]["resolutions"][0]["value"]), ("al/calls/target", "there"))
        self.assertEqual(self.seen_by_a_lens("c.value", "al/calls/name"), "there")

    def test_a_pair_that_nobody_spoke_of_is_answered_for_the_concept(self):
        self.alias("al/empty/name", "al/empty/target")
        resolution = self.resolution("al/empty/name", "recency", predicate="unsaid")
        self.assertEqual((resolution["concept_path"], resolution["status"]), ("al/empty/target", "none"))

    def test_aliases_of_aliases_lead_to_the_concept(self):
        for name in "abc":
            self.store("al/chain/" + name, value=name)
        self.alias("al/chain/a", "al/chain/b")
        self.alias("al/chain/b", "al/chain/c")
        for name in "abc":
            self.assertEqual(self.values("al/chain/" + name), ["a", "b", "c"])
        self.assertEqual(self.ask("al/chain/a")["alias_of"], "al/chain/c")

    def test_a_later_alias_of_the_same_path_takes_the_earlier_ones_place(self):
        for name in ("one", "two", "name"):
            self.store("al/moved/" + name, value=name)
        first = self.alias("al/moved/name", "al/moved/one", timestamp=at(1))
        second = self.alias("al/moved/name", "al/moved/two", timestamp=at(2))
        self.assertEqual(self.values("al/moved/one"), ["one"])
        self.assertEqual(self.values("al/moved/two"), ["name", "two"])
        self.assertEqual(self.ask("al/moved/name")["alias_of"], "al/moved/two")
        self.assertEqual(self.values("al/moved/one", as_of=first["sequence"]), ["name", "one"])
        self.assertEqual(self.ask("al/moved/name", as_of=first["sequence"])["alias_of"], "al/moved/one")
        # The first one again is a repeat, and doesn't move it back.
        again = self.record(ALIAS, expect=200, alias="al/moved/name", concept_path="al/moved/one", timestamp=at(1))
        self.assertEqual(again, first | {"status": "duplicate"})
        self.assertEqual(self.ask("al/moved/name")["alias_of"], "al/moved/two")
        self.assertGreater(second["sequence"], first["sequence"])

    def test_an_alias_that_stands_for_itself_again_is_taken_back(self):
        for name in ("name", "target"):
            self.store("al/back/" + name, value=name)
        self.alias("al/back/name", "al/back/target")
        before = self.sequence()
        back = self.alias("al/back/name", "al/back/name")
        self.assertEqual((set(back), back["kind"]), (STORED, "alias"))
        self.assertEqual((self.values("al/back/name"), self.values("al/back/target")), (["name"], ["target"]))
        self.assertNotIn("alias_of", self.ask("al/back/name"))
        self.assertEqual(self.resolution("al/back/name", "recency")["concept_path"], "al/back/name")
        self.assertEqual(self.values("al/back/target", as_of=before), ["name", "target"])
        self.assertEqual(self.ask("al/back/name", as_of=before)["alias_of"], "al/back/target")
        newest = self.server.get("/v1/feed", limit=1).json["items"][0]["operation"]
        self.assertEqual((newest["kind"], newest["alias"], newest["concept_path"]), ("alias", "al/back/name", "al/back/name"))
        changes = self.ask("al/back/target", since=before)["changes"]
        self.assertEqual([change["paths"]["left"] for change in changes], [["al/back/name"]])
        self.refuse(409, "not_an_alias", ALIAS, alias="al/back/name", concept_path="al/back/name", timestamp=at(1))
        self.alias("al/back/target", "al/back/name")
        self.assertEqual(self.values("al/back/target"), ["name", "target"])

    def test_a_subtree_is_the_paths_below_as_they_are(self):
        self.store("al/tree/a", value="a")
        self.store("al/other", value="other")
        self.alias("al/other", "al/tree/a")
        self.assertEqual(self.values("al/tree/*"), ["a"])
        self.assertNotIn("alias_of", self.ask("al/tree/*"))
        self.alias("al/trees", "al/tree")
        self.assertEqual(self.values("al/trees/*"), [])

    def test_the_claims_keep_their_filters_and_their_operations(self):
        here, there = self.store("al/kept/target", value="here"), self.store("al/kept/name", value="there")
        self.alias("al/kept/name", "al/kept/target")
        self.record("/v1/retract", assertion_id=there)
        self.assertEqual(self.values("al/kept/target"), ["here"])
        self.assertEqual(self.values("al/kept/name", status="retracted"), ["there"])
        self.record("/v1/supersede", target=here, replacement=there)
        self.assertEqual(self.statuses("al/kept/name"), {"here": "superseded", "there": "retracted"})

    def test_a_retraction_by_path_is_about_that_path_alone(self):
        self.store("al/path/target", value="target")
        self.store("al/path/name", value="name")
        self.alias("al/path/name", "al/path/target")
        self.assertEqual(self.record("/v1/retract", concept_path="al/path/name")["retracted"], 1)
        for path in ("al/path/name", "al/path/target"):
            self.assertEqual(self.statuses(path), {"target": "active", "name": "retracted"}, path)
            self.assertEqual(self.resolution(path, "recency")["value"], "target", path)
        self.assertEqual(self.record("/v1/retract", concept_path="al/path/target")["retracted"], 1)
        self.assertEqual(self.values("al/path/name"), [])

    def test_concepts_are_listed_as_they_were_said(self):
        self.store("al/listed/name")
        self.alias("al/listed/name", "al/listed/target")
        listing = self.server.get("/v1/concepts", prefix="al/listed").json["concepts"]
        self.assertEqual([concept["concept_path"] for concept in listing], ["al/listed/name"])

    # Refusals

    def test_no_alias_leads_back_to_itself(self):
        self.alias("al/ring/a", "al/ring/b")
        self.refuse(409, "would_close_circle", ALIAS, alias="al/ring/b", concept_path="al/ring/a")
        self.alias("al/ring/b", "al/ring/c")
        for back in ("a", "b"):
            self.refuse(409, "would_close_circle", ALIAS, alias="al/ring/c", concept_path="al/ring/" + back)
        # Once it is moved away it stands in nobody's way.
        self.alias("al/ring/a", "al/ring/d")
        self.alias("al/ring/c", "al/ring/a")
        self.assertEqual(self.ask("al/ring/b")["alias_of"], "al/ring/d")

    def test_a_concept_has_256_aliases(self):
        for i in range(256):
            self.alias(f"al/many/{i}", "al/many/target")
        self.store("al/many/255", value="last")
        self.assertEqual(self.values("al/many/target"), ["last"])
        self.refuse(409, "alias_limit", ALIAS, alias="al/many/256", concept_path="al/many/target")
        # One that has been moved away makes room.
        self.alias("al/many/0", "al/elsewhere")
        self.alias("al/many/256", "al/many/target")

    def test_an_alias_that_is_said_over_and_over_is_one_alias(self):
        self.store("al/again/name", value="there")
        for i in range(150):  # back and forth: each time it is news
            self.alias("al/again/name", "al/again/elsewhere", timestamp=at(2 * i))
            self.alias("al/again/name", "al/again/target", timestamp=at(2 * i + 1))
        self.refuse(409, "alias_exists", ALIAS, alias="al/again/name", concept_path="al/again/target")
        self.assertEqual(self.values("al/again/target"), ["there"])
        self.alias("al/again/other", "al/again/target")

    def test_two_families_of_aliases_are_not_joined_beyond_that(self):
        for family in ("one", "two"):
            for i in range(200):
                self.alias(f"al/{family}/{i}", f"al/{family}/target")
        self.refuse(409, "alias_limit", ALIAS, alias="al/one/target", concept_path="al/two/target")
        for family in ("one", "two"):
            self.assertEqual(self.server.query(concept_path=f"al/{family}/target").status, 200)

    def test_wrong_aliases_are_refused_with_their_fields(self):
        for pointers, body in ((["/alias", "/concept_path"], {}), (["/concept_path"], {"alias": "a"}),

                               (["/alias"], {"alias": "a//b", "concept_path": "b"}),
                               (["/alias"], {"alias": "a/*", "concept_path": "b"}),
                               (["/alias"], {"alias": 1, "concept_path": "b"}),
                               (["/concept_path"], {"alias": "a", "concept_path": "*"}),
                               (["/concept_path"], {"alias": "a", "concept_path": "x" * 513}),
                               (["/reason"], {"alias": "a", "concept_path": "b", "reason": "no field of an alias's"})):
            self.refuse(400, "invalid_request", ALIAS, pointers, **body)


if __name__ == "__main__":
    unittest.main()
