# SPDX-License-Identifier: Apache-2.0
"""Input that means harm, to the real server: JSON of any depth and width, text of any kind, ten thousand connections
that say nothing. Each gets an answer, soon, and the server answers others as before.
"""

import json
import resource
import socket
import time
import unittest

from server_process import Server, claim

MEBI = 1 << 20
SECONDS_MAX = 60  # generous: sanitizers and busy machines are slow, and what is cubic takes hours


class HostileJson(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def post(self, path, body):
        started = time.monotonic()
        answer = self.server.post(path, body)
        self.assertLess(time.monotonic() - started, SECONDS_MAX, f"{path} {body[:60]!r}")
        self.assertEqual(self.server.get("/livez").status, 200)
        return answer

    def refuse(self, body, paths=("/v1/assert", "/v1/query", "/v1/lenses/compare", "/v1/assert/batch")):
        for path in paths:
            answer = self.post(path, body)
            if answer.status == 200 and "results" in answer.json:  # a batch answers for each of its lines
                self.assertTrue(all(item["status"] == "error" for item in answer.json["results"]), answer.body[:300])
            else:
                self.assertIn(answer.status, (400, 413, 422), f"{path} {body[:60]!r}: {answer.body[:300]!r}")

    def test_a_million_brackets(self):
        million = 1_000_000
        for body in (b"[" * million, b"[" * million + b"]" * million, b'{"a":' * million,
                     b'{"a":' * million + b"1" + b"}" * million, b"[{" * million, b"]" * million):
            self.refuse(body)

    def test_depth_inside_a_claim(self):
        for depth, status in ((20, 201), (1000, 400), (200_000, 400)):
            nested = b"[" * depth + b"]" * depth
            body = json.dumps(claim(concept_path=f"hostile/depth/{depth}")).encode()[:-1]
            answer = self.post("/v1/assert", body + b',"metadata":{"a":' + nested + b"}}")
            self.assertEqual(answer.status, status, answer.body[:300])
        self.refuse(b'{"concept_path":"a","params":{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}}", ("/v1/query",))

    def test_sixteen_mebibytes_of_anything(self):
        for unit in (b",", b" ", b"0", b'"', b"[],", b"{}\n", b"\n", b"\\", b"\xff", b"\0", b'"",', b"1e9,"):
            body = b"[" + unit * ((16 * MEBI - 2) // len(unit)) + b"]"
            answer = self.post("/v1/assert/batch", body)
            self.assertIn(answer.status, (200, 400, 413, 422), f"{unit!r}: {answer.body[:300]!r}")

    def test_numbers_beyond_all_measure(self):
        for number in (b"1e400", b"-1e400", b"1e999999999999", b"9" * 100_000, b"1" + b"0" * 400, b"01", b"+1", b".5", b"1.", b"0x10", b"NaN", b"Infinity", b"-", b"1e", b"--1"):
            self.refuse(b'{"concept_path":"a","predicate":"b","value":true,"confidence":' + number + b"}", ("/v1/assert",))
            self.refuse(b'{"concept_path":"a","limit":' + number + b"}", ("/v1/query",))
        for number in (b"9007199254740993", b"1e400", b"9" * 1000):  # would not survive as a double
            self.refuse(b'{"concept_path":"a","predicate":"b","value":' + number + b',"confidence":1}', ("/v1/assert",))
        tiny = b"0." + b"0" * 100_000 + b"1"  # the nearest double is 0
        answer = self.post("/v1/assert", b'{"concept_path":"hostile/tiny","predicate":"b","value":1,"confidence":' + tiny + b"}")
        self.assertEqual(answer.status, 201, answer.body[:300])
        self.assertEqual(self.server.get(answer.headers["Location"]).json["confidence"], 0)

    def test_duplicate_keys(self):
        for twice in (b'"value":1,"value":1', b'"value":1,"v\\u0061lue":2', b'"value":1,"metadata":{"a":1,"a":1}',
                      b'"value":1,"metadata":{"x":{"a":1,"\\u0061":2}}'):
            self.refuse(b'{"concept_path":"a","predicate":"b","confidence":1,' + twice + b"}", ("/v1/assert",))
        self.refuse(b'{"concept_path":"a","concept_path":"b"}', ("/v1/query",))

    def test_wide_objects_and_long_keys(self):
        wide = {f"key{i}": i for i in range(100_000)}
        self.refuse(json.dumps(wide).encode())
        same = b"{" + b",".join([b'"k":1'] * 1_000_000) + b"}"
        self.refuse(same, ("/v1/assert", "/v1/query"))
        for metadata in (wide, {"k" * 65_536: 1}, {"k" * i: i for i in range(1, 400)}):
            answer = self.post("/v1/assert", json.dumps(claim(concept_path="hostile/wide", metadata=metadata)).encode())
            self.assertIn(answer.status, (201, 400, 413, 422), answer.body[:300])
        self.refuse(json.dumps({"k" * 65_536: 1}).encode())
        self.refuse(json.dumps(claim(concept_path="p" * 65_536)).encode(), ("/v1/assert",))

    def test_a_body_cut_anywhere_is_no_claim(self):
        whole = json.dumps(claim(concept_path="hostile/cut", value="\u00e9\U0001f600", metadata={"a": [1, None]})).encode()
        for cut in range(len(whole)):
            self.refuse(whole[:cut], ("/v1/assert",))


class Refusals(unittest.TestCase):
    def test_are_counted_under_the_path_that_they_asked_for(self):
        server = Server()
        self.addCleanup(server.close)
        for head in ("PUT /v1/assert HTTP/1.1\r\nHost: a\r\n", "OPTIONS /v1/assertions/x HTTP/1.1\r\nHost: a\r\n",
                     "POST /v1/assert HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n",
                     "POST /v1/nowhere HTTP/1.1\r\nHost: a\r\n"):
            with socket.create_connection(server.addresses["api"], timeout=60) as client:
                client.sendall(head.encode() + b"Connection: close\r\n\r\n")
                self.assertTrue(client.recv(65536))
        text = server.get("/metrics").body.decode()
        for labels in ('method="PUT",path="/v1/assert",status="405"', 'method="OPTIONS",path="/v1/assertions/{id}",status="204"',
                       'method="POST",path="/v1/assert",status="415"', 'method="POST",path="unmatched",status="404"'):
            self.assertIn(f"stemedb_http_requests_total{{{labels}}} 1\n", text)
        for status in (404, 405, 415):
            self.assertIn(f'stemedb_errors_total{{layer="http",type="http_{status}"}} 1\n', text)


class HostileText(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_what_is_not_unicode_is_refused_everywhere(self):
        not_utf8 = (b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf",
                    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
                    b"\xf8\x88\x80\x80\x80", b"\x80", b"\xbf", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xfe", b"\xff")
        unpaired = (b"\\ud800", b"\\udfff", b"\\udc00\\ud800", b"\\ud83dx", b"\\ud83d\\u0041", b"\\u12", b"\\uzzzz", b"\\x41")
        controls = (b"\0", b"\x01", b"\n", b"\x1f")
        for bad in not_utf8 + unpaired + controls:
            for field in ("value", "concept_path", "predicate", "metadata"):
                body = claim(concept_path="text/bad") | {field: {"k": "@"} if field == "metadata" else "a@b"}
                answer = self.server.post("/v1/assert", json.dumps(body).encode().replace(b"@", bad))
                self.assertEqual(answer.status, 400, f"{field} {bad!r}: {answer.body!r}")
            answer = self.server.post("/v1/assert", b'{"' + bad + b'":1}')
            self.assertEqual(answer.status, 400, f"a key {bad!r}: {answer.body!r}")
            answer = self.server.post("/v1/query", b'{"concept_path":"a' + bad + b'"}')
            self.assertEqual(answer.status, 400, f"a question {bad!r}: {answer.body!r}")
        self.assertEqual(self.server.query(concept_path="text/bad").json["assertions"], [])

    def test_any_text_stays_as_it_was_sent(self):
        texts = ("\ufffe", "\uffff", "\ufdd0", "\U0001fffe", "\U0010ffff", "\u202eabc\u202c", "\u2066x\u2069", "\u200b\u200d\ufeff",
                 "e\u0301", "\u00e9", "\u1e9b\u0323", "\u1e69", "\u212b", "\u00c5", "\uac00", "\u1100\u1161", "\u2028\u2029",
                 "\ue000\U000f0000", "\u0645\u0631\u062d\u0628\u0627 abc", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0130i\u0131I",
                 "\ufb01", "a" + "\u0300" * 500, "\u0000", "\u0001\u001f\u007f\u0085", "\"\\/\b\f\n\r\t", " ", "")
        ids = set()
        for ensure_ascii in (True, False):  # as escapes, and as bytes
            for text in texts:
                body = claim(concept_path="text/kept", value=text, timestamp="2026-01-01T00:00:00Z", metadata={text: [text]})
                answer = self.server.post("/v1/assert", json.dumps(body, ensure_ascii=ensure_ascii).encode())
                self.assertIn(answer.status, (200, 201), f"{text!r}: {answer.body!r}")
                self.assertEqual(answer.status, 201 if ensure_ascii else 200, f"{text!r}: another id in another spelling")
                ids.add(answer.json["id"])
                stored = self.server.get("/v1/assertions/" + answer.json["id"]).json
                self.assertEqual((stored["value"], stored["metadata"]), (text, {text: [text]}))
        self.assertEqual(len(ids), len(texts))  # nothing is normalised into something else
        shown = self.server.query(concept_path="text/kept", limit=1000).json["assertions"]
        self.assertEqual({item["value"] for item in shown}, set(texts))

    def test_names_that_look_alike_are_different_concepts(self):
        names = ("text/\u00e9", "text/e\u0301", "text/\u202ee", "text/\u0435", "text/e", "text/\u212a", "text/K", "text/k")
        for name in names:
            self.assertEqual(self.server.post("/v1/assert", claim(concept_path=name, value=name)).status, 201)
        for name in names:
            shown = self.server.get("/v1/query", concept_path=name).json["assertions"]
            self.assertEqual([item["value"] for item in shown], [name])

    def test_a_byte_order_mark_is_no_part_of_a_claim(self):
        answer = self.server.post("/v1/assert", b"\xef\xbb\xbf" + json.dumps(claim(concept_path="text/bom")).encode())
        self.assertIn(answer.status, (201, 400), answer.body)
        answer = self.server.post("/v1/assert", json.dumps(claim(concept_path="text/utf16")).encode("utf-16"))
        self.assertEqual(answer.status, 400, answer.body)


def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


class IdleConnections(unittest.TestCase):
    WANTED = 10_000
    BYTES_MAX = 16 * 1024  # for each; a sanitizer's share included

    def raise_descriptors(self):
        """As many as are allowed; the number of connections for which that is enough."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self.WANTED + 200
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, before[0]), max(wanted, before[1])))
        except (OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        return min(self.WANTED, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)

    def test_ten_thousand_that_say_nothing_cost_little_and_keep_nobody_out(self):
        count = self.raise_descriptors()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        # As from a shell, which allows a few at first: the server takes what it may have.
        server = Server(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)))
        self.addCleanup(server.close)
        for _ in range(100):
            server.get("/livez")
        before = resident_bytes(server.process.pid)
        clients = []
        self.addCleanup(lambda: [client.close() for client in clients])
        for _ in range(count):
            clients.append(socket.create_connection(server.addresses["api"], timeout=60))
        for _ in range(20):
            self.assertEqual(server.get("/livez").status, 200)
        silent = (resident_bytes(server.process.pid) - before) / count
        # The same after each has been served once: what an answer needed must not stay.
        for client in clients:
            client.sendall(b"GET /v1/lenses HTTP/1.1\r\nHost: a\r\n\r\n")
        for client in clients:
            self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 200 "))
        self.assertEqual(server.get("/livez").status, 200)
        served = (resident_bytes(server.process.pid) - before) / count
        print(f"{count} idle connections: {silent:.0f} bytes of memory each, {served:.0f} once they have been served")
        self.assertLess(silent, self.BYTES_MAX)
        self.assertLess(served, 2 * self.BYTES_MAX)
        started = time.monotonic()
        for client in clients:
            client.close()
        clients.clear()
        self.assertEqual(server.post("/v1/assert", claim()).status, 201)
        self.assertLess(time.monotonic() - started, SECONDS_MAX)


if __name__ == "__main__":
    unittest.main()
