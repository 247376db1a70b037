# SPDX-License-Identifier: Apache-2.0
"""server-wont-start: each fault is made, the last line leads to its section, and the section's commands mend it."""

import filecmp
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

from runbook import IF_IT_FAILS
from runbook_test import CLAIMS, WONT_START, RunbookTest, follows
from small_disk import fill, mount_small_disk

LISTEN = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print('ready', flush=True); sys.stdin.read()"


class ServerWontStart(RunbookTest):
    book = WONT_START

    def listener(self, port):
        """A process that has nothing to do with the database takes a port."""
        process = subprocess.Popen([sys.executable, "-c", LISTEN, str(self.ports[port])], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    @follows("§1 The port is taken")
    def test_port_of_another_server(self):
        older = self.start(command="stemedb-api --wal-dir old/wal --db-dir old/db --dashboard-addr off")
        self.assertNotIn("STEMEDB_DASHBOARD_ADDR:", self.refused())
        owner = self.type(1)
        self.expect(1, owner)
        self.assertIn('"stemedb-api"', owner)
        self.type(2, N=re.search(r"pid=(\d+)", owner)[1])
        self.assertEqual(older.ended(), 0)
        self.assertNotIn("users:", self.type(1))
        self.start().stop()
        other = self.listener("18180")
        self.refused()
        self.assertIn(f"pid={other.pid},", self.type(1))
        server = self.start(3, port="18280")
        self.expect(3, server.log())
        self.assertEqual(server.count(), 0)
        server.stop()
        other.stdin.close()
        other.wait()
        self.listener("18188")
        self.assertIn("STEMEDB_DASHBOARD_ADDR:", self.refused())
        self.start(IF_IT_FAILS)

    @follows("§2 The disk is full")
    def test_full_disk(self):
        self.inside, disk = mount_small_disk(self, self.path("data"), self.root)
        self.with_claims()
        filler = os.path.join(disk, "filler")
        fill(filler)
        self.refused()
        self.expect(1, self.type(1, 0) + self.type(1, 1))
        os.remove(filler)
        self.assertNotRegex(self.type(1, 0), "100%")
        self.expect(3, self.claims_kept())

    @follows("§3 The log is damaged")
    def test_damaged_log(self):
        self.with_claims(env={"STEMEDB_WAL_SEGMENT_BYTES": "4096"})
        server = self.start()
        server.add_claims(3, concept_path="later")  # three writes more in the last segment: they prove the damage
        server.stop()
        first, second, *_, last = sorted(name for name in os.listdir(self.path("data", "wal")) if name.endswith(".log"))
        self.damage("data", "wal", last, at=100)
        self.refused()
        self.type(1)
        same = filecmp.dircmp(self.path("data"), self.path("data.before-repair"))
        self.assertEqual((same.left_only, same.right_only, same.diff_files), ([], [], []))
        server = self.start(3)
        self.expect(3, server.log())
        self.assertIn(last + ".damaged-", self.type(4, 0))
        self.assertIn(f'"assertion_count":{CLAIMS + 3}', self.type(4, 1).replace(" ", ""))
        server.stop()
        self.claims_kept(CLAIMS + 3)
        if os.geteuid() == 0 and os.access("/dev/kmsg", os.R_OK):
            self.type(IF_IT_FAILS)
        else:  # the kernel may refuse to tell
            self.assertEqual(self.command(IF_IT_FAILS).split()[0], os.path.basename(shutil.which("dmesg")))
        shutil.rmtree(self.path("data"))
        shutil.move(self.path("data.before-repair"), self.path("data"))
        shutil.rmtree(self.path("data", "db"))
        self.damage("data", "wal", first, at=0)
        self.refused()
        self.damage("data", "wal", first, at=0)  # twice turned over is whole
        self.damage("data", "wal", last, at=100)
        shutil.move(self.path("data", "wal", second), self.path("missing"))
        self.see("a segment is missing", self.refused())
        shutil.move(self.path("missing"), self.path("data", "wal", second))
        self.claims_kept(CLAIMS + 3)

    @unittest.skipUnless(os.geteuid() == 0, "only root can give files to another user")
    @follows("§4 Permission denied")
    def test_data_of_another_user(self):
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        self.with_claims()
        self.refused(prefix=as_nobody)
        self.assertEqual(re.findall(r"^d\S+ +\d+ (\w+) ", self.type(1), re.M), ["root"] * 3)
        self.type(2, USER="nobody")
        self.assertEqual(re.findall(r"^drwx\S+ +\d+ (\w+) ", self.type(1), re.M), ["nobody"] * 3)
        server = self.start(prefix=as_nobody)
        self.expect(2, server.log())
        self.assertEqual(server.count(), CLAIMS)
        server.stop()
        self.cwd = self.path("vault")
        os.mkdir(self.cwd, 0o700)
        for directory in ("data", "lenses"):
            shutil.move(self.path(directory), self.cwd)
        self.refused(prefix=as_nobody)
        self.assertRegex(self.type(IF_IT_FAILS), r"drwx------ +root +root +vault")
        os.chmod(self.cwd, 0o711)
        self.start(prefix=as_nobody)

    @follows("§5 Another instance runs")
    def test_second_instance(self):
        first = self.start()
        first.add_claims()
        self.refused()
        instance = self.type(1)
        self.expect(1, instance)
        pid = re.search(r"^ *(\d+) .*stemedb-api$", instance, re.M)[1]
        second = self.start(2, 1, port="18280")
        self.expect(2, second.log())
        self.assertEqual((first.count(), second.count()), (CLAIMS, 0))
        self.assertLessEqual({"db", "wal", "metadata.json"}, set(os.listdir(self.path("other"))))
        self.type(2, 0, PID=pid)
        self.assertEqual(first.ended(), 0)
        self.assertTrue(os.path.exists(self.path("data", "db", "LOCK")))
        self.claims_kept()

    @follows("§6 The indexes are lost or damaged")
    def test_damaged_indexes_and_records(self):
        self.with_claims()
        self.damage("data", "db", "indexes", "data.mdb", at=0, count=8192)
        self.refused()
        self.type(1)
        self.expect(1, self.claims_kept())
        os.truncate(self.path("data", "db", "indexes", "data.mdb"), 8192)
        cut_short = "A database file can't be read where it is mapped"
        ended = subprocess.run([*self.inside, "stemedb-api"], cwd=self.cwd, env=self.env, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        self.assertEqual(ended.returncode, -signal.SIGBUS)
        self.assertIn(cut_short, ended.stdout.splitlines()[-1])
        self.phrases_seen.add(cut_short)
        shutil.rmtree(self.path("data", "db-indexes.damaged"))
        self.type(1)
        self.claims_kept()
        self.damage("data", "db", "assertions.kv", at=0, count=8192)
        self.refused()
        self.see("segment-00001.log", self.type(IF_IT_FAILS, 0))
        self.type(IF_IT_FAILS, 1)
        self.assertIn(f"Replayed {CLAIMS} entries from WAL", self.claims_kept())

    @follows("§7 A setting")
    def test_settings(self):
        self.refused("--colour", "red")
        self.refused(env={"STEMEDB_TLS_ENABLED": "true"})
        self.refused(env={"STEMEDB_LOOPS": "0"})
        self.env["STEMEDB_LOPS"] = "2"
        self.assertIn("STEMEDB_LOPS", self.refused())
        self.assertIn("STEMEDB_LOPS=2\n", self.type(1, 0))
        self.assertIn("STEMEDB_LOOPS", self.type(1, 1))
        config = self.type(2, NAME="STEMEDB_LOPS")
        self.expect(2, config)
        self.assertRegex(config, r"STEMEDB_BIND_ADDR=\S+  # environment")

    def script(self, *parts):
        """Writes a text in the place of a script; gives what was there."""
        *parts, text = parts
        before = None
        if os.path.exists(self.path(*parts)):
            with open(self.path(*parts), encoding="utf-8") as file:
                before = file.read()
        with open(self.path(*parts), "w", encoding="utf-8") as file:
            file.write(text)
        return before

    @follows("§8 A lens, a policy or a spec")
    def test_scripts(self):
        self.with_claims()  # after which the versions that were live are kept
        lens, spec = ("lenses", "recency.lua"), ("lenses", "recency_spec.lua")
        good = self.script(*lens, "return {\n  kind = 'lens'\n  api = 1 }")
        self.see("NAME.lua:N:", self.refused())
        self.assertIn("recency.lua:3: error:", self.type(1, code=1))
        self.assertIn(hashlib.sha256(good.encode()).hexdigest() + ".lua", self.type(2, 0, NAME="recency"))
        self.type(2, 1, SHA256=hashlib.sha256(good.encode()).hexdigest(), NAME="recency")
        self.expect(1, self.type(1))
        self.expect(3, self.claims_kept())
        good_spec = self.script(*spec, "return { { claim = 'nobody wins', given = { { value = 1 } }, expect = { winner = false } } }")
        self.see("_spec.lua: 'NAME':", self.refused())
        self.script(*spec, good_spec)
        for phrase, make in (
                ("not a file: move it", lambda: os.mkfifo(self.path("lenses", "odd.lua"))),
                ("is a link that leads to no file", lambda: os.symlink("nowhere", self.path("lenses", "odd.lua"))),
                ("larger than 256 KiB", lambda: self.script("lenses", "odd.lua", "-" * (300 << 10)))):
            make()
            self.see(phrase, self.refused())
            os.remove(self.path("lenses", "odd.lua"))
        os.mkdir(self.path("policies"))
        self.script("policies", "stray.lua", good.replace('"recency"', '"stray"'))
        self.see("its directory is for kind", self.refused())
        os.rename(self.path("policies", "stray.lua"), self.path("policies", "recency.lua"))
        self.see("names are unique over both", self.refused())
        os.remove(self.path("policies", "recency.lua"))
        self.see("no lens in it (expected *.lua)", self.refused(env={"STEMEDB_LENSES_DIR": "policies"}))
        self.see("give the directory with the scripts", self.refused(env={"STEMEDB_LENSES_DIR": "nowhere"}))
        self.script(*lens, "error('at load')")
        self.refused()
        self.type(IF_IT_FAILS, 0)
        self.type(IF_IT_FAILS, 1, NAME="recency")
        self.claims_kept()
        self.assertTrue(os.path.exists(self.path("aside", "recency.lua")))

    @follows("An older log was put back")
    def test_older_log(self):
        self.with_claims()
        shutil.copytree(self.path("data"), self.path("older"))
        server = self.start()
        server.add_claims(5, concept_path="later")
        server.stop()
        shutil.rmtree(self.path("data", "wal"))
        shutil.copytree(self.path("older", "wal"), self.path("data", "wal"))
        server = self.start()
        self.see("the log ends before the checkpoint: an older one was put back", server.log())
        self.assertIn("Rebuilding indexes...", server.log())
        self.assertEqual(server.add_claims(1, concept_path="latest")["sequence"], CLAIMS + 6)
        server.stop()
        for part in ("wal", "db"):
            shutil.rmtree(self.path("data", part))
            shutil.copytree(self.path("older", part), self.path("data", part))
        self.assertNotIn("an older one was put back", self.claims_kept())


if __name__ == "__main__":
    unittest.main()
