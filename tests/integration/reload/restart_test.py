#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an operator did with scripts is still so after the server was killed, or stopped, and started again."""

import hashlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))

from server_program import ServerProgram

SCRIPTS = "/v1/admin/scripts"


def lens(number):
    return f"""-- SPDX-License-Identifier: Apache-2.0
return {{ kind = "lens", api = 1, name = "target", version = "{number}", description = "d",
resolve = function(ctx, candidates) return {{ winner = 1, explain = "number {number}" }} end }}
"""


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Restart(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="stemedb-restart-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.lenses = os.path.join(self.root, "lenses")
        self.state = os.path.join(self.root, "data", "scripts")
        for directory in ("lenses", "policies"):
            os.mkdir(os.path.join(self.root, directory))
        self.write(1)
        self.server = ServerProgram(os.environ["STEMEDB_API"], self.lenses, self.root, ["--loops", "2"])
        self.server.environment["STEMEDB_POLICIES_DIR"] = os.path.join(self.root, "policies")
        self.addCleanup(self.server.kill)

    def write(self, number):
        with open(os.path.join(self.lenses, "target.lua"), "w", encoding="utf-8") as file:
            file.write(lens(number))

    def call(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.server.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def reload(self, number):
        self.write(number)
        status, report = self.call("POST", SCRIPTS + "/target/reload", {})
        self.assertEqual((status, report["result"]), (200, "ok"), report)

    def roll_back(self, **body):
        status, report = self.call("POST", SCRIPTS + "/target/rollback", body)
        self.assertEqual((status, report["result"]), (200, "rolled_back"), report)
        self.assertNotIn("detail", report)

    def shown(self):
        return self.call("GET", SCRIPTS + "/target")[1]

    def explain(self):
        question = {"concept_path": "c", "predicate": "p", "lens": "target"}
        return self.call("POST", "/v1/query", question)[1]["resolutions"][0]["explain"]

    def claim(self):
        status, _ = self.call("POST", "/v1/assert", {"concept_path": "c", "predicate": "p", "value": 1, "confidence": 0.5,
                                                     "source": {"id": "s", "class": "clinical"}})
        self.assertEqual(status, 201)

    def test_a_rollback_holds_over_a_kill_and_over_a_stop(self):
        self.server.start()
        self.claim()
        self.reload(2)
        self.roll_back()
        generation = self.call("GET", SCRIPTS)[1]["generation"]
        for end in (self.server.kill, self.server.stop):
            end()
            self.server.start()
            self.assertIn("a script's file is passed over", self.server.log())
            shown = self.shown()
            self.assertEqual((shown["version"], shown["pinned"], shown["restored"]), ("1", True, True))
            self.assertEqual(self.explain(), "number 1")
            self.assertEqual(self.call("GET", SCRIPTS)[1]["generation"], generation)
        time.sleep(1)  # five looks
        self.assertEqual(self.explain(), "number 1")
        self.write(3)
        deadline = time.monotonic() + 60
        while self.explain() != "number 3":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_yesterdays_version_can_be_gone_back_to(self):
        self.server.start()
        self.claim()
        for number in (2, 3):
            self.reload(number)
        self.server.kill()
        self.server.start()
        self.assertEqual([version["version"] for version in self.shown()["versions"]], ["3", "2", "1"])
        self.roll_back(to_version_sha256=sha256(lens(1)))
        self.assertEqual(self.explain(), "number 1")
        causes = [generation["cause"] for generation in self.call("GET", SCRIPTS)[1]["generations"]]
        self.assertEqual(causes, ["rollback", "reload", "reload", "start"])
        texts = os.listdir(os.path.join(self.state, "versions"))
        self.assertEqual(set(texts), {sha256(lens(number)) + ".lua" for number in (1, 2, 3)})

    def test_damage_to_what_is_kept_is_said_and_keeps_no_server_from_starting(self):
        self.server.start()
        self.claim()
        self.reload(2)
        self.roll_back()
        self.server.kill()
        path = os.path.join(self.state, "state.json")
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) - 10)
        self.server.start()
        self.assertRegex(self.server.log(), "what was kept of earlier versions can't be used.*data/scripts/state.json")
        self.assertEqual(self.explain(), "number 2")
        self.call("GET", "/v1/admin/audit")  # behind what the scripts thread writes first
        self.assertTrue(os.path.exists(path + ".damaged"))

    def test_where_changes_are_held_nothing_goes_in_because_nothing_is_known(self):
        self.server.environment["STEMEDB_SCRIPTS_HOLD_CHANGES"] = "true"
        self.server.start()
        self.claim()
        self.write(2)
        status, report = self.call("POST", SCRIPTS + "/target/reload", {})
        self.assertEqual((status, report["result"], report["version"]), (202, "held", "2"))
        self.assertIn("nothing was compared", report["detail"])
        self.accept()
        self.assertEqual(self.explain(), "number 2")
        self.server.stop()
        self.write(3)
        self.server.start()
        shown = self.shown()
        self.assertEqual((shown["version"], shown["restored"], shown["held"]["version"]), ("2", True, "3"))
        self.assertIn("it has changed while no server ran, and nothing was compared", self.server.log())
        self.accept()
        self.assertEqual(self.explain(), "number 3")

    def test_where_changes_are_held_no_file_goes_in_because_another_was_removed_before(self):
        self.server.environment["STEMEDB_SCRIPTS_HOLD_CHANGES"] = "true"
        self.server.start()
        self.claim()
        shutil.copy(os.path.join(self.lenses, "target.lua"), os.path.join(self.root, "kept"))
        for restarts in (False, True):
            os.remove(os.path.join(self.lenses, "target.lua"))
            if restarts:
                self.server.stop()
                self.server.start()
            self.await_last_result("held")
            self.write(2)
            status, report = self.call("POST", SCRIPTS + "/target/reload", {})
            self.assertEqual((status, report["result"], report["version"]), (202, "held", "2"))
            self.assertEqual(self.explain(), "number 1")
            shutil.copy(os.path.join(self.root, "kept"), os.path.join(self.lenses, "target.lua"))
            self.await_last_result("unchanged")

    def await_last_result(self, result):
        deadline = time.monotonic() + 60
        while self.shown().get("last_result", {}).get("result") != result:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_a_call_that_is_refused_while_the_server_stops_is_in_the_audit(self):
        self.server.start()
        head = (b"POST /v1/admin/scripts/target/reload HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n"
                b"Connection: close\r\n")
        address = ("127.0.0.1", self.server.port)
        with socket.create_connection(address, 60) as first, socket.create_connection(address, 60) as second:
            first.sendall(head + b"\r\n{}")  # this one has its line at once
            self.assertTrue(first.recv(65536).startswith(b"HTTP/1.1 403 "))
            second.sendall(head + b"Expect: 100-continue\r\n\r\n")
            self.assertTrue(second.recv(65536).startswith(b"HTTP/1.1 100 "))
            self.server.process.send_signal(signal.SIGTERM)
            self.await_deaf_port(address)  # by then the scripts thread is gone
            second.sendall(b"{}")
            self.assertTrue(second.recv(65536).startswith(b"HTTP/1.1 403 "))
        self.assertEqual(self.server.process.wait(30), 0)
        with open(os.path.join(self.root, "data", "audit.jsonl"), encoding="utf-8") as lines:
            entries = [entry for entry in map(json.loads, lines) if entry["action"] == "admin.refused"]
        self.assertEqual(sum(int(entry["detail"].split(" ", 1)[0]) for entry in entries), 2, entries)

    def await_deaf_port(self, address):
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(address, 1).close()
            except (ConnectionRefusedError, ConnectionResetError):
                return
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)

    def accept(self):
        status, report = self.call("POST", SCRIPTS + "/target/reload", {"accept": True})
        self.assertEqual((status, report["result"]), (200, "ok"), report)

    def test_no_fifo_hangs_a_start(self):
        self.server.start()
        self.claim()
        self.reload(2)
        self.server.stop()
        text = os.path.join(self.state, "versions", sha256(lens(1)) + ".lua")
        for path in (text, os.path.join(self.state, "state.json")):
            os.remove(path)
            os.mkfifo(path)
            self.server.start()
            self.assertIn(os.path.basename(path) + ": is a FIFO, not a file", self.server.log())
            self.assertEqual(self.explain(), "number 2")
            self.server.stop()


if __name__ == "__main__":
    unittest.main()
