# SPDX-License-Identifier: Apache-2.0
"""What a client gets wrong is said, not ignored."""

import unittest

from server_process import Server, claim

AGENT = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


class Strictness(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.post("/v1/assert", claim(concept_path="strict/a", value="x"))

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def assert_refused(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code), answer.body)

    def test_parameters_of_calls_that_take_none_are_refused_and_nothing_is_stored(self):
        before = self.server.get("/v1/health").json["assertion_count"]
        for path in ("/v1/assert?dry_run=true", "/v1/assertions?atomic=true"):
            self.assert_refused(self.server.post(path, claim(concept_path="strict/b")), 400, "invalid_request")
        self.assertEqual(self.server.get("/v1/health").json["assertion_count"], before)
        question = {"concept_path": "strict/a"}
        self.assert_refused(self.server.post("/v1/query?lens=recency", question), 400, "invalid_request")
        self.assert_refused(self.server.post("/v1/lenses/compare?x=1", question | {"lenses": ["recency"]}), 400,
                            "invalid_request")
        self.assert_refused(self.server.get("/v1/lenses", foo="1"), 400, "invalid_request")

    def test_atomic_twice_is_refused(self):
        answer = self.server.post("/v1/assert/batch?atomic=true&atomic=false", [claim(concept_path="strict/c")])
        self.assert_refused(answer, 400, "invalid_request")

    def test_an_agent_header_without_a_signature_is_refused(self):
        answer = self.server.post("/v1/assert", claim(concept_path="strict/d"), headers={"X-Agent-Id": AGENT})
        self.assert_refused(answer, 401, "missing_signature")

    def test_an_error_in_a_line_names_the_line(self):
        answer = self.server.post("/v1/assert/batch", '{"concept_path":"strict/e"}\nnonsense\n')
        self.assertEqual(answer.json["results"][1]["code"], "invalid_json")
        self.assertTrue(answer.json["results"][1]["detail"].startswith("line 2: not JSON"), answer.body)

    def test_lists_in_a_query_string_go_with_commas_or_as_json(self):
        for multipliers in ("1,1,1,1,1,0.5", "[1,1,1,1,1,0.5]"):
            answer = self.server.get("/v1/query", concept_path="strict/a", lens="skeptic", class_multipliers=multipliers)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(answer.json["resolutions"][0]["claims"][0]["weight"], 0.45)
        for include in ("candidates,explain", '["candidates","explain"]'):
            answer = self.server.get("/v1/query", concept_path="strict/a", lens="skeptic", include=include)
            self.assertIn("candidates", answer.json["resolutions"][0], answer.body)

    def test_many_refused_items_are_each_answered_but_only_the_first_in_full(self):
        items = [{"concept_path": "strict/f", "unknown": 1} for _ in range(1500)]
        results = self.server.post("/v1/assert/batch", items).json["results"]
        self.assertEqual(len(results), 1500)
        self.assertIn("errors", results[999])
        self.assertNotIn("errors", results[1000])
        self.assertTrue(results[1499]["detail"])

    def test_every_page_weighs_by_the_first_ones_time(self):
        for value in ("x", "y"):
            self.server.post("/v1/assert", claim(concept_path="strict/pages", predicate="p", value=value,
                                                 timestamp="2026-01-01T00:00:00Z"))
        question = {"concept_path": "strict/pages", "lens": "skeptic", "decay": 0.5, "limit": 1}
        first = self.server.query(**question).json
        second = self.server.query(**question, cursor=first["next_cursor"]).json
        self.assertEqual((second["resolutions"], second["as_of"]), (first["resolutions"], first["as_of"]))

    def test_before_the_first_record_time_stands_still(self):
        first, second = (self.server.query(concept_path="strict/a", as_of=0).json for _ in range(2))
        self.assertEqual(first["as_of"], {"sequence": 0, "time": "1970-01-01T00:00:00.000Z"})
        self.assertEqual(first, second)


if __name__ == "__main__":
    unittest.main()
