# SPDX-License-Identifier: Apache-2.0
"""POST /v1/assert, POST /v1/assertions and GET /v1/assertions/{id}."""

import json
import unittest
from concurrent.futures import ThreadPoolExecutor

from server_process import Server, claim


class Claims(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def refuse(self, status, code, body, **more):
        answer = self.server.post("/v1/assert", body, **more)
        self.assertEqual((answer.status, answer.code), (status, code), answer.body)
        return answer

    def test_a_claim_is_created_and_can_be_read_at_its_location(self):
        answer = self.server.post("/v1/assert", claim(concept_path="claims/created", metadata={"b": 1, "a": [None]}))
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer.json["status"], "created")
        self.assertEqual(answer.json["id"], answer.json["hash"])
        read = self.server.get(answer.headers["Location"])
        self.assertEqual(read.status, 200)
        self.assertEqual(read.json["concept_path"], "claims/created")
        self.assertEqual(read.json["metadata"], {"a": [None], "b": 1})
        self.assertEqual(read.json["sequence"], answer.json["sequence"])
        self.assertEqual(read.json["recorded_at"], answer.json["recorded_at"])
        self.assertEqual(read.json["status"], "active")

    def test_assertions_is_another_name_of_assert(self):
        body = claim(concept_path="claims/alias", timestamp="2026-02-11T10:00:00.000Z")
        first = self.server.post("/v1/assertions", body)
        again = self.server.post("/v1/assert", body)
        self.assertEqual((first.status, again.status), (201, 200))
        self.assertEqual(first.json["id"], again.json["id"])
        self.assertEqual(self.server.post("/v1/assertions", body).status, 200)
        self.assertEqual(self.server.post("/v1/assertions", "{").status, 400)

    def test_the_same_content_twice_is_one_assertion(self):
        body = claim(concept_path="claims/twice", timestamp="2026-02-11T10:00:00Z")
        first = self.server.post("/v1/assert", body)
        before = self.server.get("/v1/health").json["assertion_count"]
        # The same moment in another spelling is the same claim.
        again = self.server.post("/v1/assert", body | {"timestamp": "2026-02-11T11:00:00+01:00"})
        self.assertEqual(again.status, 200)
        self.assertEqual(again.json, first.json | {"status": "duplicate"})
        self.assertEqual(self.server.get("/v1/health").json["assertion_count"], before)

    def test_a_claim_without_a_time_gets_the_servers(self):
        answer = self.server.post("/v1/assert", claim(concept_path="claims/timeless"))
        stored = self.server.get(answer.headers["Location"]).json
        self.assertLessEqual(stored["timestamp"], stored["recorded_at"])

    def test_a_writer_reads_its_own_write(self):
        def write_and_read(number):
            path = f"claims/own/{number}"
            wrote = self.server.post("/v1/assert", claim(concept_path=path, value=number))
            read = self.server.query(concept_path=path, lens="recency")
            return wrote.status == 201 and read.json["resolutions"][0]["value"] == number

        with ThreadPoolExecutor(8) as pool:
            self.assertTrue(all(pool.map(write_and_read, range(200))))

    def test_every_dialect_of_a_value_is_one_claim(self):
        base = claim(concept_path=None, subject="claims/dialect", value=None, timestamp=1770804000)
        ids = {self.server.post("/v1/assert", base | spelling).json["id"]
               for spelling in ({"value": 7}, {"value": 7.0}, {"object": {"type": "Number", "value": 7}},
                                {"object": {"Number": 7.0}})}
        self.assertEqual(len(ids), 1)

    def test_a_body_needs_no_content_type(self):
        answer = self.server.post("/v1/assert", claim(concept_path="claims/untyped"),
                                  headers={"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(answer.status, 201)

    def test_what_is_no_json_is_refused_with_the_place(self):
        self.assertIn("byte 14", self.refuse(400, "invalid_json", '{"predicate": }').json["detail"])
        self.refuse(400, "invalid_json", "")
        self.refuse(400, "invalid_json", b'{"predicate":"\xff"}')

    def test_every_wrong_field_is_named(self):
        answer = self.refuse(400, "invalid_request", {"concept_path": "a//b", "predicate": "", "confidence": 1.5,
                                                      "colour": "red"})
        self.assertEqual(set(answer.pointers), {"/concept_path", "/predicate", "/confidence", "/colour", "/value"})

    def test_limits_hold_at_their_edge_and_not_beyond(self):
        for field, longest in (("concept_path", 512), ("predicate", 128)):
            self.assertEqual(self.server.post("/v1/assert", claim(**{field: "x" * longest})).status, 201)
            self.refuse(400, "invalid_request", claim(**{field: "x" * (longest + 1)}))
        self.assertEqual(self.server.post("/v1/assert", claim(value="v" * 65536)).status, 201)
        self.refuse(413, "value_too_large", claim(value="v" * 65537))

    def test_a_large_body_is_refused_on_both_paths(self):
        for path in ("/v1/assert", "/v1/assertions"):
            answer = self.server.post(path, b'{"value":"' + b"x" * 1_100_000 + b'"}')
            self.assertEqual((answer.status, answer.code), (413, "payload_too_large"))

    def test_numbers_that_no_double_holds_are_refused(self):
        for number in ("9007199254740993", "1e999"):
            body = json.dumps(claim(value="NUMBER")).replace('"NUMBER"', number)
            self.assertIn(self.server.post("/v1/assert", body).code, ("invalid_request", "invalid_json"))

    def test_unsigned_claims_through_a_proxy_are_not_from_this_machine(self):
        for path in ("/v1/assert", "/v1/assertions"):
            for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}):
                answer = self.server.post(path, claim(), headers=headers)
                self.assertEqual((answer.status, answer.code), (403, "unsigned_not_allowed"))

    def test_unsigned_claims_from_a_web_page_are_refused(self):
        self.refuse(403, "unsigned_not_allowed", claim(), headers={"Origin": "https://evil.example"})

    def test_an_unknown_assertion_is_404_and_a_bad_id_400(self):
        self.assertEqual(self.server.get("/v1/assertions/" + "0" * 64).code, "unknown_assertion")
        answer = self.server.get("/v1/assertions/" + "G" * 64)
        self.assertEqual((answer.status, answer.pointers), (400, ["id"]))

    def test_refused_claims_leave_nothing_behind(self):
        before = self.server.get("/v1/health").json["sequence"]
        self.refuse(400, "invalid_request", claim(confidence=2))
        self.refuse(401, "missing_signature", claim(agent_id="ab" * 32))
        self.assertEqual(self.server.get("/v1/health").json["sequence"], before)


class SignaturesRequired(unittest.TestCase):
    def test_unsigned_claims_are_refused_from_everybody(self):
        server = Server(env={"STEMEDB_REQUIRE_SIGNATURES": "true"})
        self.addCleanup(server.close)
        for path in ("/v1/assert", "/v1/assertions"):
            answer = server.post(path, claim())
            self.assertEqual((answer.status, answer.code), (401, "signature_required"))
            self.assertIn("Ed25519", answer.headers["WWW-Authenticate"])
        self.assertEqual(server.get("/v1/health").json["assertion_count"], 0)

    def test_a_named_origin_may_write(self):
        server = Server(env={"STEMEDB_ALLOWED_ORIGINS": "https://good.example"})
        self.addCleanup(server.close)
        self.assertEqual(server.post("/v1/assert", claim(), headers={"Origin": "https://good.example"}).status, 201)
        self.assertEqual(server.post("/v1/assert", claim(), headers={"Origin": "https://evil.example"}).status, 403)


if __name__ == "__main__":
    unittest.main()
