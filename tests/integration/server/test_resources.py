# SPDX-License-Identifier: Apache-2.0
"""What the server says when the disk, the descriptors or the time run out: full disk, ulimit -n, the drain."""

import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from server_process import PROGRAM, Server, claim, environment
from small_disk import fill, mount_small_disk

FEW_DESCRIPTORS = 64


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, FEW_DESCRIPTORS))


class Resources(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="stemedb-test-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def start(self, **options):
        server = Server(root=self.root, **options)
        self.addCleanup(server.close)
        return server

    # Descriptors

    def test_more_loops_than_descriptors_end_the_start_in_one_line(self):
        for loops in (16, 256):
            run = subprocess.run([PROGRAM], env=environment(self.root) | {"STEMEDB_LOOPS": str(loops)}, cwd=self.root,
                                 preexec_fn=few_descriptors, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(run.returncode, 1, run.stderr)
            failures = [line for line in run.stderr.splitlines() if "Startup failed" in line]
            self.assertEqual(len(failures), 1, run.stderr)
            for part in ("step 9/10", "STEMEDB_BIND_ADDR", "Too many open files", "ulimit -n", "run fewer loops"):
                self.assertIn(part, failures[0])

    def test_more_connections_than_descriptors_are_waited_out(self):
        server = self.start(preexec_fn=few_descriptors)
        address = server.addresses["api"]
        clients = [socket.create_connection(address, timeout=60) for _ in range(200)]
        for client in clients:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for client in clients:
            self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200 "))
            client.close()
        self.assertEqual(server.post("/v1/assert", claim()).status, 201)

    # Memory

    def test_bodies_beyond_their_memory_are_refused_until_there_is_room_again(self):
        server = self.start(env={"STEMEDB_LOOPS": "1", "STEMEDB_BODY_MEMORY_BYTES": str(1 << 20)})
        head = b"POST /v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n"
        unfinished = [socket.create_connection(server.addresses["api"], timeout=60) for _ in range(32)]
        for client in unfinished:
            client.sendall(head + b" " * 65535)
        refused = [client for client in unfinished if client in select.select(unfinished, [], [], 0)[0]]
        while not refused:  # the loop takes in what was sent in its own time
            refused = select.select(unfinished, [], [], 60)[0]
        self.assertTrue(refused[0].recv(4096).startswith(b"HTTP/1.1 503 "))
        held = [client for client in unfinished if client not in refused]
        self.assertGreater(len(held), 4)

        body = claim(value="x" * 60_000)
        question = {"concept_path": "drugs/*", "params": {"pad": "x" * 60_000}}
        comparison = question | {"lenses": ["recency", "consensus"]}
        for path, large in (("/v1/assert", body), ("/v1/assert/batch", [body]), ("/v1/query", question),
                            ("/v1/lenses/compare", comparison)):
            answer = server.post(path, large)
            self.assertEqual((path, answer.status, answer.code), (path, 503, "overloaded"))
            self.assertIn("Retry-After", answer.headers)
        self.assertEqual(server.get("/v1/health").status, 200)

        for client in unfinished:
            client.close()
        deadline = time.monotonic() + 60
        while server.post("/v1/assert", body).status == 503:
            self.assertLess(time.monotonic(), deadline, "the memory of broken-off bodies isn't given back")

    # Disk

    def refused_write(self, server, target, body):
        """Writes until the server refuses to, and holds the refusal against the document."""
        for i in range(100):
            method, path = target.split() if " " in target else ("POST", target)
            answer = server.request(method, path, body(i))
            if answer.status not in (200, 201):
                self.assertEqual(answer.status, 503, answer.body)
                self.assertRegex(answer.headers["Retry-After"], r"^\d+$")
                return answer
        self.fail("nothing was refused")

    def refuse_every_write(self, server, codes):
        def bulky(i):
            return claim(concept_path="disk/full", value=f"{i} " + "x" * 60_000)

        for target in ("/v1/assert", "/v1/assertions"):
            self.assertIn(self.refused_write(server, target, bulky).code, codes)
        answer = self.refused_write(server, "/v1/assert/batch?atomic=true", lambda i: [bulky(1000 + i), bulky(2000 + i)])
        self.assertIn(answer.code, codes)
        for target, body in self.operations().items():
            self.assertIn(self.refused_write(server, target, body).code, codes, target)

    def prepare_operations(self, server):
        """What those below are about."""
        self.about = [server.post("/v1/assert", claim(concept_path="disk/about", value=i)).json["id"] for i in range(101)]
        self.assertEqual(server.post("/v1/source", {"id": "disk"}).status, 201)

    def operations(self):
        """By the call: the i-th body, another one for each."""
        return {
            "/v1/vote": lambda i: {"assertion_id": self.about[0], "weight": 1, "timestamp": 1770804000 + i},
            "/v1/supersede": lambda i: {"target": self.about[i], "replacement": self.about[100], "reason": "x" * 1000},
            "/v1/retract": lambda i: {"source_id": f"disk {i}", "reason": "x" * 1000},
            "/v1/epoch": lambda i: {"name": f"disk {i} " + "x" * 100},
            "/v1/source": lambda i: {"id": f"a {i}", "content": "x" * 60_000},
            "/v1/sources": lambda i: {"id": f"b {i}", "content": "x" * 60_000},
            "PATCH /v1/sources/disk": lambda i: {"status": "deprecated", "reason": f"{i} " + "x" * 1000},
            "/v1/concepts/alias": lambda i: {"alias": f"disk/alias/{i}/" + "x" * 400, "concept_path": "disk/about"},
            "/v1/admin/trust/" + "ab" * 32: lambda i: {"rank": 0.5, "reason": f"{i} " + "x" * 1000},
        }

    def test_a_full_disk_refuses_writes_and_keeps_what_was_acknowledged(self):
        inside, disk = mount_small_disk(self, os.path.join(self.root, "data"), self.root)
        where = {"prefix": inside, "env": {"STEMEDB_DB_DIR": os.path.join(self.root, "db")}}
        server = self.start(**where)
        kept = server.post("/v1/assert", claim(concept_path="disk/kept")).json["id"]
        self.prepare_operations(server)
        filler = os.path.join(disk, "filler")
        fill(filler)
        self.refuse_every_write(server, ("disk_full", "wal_failed"))
        self.assertEqual(server.get("/v1/assertions/" + kept).status, 200)
        os.remove(filler)
        server.stop()
        again = self.start(**where)
        self.assertEqual(again.get("/v1/assertions/" + kept).status, 200)
        self.assertEqual(again.post("/v1/assert", claim(concept_path="disk/again")).status, 201)

    # Drain

    def test_readiness_says_that_the_server_drains(self):
        server = self.start()
        with socket.create_connection(server.addresses["api"], timeout=60) as slow:
            body = json.dumps(claim(concept_path="drain")).encode()
            slow.sendall(b"POST /v1/assert HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
                         % len(body))
            self.assertTrue(slow.recv(4096).startswith(b"HTTP/1.1 100 "))  # it is in flight
            server.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 30
            while (answer := server.request("GET", "/readyz", listener="operations")).status == 200:
                self.assertLess(time.monotonic(), deadline)
            self.assertEqual(answer.status, 503)
            verbose = server.request("GET", "/readyz?verbose", listener="operations").json
            self.assertIn("shutting down", json.dumps(verbose))
            self.assertEqual(server.request("GET", "/livez", listener="operations").status, 200)
            slow.sendall(body)
            self.assertTrue(slow.recv(4096).startswith(b"HTTP/1.1 201 "))
        self.assertEqual(server.stop()[0], 0)


if __name__ == "__main__":
    unittest.main()
