#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A check that can't fail proves nothing. Here the promises are broken on purpose, behind the server's back, and the
campaign's checks must notice each time.

Usage: checker_test.py --server PROGRAM --lenses DIRECTORY
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import log_files
from checks import check_by_id, check_by_question, check_restarted
from claims import random_claim
from http_connection import Connection
from ledger import Ledger, Violation
from server_program import ServerProgram
from workload import expect

OPTIONS = None


class Checker(unittest.TestCase):
    def setUp(self):
        root = tempfile.mkdtemp(prefix="stemedb-checker-")
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        self.server = ServerProgram(OPTIONS.server, OPTIONS.lenses, root)
        self.server.start()
        self.addCleanup(self.server.kill)
        self.connection = Connection(self.server.port)
        self.addCleanup(lambda: self.connection.close())
        self.rng, self.ledger = random.Random(1), Ledger()
        self.claims = [random_claim(self.rng, "checker", i) for i in range(30)]

    def send(self, claims, ledger=None, target="/v1/assert/batch", atomic=False):
        if ledger:
            ledger.sending(claims, atomic)
        answer = expect(self.connection.post(target, b"\n".join(claim.body for claim in claims)), 200, 201)
        for claim, item in zip(claims, answer["results"]):
            if ledger:
                ledger.stored(claim, item, False)
        return answer["results"]

    def restart(self, between=lambda: None):
        self.server.kill()
        self.connection.close()
        between()
        self.server.start()
        self.connection = Connection(self.server.port)

    def notices(self, what):
        with self.assertRaisesRegex(Violation, what):
            check_restarted(self.connection, self.ledger, self.rng)

    def test_is_content_with_a_good_server(self):
        self.send(self.claims, self.ledger)
        self.restart()
        check_restarted(self.connection, self.ledger, self.rng)

    def test_notices_an_acknowledged_claim_that_is_gone(self):
        self.send(self.claims[:20], self.ledger)
        self.send(self.claims[20:], self.ledger)

        def lose_the_last_write():
            last = log_files.Segment(log_files.segment_paths(self.server.wal_dir)[-1])
            os.truncate(last.path, last.last_write()[0].offset)
            shutil.rmtree(self.server.db_dir)

        self.restart(lose_the_last_write)
        self.notices("10 acknowledged claims are gone")

    def test_notices_a_claim_that_nobody_sent(self):
        self.send(self.claims[:20], self.ledger)
        self.send(self.claims[20:21])
        self.restart()
        self.notices("nobody ever sent")

    def test_notices_a_claim_that_was_refused(self):
        self.ledger.sending(self.claims[:1])
        self.ledger.refuse(self.claims[:1])
        self.send(self.claims[:1])
        self.notices("was refused, and is there")

    def test_notices_another_sequence_than_the_acknowledged(self):
        self.send(self.claims, self.ledger)

        def write_in_another_order():
            shutil.rmtree(os.path.join(self.server.root, "data"))

        self.restart(write_in_another_order)
        self.send(self.claims[::-1])
        self.notices("was acknowledged as")

    def test_notices_half_an_atomic_batch(self):
        self.ledger.sending(self.claims[:10], atomic=True)
        self.send(self.claims[:4])
        self.notices("4 of the 10 claims of an atomic batch")

    def test_notices_an_atomic_batch_that_is_scattered(self):
        self.ledger.sending(self.claims[:3], atomic=True)
        self.ledger.sending(self.claims[3:4])
        self.send([self.claims[0], self.claims[3], self.claims[1], self.claims[2]])
        self.notices("scattered")

    def test_notices_a_claim_that_comes_back(self):
        self.ledger.sending(self.claims[:1])
        check_restarted(self.connection, self.ledger, self.rng)
        self.send(self.claims[:1])
        self.notices("has come back")

    def test_notices_a_second_creation(self):
        item = self.send(self.claims[:1], self.ledger)[0]
        with self.assertRaisesRegex(Violation, "created a second time"):
            self.ledger.stored(self.claims[0], item, False)

    def test_notices_an_index_without_a_claim(self):
        self.send(self.claims, self.ledger)
        path = self.claims[0].path
        wanted = {claim.id for claim in self.claims if claim.path == path}
        check_by_question(self.connection, path, wanted)
        with self.assertRaisesRegex(Violation, "1 are missing"):
            check_by_question(self.connection, path, wanted | {"0" * 64})

    def test_notices_content_that_was_changed(self):
        self.send(self.claims, self.ledger)
        self.ledger.claims[self.claims[0].id].canonical += b" "
        with self.assertRaisesRegex(Violation, "is now"):
            check_by_id(self.connection, self.ledger, [self.claims[0].id])


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--server", required=True)
    parser.add_argument("--lenses", required=True)
    OPTIONS, rest = parser.parse_known_args()
    OPTIONS.server, OPTIONS.lenses = os.path.abspath(OPTIONS.server), os.path.abspath(OPTIONS.lenses)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    main()
