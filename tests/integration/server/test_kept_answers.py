# SPDX-License-Identifier: Apache-2.0
"""Answers that are kept and given again: the right ones, and old ones where `max_stale` takes them."""

import json
import os
import re
import shutil
import tempfile
import unittest

from server_process import SOURCE_DIR, Server, claim

# Takes longer than a kept answer is worth, and far less than a loop gives it.
BUSY = """return { kind = "lens", api = 1, name = "busy", version = "1.0.0", description = "Counts for a while.",
resolve = function(ctx, candidates)
  local sum = 0
  for i = 1, 1e6 do sum = sum + i end
  return { winner = 1, explain = sum .. " and " .. #candidates }
end }
"""
COUNTS = ("hits", "stale_hits", "misses", "evictions")


class KeptAnswers(unittest.TestCase):
    def setUp(self):
        self.lenses = tempfile.mkdtemp(prefix="stemedb-lenses-")
        self.addCleanup(shutil.rmtree, self.lenses)
        for name in ("consensus", "skeptic"):
            shutil.copy(os.path.join(SOURCE_DIR, "lenses", name + ".lua"), self.lenses)
        with open(os.path.join(self.lenses, "busy.lua"), "w", encoding="ascii") as file:
            file.write(BUSY)

    def start(self, **env):
        server = Server(lenses_dir=self.lenses, env=env)
        self.addCleanup(server.close)
        self.assertEqual(server.post("/v1/assert", claim()).status, 201)
        return server

    @staticmethod
    def metric(server, name):
        text = server.get("/metrics").body.decode()
        return float(re.search(rf"^stemedb_{name} ([0-9.e+]+)$", text, re.MULTILINE)[1])

    def counts(self, server):
        return tuple(self.metric(server, f"answer_cache_{name}_total") for name in COUNTS)

    @staticmethod
    def without_moment(answer):
        return {name: value for name, value in answer.json.items() if name != "as_of"}

    def test_a_hot_question_is_answered_from_what_was_kept_until_something_changes_it(self):
        server = self.start()
        question = {"concept_path": "drugs/aspirin", "lens": "busy"}
        answers = [server.query(**question) for _ in range(6)]  # on whichever loop
        self.assertEqual({json.dumps(self.without_moment(answer)) for answer in answers},
                         {json.dumps(self.without_moment(answers[0]))})
        self.assertEqual(self.counts(server), (4, 0, 2, 0))
        self.assertGreater(self.metric(server, "answer_cache_bytes"), 0)
        sequence = server.post("/v1/assert", claim(concept_path="elsewhere")).json["sequence"]
        answer = server.query(**question).json
        self.assertEqual(answer["as_of"]["sequence"], sequence, "what is said elsewhere moves the moment alone")
        self.assertEqual(self.counts(server), (5, 0, 2, 0))
        server.post("/v1/assert", claim(value=False))
        answer = server.query(**question).json
        self.assertEqual(len(answer["assertions"]), 2)
        self.assertEqual(self.counts(server), (5, 0, 3, 0))
        vote = {"assertion_id": answer["assertions"][0]["id"], "weight": 1}
        self.assertEqual(server.post("/v1/vote", vote).status, 201)
        server.query(**question)
        self.assertEqual(self.counts(server), (5, 0, 4, 0))
        # The moment of a kept answer is repeated like any other.
        kept = server.query(**question).json
        again = server.query(**question, as_of=kept["as_of"])
        self.assertEqual(again.json, kept)

    def test_an_old_answer_is_given_only_to_those_who_take_it_and_says_its_age(self):
        server = self.start()
        question = {"concept_path": "drugs/aspirin", "lens": "busy"}
        for _ in range(3):
            before = server.query(**question)
        server.post("/v1/assert", claim(value=False))
        for old in (server.query(**question, max_stale=3600), server.get("/v1/query", **question, max_stale="3600")):
            self.assertEqual(old.status, 200)
            self.assertTrue(0 <= old.json["stale"]["age_ms"] <= 3_600_000, old.json["stale"])
            self.assertEqual(old.json["as_of"]["sequence"], 1)
            body = {name: value for name, value in old.json.items() if name != "stale"}
            self.assertEqual(dict(body, as_of=None), dict(before.json, as_of=None))
            self.assertEqual(server.query(**question, as_of=old.json["as_of"]).json, body)
        self.assertEqual(self.metric(server, "answer_cache_stale_hits_total"), 2)
        cursor_or_moment = server.query(**question, as_of=2, max_stale=3600).json
        self.assertNotIn("stale", cursor_or_moment)
        self.assertEqual(len(cursor_or_moment["assertions"]), 2)
        fresh = server.query(**question, max_stale=0).json
        self.assertNotIn("stale", fresh)
        self.assertEqual((fresh["as_of"]["sequence"], len(fresh["assertions"])), (2, 2))
        self.assertNotIn("stale", server.query(**question, max_stale=3600).json, "this one is right again")

    def test_max_stale_is_a_number_of_seconds_up_to_an_hour(self):
        server = self.start()
        for wrong in ("60", -1, -0.001, 3600.001, 1e300, True, [60], {"seconds": 60}, None):
            answer = server.query(concept_path="drugs/aspirin", lens="consensus", max_stale=wrong)
            self.assertEqual((answer.status, answer.code, answer.pointers),
                             (400, "invalid_request", ["/max_stale"]), wrong)
        for wrong in ("soon", "-1", "3601", "", "1,2"):
            answer = server.get("/v1/query", concept_path="drugs/aspirin", lens="consensus", max_stale=wrong)
            self.assertEqual(answer.status, 400, wrong)
        for right in (0, 0.5, 3600):
            for lens in ({"lens": "consensus"}, {}):
                self.assertEqual(server.query(concept_path="drugs/aspirin", max_stale=right, **lens).status, 200)
        self.assertEqual(server.get("/v1/skeptic", concept_path="drugs/aspirin", max_stale="1.5").status, 200)

    def test_comparisons_and_watchers_have_nothing_to_do_with_it(self):
        server = self.start()
        compared = server.post("/v1/lenses/compare", {"concept_path": "a", "lenses": ["skeptic"], "max_stale": 1})
        self.assertEqual((compared.status, compared.pointers), (400, ["/max_stale"]))
        watched = server.get("/v1/watch", concept_path="a", max_stale="1")
        self.assertEqual((watched.status, watched.pointers), (400, ["max_stale"]))

    def test_what_the_slow_lane_answered_every_loop_answers_the_next_time(self):
        with open(os.path.join(self.lenses, "busy.lua"), "w", encoding="ascii") as file:
            file.write(BUSY.replace("1e6", "2e6"))
        server = self.start()
        items = [claim(concept_path=f"many/{i}") for i in range(30)]
        self.assertEqual(server.post("/v1/assert/batch", items).status, 201)
        question = {"concept_path": "many/*", "lens": "busy", "limit": 0}
        answers = [server.query(**question) for _ in range(2)]
        self.assertEqual(self.metric(server, "query_slow_lane_total"), 2)
        answers += [server.query(**question) for _ in range(4)]
        self.assertEqual(self.metric(server, "query_slow_lane_total"), 2)
        self.assertEqual({json.dumps(self.without_moment(answer)) for answer in answers},
                         {json.dumps(self.without_moment(answers[0]))})

    def test_it_can_be_turned_off(self):
        server = self.start(STEMEDB_ANSWER_CACHE_BYTES="0")
        question = {"concept_path": "drugs/aspirin", "lens": "busy"}
        for _ in range(4):
            self.assertEqual(server.query(**question).status, 200)
        server.post("/v1/assert", claim(value=False))
        answer = server.query(**question, max_stale=3600).json
        self.assertNotIn("stale", answer)
        self.assertEqual(len(answer["assertions"]), 2)
        self.assertEqual(self.counts(server), (0, 0, 0, 0))


if __name__ == "__main__":
    unittest.main()
