# SPDX-License-Identifier: Apache-2.0
"""Signatures made by Node's crypto, in all three places where they may stand; any changed byte is refused."""

import random
import unittest

from server_process import Server, claim
from signer import TIME, seed, sign, sign_all

RANDOM_SEED = random.randrange(2**31)


class Signatures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"random seed {RANDOM_SEED}")
        cls.random = random.Random(RANDOM_SEED)
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def signed(self, key=seed(1), **fields):
        body = claim(timestamp=TIME, **fields)
        proof = sign(key, body)
        return body | {"agent_id": proof["agent_id"]}, proof

    def test_a_signature_in_the_body_is_accepted_and_the_id_is_nodes(self):
        body, proof = self.signed(concept_path="signed/body", value="Å€😀")
        answer = self.server.post("/v1/assert", body | {"signature": proof["signature"]})
        self.assertEqual((answer.status, answer.json["id"]), (201, proof["id"]))
        read = self.server.get(answer.headers["Location"]).json
        self.assertEqual((read["agent_id"], read["signature"]), (proof["agent_id"], proof["signature"]))

    def test_a_list_of_signatures_is_accepted(self):
        body = claim(timestamp=TIME, concept_path="signed/list")
        first = sign(seed(1), body)
        body["agent_id"] = first["agent_id"]
        second = sign(seed(2), body)
        signers = [{name: proof[name] for name in ("agent_id", "signature")} for proof in (first, second)]
        answer = self.server.post("/v1/assert", body | {"signatures": signers})
        self.assertEqual((answer.status, answer.json["id"]), (201, first["id"]))
        self.assertEqual(self.server.get(answer.headers["Location"]).json["signatures"], signers)
        signers[1]["signature"] = signers[0]["signature"]
        self.assertEqual(self.server.post("/v1/assert", body | {"signatures": signers, "value": False}).code,
                         "invalid_signature")

    def test_a_signature_in_the_headers_is_accepted(self):
        body, proof = self.signed(concept_path="signed/headers")
        headers = {"X-Agent-Id": proof["agent_id"], "X-Agent-Signature": proof["signature"]}
        for sent in (body, {name: value for name, value in body.items() if name != "agent_id"}):
            answer = self.server.post("/v1/assert", sent, headers=headers)
            self.assertIn(answer.status, (200, 201))
            self.assertEqual(answer.json["id"], proof["id"])
        headers["X-Agent-Signature"] = "00" * 64
        self.assertEqual(self.server.post("/v1/assert", body, headers=headers).code, "invalid_signature")

    def test_any_changed_byte_is_refused(self):
        body, proof = self.signed(concept_path="signed/changed", value="abcdefgh", confidence=0.5, epoch="e1")
        sent = body | {"signature": proof["signature"]}
        changes = [{"concept_path": "signed/changee"}, {"predicate": "thins_bloof"}, {"value": "abcdefgi"},
                   {"confidence": 0.5000000000000001}, {"epoch": "e2"}, {"timestamp": "2026-02-11T10:00:00.001Z"},
                   {"lifecycle": "proposed"}, {"metadata": {}}, {"agent_id": sign(seed(2), body)["agent_id"]}]
        for _ in range(16):
            at = self.random.randrange(128)
            other = self.random.choice([c for c in "0123456789abcdef" if c != proof["signature"][at]])
            changes.append({"signature": proof["signature"][:at] + other + proof["signature"][at + 1:]})
        before = self.server.get("/v1/health").json["sequence"]
        for change in changes:
            answer = self.server.post("/v1/assert", sent | change)
            self.assertEqual((answer.status, answer.code), (401, "invalid_signature"), change)
        self.assertEqual(self.server.get("/v1/health").json["sequence"], before)
        self.assertEqual(self.server.post("/v1/assert", sent).status, 201)

    def test_an_agent_without_a_signature_is_refused_also_through_the_other_name(self):
        for path in ("/v1/assert", "/v1/assertions"):
            answer = self.server.post(path, claim(agent_id="ab" * 32))
            self.assertEqual((answer.status, answer.code), (401, "missing_signature"))

    def test_a_signed_claim_is_taken_through_a_proxy(self):
        body, proof = self.signed(concept_path="signed/proxy")
        answer = self.server.post("/v1/assert", body | {"signature": proof["signature"]},
                                  headers={"X-Forwarded-For": "203.0.113.5"})
        self.assertEqual(answer.status, 201)

    def test_a_batch_checks_each_signature(self):
        bodies = [claim(timestamp=TIME, concept_path="signed/batch", value=i) for i in range(400)]
        proofs = sign_all([(seed(i % 5 + 1), body) for i, body in enumerate(bodies)])
        for body, proof in zip(bodies, proofs):
            body |= {"agent_id": proof["agent_id"], "signature": proof["signature"]}
        forged = {7, 255, 256, 399}
        for i in forged:
            bodies[i]["value"] = -1
        results = self.server.post("/v1/assert/batch", bodies).json["results"]
        for i, (result, proof) in enumerate(zip(results, proofs)):
            if i in forged:
                self.assertEqual(result["code"], "invalid_signature")
            else:
                self.assertEqual((result["status"], result["id"]), ("created", proof["id"]))


if __name__ == "__main__":
    unittest.main()
