# SPDX-License-Identifier: Apache-2.0
"""restore-from-backup: copies are taken, put back and tried out with the commands that stand there."""

import filecmp
import json
import os
import re
import shutil
import subprocess
import unittest

from runbook import Runbook
from runbook_test import CLAIMS, RunbookTest, follows


class RestoreFromBackup(RunbookTest):
    book = Runbook("restore-from-backup")

    def with_copy(self):
        """Leaves data/ and a copy of it."""
        self.with_claims()
        shutil.copytree(self.path("data"), self.path("backup", "stemedb-data"))

    def forget_a_record(self):
        """Takes the first record out of the records, with LMDB's own tools, and the indexes away."""
        store = self.path("data", "db", "assertions.kv")
        dump = subprocess.run(["mdb_dump", "-n", "-a", store], capture_output=True, text=True, check=True).stdout
        dump, found = re.subn(r"(database=records\n.*?HEADER=END\n) \w+\n \w+\n", r"\1", dump, flags=re.S)
        self.assertEqual(found, 1)
        os.remove(store)
        subprocess.run(["mdb_load", "-n", store], input=dump, text=True, check=True, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.path("data", "db", "indexes"))

    @follows("Taking a copy")
    def test_taking_a_copy(self):
        server = self.start()
        server.add_claims()
        pid = re.search(r"^ *(\d+) .*stemedb-api$", self.type(1, 0), re.M)[1]
        self.type(1, 1, PID=pid)
        self.assertEqual(server.ended(), 0)
        self.expect(1, server.log())
        self.assertEqual(self.type(2, 0) + self.type(2, 1), "")
        self.assertEqual(self.type(1, 0, code=1).count("\n"), 1)  # ps: no process, a heading
        self.claims_kept()
        self.see("File exists", self.type(2, 0, code=1))
        self.assertIn("metadata.json", self.type(2, 1, code=1))  # the copy is as it was; data/ counts its starts

    @follows("Putting it back")
    def test_putting_it_back(self):
        self.with_copy()
        shutil.move(self.path("data"), self.path("first"))
        server = self.start()
        server.add_claims(5, concept_path="another/database")
        server.stop()
        shutil.rmtree(self.path("data", "db"))
        shutil.move(self.path("first", "db"), self.path("data", "db"))
        self.see("belong to different databases", self.refused(see="restore-from-backup"))
        self.type(2)
        self.assertTrue(os.path.isdir(self.path("data.before-restore", "wal")))
        self.type(3, 0)
        self.assertEqual(self.type(3, 1).count("drwx"), 3)
        server = self.start()
        self.expect(4, server.log())
        count = json.loads(self.type(5, 0))["assertion_count"]
        self.assertEqual((json.loads(self.type(5, 1))["assertion_count"], count), (CLAIMS, CLAIMS))
        self.see("assertion_count", self.type(5, 1))
        server.stop()
        self.forget_a_record()
        self.refused(see="restore-from-backup")
        self.phrases_seen -= self.phrases_that_lead_here()

    def phrases_that_lead_here(self):
        seen = {"belong to different databases", "its checkpoint says"}
        self.assertEqual(self.phrases_seen, seen)
        return seen

    @follows("With half a copy")
    def test_half_a_copy(self):
        for lost in (["db"], ["wal"], ["db", "indexes"]):
            with self.subTest(lost=lost):
                shutil.rmtree(self.path("data"), ignore_errors=True)
                self.with_claims()
                shutil.rmtree(self.path("data", *lost))
                self.assertIn("Index rebuild complete", self.claims_kept())
                server = self.start()
                self.assertEqual(server.add_claims(1, concept_path="later")["sequence"], CLAIMS + 1)
                server.stop()

    @follows("Validation")
    def test_validation(self):
        server = self.start()
        server.add_claims()
        newest = server.add_claims(1, concept_path="newest")
        shown = json.loads(self.type("", 0))["assertions"]
        self.assertEqual([claim["id"] for claim in shown], [newest["id"]])

    @follows("Prevention")
    def test_trying_a_copy_out(self):
        self.with_copy()
        shutil.copytree(self.path("backup"), self.path("as-it-was"))
        self.start()
        self.type("", 0)
        server = self.start("", 1, port="18280")
        answer = self.type("", 2)
        self.expect("", server.log() + answer)
        self.assertEqual(json.loads(answer)["assertion_count"], CLAIMS)
        server.stop()
        self.assertEqual(sorted(os.listdir(self.path("trial"))), sorted(os.listdir(self.path("data"))))
        for part in (".", "wal", "db", "db/indexes"):
            parts = (self.path(top, "stemedb-data", part) for top in ("backup", "as-it-was"))
            same = filecmp.dircmp(*parts)
            self.assertEqual((same.left_only, same.right_only, same.diff_files), ([], [], []))


if __name__ == "__main__":
    unittest.main()
