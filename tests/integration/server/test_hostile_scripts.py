# SPDX-License-Identifier: Apache-2.0
"""A lens that is fine until it meets a certain claim, and then never ends: a hundred such questions at once. Neither
port nor any loop must notice, and the hostile ones must all be told what happened.

The bounds here are wide, for machines that do other things as well; the figures themselves are printed. With
STEMEDB_TEST_LONG=1 the bound for /livez is 100 ms."""

import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
import unittest

from server_process import SOURCE_DIR, Server, claim

sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "support"))
from http_connection import Connection  # noqa: E402

HOSTILE = 100
LIVEZ_P99_MS_MAX = 100 if os.environ.get("STEMEDB_TEST_LONG") else 1000
ENDLESS = """return { kind = "lens", api = 1, name = "endless", version = "1.0.0", description = "Ends now and then.",
resolve = function(ctx, candidates)
  while candidates[1].source == "boom" do pcall(function() while true do end end) end
  return { winner = 1 }
end }
"""
QUESTION = json.dumps({"concept_path": "trap", "predicate": "p", "lens": "endless", "limit": 0}).encode()
HONEST = json.dumps({"concept_path": "drugs/aspirin", "predicate": "thins_blood", "lens": "consensus", "limit": 0}).encode()


def p99(milliseconds):
    return statistics.quantiles(milliseconds, n=100)[98]


def timed(connection, method, target, body=b""):
    started = time.monotonic()
    answer = connection.request(method, target, body)
    return answer, (time.monotonic() - started) * 1000


class HostileScripts(unittest.TestCase):
    def setUp(self):
        lenses = tempfile.mkdtemp(prefix="stemedb-lenses-")
        self.addCleanup(shutil.rmtree, lenses)
        shutil.copy(os.path.join(SOURCE_DIR, "lenses", "consensus.lua"), lenses)
        with open(os.path.join(lenses, "endless.lua"), "w", encoding="ascii") as file:
            file.write(ENDLESS)
        self.server = Server(lenses_dir=lenses)
        self.addCleanup(self.server.close)
        self.server.post("/v1/assert", claim())
        self.server.post("/v1/assert", claim(concept_path="trap", predicate="p", source={"id": "boom"}))
        self.assertEqual(self.server.query(concept_path="drugs/aspirin", lens="endless").status, 200)

    def connect(self, listener="api"):
        connection = Connection(self.server.addresses[listener][1])
        self.addCleanup(connection.close)
        return connection

    def test_a_hundred_endless_questions_at_once_leave_livez_alive(self):
        answers = []

        def ask(connection):
            answers.append(connection.request("POST", "/v1/query", QUESTION))

        threads = [threading.Thread(target=ask, args=(self.connect(),)) for _ in range(HOSTILE)]
        for thread in threads:
            thread.start()
        taken = {"operations": [], "api": []}
        connections = {listener: self.connect(listener) for listener in taken}
        while any(thread.is_alive() for thread in threads):
            for listener, connection in connections.items():
                answer, milliseconds = timed(connection, "GET", "/livez")
                self.assertEqual(answer.status, 200)
                taken[listener].append(milliseconds)
            time.sleep(0.002)
        for thread in threads:
            thread.join()
        for listener, milliseconds in taken.items():
            print(f"/livez on {listener} beside {HOSTILE} endless questions: median {statistics.median(milliseconds):.1f} "
                  f"ms, p99 {p99(milliseconds):.1f} ms of {len(milliseconds)}")
        self.assertEqual(len(answers), HOSTILE)
        for answer in answers:
            self.assertIn((answer.status, answer.json()["code"]), ((500, "lens_failed"), (503, "overloaded")))
        self.assertTrue(any("endless.lua:3" in answer.json()["detail"] for answer in answers))
        for milliseconds in taken.values():
            self.assertLess(p99(milliseconds), LIVEZ_P99_MS_MAX)
        self.assertEqual(self.server.query(concept_path="drugs/aspirin", lens="consensus").status, 200)
        self.assertRegex(self.server.get("/metrics").body.decode(),
                         r'stemedb_script_budget_kills_total\{script="endless"\} [1-9]')

    def test_honest_questions_keep_their_time_on_every_loop(self):
        honest = [self.connect() for _ in range(12)]  # some of them on the loop that the hostile one is on
        quiet = [timed(connection, "POST", "/v1/query", HONEST)[1] for connection in honest for _ in range(20)]
        hostile = self.connect()
        for _ in range(60):
            hostile.send("POST", "/v1/query", QUESTION)
        ended = threading.Event()
        medians = []

        def ask(connection):
            mine = []
            while not ended.is_set() and len(mine) < 200:
                answer, milliseconds = timed(connection, "POST", "/v1/query", HONEST)
                self.assertEqual(answer.status, 200)
                mine.append(milliseconds)
            medians.append(statistics.median(mine))

        threads = [threading.Thread(target=ask, args=(connection,)) for connection in honest]
        for thread in threads:
            thread.start()
        for _ in range(60):
            self.assertIn(hostile.receive().status, (500, 503))
        ended.set()
        for thread in threads:
            thread.join()
        medians.sort()
        print(f"an honest question: {statistics.median(quiet):.2f} ms before; beside 60 endless ones, by connection: "
              f"{', '.join(f'{m:.2f}' for m in medians)} ms")
        # A question that waited behind one endless one took 50 ms at least.
        self.assertLess(medians[-1], 45)


if __name__ == "__main__":
    unittest.main()
