# SPDX-License-Identifier: Apache-2.0
"""Identity and signature against Node's crypto, and the sending side against a small server."""

import contextlib
import http.server
import io
import json
import subprocess
import tempfile
import threading
import unittest
from datetime import datetime, timezone
from pathlib import Path

import post
from claims import Fact, Source, is_country, rfc3339, sign_all, sign_fact

NODE = "node"
SOURCE = Source("test-source", "none", "community", 0.7, "https://example.org/")

# Checks an NDJSON line with nothing of ours: V8's number and string forms, OpenSSL's Ed25519.
NODE_CHECK = r"""
const crypto = require('crypto');
const jcs = v => Array.isArray(v) ? '[' + v.map(jcs).join() + ']'
  : v && typeof v === 'object'
    ? '{' + Object.keys(v).sort().map(k => JSON.stringify(k) + ':' + jcs(v[k])).join() + '}'
    : JSON.stringify(v);
const prefix = Buffer.from('302a300506032b6570032100', 'hex');
for (const line of require('fs').readFileSync(0, 'utf8').trimEnd().split('\n')) {
  const {signature, ...claim} = JSON.parse(line);
  const bytes = Buffer.from('stemedb/assertion/v1\n' + jcs(claim));
  const key = crypto.createPublicKey({format: 'der', type: 'spki',
    key: Buffer.concat([prefix, Buffer.from(claim.agent_id, 'hex')])});
  const good = crypto.verify(null, bytes, key, Buffer.from(signature, 'hex'));
  console.log(good + ' ' + crypto.createHash('sha256').update(bytes).digest('hex'));
}
"""


def some_claims(directory: str, count: int) -> list:
    file = Path(directory) / "data"
    file.write_text("data")
    moment = datetime(2022, 12, 3, tzinfo=timezone.utc)
    values = ["EUR", "Türkiye \"\\\n", 4227750, 0.1, 1e21, True]
    return sign_all(SOURCE, iter([Fact("HR", f"predicate{n}", values[n % len(values)], file, "data",
                                       moment, valid_from=moment, metadata={"é": 1, "a": [n]})
                                  for n in range(count)]))


class Claims(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def test_node_verifies_the_signature_and_finds_the_same_id(self):
        claims = some_claims(self.directory, 12)
        lines = b"\n".join(claim.line() for claim in claims)
        output = subprocess.run([NODE, "-e", NODE_CHECK], input=lines, capture_output=True, check=True)
        self.assertEqual(output.stdout.decode().split("\n")[:-1],
                         [f"true {claim.id}" for claim in claims])

    def test_a_second_run_makes_the_same_claims(self):
        self.assertEqual([claim.line() for claim in some_claims(self.directory, 5)],
                         [claim.line() for claim in some_claims(self.directory, 5)])

    def test_the_same_content_twice_is_one_claim(self):
        file = Path(self.directory) / "data"
        file.write_text("data")
        fact = Fact("HR", "currency", "EUR", file, "data", datetime(2020, 1, 1, tzinfo=timezone.utc))
        self.assertEqual(len(sign_all(SOURCE, iter([fact, fact]))), 1)
        self.assertNotIn("metadata", sign_fact(SOURCE, fact).fields)

    def test_times_are_utc_with_three_decimals(self):
        self.assertEqual(rfc3339(datetime.fromisoformat("2024-10-21T16:21:38.5+05:30")),
                         "2024-10-21T10:51:38.500Z")

    def test_codes_that_name_no_country_are_left_out(self):
        self.assertEqual([code for code in ("HR", "XK", "SU", "XA", "ZZ", "QO", "EU", "001", "hr")
                          if is_country(code)], ["HR", "XK", "SU"])


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each item as the server's `decide` says; `overloaded` requests get a 429 first."""

    def do_POST(self):
        lines = self.rfile.read(int(self.headers["Content-Length"])).splitlines()
        self.server.sizes.append(len(lines))
        if self.server.overloaded:
            self.server.overloaded -= 1
            return self.answer(429, {"code": "quota_exceeded", "detail": "later"}, {"Retry-After": "1"})
        return self.answer(200, {"results": [self.server.decide(json.loads(line)) for line in lines]}, {})

    def answer(self, status, body, headers):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Sending(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.claims = some_claims(directory.name, 7)
        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.server.sizes, self.server.overloaded = [], 0
        ids = {claim.signature: claim.id for claim in self.claims}
        self.server.decide = lambda item: {"status": "created", "id": ids[item["signature"]]}
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(lambda: (self.server.shutdown(), thread.join(), self.server.server_close()))

    def send(self, wait_seconds=0):
        url = f"http://127.0.0.1:{self.server.server_port}/"
        with contextlib.redirect_stdout(io.StringIO()):
            return post.send(post.Target(url, 3, wait_seconds), self.claims)

    def test_claims_go_out_in_batches(self):
        summary = self.send()
        self.assertEqual((self.server.sizes, summary.counts["created"]), ([3, 3, 1], 7))
        self.assertFalse(summary.has_failed())

    def test_a_refused_item_is_counted_and_explained(self):
        self.server.decide = lambda item: {"status": 400, "code": "invalid_request", "detail": "too long"}
        summary = self.send()
        self.assertEqual((summary.counts["refused"], len(summary.reasons)), (7, post.REASONS_MAX))
        self.assertIn("countries/HR predicate0: invalid_request: too long", summary.reasons[0])

    def test_another_id_than_ours_is_a_failure(self):
        self.server.decide = lambda item: {"status": "created", "id": "00"}
        self.assertTrue(self.send().has_failed())

    def test_an_overloaded_server_is_waited_for_only_when_asked(self):
        self.server.overloaded = 1
        self.assertEqual(self.send().counts["refused"], 3)
        self.server.overloaded = 1
        self.assertEqual(self.send(wait_seconds=2).counts["created"], 7)


if __name__ == "__main__":
    unittest.main()
