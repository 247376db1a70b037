#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A check that can't fail proves nothing. Here the promises are broken on purpose, behind the server's back, and the
campaign's checks must notice each time.

Usage: checker_test.py --server PROGRAM --lenses DIRECTORY
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import log_files
from checks import (check_aliases, check_by_id, check_by_question, check_restarted, check_statuses, check_votes, ids_by_path,
                    is_claim, knowledge_of, walk)
from claims import random_claim
from http_connection import Answer, Connection
from ledger import Ledger, Violation
from operations import Knowledge, Operation
from server_program import ServerProgram
from stores import Stores
from workload import expect, take_in, tell

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

    def tell(self, kind, fields, ledger=None, signer=None):
        operation = Operation(kind, fields | {"timestamp": "2026-02-11T10:00:00.000Z"}, signer)
        expect(tell(self.connection, ledger or self.ledger, operation), 201)
        return operation

    def say_all_kinds(self):
        """Thirty claims, of which the last two rest on others, and operations of every kind about them."""
        ids = [claim.id for claim in self.claims]
        self.claims.append(random_claim(self.rng, "checker", 30, {"derived_from": [ids[0]], "parent": ids[1]}))
        self.claims.append(random_claim(self.rng, "checker", 31, {"derived_from": [self.claims[30].id]}))
        self.send(self.claims, self.ledger)
        self.tell("vote", {"assertion_id": ids[2], "weight": 0.25})
        self.tell("vote", {"assertion_id": ids[2], "weight": 0.5}, signer=1)
        self.tell("supersession", {"target": ids[3], "replacement": ids[4]})
        self.tell("retraction", {"assertion_id": ids[0], "cascade": True})
        self.tell("retraction", {"concept_path": self.claims[5].path})
        self.tell("epoch", {"name": "new", "supersedes": "old"})
        self.tell("source", {"id": "registered", "title": "T", "content": "C"})
        self.tell("source_status", {"id": "registered", "status": "deprecated"})
        self.tell("alias", {"alias": "crash/alias/1", "concept_path": self.claims[6].path})

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

    def test_is_content_with_operations(self):
        self.say_all_kinds()
        self.restart()
        check_restarted(self.connection, self.ledger, self.rng)
        statuses = [claim["status"] for claim in walk(self.connection).values() if is_claim(claim)]
        self.assertGreaterEqual(statuses.count("retracted"), 4)
        self.assertEqual(statuses.count("superseded"), 1)

    def test_notices_an_acknowledged_operation_that_is_gone(self):
        self.send(self.claims, self.ledger)
        self.tell("vote", {"assertion_id": self.claims[0].id, "weight": 1})

        def lose_the_last_write():
            last = log_files.Segment(log_files.segment_paths(self.server.wal_dir)[-1])
            os.truncate(last.path, last.last_write()[0].offset)
            shutil.rmtree(self.server.db_dir)

        self.restart(lose_the_last_write)
        self.notices("1 acknowledged claims are gone")

    def test_notices_an_operation_that_nobody_sent(self):
        self.send(self.claims, self.ledger)
        self.tell("alias", {"alias": "crash/alias/1", "concept_path": self.claims[0].path}, Ledger())
        self.notices("nobody ever sent")

    def test_notices_an_operation_that_was_refused(self):
        self.send(self.claims, self.ledger)
        vote = self.tell("vote", {"assertion_id": self.claims[0].id, "weight": 1}, Ledger())
        self.ledger.sending_operation(vote)
        self.ledger.refuse([vote])
        self.notices("was refused, and is there")

    def refusals_of(self):
        """Operations about what say_all_kinds has said, each with the code that the server must refuse it with."""
        ids, time = [claim.id for claim in self.claims], {"timestamp": "2026-02-11T09:00:00.000Z"}
        makings = (
            ("vote", {"assertion_id": ids[2], "weight": 1}, "stale_vote"),
            ("supersession", {"target": ids[3], "replacement": ids[5]}, "already_superseded"),
            ("supersession", {"target": ids[4], "replacement": ids[3]}, "would_close_circle"),
            ("retraction", {"assertion_id": ids[0]}, "already_retracted"),
            ("retraction", {"assertion_id": ids[0], "cascade": True}, "already_retracted"),
            ("retraction", {"concept_path": "crash/nowhere/*"}, "unknown_concept"),
            ("epoch", {"name": "new"}, "epoch_exists"),
            ("epoch", {"name": "old", "supersedes": "new"}, "would_close_circle"),
            ("source", {"id": "registered"}, "source_exists"),
            ("alias", {"alias": "crash/alias/1", "concept_path": self.claims[6].path}, "alias_exists"),
            ("alias", {"alias": self.claims[6].path, "concept_path": "crash/alias/1"}, "would_close_circle"))
        return [(Operation(kind, fields | time), code) for kind, fields, code in makings]

    def test_is_content_with_refusals_that_something_accounts_for(self):
        self.say_all_kinds()
        for operation, code in self.refusals_of():
            answer = tell(self.connection, self.ledger, operation)
            self.assertIn(answer.status, (404, 409), operation)
            self.assertEqual(answer.json()["code"], code, operation)
        self.assertEqual(len(self.ledger.refusals), len(self.refusals_of()))
        self.restart()
        check_restarted(self.connection, self.ledger, self.rng)
        self.assertEqual(self.ledger.refusals, [])

    def test_notices_a_refusal_that_nothing_accounts_for(self):
        """Each of these codes, from a server that has the claims alone."""
        self.send(self.claims, self.ledger)
        for operation, code in self.refusals_of() + [
                (Operation("retraction", {"concept_path": self.claims[0].path}), "unknown_concept"),
                (Operation("source_status", {"id": "registered", "status": "active"}), "already_retracted"),
                (Operation("alias", {"alias": "crash/alias/2", "concept_path": "crash/alias/3"}), "alias_limit")]:
            if operation.fields.get("concept_path") == "crash/nowhere/*":
                continue
            refused = Answer(409, {}, json.dumps({"code": code}).encode())
            was_known, is_new, seen = self.ledger.sending_operation(operation)
            self.assertEqual(take_in(self.ledger, operation, refused, was_known, is_new), code)
            self.ledger.was_refused(operation, code, seen)
            with self.subTest(operation):
                self.notices("1 operations were refused for a reason that nothing accounts for")

    def test_holds_the_refusal_of_an_alias_against_the_moments_that_it_may_have_been_of(self):
        """An alias is given another target: what it stood for before that was seen is no reason."""
        self.send(self.claims, self.ledger)
        paths = [claim.path for claim in self.claims]
        first = next(path for path in paths if path != paths[0])
        before = self.ledger.seen
        self.tell("alias", {"alias": "crash/alias/1", "concept_path": paths[0]})
        between = self.ledger.seen
        self.tell("alias", {"alias": "crash/alias/1", "concept_path": first})
        same = Operation("alias", {"alias": "crash/alias/1", "concept_path": paths[0], "timestamp": "2026-02-11T09:00:00.000Z"})
        knowledge = knowledge_of(walk(self.connection))
        self.assertTrue(knowledge.accounts_for(same, "alias_exists", before))
        self.assertTrue(knowledge.accounts_for(same, "alias_exists", between))
        self.assertFalse(knowledge.accounts_for(same, "alias_exists", self.ledger.seen))
        self.assertFalse(knowledge.accounts_for(same, "would_close_circle", before))

    def test_holds_an_alias_that_was_taken_back_for_none(self):
        self.send(self.claims, self.ledger)
        name, before = "crash/alias/1", self.ledger.seen
        again = Operation("alias", {"alias": name, "concept_path": name, "timestamp": "2026-02-11T09:00:00.000Z"})
        self.tell("alias", {"alias": name, "concept_path": self.claims[0].path})
        between, knowledge = self.ledger.seen, knowledge_of(walk(self.connection))
        self.assertTrue(knowledge.accounts_for(again, "not_an_alias", before))
        self.assertFalse(knowledge.accounts_for(again, "not_an_alias", between))
        self.tell("alias", {"alias": name, "concept_path": name})
        knowledge = knowledge_of(walk(self.connection))
        self.assertEqual(knowledge.aliases(), {name: name})
        self.assertTrue(knowledge.accounts_for(again, "not_an_alias", between))
        self.assertFalse(knowledge.accounts_for(again, "alias_exists", before))
        self.restart()
        check_restarted(self.connection, self.ledger, self.rng)

    def test_notices_a_status_that_nothing_accounts_for(self):
        self.say_all_kinds()
        found = walk(self.connection)
        claims = [one for one in found.values() if is_claim(one)]
        said = [one for one in found.values() if not is_claim(one)]
        check_statuses(claims, Knowledge(claims, said).statuses())
        for left_out in ("supersession", "retraction"):
            rest = [one for one in said if one["kind"] != left_out]
            with self.assertRaisesRegex(Violation, "another status"):
                check_statuses(claims, Knowledge(claims, rest).statuses())

    def test_notices_votes_and_aliases_that_differ(self):
        self.say_all_kinds()
        found = walk(self.connection)
        claims = [one for one in found.values() if is_claim(one)]
        said = [one for one in found.values() if not is_claim(one)]
        by_path = ids_by_path(self.ledger)
        check_votes(self.connection, Knowledge(claims, said), self.rng)
        check_aliases(self.connection, Knowledge(claims, said), by_path, self.rng)
        for one in said:
            if one["kind"] == "vote":
                one["weight"] = 0.125
            if one["kind"] == "alias":
                one["concept_path"] = "crash/elsewhere"
        with self.assertRaises(Violation):
            check_aliases(self.connection, Knowledge(claims, said), by_path, self.rng)
        with self.assertRaisesRegex(Violation, "has the votes"):
            check_votes(self.connection, Knowledge(claims, said), self.rng)

    @unittest.skipUnless(shutil.which("mdb_load"), "needs LMDB's mdb_dump and mdb_load")
    def test_notices_a_byte_of_the_index_that_was_changed(self):
        """In each table: the last byte of a value, or of a key that has none."""
        self.say_all_kinds()
        code, _ = self.server.stop()
        self.assertEqual(code, 0)
        Stores(self.server).check_complete(len(self.ledger.known))
        indexes = os.path.join(self.server.db_dir, "indexes")
        dump = subprocess.run(["mdb_dump", "-a", indexes], capture_output=True, check=True).stdout.decode().split("\n")
        for table in ("claims", "concepts", "operations", "votes", "links", "meta"):
            changed = list(dump)
            first = changed.index("DATA=END", changed.index(f"database={table}")) - 2  # the last key, then its value
            at = first + 1 if changed[first + 1].strip() else first
            changed[at] = changed[at][:-1] + ("0" if changed[at][-1] != "0" else "1")
            shutil.rmtree(indexes)
            os.mkdir(indexes)
            subprocess.run(["mdb_load", indexes], input="\n".join(changed).encode(), check=True, capture_output=True)
            with self.subTest(table), self.assertRaises(Violation):
                Stores(self.server)

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
