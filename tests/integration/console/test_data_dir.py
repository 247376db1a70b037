#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The console on a data directory at rest: the server's own answers, and not a byte changed."""

import hashlib
import json
import os
import signal
import tempfile
import unittest

from tool import SOURCE_DIR, Server, claims, run

LENSES = os.path.join(SOURCE_DIR, "lenses")


def digests(root):
    """{file: (SHA-256, modification time)}, directories with their times."""
    found = {}
    for directory, names, files in os.walk(root):
        found[directory] = os.stat(directory).st_mtime_ns
        for name in files:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                found[path] = (hashlib.sha256(file.read()).hexdigest(), os.stat(path).st_mtime_ns)
    return found


class DataDirectory(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="stemedb-test-")
        self.addCleanup(self.directory.cleanup)
        self.server = Server(root=self.directory.name)
        self.addCleanup(self.server.close)
        self.data = os.path.join(self.directory.name, "data")

    def console(self, text, code=0):
        done = run("console", "--data-dir", self.data, "--lenses-dir", LENSES, "--json", text=text)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def ask(self, text):
        return [json.loads(line) for line in self.console(text).stdout.splitlines()]

    def the_same_answers_as_the_server(self, stop_signal):
        chain = claims(self.server)
        as_of = {"sequence": 7, "time": self.server.query(concept_path="*", limit=1).json["as_of"]["time"]}
        questions = [{"concept_path": "*", "lens": lens, "as_of": as_of, "include": ["explain"]}
                     for lens in ("recency", "consensus", "layered", "skeptic", "tier_authority", "confidence")]
        theirs = [self.server.query(**question).json for question in questions]
        one = self.server.get(f"/v1/assertions/{chain[2]}").json
        concepts = self.server.get("/v1/concepts", prefix="weather").json
        self.server.stop(stop_signal)
        before = digests(self.data)
        time, texts = as_of["time"], []
        for question in questions:
            texts.append(f'query{{"*", lens = "{question["lens"]}", include = {{ "explain" }}, '
                         f'as_of = {{ sequence = 7, time = "{time}" }}}}\n')
        ours = self.ask("".join(texts) + f'trace("{chain[2]}")[1].assertion\nconcepts("weather/")\n')
        self.assertEqual(ours, theirs + [one, concepts])
        self.assertEqual(digests(self.data), before)

    def test_the_same_answers_after_a_clean_stop(self):
        self.the_same_answers_as_the_server(signal.SIGTERM)

    def test_the_same_answers_after_a_kill_from_the_log(self):
        self.the_same_answers_as_the_server(signal.SIGKILL)

    def test_it_refuses_while_a_server_runs(self):
        done = self.console("1\n", code=1)
        self.assertRegex(done.stderr, r"^stemedb console: a server \(pid \d+\) uses the data directory .*: ask it, with --url "
                                      r"instead of --data-dir\n$")

    def test_where_there_is_nothing_it_says_so_and_makes_nothing(self):
        self.server.stop()
        empty = os.path.join(self.directory.name, "empty")
        os.mkdir(empty)
        self.data = empty
        self.assertIn("start the server on it once", self.console("1\n", code=1).stderr)
        self.data = os.path.join(self.directory.name, "none")
        self.assertEqual(self.console("1\n", code=1).stdout, "")
        self.assertEqual(os.listdir(empty), [])
        self.assertFalse(os.path.exists(self.data))

    def test_a_draft_is_tried_on_the_data(self):
        claims(self.server)
        self.server.stop()
        draft = os.path.join(self.directory.name, "always.lua")
        with open(draft, "w", encoding="utf-8") as file:
            file.write('return { kind = "lens", api = 1, name = "always", version = "1", description = "d",\n'
                       '  resolve = function(_, candidates) return { winner = #candidates } end }\n')
        [answer] = self.ask(f'try("{draft}", {{"weather/zagreb", "sky"}})\n')
        self.assertEqual(answer["lens"]["name"], "always")
        self.assertEqual(answer["resolutions"][0]["value"], "clear")
        self.assertIn("/nonexistent.lua", self.console('try("/nonexistent.lua", {"a"})\n', code=1).stderr)
        self.assertIn("scripts() asks a running server", self.console("scripts()\n", code=1).stderr)


if __name__ == "__main__":
    unittest.main()
