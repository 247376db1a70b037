#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The server as a process among others: a full disk, a directory or a port that is taken, files of somebody else, and
SIGTERM in the middle of work. Needs root for a small file system and for a second user; skips without.

Usage: process_test.py --server PROGRAM --lenses DIRECTORY [unittest's arguments]
"""

import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from checks import check_by_id, check_restarted
from claims import random_claim
from http_connection import Connection, Disconnected
from ledger import Ledger
from server_program import ServerProgram
from workload import expect

OPTIONS = None
NOBODY = 65534
REFUSAL_CPU_S_MAX, REFUSAL_WALL_S_MAX = 1.0, 10.0


class ProcessTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="stemedb-process-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        seed = OPTIONS.seed if OPTIONS.seed is not None else random.SystemRandom().randrange(2**32)
        print(f"{self.id()}: seed {seed}", file=sys.stderr)
        self.rng = random.Random(seed)
        self.ledger, self.serial = Ledger(), 0

    def server(self, name="server", *flags, **popen):
        server = ServerProgram(OPTIONS.server, OPTIONS.lenses, os.path.join(self.root, name), flags, **popen)
        self.addCleanup(lambda: server.process and server.kill())
        return server

    def connect(self, server):
        connection = Connection(server.port)
        self.addCleanup(connection.close)
        return connection

    def fresh(self, count=1):
        self.serial += count
        return [random_claim(self.rng, "process", self.serial - i) for i in range(count)]

    def send(self, connection, claims):
        """As one batch. The answer; a 503 is no failure here."""
        known = self.ledger.sending(claims)
        answer = connection.post("/v1/assert/batch", b"\n".join(claim.body for claim in claims))
        if answer.status == 503:
            self.ledger.refuse(claims)
        else:
            for claim, item in zip(claims, expect(answer, 200, 201)["results"], strict=True):
                self.ledger.stored(claim, item, claim.id in known)
        return answer

    def check_refusal(self, failure, *parts):
        for part in parts + ("docs/operations/runbooks/",):
            self.assertIn(part, failure.log)
        self.assertGreater(failure.code, 0)
        self.assertLess(failure.cpu_s, REFUSAL_CPU_S_MAX)
        self.assertLess(failure.wall_s, REFUSAL_WALL_S_MAX)


class FullDisk(ProcessTest):
    def setUp(self):
        super().setUp()
        self.disk = os.path.join(self.root, "disk")
        os.mkdir(self.disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", self.disk], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest(f"mounting a small file system isn't allowed: {mounted.stderr.decode().strip()}")
        # Cleanups run backwards: the server goes first, then the mount, then the directory.
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk])
        self.filler = os.path.join(self.disk, "filler")

    def fill(self, room=0):
        """Somebody else takes all that is left, up to `room` bytes."""
        with open(self.filler, "ab", buffering=0) as filler:
            free = os.statvfs(self.disk)
            left = free.f_bavail * free.f_bsize - room
            while left > 0:
                try:
                    left -= filler.write(bytes(min(left, 1 << 16)))
                except OSError:
                    break

    def fill_until_refused(self, connection):
        for _ in range(20_000):
            self.fill(room=200_000)
            answer = self.send(connection, self.fresh(self.rng.choice((1, 1, 1, 30))))
            if answer.status == 503:
                return answer
        self.fail("the disk is full, and writes are still taken")

    def make_room(self):
        os.truncate(self.filler, max(0, os.path.getsize(self.filler) - (8 << 20)))

    def test_writes_are_refused_and_reads_go_on_until_there_is_room(self):
        server = self.server("disk")
        server.start()
        connection = self.connect(server)
        self.send(connection, self.fresh(300))
        for _ in range(3):
            refused = self.fill_until_refused(connection)
            self.assertEqual(refused.json()["code"], "disk_full")
            self.assertIn("retry-after", refused.headers)
            health = connection.get("/v1/health").json()
            self.assertEqual(health["status"], "degraded", health)
            self.assertEqual(connection.get("/readyz").status, 503)
            check_restarted(connection, self.ledger, self.rng)  # reads go on, with all that was acknowledged
            self.make_room()
            self.assertEqual(self.send(connection, self.fresh(5)).status, 201)
            self.assertEqual(connection.get("/v1/health").json()["status"], "healthy")
            check_restarted(connection, self.ledger, self.rng)
        server.kill()
        os.truncate(self.filler, 0)
        server.start()
        connection = self.connect(server)
        check_restarted(connection, self.ledger, self.rng)
        check_by_id(connection, self.ledger, sorted(self.ledger.known))

    def test_a_server_killed_on_a_full_disk_loses_nothing(self):
        server = self.server("disk")
        server.start()
        connection = self.connect(server)
        self.fill_until_refused(connection)
        server.kill()
        self.fill()
        self.check_refusal(server.fail_to_start(), "No space left on device", "server-wont-start")
        os.truncate(self.filler, 0)
        server.start()
        connection = self.connect(server)
        check_restarted(connection, self.ledger, self.rng)
        self.assertEqual(self.send(connection, self.fresh(5)).status, 201)


class SecondInstance(ProcessTest):
    def test_is_refused_on_the_same_directories(self):
        first, second = self.server("first"), self.server("second")
        first.start()
        connection = self.connect(first)
        self.send(connection, self.fresh(10))
        own_wal, own_db = second.wal_dir, second.db_dir
        for wal, db in ((first.wal_dir, first.db_dir), (first.wal_dir, own_db), (own_wal, first.db_dir)):
            second.wal_dir, second.db_dir = wal, db
            self.check_refusal(second.fail_to_start(), "server-wont-start", first.root)
        self.send(connection, self.fresh(10))  # the first one hasn't noticed
        check_restarted(connection, self.ledger, self.rng)
        first.kill()
        second.wal_dir, second.db_dir = first.wal_dir, first.db_dir
        second.start()  # a lock doesn't outlive its owner
        check_restarted(self.connect(second), self.ledger, self.rng)


class Port(ProcessTest):
    def test_that_another_program_listens_on_is_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            failure = self.server().fail_to_start(bind=f"127.0.0.1:{port}")
        self.check_refusal(failure, "Address already in use", str(port), "server-wont-start")
        self.assertRegex(failure.log, r"\b(ss|lsof|fuser)\b")  # how to find its owner

    def test_of_another_server_is_refused_and_not_shared(self):
        first = self.server("first", "--loops", "2")
        first.start()
        failure = self.server("second", "--loops", "2").fail_to_start(bind=f"127.0.0.1:{first.port}")
        self.check_refusal(failure, "Address already in use", str(first.port))
        self.assertEqual(self.connect(first).get("/livez").status, 200)

    def test_is_free_again_after_a_kill(self):
        server = self.server()
        server.start()
        port, connections = server.port, [self.connect(server) for _ in range(5)]
        for connection in connections:
            self.assertEqual(connection.get("/livez").status, 200)
        server.kill()
        server.start(bind=f"127.0.0.1:{port}")
        self.assertEqual(server.port, port)


@unittest.skipUnless(os.geteuid() == 0, "needs root, to run the server as another user")
class ForeignFiles(ProcessTest):
    def setUp(self):
        super().setUp()
        os.chmod(self.root, 0o755)
        trial = subprocess.run([OPTIONS.server, "--version"], user=NOBODY, group=NOBODY, extra_groups=[],
                               capture_output=True)
        if trial.returncode != 0:
            self.skipTest(f"another user may not run {OPTIONS.server}")

    def refused_as_nobody(self, server):
        server.popen = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        failure = server.fail_to_start()
        self.check_refusal(failure, "Permission denied", "root", "server-wont-start")
        return failure

    def test_a_data_directory_of_another_user_is_refused(self):
        server = self.server()
        os.makedirs(server.wal_dir)
        os.makedirs(server.db_dir)
        os.chmod(server.wal_dir, 0o755)
        self.assertIn(server.wal_dir, self.refused_as_nobody(server).log)

    def test_files_left_by_a_server_run_as_root_are_refused(self):
        server = self.server()
        server.start()
        self.send(self.connect(server), self.fresh(5))
        server.stop()
        for directory, _, _ in os.walk(os.path.join(server.root, "data")):
            os.chown(directory, NOBODY, NOBODY)
        failure = self.refused_as_nobody(server)
        self.assertRegex(failure.log, r"mode 0[0-7]{3}")
        server.popen = {}
        server.start()
        check_restarted(self.connect(server), self.ledger, self.rng)


class Sigterm(ProcessTest):
    CLIENTS = 8

    def test_under_load_answers_what_is_in_flight_and_exits_0(self):
        for round_number in range(3):
            server = self.server(f"round {round_number}", "--loops", str(1 + round_number % 2))
            server.start()
            self.ledger, failures, stopped = Ledger(), [], threading.Event()
            threads = [threading.Thread(target=self.work, args=(server.port, i, stopped, failures))
                       for i in range(self.CLIENTS)]
            for thread in threads:
                thread.start()
            time.sleep(0.3 + self.rng.random() * 0.3)
            stopped.set()
            code, seconds = server.stop()
            for thread in threads:
                thread.join(30)
            self.assertEqual(failures, [])
            self.assertEqual(code, 0, server.log())
            self.assertLess(seconds, 5)
            server.start()
            check_restarted(self.connect(server), self.ledger, self.rng)
            server.kill()

    def work(self, port, number, stopped, failures):
        """Every second client sends large batches. A request that was sent before the signal must be answered."""
        rng = random.Random(f"{number}")
        sent_before, connection = False, None
        try:
            connection = Connection(port)
            for serial in range(10**6):
                many = 400 if number % 2 else 1
                claims = [random_claim(rng, f"{port}.{number}", serial * 400 + i) for i in range(many)]
                self.ledger.sending(claims)
                connection.send("POST", "/v1/assert/batch", b"\n".join(claim.body for claim in claims))
                sent_before = not stopped.is_set()
                answer = connection.receive()
                sent_before = False
                if answer.status == 503:
                    self.ledger.refuse(claims)
                    continue
                for claim, item in zip(claims, expect(answer, 201)["results"], strict=True):
                    self.ledger.stored(claim, item, False)
        except Disconnected as gone:
            if sent_before or gone.partial:
                failures.append(f"client {number}: a request that was sent before the signal has no answer: {gone}")
        except BaseException as failure:
            failures.append(f"client {number}: {type(failure).__name__}: {failure}")
        finally:
            if connection:
                connection.close()

    def test_of_an_idle_server_is_quick(self):
        server = self.server()
        server.start()
        idle = [self.connect(server) for _ in range(20)]
        for connection in idle[:10]:
            connection.get("/livez")
        code, seconds = server.stop()
        self.assertEqual(code, 0)
        self.assertLess(seconds, 5)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--server", required=True)
    parser.add_argument("--lenses", required=True)
    parser.add_argument("--seed", type=int)
    OPTIONS, rest = parser.parse_known_args()
    OPTIONS.server, OPTIONS.lenses = os.path.abspath(OPTIONS.server), os.path.abspath(OPTIONS.lenses)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    main()
