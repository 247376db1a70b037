# SPDX-License-Identifier: Apache-2.0
"""/v1/admin/trust: how far agents are trusted, who may say so, and what it does to answers."""

import http.client
import os
import shutil
import tempfile
import unittest

from knowledge import STORED, KnowledgeCase, at
from server_process import Server
from signer import TIME, seed, sign, signed

TRUST = "/v1/admin/trust"


def key(number):
    """An agent that has never signed anything."""
    return f"{number:064x}"


class Trust(KnowledgeCase):
    def set(self, agent, rank, expect=201, headers=None, **more):
        answer = self.server.post(f"{TRUST}/{agent}", {"rank": rank} | more, headers)
        self.assertEqual(answer.status, expect, answer.body)
        return answer.json

    def of(self, agent, **params):
        answer = self.server.get(f"{TRUST}/{agent}", **params)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def refused(self, agent, body, status, code, pointers=None, headers=None):
        before = self.sequence()
        answer = self.server.post(f"{TRUST}/{agent}", body, headers)
        self.assertEqual((answer.status, answer.code), (status, code), answer.body)
        if pointers is not None:
            self.assertEqual(answer.pointers, pointers)
        self.assertEqual(self.sequence(), before, "something was recorded")
        return answer

    def test_of_an_agent_about_whom_nothing_was_said(self):
        self.assertEqual(self.of(key(1)), {"agent_id": key(1), "rank": 0.5, "statement": None, "history": []})

    def test_the_latest_statement_counts_and_the_others_are_its_history(self):
        agent = key(2)
        stored = [self.set(agent, rank, reason=f"because {rank}") for rank in (0.9, 0, 1, 0.25)]
        self.assertEqual([one["status"] for one in stored], ["created"] * 4)
        self.assertEqual({one["kind"] for one in stored}, {"trust"})
        self.assertTrue(STORED <= set(stored[0]))
        shown = self.of(agent)
        self.assertEqual(shown["rank"], 0.25)
        self.assertEqual(shown["statement"], shown["history"][0])
        self.assertEqual([one["trust"] for one in shown["history"]], [0.25, 1, 0, 0.9])
        last = shown["statement"]
        self.assertEqual((last["agent"], last["reason"], last["sequence"], last["id"], last["recorded_at"]),
                         (agent, "because 0.25", stored[3]["sequence"], stored[3]["id"], stored[3]["recorded_at"]))
        self.assertNotIn("next_cursor", shown)
        first = self.of(agent, limit=3)
        self.assertEqual(len(first["history"]), 3)
        rest = self.of(agent, limit=3, cursor=first["next_cursor"])
        self.assertEqual((rest["rank"], [one["trust"] for one in rest["history"]]), (0.25, [0.9]))
        self.assertNotIn("next_cursor", rest)

    def test_the_list_has_each_agent_once_page_by_page(self):
        ranks = {key(0x300 + i): i / 8 for i in range(1, 6)}
        for agent in sorted(ranks, reverse=True):
            self.set(agent, 1)
            self.set(agent, ranks[agent])
        found, cursor = {}, {}
        for _ in range(20):
            page = self.server.get(TRUST, limit=2, **cursor).json
            self.assertLessEqual(len(page["agents"]), 2)
            for one in page["agents"]:
                self.assertNotIn(one["agent_id"], found)
                found[one["agent_id"]] = one
            if "next_cursor" not in page:
                break
            cursor = {"cursor": page["next_cursor"]}
        self.assertEqual(list(found), sorted(found))
        self.assertEqual({agent: found[agent]["rank"] for agent in ranks}, ranks)
        one = found[key(0x301)]
        statement = self.of(key(0x301))["statement"]
        self.assertEqual((one["since"], one["sequence"], one["set_by"]), (statement["recorded_at"], statement["sequence"], None))

    def test_the_same_statement_is_recorded_once(self):
        body = {"timestamp": at(1), "reason": "r"}
        first = self.set(key(4), 0.75, **body)
        again = self.set(key(4), 0.75, expect=200, **body)
        self.assertEqual((again["status"], again["id"], again["sequence"]), ("duplicate", first["id"], first["sequence"]))
        self.assertEqual(len(self.of(key(4))["history"]), 1)

    def test_a_signed_one_names_its_agent_and_has_the_id_that_node_gives_it(self):
        agent = key(5)
        body = {"agent": agent, "trust": 0.125, "reason": "r", "timestamp": TIME}
        proof = sign(seed(1), body, "trust")
        sent = {"rank": 0.125, "reason": "r", "timestamp": TIME, "agent_id": proof["agent_id"], "signature": proof["signature"]}
        answer = self.server.post(f"{TRUST}/{agent}", sent)
        self.assertEqual((answer.status, answer.json["id"]), (201, proof["id"]), answer.body)
        self.assertEqual(self.of(agent)["statement"]["agent_id"], proof["agent_id"])
        listed = {one["agent_id"]: one for one in self.server.get(TRUST, limit=1000).json["agents"]}
        self.assertEqual(listed[agent]["set_by"], proof["agent_id"])
        self.refused(agent, sent | {"rank": 0.5}, 401, "invalid_signature")
        self.refused(key(6), sent, 401, "invalid_signature")
        self.refused(agent, {"rank": 0.5, "agent_id": "ab" * 32}, 401, "missing_signature", ["/agent_id"])

    def test_what_is_wrong_is_refused_and_named(self):
        agent = key(7)
        for rank in (-0.1, 1.01, "0.5", True, None, [0.5]):
            self.refused(agent, {"rank": rank}, 400, "invalid_request", ["/rank"])
        self.refused(agent, {}, 400, "invalid_request", ["/rank"])
        self.refused(agent, {"rank": 0.5, "trust": 0.25}, 400, "invalid_request", ["/rank"])
        self.refused(agent, {"rank": 0.5, "agent": key(8)}, 400, "invalid_request", ["/agent"])
        self.refused(agent, {"rank": 0.5, "reason": ""}, 400, "invalid_request", ["/reason"])
        self.refused(agent, {"rank": 0.5, "reason": "x" * 1025}, 400, "invalid_request", ["/reason"])
        self.refused(agent, {"rank": 0.5, "colour": "red"}, 400, "invalid_request", ["/colour"])
        self.refused(agent, {"rank": 0.5, "dry_run": True}, 400, "invalid_request", ["/dry_run"])
        self.refused(agent, "no JSON", 400, "invalid_json")
        self.refused(agent + "?dry_run=true", {"rank": 0.5}, 400, "invalid_request")
        self.refused(agent, b'{"reason":"' + b"x" * (64 << 10) + b'"}', 413, "payload_too_large")
        for wrong in ("ab", "G" * 64, "AB" * 32, "0" * 64):
            self.refused(wrong, {"rank": 0.5}, 400, "invalid_request", ["agent_id"])
            self.assertEqual(self.server.get(f"{TRUST}/{wrong}").pointers, ["agent_id"])
        for path in (TRUST, f"{TRUST}/{agent}"):
            for params in ("limit=0", "limit=1001", "cursor=x", "cursor=", "colour=red"):
                self.assertEqual(self.server.get(f"{path}?{params}").code, "invalid_request", path + params)
        for method in ("PUT", "DELETE"):
            self.assertEqual(self.server.request(method, f"{TRUST}/{agent}").status, 405)

    def test_it_is_an_operators_call(self):
        agent = key(9)
        for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Via": "1.1 proxy"}, {"Origin": "https://evil.example"},
                        {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            self.refused(agent, {"rank": 1}, 403, "forbidden", headers=headers)
            for path in (TRUST, f"{TRUST}/{agent}"):
                answer = self.server.request("GET", path, headers=headers)
                self.assertEqual((answer.status, answer.code), (403, "forbidden"), headers)
        body = {"agent": agent, "trust": 1, "timestamp": TIME}
        mine = signed(seed(1), body, "trust")
        self.refused(agent, mine, 403, "forbidden", headers={"X-Forwarded-For": "203.0.113.5"})
        self.assertEqual(self.of(agent)["rank"], 0.5)

    def test_the_audit_tells_who_did_it(self):
        agent = key(10)
        made = self.set(agent, 0.3, headers={"X-Actor": "alice"}, reason="two forged figures", timestamp=at(2))
        self.set(agent, 0.3, expect=200, headers={"X-Actor": "bob"}, reason="two forged figures", timestamp=at(2))
        entries = self.server.get("/v1/admin/audit", limit=1000).json["entries"]
        second, first = [entry for entry in entries if entry["subject"] == agent]
        self.assertEqual([(entry["action"], entry["actor"], entry["result"], entry["peer"]) for entry in (first, second)],
                         [("trust.set", "alice", "ok", "127.0.0.1"), ("trust.set", "bob", "duplicate", "127.0.0.1")])
        self.assertEqual(first["detail"], f"0.3, sequence {made['sequence']}: two forged figures")

    def test_the_operations_listener_doesnt_serve_it(self):
        connection = http.client.HTTPConnection(*self.server.addresses["operations"], timeout=60)
        self.addCleanup(connection.close)
        connection.request("GET", TRUST)
        self.assertEqual(connection.getresponse().status, 404)

    def assert_as(self, agent, path, value, **more):
        answer = self.server.post("/v1/assert", signed(seed(agent), {
            "concept_path": path, "predicate": "p", "value": value, "confidence": 0.8, "timestamp": TIME} | more))
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json["id"]

    def test_lenses_judge_by_the_trust_of_the_questions_moment(self):
        one, two = (sign(seed(number), {"timestamp": TIME})["agent_id"] for number in (21, 22))
        premise = self.assert_as(21, "trust/premise", "x")
        first, second = self.assert_as(21, "trust/a", 1), self.assert_as(22, "trust/a", 2, derived_from=[premise])
        start = self.sequence()
        lowered = self.set(one, 0.1)["sequence"]
        raised = self.set(two, 0.9)["sequence"]

        def winner(**question):
            return self.resolution("trust/a", "authority", **question)

        self.assertEqual(winner(params={"derived": False})["winner"], second)
        self.assertEqual(winner(params={"derived": False}, as_of=raised)["value"], 2)
        # Its premise is trusted less than it is itself.
        self.assertEqual({c["id"]: (c["trust"], c["derived_trust"]) for c in
                          winner(include=["candidates", "explain"])["candidates"]},
                         {first: (0.1, 0.1), second: (0.9, 0.1)})
        self.assertEqual({c["id"]: (c["trust"], c["derived_trust"]) for c in
                          winner(include=["candidates", "explain"], as_of=start)["candidates"]},
                         {first: (0.5, 0.5), second: (0.5, 0.5)})
        self.assertEqual({c["id"]: c["trust"] for c in
                          winner(include=["candidates", "explain"], as_of=lowered)["candidates"]}, {first: 0.1, second: 0.5})
        trace = self.trace(second)
        self.assertEqual((trace["trust"], trace["derived_trust"]), (0.9, 0.1))


class SignaturesRequired(KnowledgeCase):
    ENV = {"STEMEDB_REQUIRE_SIGNATURES": "true"}

    def test_an_operator_needs_none(self):
        answer = self.server.post(f"{TRUST}/{key(1)}", {"rank": 0.25})
        self.assertEqual(answer.status, 201, answer.body)
        self.assertEqual(self.server.get(f"{TRUST}/{key(1)}").json["rank"], 0.25)


class Restarts(unittest.TestCase):
    def test_ranks_hold_over_a_restart_also_when_the_index_is_made_anew(self):
        root = tempfile.mkdtemp(prefix="stemedb-test-")
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        server = Server(root=root)
        self.addCleanup(server.close)
        for agent, rank in ((1, 0.9), (2, 0.1), (1, 0.7)):
            self.assertEqual(server.post(f"{TRUST}/{key(agent)}", {"rank": rank}).status, 201)
        targets = (TRUST, f"{TRUST}/{key(1)}", f"{TRUST}/{key(2)}")
        shown = [server.get(target).body for target in targets]
        for lost in (None, "indexes"):
            server.stop()
            if lost is not None:
                shutil.rmtree(os.path.join(root, "data", "db", lost))
            server = Server(root=root)
            self.addCleanup(server.close)
            self.assertEqual([server.get(target).body for target in targets], shown, lost)


if __name__ == "__main__":
    unittest.main()
