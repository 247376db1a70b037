# SPDX-License-Identifier: Apache-2.0
"""POST and GET /v1/query, /v1/skeptic, /v1/layered, /v1/constraints, /v1/lenses, /v1/lenses/compare, /v1/concepts."""

import datetime
import hashlib
import json
import math
import os
import shutil
import tempfile
import unittest

from server_process import SOURCE_DIR, Server, claim
from signer import TIME, seed, sign

LENSES_OF_THE_ISSUE = {"recency", "consensus", "confidence", "tier_authority", "layered", "skeptic"}


class Queries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.stored = {}
        agent = sign(seed(3), claim())["agent_id"]
        cls.agent_id = agent
        signed = claim(concept_path="q/filters", value="signed", timestamp=TIME, agent_id=agent)
        items = [
            claim(concept_path="q/filters", value="clinical", confidence=0.4, source={"id": "s1", "class": "clinical"}),
            claim(concept_path="q/filters", value="approved", lifecycle="approved", epoch="e1"),
            claim(concept_path="q/filters", value="past", valid_from="2020-01-01T00:00:00Z",
                  valid_to="2021-01-01T00:00:00Z"),
            claim(concept_path="q/filters", predicate="other", value="predicate"),
            signed | {"signature": sign(seed(3), signed)["signature"]},
            claim(concept_path="q/tree/a", value=1), claim(concept_path="q/tree/b/c", value=2),
            claim(concept_path="q/treehouse", value=3), claim(concept_path="fda://labels/ozempic", value=4),
        ]
        for item in items:
            answer = cls.server.post("/v1/assert", item)
            assert answer.status == 201, answer.body
            cls.stored[item["value"]] = answer.json

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def values(self, **question):
        answer = self.server.query(**question)
        self.assertEqual(answer.status, 200, answer.body)
        return [assertion["value"] for assertion in answer.json["assertions"]]

    def refuse(self, pointers, code="invalid_request", http_status=400, **question):
        answer = self.server.query(**question)
        self.assertEqual((answer.status, answer.code, answer.pointers), (http_status, code, pointers), answer.body)
        return answer

    def test_without_a_lens_assertions_alone_newest_first(self):
        answer = self.server.query(concept_path="q/filters").json
        self.assertEqual([a["value"] for a in answer["assertions"]],
                         ["signed", "predicate", "past", "approved", "clinical"])
        self.assertIsNone(answer["lens"])
        self.assertEqual(answer["resolutions"], [])

    def test_an_empty_answer_is_an_answer(self):
        answer = self.server.query(concept_path="test/health", lens="recency")
        self.assertEqual((answer.status, answer.json["assertions"], answer.json["resolutions"]), (200, [], []))

    def test_a_pair_without_claims_is_resolved_to_none(self):
        answer = self.server.get("/v1/skeptic?concept_path=test/health&predicate=unsaid")
        resolution, = answer.json["resolutions"]
        self.assertEqual((resolution["status"], resolution["winner"], resolution["candidates_count"], resolution["claims"],
                          resolution["explain"]), ("none", None, 0, [], "no claims"))

    def test_every_filter_filters(self):
        self.assertEqual(self.values(concept_path="q/filters", predicate="other"), ["predicate"])
        self.assertEqual(self.values(concept_path="q/filters", source_class="clinical"), ["clinical"])
        self.assertEqual(self.values(concept_path="q/filters", lifecycle="approved"), ["approved"])
        self.assertEqual(self.values(concept_path="q/filters", epoch="e1"), ["approved"])
        self.assertEqual(self.values(concept_path="q/filters", agent_id=self.agent_id), ["signed"])
        self.assertNotIn("clinical", self.values(concept_path="q/filters", min_confidence=0.5))
        self.assertIn("clinical", self.values(concept_path="q/filters", min_confidence=0.4))
        self.assertIn("past", self.values(concept_path="q/filters", valid_at="2020-06-01T00:00:00Z"))
        self.assertNotIn("past", self.values(concept_path="q/filters", valid_at="2021-01-01T00:00:00Z"))
        self.assertEqual(self.values(concept_path="q/filters", limit=2), ["signed", "predicate"])
        self.assertEqual(self.values(subject="q/filters", limit=1), ["signed"])

    def test_a_query_string_asks_the_same_as_a_body(self):
        questions = [
            {"concept_path": "q/filters", "predicate": "other"}, {"concept_path": "q/filters", "min_confidence": 0.5},
            {"concept_path": "q/filters", "lens": "consensus", "limit": 0},
            {"concept_path": "q/filters", "agent_id": self.agent_id}, {"concept_path": "q/tree/*"},
            {"concept_path": "q/filters", "as_of": self.stored["past"]["sequence"]},
            {"concept_path": "q/filters", "since": self.stored["past"]["recorded_at"]},
            {"concept_path": "q/filters", "epoch": "e1", "lifecycle": "approved"},
            {"concept_path": "q/filters", "valid_at": "2020-06-01T00:00:00.000Z", "source_class": "anecdotal"},
        ]
        for question in questions:
            posted, got = self.server.query(**question).json, self.server.get("/v1/query", **question).json
            for answer in (posted, got):
                answer["as_of"].pop("time")
            self.assertEqual(got, posted, question)

    def test_objects_lists_and_parameters_go_into_a_query_string(self):
        question = {"concept_path": "q/filters", "lens": "recency", "decay": {"clinical": 10, "regulatory": None},
                    "class_multipliers": [1, 1, 1, 1, 1, 1], "include": ["candidates", "explain"],
                    "params": {"max_age_s": 5000}}
        got = self.server.get("/v1/query", **question | {
            "decay": json.dumps(question["decay"]), "include": "candidates,explain", "class_multipliers": "[1,1,1,1,1,1]",
            "params": '{"max_age_s":5000}'})
        dotted = {name: value for name, value in question.items() if name != "params"} | {"params.max_age_s": 5000}
        dotted |= {"decay": json.dumps(question["decay"]), "include": "candidates,explain",
                   "class_multipliers": "[1,1,1,1,1,1]"}
        self.assertEqual(got.status, 200, got.body)
        self.assertEqual(self.server.get("/v1/query", **dotted).status, 200)
        weighing = got.json["resolutions"][0]["weighing"]
        self.assertEqual(weighing["half_life_days"], {"regulatory": None, "clinical": 10, "observational": 365,
                                                      "expert": 180, "community": 90, "anecdotal": 30})
        self.assertEqual(set(weighing["class_multipliers"].values()), {1})
        # The value of one parameter can't smuggle in another.
        answer = self.server.get("/v1/query", concept_path="q/filters", params='{"a":1},"limit":0')
        self.assertEqual((answer.status, answer.pointers), (400, ["params"]))

    def test_a_trailing_star_asks_for_what_is_below(self):
        self.assertEqual(set(self.values(concept_path="q/tree/*")), {1, 2})
        self.assertEqual(self.values(concept_path="q/tree"), [])
        self.assertEqual(self.values(concept_path="fda://*"), [4])
        self.assertEqual(self.server.query(concept_path="fda://*").json["concept_path"], "fda://*")
        self.assertEqual(self.values(concept_path="fda://labels/*"), [4])
        self.assertTrue({1, 3, 4, "signed"} <= set(self.values(concept_path="*")))
        self.assertEqual(self.server.query(concept_path="*").json["concept_path"], "*")

    def test_pages_fit_together_while_writes_go_on(self):
        for i in range(25):
            self.server.post("/v1/assert", claim(concept_path="q/pages", value=i))
        seen, cursor = [], {}
        for page in range(100):
            answer = self.server.query(concept_path="q/pages", limit=10, **cursor).json
            seen += [assertion["value"] for assertion in answer["assertions"]]
            self.server.post("/v1/assert", claim(concept_path="q/pages", value=1000 + page))
            if "next_cursor" not in answer:
                break
            cursor = {"cursor": answer["next_cursor"]}
        self.assertEqual(seen, list(range(24, -1, -1)))

    def test_a_cursor_goes_on_with_its_own_question_alone(self):
        for i in range(6):
            self.server.post("/v1/assert", claim(concept_path="q/bound", value=i))
        before = self.server.get("/v1/health").json["sequence"] - 1
        question = {"concept_path": "q/bound", "predicate": claim()["predicate"], "limit": 2, "as_of": before}
        first = self.server.query(**question).json
        cursor = first["next_cursor"]
        rest = {name: value for name, value in question.items() if name != "as_of"}
        for same in (question, rest, question | {"limit": 5}, rest | {"as_of": first["as_of"]}, rest | {"max_stale": 5}):
            answer = self.server.query(**same, cursor=cursor)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(answer.json["assertions"][0]["value"], 2)
            self.assertEqual(answer.json["as_of"], first["as_of"])
        self.assertEqual(self.server.get("/v1/query", **question, cursor=cursor).status, 200)
        for other in ({"as_of": before + 1}, {"as_of": "2026-01-01T00:00:00Z"}, {"status": "any"}, {"predicate": "other"},
                      {"concept_path": "q/*"}, {"lens": "recency"}, {"since": 1}):
            with self.subTest(other=other):
                answer = self.refuse(["/cursor"], **question | other | {"cursor": cursor})
                self.assertIn("another moment" if "as_of" in other else "another question", answer.json["errors"][0]["detail"])
        for at in range(len(cursor)):
            damaged = cursor[:at] + ("0" if cursor[at] != "0" else "1") + cursor[at + 1:]
            self.refuse(["/cursor"], **question | {"cursor": damaged})

    def test_as_of_and_since_divide_time(self):
        for i in range(4):
            self.server.post("/v1/assert", claim(concept_path="q/time", value=i))
        sequence = self.server.query(concept_path="q/time").json["assertions"][2]["sequence"]  # of 1
        self.assertEqual(self.values(concept_path="q/time", as_of=sequence), [1, 0])
        self.assertEqual(self.values(concept_path="q/time", since=sequence), [3, 2])
        self.assertEqual(self.values(concept_path="q/time", as_of=0), [])
        self.assertEqual(self.values(concept_path="q/time", as_of="2001-01-01T00:00:00Z"), [])
        self.refuse([], "as_of_in_future", 422, concept_path="q/time", as_of=2**52)
        self.assertEqual(self.server.get("/v1/query", concept_path="q/time", as_of=2**52).code, "as_of_in_future")
        self.refuse([], "as_of_in_future", 422, concept_path="q/time", as_of="2999-01-01T00:00:00Z")

    def test_wrong_fields_are_named_with_what_is_allowed(self):
        answer = self.refuse(["/colour"], concept_path="a", colour="red")
        self.assertIn("min_confidence", answer.json["errors"][0]["detail"])
        self.refuse(["/subject"], concept_path="a", subject="b")
        self.refuse(["/concept_path"])
        self.refuse(["/concept_path"], concept_path="a//b")
        self.refuse(["/concept_path"], concept_path="/*")
        self.refuse(["/limit"], concept_path="a", limit=10_001)
        self.refuse(["/limit"], concept_path="a", limit=-1)
        self.refuse(["/limit"], concept_path="a", limit=1.5)
        self.refuse(["/min_confidence"], concept_path="a", min_confidence=1.01)
        self.refuse(["/as_of"], concept_path="a", as_of="yesterday")
        self.refuse(["/since"], concept_path="a", since=-1)
        self.refuse(["/valid_at"], concept_path="a", valid_at=5)
        self.refuse(["/lifecycle"], concept_path="a", lifecycle="born")
        self.refuse(["/source_class"], concept_path="a", source_class="rumour")
        self.refuse(["/agent_id"], concept_path="a", agent_id="AB" * 32)
        self.refuse(["/include/1"], concept_path="a", include=["candidates", "all"])
        self.refuse(["/decay"], concept_path="a", decay=0)
        self.refuse(["/decay/gossip"], concept_path="a", decay={"gossip": 3})
        self.refuse(["/class_multipliers"], concept_path="a", class_multipliers=[1, 2])
        self.refuse(["/class_multipliers/expert"], concept_path="a", class_multipliers={"expert": -1})
        self.refuse(["/params/x"], concept_path="a", params={"x": [1]})
        self.refuse(["/cursor"], concept_path="a", cursor="c1")
        self.refuse(["/lens"], concept_path="a", lens=None)
        self.refuse(["/lenses"], concept_path="a", lenses=["recency"])
        self.refuse(["/epoch", "/limit"], concept_path="a", epoch="", limit="ten")

    def test_malformed_questions_are_refused(self):
        for body, code in (("", "invalid_json"), ("{", "invalid_json"), ("[]", "invalid_request"),
                           ('{"limit":1,"limit":2,"concept_path":"a"}', "invalid_request")):
            answer = self.server.post("/v1/query", body)
            self.assertEqual((answer.status, answer.code), (400, code), body)
        self.assertEqual(self.server.post("/v1/query", b" " * 70_000).status, 413)
        self.assertEqual(self.server.request("GET", "/v1/query?concept_path=%GG").code, "invalid_query")
        answer = self.server.request("GET", "/v1/query?concept_path=a&concept_path=b")
        self.assertEqual((answer.status, answer.code), (400, "invalid_request"))
        answer = self.server.get("/v1/query", concept_path="a", colour="red", **{"params.x": "[1]"})
        self.assertEqual(answer.pointers, ["colour", "params.x"])

    def test_an_unknown_lens_is_404_and_its_problem_lists_those_there_are(self):
        answer = self.refuse([], "unknown_lens", 404, concept_path="a", lens="oracle")
        self.assertIn("consensus", answer.json["detail"])
        self.assertEqual(self.server.get("/v1/query", concept_path="a", lens="oracle").status, 404)

    def test_a_lenss_parameters_are_checked(self):
        for params in ({"max_age_s": "old"}, {"max_age_s": -1}, {"colour": 1}):
            self.refuse([], "invalid_params", concept_path="a", lens="recency", params=params)

    def test_the_lenses_are_listed_with_hashes_of_their_files(self):
        lenses = {lens["name"]: lens for lens in self.server.get("/v1/lenses").json["lenses"]}
        self.assertTrue(LENSES_OF_THE_ISSUE <= set(lenses))
        for name, lens in lenses.items():
            with open(os.path.join(SOURCE_DIR, "lenses", name + ".lua"), "rb") as file:
                self.assertEqual(lens["sha256"], hashlib.sha256(file.read()).hexdigest())
        answer = self.server.query(concept_path="a", lens="consensus").json
        self.assertEqual(answer["lens"]["sha256"], lenses["consensus"]["sha256"])

    def test_paths_of_their_own_ask_their_lens(self):
        for lens in ("skeptic", "layered", "constraints"):
            path = "/v1/" + lens
            answer = self.server.get(path, concept_path="q/filters", limit=0)
            self.assertEqual(answer.json["lens"]["name"], lens)
            self.assertEqual(answer.json["resolutions"], self.server.query(
                concept_path="q/filters", lens=lens).json["resolutions"])
            self.assertEqual(self.server.get(path, concept_path="a", lens=lens).status, 200)
            self.assertEqual(self.server.get(path, concept_path="a", lens="recency").pointers, ["lens"])
            self.assertEqual(self.server.get(path).pointers, ["concept_path"])
            self.assertEqual(self.server.get(path, concept_path="a", as_of=2**52).status, 422)

    def test_lenses_are_compared_side_by_side(self):
        names = ["recency", "consensus", "skeptic"]
        answer = self.server.post("/v1/lenses/compare", {"concept_path": "q/filters", "lenses": names}).json
        self.assertEqual([result["lens"]["name"] for result in answer["results"]], names)
        for name, result in zip(names, answer["results"]):
            alone = self.server.query(concept_path="q/filters", lens=name).json["resolutions"]
            self.assertEqual(result["resolutions"], alone)

    def test_wrong_comparisons_are_refused(self):
        def compare(**question):
            return self.server.post("/v1/lenses/compare", question)
        self.assertEqual(compare(concept_path="a").pointers, ["/lenses"])
        self.assertEqual(compare(concept_path="a", lenses=[]).pointers, ["/lenses"])
        self.assertEqual(compare(concept_path="a", lenses=["recency", "recency"]).pointers, ["/lenses/1"])
        self.assertEqual(compare(concept_path="a", lenses=["recency"], lens="recency").pointers, ["/lens"])
        self.assertEqual(compare(concept_path="a", lenses=["oracle"]).code, "unknown_lens")
        self.assertEqual(compare(concept_path="a", lenses=["recency"], as_of=2**52).status, 422)
        self.assertEqual(self.server.post("/v1/lenses/compare", b" " * 70_000).status, 413)

    def test_concepts_are_listed_with_counts(self):
        listing = self.server.get("/v1/concepts", prefix="q/tree").json["concepts"]
        self.assertEqual([(c["concept_path"], c["assertion_count"], c["assertion_count_below"]) for c in listing],
                         [("q/tree/a", 1, 0), ("q/tree/b", 0, 1)])
        self.assertEqual(self.server.get("/v1/concepts", prefix="q/tree/").json["concepts"], listing)
        first = self.server.get("/v1/concepts", prefix="q/tree", limit=1).json
        rest = self.server.get("/v1/concepts", prefix="q/tree", cursor=first["next_cursor"]).json
        self.assertEqual(first["concepts"] + rest["concepts"], listing)
        roots = [concept["concept_path"] for concept in self.server.get("/v1/concepts").json["concepts"]]
        self.assertTrue({"q", "fda://"} <= set(roots), roots)
        self.assertEqual(self.server.get("/v1/concepts", prefix="fda://").json["concepts"][0]["concept_path"],
                         "fda://labels")

    def test_wrong_listings_are_refused(self):
        for params, pointer in (({"prefix": "a//b"}, "prefix"), ({"limit": 0}, "limit"), ({"limit": "x"}, "limit"),
                                ({"limit": 10_001}, "limit"), ({"cursor": "\n"}, "cursor"), ({"x": 1}, "x")):
            answer = self.server.get("/v1/concepts", **params)
            self.assertEqual((answer.status, answer.pointers), (400, [pointer]))
        self.assertEqual(self.server.request("GET", "/v1/concepts?prefix=%ff").code, "invalid_query")


class KnownAnswers(unittest.TestCase):
    """The figures that the data model promises, through HTTP."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def store(self, items):
        answer = self.server.post("/v1/assert/batch", items)
        self.assertEqual(answer.json["errors"], 0)

    def resolve(self, path, lens, **more):
        return self.server.query(concept_path=path, lens=lens, **more).json["resolutions"][0]

    def test_two_clinical_claims_that_contradict_are_contested_and_nothing_is_averaged(self):
        self.store([claim(concept_path="known/contradict", value=value, confidence=0.85,
                          source={"id": f"trial-{value}", "class": "clinical"}) for value in (10, 20)])
        answer = self.resolve("known/contradict", "skeptic")
        self.assertEqual((answer["conflict_score"], answer["status"], answer["winner"]), (1.0, "contested", None))
        self.assertEqual({c["value"] for c in answer["claims"]}, {10, 20})
        self.assertEqual([c["share"] for c in answer["claims"]], [0.5, 0.5])

    def test_fifty_that_agree_have_no_conflict(self):
        self.store([claim(concept_path="known/unanimous", source={"id": f"s{i}"}) for i in range(50)])
        answer = self.resolve("known/unanimous", "skeptic")
        self.assertEqual((answer["conflict_score"], answer["status"], answer["candidates_count"]),
                         (0.0, "unanimous", 50))

    def test_volume_never_beats_authority(self):
        self.store([claim(concept_path="known/volume", value="rumour", confidence=0.8, source={"id": f"s{i}"})
                    for i in range(100)])
        self.store([claim(concept_path="known/volume", value="law", confidence=1.0,
                          source={"id": "fda", "class": "regulatory"})])
        self.assertEqual(self.resolve("known/volume", "tier_authority")["value"], "law")
        self.assertEqual(self.resolve("known/volume", "consensus")["value"], "rumour")
        self.assertEqual(self.resolve("known/volume", "layered")["value"], "law")

    def test_constraints_are_listed_by_confidence_and_nothing_else_is_answered(self):
        self.store([claim(concept_path="known/rules", predicate=predicate, value=value, confidence=confidence, source={"id": value})
                    for predicate, value, confidence in (("must_use:currency", "EUR", 0.9), ("must_use:currency", "HRK", 0.4),
                                                         ("forbidden:font", "Comic Sans", 0.7), ("colour", "red", 1))])
        answer = self.server.get("/v1/constraints", concept_path="known/rules", limit=0).json
        self.assertEqual({r["predicate"]: (r["value"], [c["value"] for c in r["claims"]]) for r in answer["resolutions"]},
                         {"must_use:currency": ("EUR", ["EUR", "HRK"]), "forbidden:font": ("Comic Sans", ["Comic Sans"]),
                          "colour": (None, ["red"])})

    def test_repeating_oneself_adds_no_voice(self):
        self.store([claim(concept_path="known/voices", value="loud", source={"id": "one"}, metadata={"n": i})
                    for i in range(20)])
        self.store([claim(concept_path="known/voices", value="many", source={"id": f"s{i}"}) for i in range(3)])
        answer = self.resolve("known/voices", "consensus")
        self.assertEqual((answer["value"], answer["confidence"]), ("many", 0.75))

    def test_recencys_confidence_follows_the_gap(self):
        gaps = {"day": ("2026-02-09T09:00:00Z", 0.95), "hour": ("2026-02-11T08:00:00Z", 0.8),
                "minute": ("2026-02-11T09:58:00Z", 0.6), "now": ("2026-02-11T09:59:30Z", 0.5)}
        for name, (older, confidence) in gaps.items():
            path = "known/gap/" + name
            self.store([claim(concept_path=path, value="new", timestamp=TIME),
                        claim(concept_path=path, value="old", timestamp=older)])
            answer = self.resolve(path, "recency")
            self.assertEqual((answer["value"], answer["confidence"]), ("new", confidence), name)

    def test_decay_at_two_hundred_days(self):
        classes = {"regulatory": 1.0, "clinical": 0.827, "observational": 0.684, "expert": 0.463, "community": 0.214,
                   "anecdotal": 0.0098}
        self.store([claim(concept_path="known/decay", value=name, confidence=1, timestamp="2026-01-01T00:00:00Z",
                          source={"id": name, "class": name}) for name in classes])
        answer = self.resolve("known/decay", "skeptic", decay=True, include=["candidates", "explain"])
        now = answer["weighing"]["now"]
        age = (datetime.datetime.fromisoformat(now) - datetime.datetime.fromisoformat("2026-01-01T00:00:00Z"))
        days = age.total_seconds() / 86400
        for candidate in answer["candidates"]:
            at_200 = classes[candidate["source_class"]]
            # From the published figure at 200 days to today's age.
            self.assertAlmostEqual(candidate["effective_confidence"], at_200 ** (days / 200), delta=0.002)

    def test_an_answer_can_be_computed_again_from_its_explanation(self):
        self.store([claim(concept_path="known/again", value=v, confidence=c, source={"id": f"{v}{c}", "class": k})
                    for v, c, k in (("a", 0.9, "expert"), ("b", 0.7, "clinical"), ("a", 0.3, "community"))])
        answer = self.resolve("known/again", "skeptic", include=["explain"])
        weights = {}
        for candidate in answer["candidates"]:
            self.assertEqual(candidate["weight"], candidate["effective_confidence"] * candidate["class_multiplier"])
            weights[candidate["value"]] = weights.get(candidate["value"], 0) + candidate["weight"]
        shares = [weight / sum(weights.values()) for weight in weights.values()]
        entropy = -sum(share * math.log(share) for share in shares) / math.log(len(shares))
        self.assertAlmostEqual(answer["conflict_score"], entropy, places=12)


class BrokenLenses(unittest.TestCase):
    def setUp(self):
        self.lenses = tempfile.mkdtemp(prefix="stemedb-lenses-")
        self.addCleanup(shutil.rmtree, self.lenses)
        for name in ("recency", "consensus"):
            shutil.copy(os.path.join(SOURCE_DIR, "lenses", name + ".lua"), self.lenses)
        for name in ("broken", "skeptic", "layered", "constraints"):
            self.write_lens(name, 'if candidates[1].source == "boom" then error("on purpose") end return {}')

    def write_lens(self, name, body):
        with open(os.path.join(self.lenses, name + ".lua"), "w", encoding="ascii") as file:
            file.write('return { kind = "lens", api = 1, name = "%s", version = "1.0.0",\n'
                       'description = "Fails.",\nresolve = function(ctx, candidates)\n%s\nend }\n' % (name, body))

    def test_a_lens_that_fails_is_500_with_file_and_line_and_the_server_goes_on(self):
        server = Server(lenses_dir=self.lenses)
        self.addCleanup(server.close)
        server.post("/v1/assert", claim(source={"id": "boom"}))
        question = {"concept_path": "drugs/aspirin", "lens": "broken"}
        for answer in (server.query(**question), server.get("/v1/query", **question),
                       server.get("/v1/skeptic", concept_path="drugs/aspirin"),
                       server.get("/v1/layered", concept_path="drugs/aspirin"),
                       server.get("/v1/constraints", concept_path="drugs/aspirin")):
            self.assertEqual((answer.status, answer.code), (500, "lens_failed"))
            self.assertRegex(answer.json["detail"], r"\w+\.lua:4")
        self.assertEqual(server.query(concept_path="drugs/aspirin", lens="recency").json["resolutions"][0]["value"], True)
        results = server.post("/v1/lenses/compare", {"concept_path": "drugs/aspirin",
                                                     "lenses": ["broken", "recency"]}).json["results"]
        self.assertEqual(results[0]["error"]["code"], "lens_failed")
        self.assertEqual(results[1]["resolutions"][0]["value"], True)
        self.assertRegex(server.get("/metrics").body.decode(),
                         r'stemedb_errors_total\{layer="script",type="lens_failed"\} [1-9]')

    def test_a_lens_that_fails_is_replaced_by_the_fallback_and_the_answer_says_so(self):
        server = Server(lenses_dir=self.lenses)
        self.addCleanup(server.close)
        server.post("/v1/assert", claim(source={"id": "boom"}))
        question = {"concept_path": "drugs/aspirin", "lens": "broken", "fallback": "recency"}
        for answer in (server.query(**question), server.get("/v1/query", **question)):
            self.assertEqual(answer.status, 200)
            self.assertEqual((answer.json["lens"]["name"], answer.json["resolutions"][0]["value"]), ("recency", True))
            failed = answer.json["fallback_from"]
            self.assertEqual((failed["lens"]["name"], failed["code"]), ("broken", "lens_failed"))
            self.assertIn("broken.lua:4", failed["detail"])
        whole = server.query(concept_path="drugs/aspirin", lens="consensus", fallback="recency").json
        self.assertEqual((whole["lens"]["name"], "fallback_from" in whole), ("consensus", False))
        twice = server.query(concept_path="drugs/aspirin", lens="broken", fallback="broken")
        self.assertEqual((twice.status, twice.code), (500, "lens_failed"))
        self.assertEqual(server.query(concept_path="a", lens="recency", fallback="gone").code, "unknown_lens")
        alone = server.query(concept_path="a", fallback="recency")
        self.assertEqual((alone.status, alone.json["errors"][0]["pointer"]), (400, "/fallback"))
        fixed = server.get("/v1/skeptic", concept_path="a", fallback="recency")
        self.assertEqual((fixed.status, fixed.json["errors"][0]["pointer"]), (400, "fallback"))

    def test_a_lens_that_is_stopped_is_replaced_as_well_and_counts_as_killed(self):
        self.write_lens("loops", 'while candidates[1].source == "boom" do end return {}')
        server = Server(lenses_dir=self.lenses)
        self.addCleanup(server.close)
        server.post("/v1/assert", claim(source={"id": "boom"}))
        question = {"concept_path": "drugs/aspirin", "lens": "loops"}
        self.assertEqual(server.query(**question).code, "lens_failed")
        answer = server.query(**question, fallback="recency")
        self.assertEqual((answer.status, answer.json["lens"]["name"]), (200, "recency"))
        self.assertEqual(answer.json["resolutions"][0]["value"], True)
        failed = answer.json["fallback_from"]
        self.assertEqual((failed["lens"]["name"], failed["code"]), ("loops", "lens_failed"))
        self.assertIn("loops.lua", failed["detail"])
        metrics = server.get("/metrics").body.decode()
        for name in ("stemedb_script_budget_kills_total", "stemedb_script_errors_total"):
            self.assertRegex(metrics, name + r'\{script="loops"\} 2\b')

    def test_a_path_whose_lens_is_gone_is_404(self):
        for name in ("skeptic", "layered", "constraints"):
            os.remove(os.path.join(self.lenses, name + ".lua"))
        server = Server(lenses_dir=self.lenses)
        self.addCleanup(server.close)
        for name in ("skeptic", "layered", "constraints"):
            self.assertEqual(server.get("/v1/" + name, concept_path="a").code, "unknown_lens")
        answer = server.post("/v1/lenses/compare", {"concept_path": "a", "lenses": ["skeptic"]})
        self.assertEqual((answer.status, answer.code), (404, "unknown_lens"))


if __name__ == "__main__":
    unittest.main()
