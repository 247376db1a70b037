# SPDX-License-Identifier: Apache-2.0
"""Document and server against each other. It runs last: it looks at what all the other tests have seen."""

import json
import os
import re
import subprocess
import sys
import unittest
from urllib.parse import urlencode

from server_process import CONTRACT, PROGRAM, SOURCE_DIR, Server

# Statuses that a black-box test can't bring about at will; they are made in other tests.
OUT_OF_REACH = {
    ("POST", "/v1/lenses/compare", 500),  # a failing lens has its error in its place; 500 is left for our own faults
    # Too many questions wait for their turn: tests/unit/api/turn_queue_test.cc.
    ("GET", "/v1/query", 503),
    ("GET", "/v1/skeptic", 503),
    ("GET", "/v1/layered", 503),
    ("GET", "/v1/constraints", 503),
    # Lineages of more ids than one call looks up: 1,000,000.
    ("GET", "/v1/assertions/{id}", 422),
    ("GET", "/v1/trace/{id}", 422),
    ("GET", "/v1/feed", 422),
    # A slow lane that is full: tests/unit/api/slow_lane_test.cc.
    ("GET", "/v1/assertions/{id}", 503),
    ("GET", "/v1/trace/{id}", 503),
    ("GET", "/v1/feed", 503),
    ("GET", "/v1/sources", 503),
    # More aliases than a concept may have, which are refused with 409 before there are.
    ("GET", "/v1/watch", 422),
    ("GET", "/v1/watch", 429),
    # More watchers than a loop takes, and a lens that waits: tests/unit/api/watch_test.cc.
    ("GET", "/v1/watch", 503),
    # A slow lane that is full: tests/unit/api/slow_lane_test.cc.
    ("GET", "/v1/audit/queries", 503),
    ("GET", "/v1/audit/query/{id}", 503),
}
# Beside the errors' table: refused by the protocol, or one code under several statuses.
OUTSIDE_THE_TABLE = {
    ("not_found", 404), ("method_not_allowed", 405), ("payload_too_large", 413), ("internal", 500), ("query_timeout", 504),
    ("too_many_aliases", 422), ("chain_too_long", 422),
}


def exemplary(template, operation):
    """The path with the examples of its parameters."""
    for parameter in map(CONTRACT.resolve, operation.get("parameters", [])):
        if parameter["in"] == "path":
            template = template.replace("{" + parameter["name"] + "}", parameter["example"])
    return template


def documented_routes():
    return {f"{method} {template}" for method, template in CONTRACT.operations}


class Document(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_every_route_is_documented_and_every_documented_route_is_served(self):
        listed = subprocess.run([PROGRAM, "--list-routes"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(set(listed.splitlines()), documented_routes())

    def test_every_documented_body_is_accepted(self):
        sent = 0
        for (method, template), operation in CONTRACT.operations.items():
            content = CONTRACT.resolve(operation["requestBody"])["content"] if "requestBody" in operation else {}
            for media_type, media in content.items():
                for name, example in media.get("examples", {}).items():
                    where = f"{method} {template} {media_type} {name}"
                    CONTRACT.validate(media["schema"], example["value"], where)
                    answer = self.server.request(method, exemplary(template, operation), example["value"])
                    self.assertIn(answer.status, (200, 201), f"{where}: {answer.body[:500]!r}")
                    sent += 1
        self.assertGreater(sent, 5)

    def test_every_documented_parameter_is_known(self):
        samples = {"concept_path": "a", "subject": "a", "predicate": "p", "lens": None, "params": "{}", "as_of": "0",
                   "valid_at": "2026-01-01T00:00:00Z", "since": "0", "status": "any", "lifecycle": "approved",
                   "epoch": "e",
                   "source_class": "expert", "agent_id": "ab" * 32, "min_confidence": "0.5", "decay": "true",
                   "class_multipliers": "[1,1,1,1,1,1]", "include": "candidates,explain", "limit": "5", "prefix": "a", "fallback": None,
                   "max_stale": "1.5",
                   "atomic": "true", "verbose": "", "cursor": None, "from": "2026-01-01T00:00:00Z",
                   "to": "1893456000000", "contributed": "1"}
        for (method, template), operation in CONTRACT.operations.items():
            if method != "GET" or "{" in template:
                continue
            parameters = [CONTRACT.resolve(node) for node in operation.get("parameters", [])]
            names = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
            self.assertTrue(names <= set(samples), names)
            query = {name: samples[name] for name in names if samples[name] is not None}
            answer = self.server.request("GET", template + "?" + urlencode(query))
            self.assertEqual(answer.status, 200, answer.body)

    def test_the_commands_of_the_narrative_work_as_printed(self):
        with open(os.path.join(SOURCE_DIR, "docs", "http-api.md"), encoding="utf-8") as file:
            commands = file.read().split("```sh\n")[1].split("```")[0]
        host, port = self.server.addresses["api"]
        commands = commands.replace("API=http://127.0.0.1:18180", f"API=http://{host}:{port}")
        run = subprocess.run(["sh", "-ec", commands], capture_output=True, text=True, check=True)
        answer = json.JSONDecoder().raw_decode(run.stdout, run.stdout.index('{"concept_path"'))[0]
        self.assertEqual((answer["resolutions"][0]["status"], answer["resolutions"][0]["conflict_score"]),
                         ("contested", 1))

    def test_the_commands_for_operations_work_as_printed(self):
        with open(os.path.join(SOURCE_DIR, "docs", "http-api.md"), encoding="utf-8") as file:
            commands = "".join(block.split("```")[0] for block in file.read().split("```sh\n")[1:])
        server = Server()
        self.addCleanup(server.close)
        host, port = server.addresses["api"]
        commands = commands.replace("API=http://127.0.0.1:18180", f"API=http://{host}:{port}")
        run = subprocess.run(["sh", "-ec", commands], capture_output=True, text=True, check=True)
        answers, at = [], 0
        while at < len(run.stdout.rstrip()):
            answer, at = json.JSONDecoder().raw_decode(run.stdout, at)
            answers.append(answer)
            at += len(run.stdout[at:]) - len(run.stdout[at:].lstrip())
        self.assertEqual([answer for answer in answers if "code" in answer], [])
        kinds = [answer["kind"] for answer in answers if "kind" in answer]
        self.assertEqual(set(kinds), {"vote", "supersession", "retraction", "epoch", "source", "source_status", "alias", "trust"})
        self.assertEqual(answers[-1]["items"][0]["operation"]["kind"], "trust")

    def test_the_narratives_codes_are_those_of_the_servers_table(self):
        with open(os.path.join(SOURCE_DIR, "docs", "http-api.md"), encoding="utf-8") as file:
            rows = re.findall(r"^\| (\d{3}) \| (.*) \|$", file.read(), re.MULTILINE)
        told = {(code, int(status)) for status, text in rows for code in re.findall(r"`([a-z_]+)`", text)}
        with open(os.path.join(SOURCE_DIR, "engine", "api", "errors.cc"), encoding="utf-8") as file:
            table = {(code, int(status)) for code, status in re.findall(r'ErrorClass\{"(\w+)", (\d+),', file.read())}
        # Counted and logged; the request itself is judged by the built-in limit.
        self.assertEqual(table - told, {("policy_failed", 500)})
        self.assertEqual(told - table, OUTSIDE_THE_TABLE)

    def test_every_field_that_the_server_knows_is_documented(self):
        # An unknown field's problem lists what is allowed.
        self.server.post("/v1/source", {"id": "known"})
        for path, schema in (("/v1/query", "Question"), ("/v1/lenses/compare", "Comparison"), ("/v1/assert", "Claim"),
                             ("/v1/vote", "Vote"), ("/v1/supersede", "Supersession"), ("/v1/retract", "Retraction"),
                             ("/v1/epoch", "Epoch"), ("/v1/source", "NewSource"), ("/v1/sources", "NewSource"),
                             ("/v1/sources/known", "SourceStatusChange"), ("/v1/concepts/alias", "Alias"),
                             ("/v1/admin/trust/" + "ab" * 32, "TrustStatement")):
            method = "PATCH" if path == "/v1/sources/known" else "POST"
            problem = self.server.request(method, path, {"no_such_field": 1}).json
            detail = next(e["detail"] for e in problem["errors"] if e["pointer"] == "/no_such_field")
            allowed = set(detail.split("allowed are ")[1].split(", "))
            self.assertEqual(allowed, set(CONTRACT.document["components"]["schemas"][schema]["properties"]), path)


@unittest.skipUnless("discover" in sys.argv, "needs all the other tests")
class Coverage(unittest.TestCase):
    def test_every_documented_status_was_seen(self):
        documented = {(method, template, int(status)) for (method, template), operation in CONTRACT.operations.items()
                      for status in operation["responses"]}
        self.assertEqual(documented - CONTRACT.seen - OUT_OF_REACH, set())
        self.assertEqual(OUT_OF_REACH - documented, set())


if __name__ == "__main__":
    unittest.main()
