# SPDX-License-Identifier: Apache-2.0
"""What all calls that record an operation have in common: signatures, repeats, who may speak unsigned, and what of a
request is wrong whatever it says.
"""

import json
import os
import shutil
import tempfile
import unittest

from knowledge import STORED, KnowledgeCase, at
from server_process import Server, claim
from signer import TIME, seed, sign, signed

# By the call, as KnowledgeCase.send takes it: the operation's kind and the bytes that a body may have.
CALLS = {
    "/v1/vote": ("vote", 64 << 10),
    "/v1/supersede": ("supersession", 64 << 10),
    "/v1/retract": ("retraction", 64 << 10),
    "/v1/epoch": ("epoch", 64 << 10),
    "/v1/source": ("source", 8 << 20),
    "/v1/sources": ("source", 8 << 20),
    "PATCH /v1/sources/common": ("source_status", 64 << 10),
    "/v1/concepts/alias": ("alias", 64 << 10),
}
# What is signed of a source's status has the source's id, wherever the client gave it.
URL_FIELDS = {"PATCH /v1/sources/common": {"id": "common"}}
ADDED_BY_THE_SERVER = ("operation_id", "kind", "sequence", "recorded_at")


class Common(KnowledgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.post("/v1/source", {"id": "common"})
        cls.made = 0

    def good(self, call):
        """A body that the call takes, another one each time."""
        type(self).made += 1
        number, time = self.made, {"timestamp": at(self.made)}
        ids = [self.store(f"common/{number}", value=value) for value in (1, 2)]
        return time | {
            "/v1/vote": {"assertion_id": ids[0], "weight": 0.5},
            "/v1/supersede": {"target": ids[0], "replacement": ids[1], "reason": "r"},
            "/v1/retract": {"assertion_id": ids[0], "cascade": True, "reason": "r"},
            "/v1/epoch": {"name": f"e{number}", "supersedes": f"old {number}", "supersession_type": "corrects"},
            "/v1/source": {"id": f"s{number}", "class": "expert", "title": "Å😀", "url": "u", "hash": "h", "content": "c\n"},
            "/v1/sources": {"id": f"s{number}"},
            "PATCH /v1/sources/common": {"status": "deprecated", "reason": "r"},
            "/v1/concepts/alias": {"alias": f"common/alias/{number}", "concept_path": "common/target"},
        }[call]

    def refused(self, call, body, status, code, pointers=None, **more):
        before = self.sequence()
        answer = self.send(call, body, **more)
        self.assertEqual((answer.status, answer.code), (status, code), f"{call}: {answer.body[:500]!r}")
        if pointers is not None:
            self.assertEqual(answer.pointers, pointers, call)
        self.assertEqual(self.sequence(), before, f"{call}: something was recorded")
        return answer

    # Recorded

    def test_each_is_recorded_once_however_often_it_is_sent(self):
        for call, (kind, _) in CALLS.items():
            body = self.good(call)
            first = self.record(call, **body)
            self.assertTrue(STORED <= set(first), first)
            self.assertEqual((first["status"], first["kind"], first["sequence"]), ("created", kind, self.sequence()))
            counted = self.server.get("/v1/health").json["assertion_count"]
            # In another order, and with the same moment in another spelling: the same content.
            again = dict(reversed((body | {"timestamp": body["timestamp"].replace("Z", "+00:00")}).items()))
            second = self.record(call, expect=200, **again)
            self.assertEqual({name: second[name] for name in STORED},
                             {name: first[name] for name in STORED} | {"status": "duplicate"})
            health = self.server.get("/v1/health").json
            self.assertEqual((health["sequence"], health["assertion_count"]), (first["sequence"], counted), call)

    def test_without_a_timestamp_each_gets_the_servers(self):
        for call in CALLS:
            body = self.good(call)
            del body["timestamp"]
            answer = self.record(call, **body)
            shown = self.server.get("/v1/feed", limit=1).json["items"][0]["operation"]
            self.assertEqual(shown["sequence"], answer["sequence"])
            self.assertLessEqual(shown["timestamp"], shown["recorded_at"])

    def test_one_that_is_dated_beyond_tomorrow_is_refused_with_both_times(self):
        calls = {call: (kind, self.good(call)) for call, (kind, _) in CALLS.items()}
        calls["/v1/admin/trust/" + "ab" * 32] = ("trust", {"rank": 0.5})
        for call, (_, body) in calls.items():
            answer = self.refused(call, body | {"timestamp": "9999-01-01T00:00:00Z"}, 422, "timestamp_in_future")
            self.assertIn("9999-01-01T00:00:00.000Z, is more than a day ahead of the server's clock, 2", answer.json["detail"])
        # Signed ones as well; and nothing of it stands in the way of what is said now.
        body = calls["/v1/vote"][1]
        late = signed(seed(1), body | {"timestamp": "9999-01-01T00:00:00.000Z"}, "vote")
        self.refused("/v1/vote", late, 422, "timestamp_in_future")
        self.record("/v1/vote", **signed(seed(1), body, "vote"))
        self.record("/v1/vote", **body)

    def test_unix_seconds_are_a_timestamp(self):
        for call in CALLS:
            self.record(call, **self.good(call) | {"timestamp": 1770804000})
            shown = self.server.get("/v1/feed", limit=1).json["items"][0]["operation"]
            self.assertEqual(shown["timestamp"], TIME)

    # Signed

    def test_a_signed_one_has_the_id_that_node_gives_it_and_shows_its_signature(self):
        for call, (kind, _) in CALLS.items():
            body = self.good(call)
            proof = sign(seed(1), body | URL_FIELDS.get(call, {}), kind)
            answer = self.record(call, **body, agent_id=proof["agent_id"], signature=proof["signature"])
            self.assertEqual(answer["id"], proof["id"], call)
            shown = self.server.get("/v1/feed", limit=1).json["items"][0]["operation"]
            self.assertEqual((shown["agent_id"], shown["signature"]), (proof["agent_id"], proof["signature"]))

    def test_a_signature_may_stand_in_all_three_places(self):
        for call, (kind, _) in CALLS.items():
            body = self.good(call)
            first = sign(seed(1), body | URL_FIELDS.get(call, {}), kind)
            body["agent_id"] = first["agent_id"]
            second = sign(seed(2), body | URL_FIELDS.get(call, {}), kind)
            signers = [{name: proof[name] for name in ("agent_id", "signature")} for proof in (first, second)]
            created = self.record(call, **body, signatures=signers)
            headers = {"X-Agent-Id": first["agent_id"], "X-Agent-Signature": first["signature"]}
            again = self.send(call, body, headers=headers)
            self.assertEqual((again.status, again.json["id"]), (200, created["id"]), call)
            self.assertEqual(self.server.get("/v1/feed", limit=1).json["items"][0]["operation"]["signatures"], signers)

    def test_a_signature_by_another_key_of_another_kind_or_over_something_else_is_refused(self):
        for call, (kind, _) in CALLS.items():
            body = self.good(call) | URL_FIELDS.get(call, {})
            right = signed(seed(1), body, kind)
            others = {"another key's": sign(seed(2), body | {"agent_id": right["agent_id"]}, kind),
                      "a claim's": sign(seed(1), body),
                      "another kind's": sign(seed(1), body, "trust"),
                      "of another time": sign(seed(1), body | {"timestamp": at(59_999)}, kind)}
            for name, proof in others.items():
                answer = self.refused(call, right | {"signature": proof["signature"]}, 401, "invalid_signature")
                self.assertIn("Ed25519", answer.headers["WWW-Authenticate"], name)
            self.refused(call, right | {"signature": "00" * 64}, 401, "invalid_signature")
            self.refused(call, right | {"agent_id": sign(seed(2), body, kind)["agent_id"]}, 401, "invalid_signature")
            self.assertEqual(self.send(call, right).status, 201, call)

    def test_a_name_without_a_signature_is_refused(self):
        for call in CALLS:
            body = self.good(call)
            self.refused(call, body | {"agent_id": "ab" * 32}, 401, "missing_signature", ["/agent_id"])
            self.refused(call, body, 401, "missing_signature", headers={"X-Agent-Id": "ab" * 32})

    def test_a_signed_one_gives_its_time_in_the_canonical_form(self):
        for call, (kind, _) in CALLS.items():
            right = signed(seed(1), self.good(call) | URL_FIELDS.get(call, {}), kind)
            for time in ("2026-02-11T10:00:00Z", "2026-02-11T11:00:00.000+01:00", 1770804000):
                self.refused(call, right | {"timestamp": time}, 400, "invalid_request", ["/timestamp"])
            self.refused(call, {name: value for name, value in right.items() if name != "timestamp"}, 400,
                         "invalid_request", ["/timestamp"])

    def test_a_dry_run_is_not_signed_since_it_would_be_a_signed_operation(self):
        for call in ("/v1/retract", "PATCH /v1/sources/common"):
            body = self.good(call)
            right = signed(seed(1), body | URL_FIELDS.get(call, {}), CALLS[call][0])
            self.refused(call, right | {"dry_run": True}, 400, "invalid_request", ["/dry_run"])
            self.assertEqual(self.send(call, body | {"dry_run": True}).json["status"], "dry_run")
            self.assertEqual(self.send(call, right | {"dry_run": False}).json["status"], "created")

    # Unsigned

    def test_unsigned_ones_are_taken_from_this_machine_alone(self):
        for call, (kind, _) in CALLS.items():
            body = self.good(call)
            for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"Via": "1.1 proxy"},
                            {"Origin": "https://evil.example"}):
                self.refused(call, body, 403, "unsigned_not_allowed", headers=headers)
            right = signed(seed(1), body | URL_FIELDS.get(call, {}), kind)
            elsewhere = {"X-Forwarded-For": "203.0.113.5"}
            if call == "/v1/vote":
                self.assertEqual(self.send(call, right, headers=elsewhere).status, 201, call)
            else:
                self.refused(call, right, 403, "not_yours", headers=elsewhere)
            self.assertIn(self.send(call, right).status, (200, 201), call)

    def assert_as(self, agent, value, **more):
        answer = self.server.post("/v1/assert", signed(seed(agent), {
            "concept_path": "common/own", "predicate": "p", "value": value, "confidence": 0.5, "timestamp": at(1)} | more))
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json["id"]

    def test_an_agent_from_elsewhere_retracts_and_supersedes_its_own_assertions(self):
        elsewhere = {"X-Forwarded-For": "203.0.113.6"}
        own = [self.assert_as(3, value) for value in (1, 2)]
        other = self.store("common/others", value=1)
        for call, kind, body in (("/v1/supersede", "supersession", {"target": own[0], "replacement": other}),
                                 ("/v1/retract", "retraction", {"assertion_id": own[1], "cascade": True})):
            stranger = signed(seed(4), body | {"timestamp": at(2)}, kind)
            self.refused(call, stranger, 403, "not_yours", headers=elsewhere)
            mine = signed(seed(3), body | {"timestamp": at(2)}, kind)
            self.assertEqual(self.send(call, mine, headers=elsewhere).status, 201, call)

    def test_who_has_signed_an_assertion_beside_its_agent_has_no_say_in_it(self):
        body = {"concept_path": "common/shared", "predicate": "p", "value": 1, "confidence": 0.5, "timestamp": at(1)}
        first = sign(seed(3), body)
        second = sign(seed(4), body | {"agent_id": first["agent_id"]})
        signers = [{name: proof[name] for name in ("agent_id", "signature")} for proof in (first, second)]
        id = self.server.post("/v1/assert", body | {"agent_id": first["agent_id"], "signatures": signers}).json["id"]
        retraction, elsewhere = {"assertion_id": id, "timestamp": at(2)}, {"X-Forwarded-For": "203.0.113.6"}
        self.refused("/v1/retract", signed(seed(4), retraction, "retraction"), 403, "not_yours", headers=elsewhere)
        self.assertEqual(self.send("/v1/retract", signed(seed(3), retraction, "retraction"), headers=elsewhere).status, 201)

    def test_a_cascade_from_elsewhere_reaches_the_agents_own_assertions_alone(self):
        elsewhere = {"X-Forwarded-For": "203.0.113.7"}
        premise = self.assert_as(3, "premise")
        self.assert_as(3, "mine", derived_from=[premise])
        foreign = self.assert_as(4, "foreign", derived_from=[premise])
        cascade = {"assertion_id": premise, "cascade": True}
        order = signed(seed(3), cascade | {"timestamp": at(2)}, "retraction")
        answer = self.refused("/v1/retract", order, 403, "not_yours", headers=elsewhere)
        self.assertIn("1 is not this agent's; retract without cascade", answer.json["detail"])
        agent = {"agent_id": order["agent_id"], "dry_run": True}
        preview = self.send("/v1/retract", cascade | agent, headers=elsewhere).json
        self.assertEqual((preview["retracted"], preview["allowed"], preview["code"]), (3, False, "not_yours"))
        self.assertIn("1 is not this agent's", preview["detail"])
        self.record("/v1/retract", assertion_id=foreign)
        self.assertEqual(self.send("/v1/retract", cascade | agent, headers=elsewhere).json["allowed"], True)
        taken = self.send("/v1/retract", order, headers=elsewhere)
        self.assertEqual((taken.status, taken.json["retracted"]), (201, 2))
        # What others derive from it from now on is retracted when it comes.
        self.assertEqual(self.status_of(self.assert_as(4, "late", derived_from=[premise])), "retracted")

    def test_an_operators_cascade_reaches_everybodys_assertions(self):
        premise = self.assert_as(3, "operator's")
        self.assert_as(4, "resting", derived_from=[premise])
        self.assertEqual(self.record("/v1/retract", assertion_id=premise, cascade=True)["retracted"], 2)

    def test_everybody_may_ask_what_a_retraction_would_do(self):
        """Unsigned, from wherever, and told whether it could be done, as far as is known."""
        own = self.assert_as(3, "asked")
        agent = sign(seed(3), {"timestamp": TIME})["agent_id"]
        proxy, page = {"X-Forwarded-For": "203.0.113.8"}, {"Origin": "https://evil.example"}
        before = self.sequence()
        for body, headers, code in (({"assertion_id": own}, {}, None), ({"assertion_id": own}, proxy, "unsigned_not_allowed"),
                                    ({"assertion_id": own}, page, "unsigned_not_allowed"),
                                    ({"assertion_id": own, "agent_id": agent}, proxy, None),
                                    ({"assertion_id": own}, proxy | {"X-Agent-Id": agent}, None),
                                    ({"assertion_id": own, "agent_id": "ab" * 32}, proxy, "not_yours"),
                                    ({"assertion_id": own, "agent_id": "ab" * 32}, {}, None),
                                    ({"concept_path": "common/own", "agent_id": agent}, proxy, "not_yours")):
            answer = self.send("/v1/retract", body | {"dry_run": True}, headers=headers)
            self.assertEqual((answer.status, answer.json["status"]), (200, "dry_run"), answer.body)
            self.assertEqual((answer.json["allowed"], answer.json.get("code")), (code is None, code), body | headers)
            self.assertEqual("detail" in answer.json, code is not None)
            self.assertGreaterEqual(answer.json["retracted"], 1)
        for status in ("deprecated", "retracted"):
            answer = self.send("PATCH /v1/sources/common", {"status": status, "dry_run": True}, headers=proxy)
            self.assertEqual((answer.status, answer.json["code"]), (200, "unsigned_not_allowed"), answer.body)
        self.refused("/v1/retract", {"assertion_id": "ab" * 32, "dry_run": True}, 404, "unknown_assertion", headers=proxy)
        self.refused("/v1/retract", {"assertion_id": own, "agent_id": "x", "dry_run": True}, 401, "invalid_signature")
        self.assertEqual(self.sequence(), before)

    # Malformed

    def test_what_is_no_json_object_is_refused(self):
        for call in CALLS:
            for body in ("", "{", "[1", '{"a":1}{', b'{"reason":"\xff"}'):
                self.refused(call, body, 400, "invalid_json")
            for body in ("[]", "1", '"text"', "null"):
                self.refused(call, body, 400, "invalid_request", [""])

    def test_unknown_fields_are_refused_and_those_of_the_server_are_called_so(self):
        for call in CALLS:
            answer = self.refused(call, self.good(call) | {"colour": "red"}, 400, "invalid_request", ["/colour"])
            self.assertIn("unknown field; allowed are ", answer.json["detail"])
            for name in ADDED_BY_THE_SERVER:
                answer = self.refused(call, self.good(call) | {name: 1}, 400, "invalid_request", ["/" + name])
                self.assertIn("is added by the server", answer.json["detail"])

    def test_a_field_that_stands_twice_is_refused(self):
        for call in CALLS:
            body = json.dumps(self.good(call))
            answer = self.send(call, body[:-1] + ', "timestamp": "2026-02-11T10:00:00Z"}')
            self.assertEqual((answer.status, answer.code), (400, "invalid_request"), call)

    def test_parameters_are_refused(self):
        for call in CALLS:
            body = self.good(call)
            for parameters in ("?dry_run=true", "?x="):
                self.refused(call + parameters, body, 400, "invalid_request")

    def test_a_body_that_is_too_large_is_refused(self):
        for call, (_, bytes_max) in CALLS.items():
            self.refused(call, b'{"reason":"' + b"x" * bytes_max + b'"}', 413, "payload_too_large")

    def test_every_fault_is_named_in_the_order_of_the_body(self):
        body = {"weight": 2, "colour": "red", "assertion_id": "x", "agent_id": 7}
        self.refused("/v1/vote", body, 400, "invalid_request", ["/weight", "/colour", "/assertion_id", "/agent_id"])

    def test_other_methods_are_refused_with_those_that_there_are(self):
        for method, path, allow in (("GET", "/v1/vote", {"OPTIONS", "POST"}),
                                    ("DELETE", "/v1/sources/common", {"GET", "HEAD", "OPTIONS", "PATCH"}),
                                    ("PATCH", "/v1/sources", {"GET", "HEAD", "OPTIONS", "POST"}),
                                    ("POST", "/v1/trace/" + "0" * 64, {"GET", "HEAD", "OPTIONS"}),
                                    ("POST", "/v1/feed", {"GET", "HEAD", "OPTIONS"})):
            answer = self.server.request(method, path, {} if method in ("POST", "PATCH") else None)
            self.assertEqual((answer.status, set(answer.headers["Allow"].split(", "))), (405, allow), path)


class SignaturesRequired(KnowledgeCase):
    ENV = {"STEMEDB_REQUIRE_SIGNATURES": "true"}

    def test_an_operator_has_retractions_tried_all_the_same(self):
        made = signed(seed(1), {"concept_path": "a", "predicate": "p", "value": 1, "confidence": 0.5, "timestamp": TIME,
                                "source": {"id": "tried"}})
        self.assertEqual(self.server.post("/v1/assert", made).status, 201)
        preview = self.record("/v1/retract", expect=200, source_id="tried", dry_run=True)
        self.assertEqual((preview["allowed"], preview["retracted"]), (True, 1))
        self.refuse(401, "signature_required", "/v1/retract", source_id="tried")

    def test_unsigned_operations_are_refused_from_everybody(self):
        id, before = "ab" * 32, self.sequence()
        bodies = {"/v1/vote": {"assertion_id": id, "weight": 1}, "/v1/supersede": {"target": id, "replacement": "cd" * 32},
                  "/v1/retract": {"source_id": "s"}, "/v1/epoch": {"name": "e"}, "/v1/source": {"id": "s"},
                  "/v1/sources": {"id": "s"}, "PATCH /v1/sources/common": {"status": "deprecated"},
                  "/v1/concepts/alias": {"alias": "a", "concept_path": "b"}}
        self.assertEqual(set(bodies), set(CALLS))
        for call, body in bodies.items():
            answer = self.refuse(401, "signature_required", call, **body)
            self.assertIn("Ed25519", answer.headers["WWW-Authenticate"])
        self.assertEqual(self.sequence(), before)
        self.record("/v1/epoch", **signed(seed(1), {"name": "e", "timestamp": TIME}, "epoch"))


class Restarts(unittest.TestCase):
    """What was said holds over a restart, also when the index is made anew."""

    def shown(self, server, ids):
        answers = [server.query(concept_path=path, status="any", lens="skeptic", as_of=moment).body
                   for path in ("k/*", "k/name") for moment in range(1, 14)]
        targets = ["/v1/trace/" + id for id in ids] + ["/v1/sources", "/v1/sources/s", "/v1/feed"]
        return answers + [server.request("GET", target).body for target in targets]

    def test_answers_are_the_same_before_and_after(self):
        root = tempfile.mkdtemp(prefix="stemedb-test-")
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        env = {"STEMEDB_AUDIT_QUERIES": "false"}  # else a trace tells of the questions between the two
        server = Server(root=root, env=env)
        self.addCleanup(server.close)
        ids = []
        for value, more in (("a", {"source": {"id": "s"}}), ("b", {}), ("c", {"epoch": "e"}), ("d", {})):
            if value == "d":
                more = {"derived_from": [ids[0]]}
            ids.append(server.post("/v1/assert", claim(concept_path="k/target", value=value, timestamp=TIME, **more)).json["id"])
        bodies = [("/v1/vote", {"assertion_id": ids[1], "weight": 0.75}), ("/v1/vote", {"assertion_id": ids[1], "weight": 0.25}),
                  ("/v1/source", {"id": "s", "content": "text"}), ("/v1/epoch", {"name": "f", "supersedes": "e"}),
                  ("/v1/supersede", {"target": ids[1], "replacement": ids[2]}),
                  ("/v1/concepts/alias", {"alias": "k/name", "concept_path": "k/target"}),
                  ("/v1/retract", {"source_id": "s", "cascade": True}), ("/v1/retract", {"concept_path": "k/*"}),
                  ("/v1/vote", {"assertion_id": ids[3], "weight": 1})]
        for moment, (path, body) in enumerate(bodies):
            self.assertEqual(server.post(path, body | {"timestamp": at(moment)}).status, 201, path)
        before = self.shown(server, ids)
        self.assertEqual(json.loads(before[-1])["items"][-1]["assertion"]["id"], ids[0])
        for lost in ([], ["indexes"], ["indexes", "assertions.kv"]):
            server.stop()
            for name in lost:
                path = os.path.join(root, "data", "db", name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
            server = Server(root=root, env=env)
            self.addCleanup(server.close)
            self.assertEqual(self.shown(server, ids), before, lost)


if __name__ == "__main__":
    unittest.main()
