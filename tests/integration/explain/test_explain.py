#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An explained answer can be computed again by hand, and repeated to the byte."""

import json
import os
import random
import sys
import unittest

SOURCE_DIR = os.environ["STEMEDB_SOURCE_DIR"]
sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "integration", "server"))
from by_hand import CLASSES, LENSES, differences  # noqa: E402
from server_process import Server  # noqa: E402

PAIRS = 60
VARIANTS = [{}, {"decay": True}, {"decay": 30}, {"class_multipliers": [1, 1, 1, 0, 0, 0]},
            {"decay": {"expert": None, "anecdotal": 1}, "min_confidence": 0.3}]


def disputed(chance):
    """Claims on PAIRS concepts: few or many, ties of time and confidence, all classes, odd values."""
    values = ["a", "b", "c", 1, 1.5, True, False, "1", "", {"ref": "some/where"}]
    claims = []
    for pair in range(PAIRS):
        for number in range(chance.choice([1, 2, 3, 5, 8, 40])):
            day, second = chance.randint(1, 28), chance.choice([0, 0, 30, 3599])
            claims.append({
                "concept_path": f"pairs/{pair}", "predicate": "p", "value": chance.choice(values[:chance.randint(1, 10)]),
                "confidence": chance.choice([0.1, 0.5, 0.5, 0.8, round(chance.random(), 3), 0]),
                "timestamp": f"2025-{chance.randint(1, 12):02}-{day:02}T{chance.randint(0, 23):02}:{second // 60:02}:{second % 60:02}Z",
                "source": {"id": f"source {chance.randint(0, 5)} {number % 3}", "class": chance.choice(CLASSES)},
            })
    return claims


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
        print(f"seed {cls.seed}", flush=True)
        cls.server = Server()
        answer = cls.server.post("/v1/assert/batch", disputed(random.Random(cls.seed)))
        assert answer.status == 201, answer.body

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def explained(self, **question):
        answer = self.server.query(**({"concept_path": "pairs/*", "limit": 0, "include": ["explain"]} | question))
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    def test_every_number_of_every_shipped_lens_follows_by_hand(self):
        names = [lens["name"] for lens in self.server.get("/v1/lenses").json["lenses"]]
        self.assertEqual(sorted(LENSES), names, "a lens has no computation by hand")
        for lens in names:
            for variant in VARIANTS:
                with self.subTest(lens=lens, variant=variant, seed=self.seed):
                    answer = self.explained(lens=lens, **variant).json
                    self.assertGreater(len(answer["resolutions"]), PAIRS // 2)
                    for resolution in answer["resolutions"]:
                        self.assertEqual(differences(lens, {}, resolution), [], resolution["concept_path"])

    def test_the_computation_by_hand_notices_any_number_that_is_off(self):
        for lens in LENSES:
            resolutions = self.explained(lens=lens, decay=True).json["resolutions"]
            good = next(one for one in resolutions if len(one["claims"]) > 2 and one["candidates_count"] > 4
                        and any(claim["source_class"] != "regulatory" for claim in one["candidates"]))
            self.assertEqual(differences(lens, {}, good), [])
            # The claims of the highest class don't decay, so their age says nothing.
            aging = next(i for i, one in enumerate(good["candidates"]) if one["source_class"] != "regulatory")
            for path in (["confidence"], ["conflict_score"], ["candidates_count"], ["status"], ["winner"], ["said_by", "weights"],
                         ["claims", 1, "weight"], ["claims", 0, "share"], ["claims", 0, "assertions_count"],
                         ["candidates", 1, "effective_confidence"], ["candidates", 2, "weight"],
                         ["candidates", 0, "value_share"], ["candidates", 3, "role"], ["candidates", aging, "timestamp"]):
                bad = json.loads(json.dumps(good))
                *way, last = path
                place = bad
                for step in way:
                    place = place[step]
                was = place[last]
                place[last] = "2031-01-01T00:00:00Z" if last == "timestamp" else "nix" if not isinstance(was, (int, float)) else was + 0.001
                self.assertNotEqual(differences(lens, {}, bad), [], (lens, path))

    def test_what_max_age_leaves_out_follows_and_is_noted(self):
        as_of = self.explained(lens="recency").json["as_of"]
        now = as_of | {"time": "2026-01-01T00:00:00.000Z"}
        answer = self.explained(lens="recency", params={"max_age_s": 120 * 86400}, as_of=now).json
        noted = declined = 0
        for resolution in answer["resolutions"]:
            self.assertEqual(differences("recency", {"max_age_s": 120 * 86400}, resolution), [])
            declined += resolution["declined"]
            for one in resolution["candidates"]:
                too_old = one["timestamp"] < "2025-09-03T00:00:00.000Z"
                if not resolution["declined"]:
                    self.assertEqual(one.get("note"), "older than max_age_s: left out" if too_old else None)
                    noted += too_old
        self.assertGreater(noted, 0)
        self.assertGreater(declined, 0)

    def test_tier_authority_notes_whom_it_did_not_ask(self):
        for resolution in self.explained(lens="tier_authority").json["resolutions"]:
            top = min(CLASSES.index(one["source_class"]) for one in resolution["candidates"])
            for one in resolution["candidates"]:
                asked = CLASSES.index(one["source_class"]) == top
                self.assertEqual("note" in one, not asked)

    def test_the_account_is_shown_to_who_asks_for_it_alone(self):
        plain = self.server.query(concept_path="pairs/1", predicate="p", lens="tier_authority", include=["candidates"]).json
        [resolution] = plain["resolutions"]
        for field in ("said_by", "declined", "weighing"):
            self.assertNotIn(field, resolution)
        for field in ("role", "note", "weight", "value_weight"):
            self.assertNotIn(field, resolution["candidates"][0])

    def test_an_answers_own_as_of_repeats_it_to_the_byte(self):
        for lens in LENSES:
            for variant in VARIANTS:
                first = self.explained(lens=lens, **variant)
                self.server.post("/v1/assert", {"concept_path": "pairs/1", "predicate": "p", "value": lens + str(variant),
                                                "confidence": 1, "source": {"id": "later", "class": "regulatory"}})
                again = self.explained(lens=lens, **variant, as_of=first.json["as_of"])
                self.assertEqual(again.body, first.body, (lens, variant))

    def test_it_repeats_in_a_query_string_too(self):
        first = self.server.get("/v1/query", concept_path="pairs/2", lens="recency", include="explain", decay="true")
        again = self.server.get("/v1/query", concept_path="pairs/2", lens="recency", include="explain", decay="true",
                                as_of=json.dumps(first.json["as_of"]))
        self.assertEqual(again.body, first.body)

    def test_a_wrong_as_of_is_refused(self):
        good = self.explained(lens="recency").json["as_of"]
        for wrong in ({}, {"sequence": 1}, {"time": good["time"]}, good | {"more": 1}, {"sequence": "1", "time": good["time"]},
                      {"sequence": 1, "time": "yesterday"}, {"sequence": -1, "time": good["time"]}):
            answer = self.server.query(concept_path="pairs/*", as_of=wrong)
            self.assertEqual((answer.status, answer.pointers), (400, ["/as_of"]), wrong)
        for future in (good | {"sequence": good["sequence"] + 1000}, good | {"time": "2999-01-01T00:00:00.000Z"}):
            answer = self.server.query(concept_path="pairs/*", as_of=future)
            self.assertEqual((answer.status, answer.code), (422, "as_of_in_future"), future)


if __name__ == "__main__":
    unittest.main()
