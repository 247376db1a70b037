# SPDX-License-Identifier: Apache-2.0
"""Limits from outside: the shipped policy, one with small numbers, and lenses that take too long."""

import os
import shutil
import tempfile
import unittest

from server_process import SOURCE_DIR, Server, claim
from signer import TIME, seed, sign, signed

FIELDS = ("RateLimit-Policy", "RateLimit", "X-Quota-Limit", "X-Quota-Remaining", "X-Quota-Reset")


def via(address):
    """As a reverse proxy on this machine passes requests on."""
    return {"X-Forwarded-For": address}


def policies(root, **numbers):
    """A directory with the shipped policy, other defaults in it."""
    directory = os.path.join(root, "policies")
    os.makedirs(directory)
    with open(os.path.join(SOURCE_DIR, "policies", "rate_limit.lua"), encoding="utf-8") as file:
        text = file.read()
    for name, (old, new) in numbers.items():
        head, tail = text.split(f"    {name} = ", 1)
        assert str(old) in tail.split("\n")[0], name
        text = head + f"    {name} = " + tail.replace(str(old), str(new), 1)
    with open(os.path.join(directory, "rate_limit.lua"), "w", encoding="utf-8") as file:
        file.write(text)
    return directory


class ShippedPolicy(unittest.TestCase):
    addresses = 0

    @classmethod
    def setUpClass(cls):
        cls.server = Server(env={"STEMEDB_POLICIES_DIR": os.path.join(SOURCE_DIR, "policies")})

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_programs_on_this_machine_are_not_limited(self):
        answer = self.server.post("/v1/assert", claim())
        self.assertEqual(answer.status, 201)
        for name in FIELDS:
            self.assertNotIn(name, answer.headers)

    def test_others_see_what_is_left(self):
        answer = self.server.request("GET", "/v1/query?concept_path=a&lens=consensus", headers=via("203.0.113.1"))
        self.assertEqual([answer.headers[name] for name in FIELDS],
                         ['"points";q=10000;w=3600', '"points";r=9994;t=3', "10000", "9994", "3"])

    def test_a_proxy_that_names_nobody_does_not_make_its_clients_programs_of_this_machine(self):
        for headers in ({"Via": "1.1 proxy"}, {"X-Real-IP": "203.0.113.2"}, {"X-Forwarded-Proto": "https"}):
            answer = self.server.request("GET", "/v1/concepts", headers=headers)
            self.assertIn("RateLimit", answer.headers, headers)
            unsigned = self.server.request("POST", "/v1/assert", claim(), headers)
            self.assertEqual((unsigned.status, unsigned.code), (403, "unsigned_not_allowed"), headers)

    def test_what_is_recorded_costs_as_much_as_a_claim_but_a_vote_costs_a_point(self):
        for method, path, left in (("POST", "/v1/vote", 9998), ("POST", "/v1/supersede", 9989), ("POST", "/v1/retract", 9989),
                                   ("POST", "/v1/epoch", 9989), ("POST", "/v1/source", 9989), ("POST", "/v1/sources", 9989),
                                   ("PATCH", "/v1/sources/a", 9989), ("POST", "/v1/concepts/alias", 9989),
                                   ("GET", "/v1/sources", 9995), ("GET", "/v1/sources/a", 9995),
                                   ("GET", "/v1/trace/" + "0" * 64, 9995), ("GET", "/v1/feed", 9995)):
            type(self).addresses += 1
            answer = self.server.request(method, path, None if method == "GET" else "{}", via(f"198.51.100.{self.addresses}"))
            self.assertEqual(answer.headers["X-Quota-Remaining"], str(left), f"{method} {path}")

    def test_an_agent_pays_for_the_operation_that_it_signed(self):
        own = self.server.post("/v1/assert", signed(seed(1), claim(timestamp=TIME))).json["id"]
        body = signed(seed(1), {"assertion_id": own, "timestamp": TIME}, "retraction")
        for address in ("198.51.100.101", "198.51.100.102"):
            answer = self.server.post("/v1/retract", body, via(address))
            self.assertIn(answer.status, (200, 201), answer.body)
        self.assertLess(int(answer.headers["X-Quota-Remaining"]), 9985)  # 9978, and what has come back meanwhile

    def test_a_question_pays_for_the_lens_that_may_stand_in(self):
        target = "/v1/query?concept_path=a&lens=consensus&fallback=recency"
        answer = self.server.request("GET", target, headers=via("203.0.113.3"))
        self.assertEqual(answer.headers["X-Quota-Remaining"], "9993")


class SmallNumbers(unittest.TestCase):
    """25 points, which come back within an hour."""

    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="stemedb-test-")
        directory = policies(cls.root, limit=(10000, 25))
        cls.server = Server(env={"STEMEDB_POLICIES_DIR": directory})

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        shutil.rmtree(cls.root)

    def assert_refused(self, answer):
        self.assertEqual((answer.status, answer.code), (429, "quota_exceeded"))
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)

    def test_every_limited_call_refuses_a_sender_without_points(self):
        for _ in range(2):
            self.server.request("POST", "/v1/assert", "no claim", headers=via("203.0.113.7"))
        for _ in range(4):
            self.server.request("GET", "/v1/concepts", headers=via("203.0.113.7"))
        for _ in range(4):  # the cheapest call of all
            self.server.request("POST", "/v1/vote", "no vote", headers=via("203.0.113.7"))
        calls = [("POST", "/v1/assert"), ("POST", "/v1/assertions"), ("POST", "/v1/assert/batch"),
                 ("GET", "/v1/assertions/" + "0" * 64), ("POST", "/v1/query"), ("GET", "/v1/query?concept_path=a"),
                 ("GET", "/v1/skeptic?concept_path=a"), ("GET", "/v1/layered?concept_path=a"), ("GET", "/v1/lenses"),
                 ("GET", "/v1/constraints?concept_path=a"),
                 ("POST", "/v1/lenses/compare"), ("GET", "/v1/concepts"), ("POST", "/v1/concepts/alias"),
                 ("POST", "/v1/vote"), ("POST", "/v1/supersede"), ("POST", "/v1/retract"), ("POST", "/v1/epoch"),
                 ("POST", "/v1/source"), ("POST", "/v1/sources"), ("GET", "/v1/sources"), ("GET", "/v1/sources/a"),
                 ("PATCH", "/v1/sources/a"), ("GET", "/v1/trace/" + "0" * 64), ("GET", "/v1/feed")]
        for method, target in calls:
            self.assert_refused(self.server.request(method, target, None if method == "GET" else "{}",
                                                    headers=via("203.0.113.7")))
        for target in ("/livez", "/readyz", "/v1/health", "/metrics"):
            self.assertEqual(self.server.request("GET", target, headers=via("203.0.113.7")).status, 200, target)

    def test_an_agent_pays_for_what_it_signed_and_nobody_else_does(self):
        body = claim(timestamp=TIME, concept_path="limits/agent")
        proof = sign(seed(1), body)
        headers = {"X-Agent-Id": proof["agent_id"], "X-Agent-Signature": proof["signature"]}
        forged = headers | {"X-Agent-Signature": "00" * 64}
        self.assertEqual(self.server.post("/v1/assert", body, headers | via("203.0.113.8")).status, 201)
        for address in ("203.0.113.66", "203.0.113.67", "203.0.113.68"):
            self.assertEqual(self.server.post("/v1/assert", body, forged | via(address)).status, 401)
        answer = self.server.post("/v1/assert", body, headers | via("203.0.113.9"))
        self.assertEqual((answer.status, answer.headers["X-Quota-Remaining"]), (200, "3"))
        self.assert_refused(self.server.post("/v1/assert", body, headers | via("203.0.113.10")))

    def test_forgers_do_not_lock_out_an_agent_that_has_proven_itself_behind_their_address(self):
        def send(key, path, signature=None):
            body = claim(timestamp=TIME, concept_path=path)
            proof = sign(seed(key), body)
            return self.server.post("/v1/assert", body, via("203.0.113.20") | {
                "X-Agent-Id": proof["agent_id"], "X-Agent-Signature": signature or proof["signature"]})

        self.assertEqual(send(2, "limits/known/1").status, 201)
        for _ in range(2):
            self.assertEqual(send(3, "limits/forged", "00" * 64).status, 401)
        self.assert_refused(send(3, "limits/forged", "00" * 64))
        self.assertEqual(send(2, "limits/known/2").status, 201)


class SlowLenses(unittest.TestCase):
    """Each call of a lens takes some milliseconds; a hundred of them take longer than one question may."""

    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="stemedb-test-")
        lenses = os.path.join(cls.root, "lenses")
        os.makedirs(lenses)
        for name in ("slow", "skeptic", "layered", "constraints"):
            with open(os.path.join(lenses, name + ".lua"), "w", encoding="utf-8") as file:
                file.write(f'return {{ kind = "lens", api = 1, name = "{name}", version = "1", description = "Slow.",\n'
                           "  resolve = function(ctx, candidates)\n"
                           "    local sum = 0\n"
                           "    for i = 1, 3000000 do sum = sum + i % 7 end\n"
                           "    return { winner = 1, explain = tostring(sum) }\n"
                           "  end }\n")
        cls.server = Server(lenses_dir=lenses)
        claims = [claim(concept_path=f"slow/{i}") for i in range(150)]
        assert cls.server.post("/v1/assert/batch", claims).status == 201

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        shutil.rmtree(cls.root)

    def test_a_question_whose_lens_calls_take_too_long_together_is_stopped(self):
        question = {"concept_path": "slow/*", "lens": "slow", "limit": 0}
        answers = [self.server.query(**question),
                   self.server.get("/v1/query", **question),
                   self.server.get("/v1/skeptic", concept_path="slow/*"),
                   self.server.get("/v1/layered", concept_path="slow/*"),
                   self.server.get("/v1/constraints", concept_path="slow/*"),
                   self.server.post("/v1/lenses/compare", {"concept_path": "slow/*", "lenses": ["slow", "skeptic"]})]
        for answer in answers:
            self.assertEqual((answer.status, answer.code), (504, "query_timeout"))
        self.assertEqual(self.server.query(concept_path="slow/1", lens="slow").status, 200)
        metrics = self.server.get("/metrics").body.decode()
        self.assertIn(f"stemedb_query_timeout_total {len(answers)}", metrics)


if __name__ == "__main__":
    unittest.main()
