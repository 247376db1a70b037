# SPDX-License-Identifier: Apache-2.0
"""POST /v1/assert/batch."""

import json
import threading
import time
import unittest

from server_process import Server, claim
from signer import TIME, seed, sign_all

BATCH = "/v1/assert/batch"


def ndjson(items):
    return "\n".join(json.dumps(item) for item in items)


class Batch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_an_array_and_lines_give_results_in_order(self):
        for name, encoded in (("array", json.dumps), ("lines", ndjson)):
            items = [claim(concept_path=f"batch/{name}", value=i) for i in range(300)]
            answer = self.server.post(BATCH, encoded(items))
            self.assertEqual(answer.status, 201)
            self.assertEqual((answer.json["created"], answer.json["duplicates"], answer.json["errors"]), (300, 0, 0))
            sequences = [result["sequence"] for result in answer.json["results"]]
            self.assertEqual(sequences, list(range(sequences[0], sequences[0] + 300)))
            for i in (0, 150, 299):
                result = answer.json["results"][i]
                self.assertEqual(result["index"], i)
                self.assertEqual(self.server.get("/v1/assertions/" + result["id"]).json["value"], i)

    def test_one_bad_item_does_not_spoil_the_rest(self):
        good = [claim(concept_path="batch/mixed", value=i) for i in range(3)]
        for encoded in (json.dumps, ndjson):
            answer = self.server.post(BATCH, encoded([good[0], claim(confidence=7), good[1], "text", good[2]]))
            statuses = [result["status"] for result in answer.json["results"]]
            self.assertEqual(statuses, ["created", "error", "created", "error", "created"])
            self.assertEqual(answer.json["results"][1]["errors"][0]["pointer"], "/1/confidence")
            self.assertEqual(answer.json["results"][3]["code"], "invalid_request")
            good = [item | {"value": item["value"] + 10} for item in good]

    def test_a_line_that_is_no_json_spoils_itself_alone(self):
        lines = [json.dumps(claim(concept_path="batch/broken", value=1)), "{broken}", "",
                 json.dumps(claim(concept_path="batch/broken", value=2))]
        answer = self.server.post(BATCH, "\r\n".join(lines) + "\n")
        self.assertEqual([result["status"] for result in answer.json["results"]], ["created", "error", "created"])
        self.assertEqual(answer.json["results"][1]["code"], "invalid_json")

    def test_repeats_within_a_batch_and_of_a_batch_are_duplicates(self):
        item = claim(concept_path="batch/repeat", timestamp=TIME)
        first = self.server.post(BATCH, [item, item])
        self.assertEqual([result["status"] for result in first.json["results"]], ["created", "duplicate"])
        self.assertEqual(len({result["sequence"] for result in first.json["results"]}), 1)
        again = self.server.post(BATCH, [item, item])
        self.assertEqual((again.status, again.json["duplicates"]), (200, 2))

    def test_one_claim_over_several_lines_is_a_batch_of_one(self):
        answer = self.server.post(BATCH, json.dumps(claim(concept_path="batch/single"), indent=2))
        self.assertEqual((answer.status, len(answer.json["results"])), (201, 1))

    def test_an_empty_array_is_an_empty_batch(self):
        answer = self.server.post(BATCH, "[]")
        self.assertEqual((answer.status, answer.json["results"]), (200, []))

    def test_atomic_stores_all(self):
        items = [claim(concept_path="batch/atomic", value=i) for i in range(50)]
        answer = self.server.post(BATCH + "?atomic=true", items)
        self.assertEqual((answer.status, answer.json["created"]), (201, 50))

    def test_atomic_stores_nothing_when_one_is_refused(self):
        items = [claim(concept_path="batch/none", value=i) for i in range(50)]
        items[3]["confidence"] = 7
        del items[40]["predicate"]
        before = self.server.get("/v1/health").json["sequence"]
        answer = self.server.post(BATCH + "?atomic=true", items)
        self.assertEqual((answer.status, answer.code), (400, "invalid_request"))
        self.assertEqual(answer.pointers, ["/3/confidence", "/40/predicate"])
        self.assertEqual(self.server.get("/v1/health").json["sequence"], before)
        forged = claim(concept_path="batch/none", timestamp=TIME, agent_id="ab" * 32, signature="cd" * 64)
        answer = self.server.post(BATCH + "?atomic=true", [items[0], forged])
        self.assertEqual((answer.status, answer.code, answer.pointers), (401, "invalid_signature", ["/1"]))
        self.assertEqual(self.server.query(concept_path="batch/none").json["assertions"], [])

    def test_the_limit_is_ten_thousand(self):
        items = [claim(concept_path="batch/limit", value=i) for i in range(10_001)]
        for encoded in (json.dumps, ndjson):
            answer = self.server.post(BATCH, encoded(items))
            self.assertEqual((answer.status, answer.code), (413, "batch_too_large"))
        answer = self.server.post(BATCH, ndjson(items[:10_000]))
        self.assertEqual((answer.status, answer.json["created"]), (201, 10_000))

    def test_malformed_batches_are_refused_whole(self):
        for body in ("", "   \n ", '[{"predicate":1}', "[1,]"):
            answer = self.server.post(BATCH, body)
            self.assertEqual((answer.status, answer.code), (400, "invalid_json"), body)
        for target in (BATCH + "?atomic=maybe", BATCH + "?atomik=true"):
            self.assertEqual(self.server.post(target, "[]").code, "invalid_request")
        answer = self.server.post(BATCH, "[]", headers={"X-Agent-Signature": "ab" * 64})
        self.assertEqual(answer.code, "invalid_request")

    def test_unsigned_items_through_a_proxy_are_refused(self):
        headers = {"Forwarded": "for=203.0.113.5"}
        answer = self.server.post(BATCH, [claim()], headers=headers)
        self.assertEqual(answer.json["results"][0]["code"], "unsigned_not_allowed")
        self.assertEqual(self.server.post(BATCH + "?atomic=true", [claim()], headers=headers).status, 403)

    def test_others_are_served_while_signatures_are_checked(self):
        server = Server(env={"STEMEDB_LOOPS": "1"})
        self.addCleanup(server.close)
        items = [claim(concept_path="batch/slow", timestamp=TIME, value=i) for i in range(10_000)]
        for item, proof in zip(items, sign_all([(seed(1), item) for item in items])):
            item |= {"agent_id": proof["agent_id"], "signature": proof["signature"]}
        body, seconds = ndjson(items).encode(), []

        def send():
            connection = server.connect()
            started = time.monotonic()
            connection.request("POST", BATCH, body=body)
            self.assertEqual(connection.getresponse().status, 201)
            seconds.append(time.monotonic() - started)
            connection.close()

        thread = threading.Thread(target=send)
        thread.start()
        connection, waits = server.connect(), []
        while not seconds and thread.is_alive():
            started = time.monotonic()
            connection.request("GET", "/livez")
            connection.getresponse().read()
            waits.append(time.monotonic() - started)
        thread.join()
        connection.close()
        self.assertEqual(server.get("/v1/health").json["assertion_count"], 10_000)
        # Worked off at a stretch, the batch would keep somebody waiting for nearly all of its time.
        self.assertLess(max(waits), seconds[0] / 2, f"{len(waits)} answers")


if __name__ == "__main__":
    unittest.main()
