# SPDX-License-Identifier: Apache-2.0
"""What the tests of operations (votes, retractions, sources, …) have in common. Timestamps are given where it matters:
without them two operations of the same content and millisecond are one.
"""

import hashlib
import json
import unittest
from urllib.parse import quote

from server_process import Server, claim

STORED = {"status", "kind", "id", "sequence", "recorded_at"}
IMPACT = {"retracted", "cascaded", "cascade", "ids_sample"}


def at(milliseconds):
    """A moment of one minute, in the canonical form."""
    return f"2026-02-11T10:00:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}Z"


def id_of(item):
    """Of an unsigned claim of plain ASCII whose members are in the canonical form already."""
    canonical = json.dumps(item, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"stemedb/assertion/v1\n" + canonical.encode("ascii")).hexdigest()


class KnowledgeCase(unittest.TestCase):
    """One server for all tests of a class, each of which keeps to paths of its own."""

    ENV = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(env=cls.ENV)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def store(self, path, **fields):
        """Stores a claim; its id."""
        answer = self.server.post("/v1/assert", claim(concept_path=path, **fields))
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json["id"]

    def send(self, call, body, **more):
        """A call is a path, for POST, or "PATCH path"."""
        method, path = call.split() if " " in call else ("POST", call)
        return self.server.request(method, path, body, **more)

    def record(self, call, /, expect=201, **body):
        answer = self.send(call, body)
        self.assertEqual(answer.status, expect, answer.body)
        return answer.json

    def refuse(self, status, code, call, pointers=None, /, **body):
        answer = self.send(call, body)
        self.assertEqual((answer.status, answer.code), (status, code), answer.body)
        if pointers is not None:
            self.assertEqual(answer.pointers, pointers, answer.body)
        return answer

    def sequence(self):
        return self.server.get("/v1/health").json["sequence"]

    def status_of(self, id):
        return self.server.get("/v1/assertions/" + id).json["status"]

    def values(self, path, **question):
        answer = self.server.query(concept_path=path, **question)
        self.assertEqual(answer.status, 200, answer.body)
        return sorted(assertion["value"] for assertion in answer.json["assertions"])

    def statuses(self, path, **question):
        """Of all claims at the path: value → status."""
        answer = self.server.query(concept_path=path, status="any", limit=10_000, **question)
        self.assertEqual(answer.status, 200, answer.body)
        return {assertion["value"]: assertion["status"] for assertion in answer.json["assertions"]}

    def resolution(self, path, lens, **question):
        answer = self.server.query(concept_path=path, lens=lens, **question)
        self.assertEqual(answer.status, 200, answer.body)
        resolution, = answer.json["resolutions"]
        return resolution

    def trace(self, id):
        answer = self.server.get("/v1/trace/" + id)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def source(self, id):
        answer = self.server.get("/v1/sources/" + quote(id, safe=""))
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def seen_by_a_lens(self, expression, path, **question):
        """What an expression of Lua over the candidate `c` gives for the only claim at the path, as text."""
        source = ('return { kind = "lens", api = 1, name = "probe", version = "0", description = "Looks.",\n'
                  "resolve = function(ctx, candidates)\n"
                  "local c = candidates[1]\n"
                  f"return {{ winner = 1, explain = {expression} }}\n"
                  "end }\n")
        answer = self.server.post("/v1/admin/scripts/try", {"source": source, "question": {"concept_path": path} | question})
        self.assertEqual(answer.status, 200, answer.body)
        resolution, = answer.json["resolutions"]
        self.assertEqual(resolution["candidates_count"], 1)
        return resolution["explain"]
