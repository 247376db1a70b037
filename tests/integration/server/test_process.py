# SPDX-License-Identifier: Apache-2.0
"""The server as a process: settings, the ten lines of a start, what stops a start, restarts and clean stops."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from server_process import PROGRAM, Server, claim, environment


class Process(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="stemedb-test-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def start(self, **options):
        server = Server(root=self.root, **options)
        self.addCleanup(server.close)
        return server

    def run_to_end(self, *args, **env):
        return subprocess.run([PROGRAM, *args], env=environment(self.root) | env, cwd=self.root, capture_output=True,
                              text=True, timeout=60)

    def metadata(self):
        with open(os.path.join(self.root, "data", "metadata.json"), encoding="ascii") as file:
            return json.load(file)

    # Settings

    def test_help_and_version_end_with_0(self):
        run = self.run_to_end("--help")
        self.assertEqual(run.returncode, 0)
        for name in ("STEMEDB_BIND_ADDR", "STEMEDB_WAL_DIR", "--lenses-dir", "--print-config"):
            self.assertIn(name, run.stdout)
        self.assertRegex(self.run_to_end("--version").stdout, r"^stemedb-api \d+\.\d+\.\d+$")

    def test_print_config_says_where_each_value_comes_from(self):
        run = self.run_to_end("--print-config", "--loops", "3", "--wal-salvage", STEMEDB_LOG_LEVEL="warn",
                              STEMEDB_LOOPS="7", STEMEDB_LOG_FORMAT="")
        lines = dict(line.split("=", 1) for line in run.stdout.splitlines())
        self.assertEqual(lines["STEMEDB_LOOPS"], "3  # flag")
        self.assertEqual(lines["STEMEDB_WAL_SALVAGE"], "true  # flag")
        self.assertEqual(lines["STEMEDB_LOG_LEVEL"], "warn  # environment")
        self.assertEqual(lines["STEMEDB_LOG_FORMAT"], "text  # default")
        self.assertEqual(run.returncode, 0)

    def test_a_bad_value_is_one_line_that_names_it(self):
        for name, value in (("BIND_ADDR", "here"), ("BIND_ADDR", "127.0.0.1:70000"), ("BIND_ADDR", "::1:80"),
                            ("DASHBOARD_ADDR", "on"), ("LOOPS", "0"), ("LOOPS", "1x"), ("LOG_LEVEL", "loud"),
                            ("LOG_FORMAT", "xml"), ("REQUIRE_SIGNATURES", "yes"), ("ALLOWED_ORIGINS", "example.org")):
            run = self.run_to_end(**{"STEMEDB_" + name: value})
            self.assertNotEqual(run.returncode, 0, name)
            self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
            for part in ("STEMEDB_" + name, f"'{value}'", "allowed: ", "docs/operations/runbooks/"):
                self.assertIn(part, run.stderr)
        unknown = self.run_to_end("--colour", "red")
        self.assertNotEqual(unknown.returncode, 0)
        self.assertRegex(unknown.stderr, r"^stemedb-api: .*--colour.*docs/operations/runbooks/.*\n$")
        self.assertFalse(os.path.exists(os.path.join(self.root, "data")))

    # Start

    def test_a_start_has_ten_numbered_lines_and_says_when_it_is_complete(self):
        server = self.start()
        server.stop()  # addresses are known before the last lines are written
        log = server.log_text()
        steps = re.findall(r"Startup step (\d+)/10, ([\w ]+): .* \(at \d+ ms\)", log)
        self.assertEqual([int(number) for number, _ in steps], list(range(1, 11)))
        self.assertEqual([name for _, name in steps], [
            "logging", "metrics", "configuration", "directories", "WAL", "store", "index worker", "routes and scripts",
            "bind", "accepting"])
        self.assertIn("Startup complete", log)

    def test_the_log_can_be_json(self):
        server = self.start(env={"STEMEDB_LOG_FORMAT": "json"})
        server.stop()
        for line in server.log_text().splitlines():
            json.loads(line)

    def test_the_operations_listener_can_be_off(self):
        self.assertEqual(set(self.start(env={"STEMEDB_DASHBOARD_ADDR": "off"}).addresses), {"api"})

    def check_failed_start(self, run, seconds, *parts):
        self.assertEqual(run.returncode, 1, run.stderr)
        failures = [line for line in run.stderr.splitlines() if "Startup failed" in line]
        self.assertEqual(len(failures), 1, run.stderr)
        for part in (*parts, "To mend it: ", "docs/operations/runbooks/"):
            self.assertIn(part, failures[0])
        self.assertLess(seconds, 10)  # a busy machine with sanitizers; alone it is far below one second

    def fail_to_start(self, *parts, **env):
        started = time.monotonic()
        run = self.run_to_end(**env)
        self.check_failed_start(run, time.monotonic() - started, *parts)

    def test_a_port_in_use_ends_the_start(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            for name in ("STEMEDB_BIND_ADDR", "STEMEDB_DASHBOARD_ADDR"):
                self.fail_to_start("step 9/10", "Address already in use", f"lsof -i :{port}", name,
                                   **{name: f"127.0.0.1:{port}"})

    def test_a_second_server_on_the_same_data_ends(self):
        server = self.start()
        self.fail_to_start("data/")
        self.assertEqual(server.get("/v1/health").status, 200)

    def test_a_missing_lens_directory_ends_the_start(self):
        self.fail_to_start("step 8/10", "STEMEDB_LENSES_DIR", "nowhere", STEMEDB_LENSES_DIR="nowhere")

    def test_a_wrong_lens_ends_the_start_with_file_and_line(self):
        lenses = os.path.join(self.root, "lenses")
        os.mkdir(lenses)
        with open(os.path.join(lenses, "bad.lua"), "w", encoding="ascii") as file:
            file.write("return {\n  kind = lens lens\n}\n")
        self.fail_to_start("step 8/10", "bad.lua:2", STEMEDB_LENSES_DIR=lenses)

    def test_a_directory_that_is_a_file_ends_the_start(self):
        os.mkdir(os.path.join(self.root, "data"))
        with open(os.path.join(self.root, "data", "wal"), "w", encoding="ascii"):
            pass
        self.fail_to_start("data/wal")

    @unittest.skipIf(os.geteuid() == 0 and shutil.which("setpriv") is None, "needs another user")
    def test_a_directory_without_permission_ends_the_start(self):
        data = os.path.join(self.root, "data")
        os.makedirs(os.path.join(data, "wal"))
        os.chmod(self.root, 0o755)
        os.chmod(data, 0o555)
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        probe = subprocess.run([*as_nobody, PROGRAM, "--version"], capture_output=True, check=False)
        if probe.returncode != 0:
            self.skipTest("another user can't run the program from where it was built")
        started = time.monotonic()
        run = subprocess.run([*as_nobody, PROGRAM], env=environment(self.root), cwd=self.root, capture_output=True,
                             text=True, timeout=60)
        self.check_failed_start(run, time.monotonic() - started, "Permission denied", data)

    def test_damage_in_the_log_ends_the_start_unless_it_is_salvaged(self):
        server = self.start()
        # Two servers' worth of log: damage in the middle is no torn tail.
        for i in range(20):
            server.post("/v1/assert", claim(value=i))
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        wal = os.path.join(self.root, "data", "wal")
        segment = os.path.join(wal, sorted(name for name in os.listdir(wal) if name.endswith(".log"))[0])
        shutil.rmtree(os.path.join(self.root, "data", "db"))
        with open(segment, "r+b") as file:
            file.seek(os.path.getsize(segment) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 0xFF]))
        self.fail_to_start("WAL", "segment-00001.log", "--wal-salvage", "server-wont-start")
        salvaged = self.start(args=["--wal-salvage"])
        self.assertLess(0, salvaged.get("/v1/health").json["assertion_count"])
        self.assertLess(salvaged.get("/v1/health").json["assertion_count"], 20)

    # Stop and restart

    def test_sigterm_and_sigint_stop_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = Server(root=self.root)
            server.post("/v1/assert", claim(concept_path=f"stop/{number}"))
            code, seconds = server.stop(number)
            self.assertEqual(code, 0, server.log_text())
            self.assertLess(seconds, 5)

    def test_a_stop_finishes_what_is_in_flight(self):
        server = self.start()
        answers = []
        stopping = threading.Event()

        def write():
            for i in range(10_000):
                try:
                    answers.append(server.post("/v1/assert", claim(concept_path="stop/flight", value=i)).json["id"])
                except OSError:
                    return

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        while len(answers) < 100:
            stopping.wait(0.01)
        code, seconds = server.stop()
        for thread in threads:
            thread.join()
        self.assertEqual(code, 0, server.log_text())
        self.assertLess(seconds, 5)
        again = self.start()
        for id_ in answers:
            self.assertEqual(again.get("/v1/assertions/" + id_).status, 200)

    def test_everything_acknowledged_survives_a_restart(self):
        server = self.start()
        items = [claim(concept_path=f"restart/{i % 7}", value=i) for i in range(500)]
        results = server.post("/v1/assert/batch", items).json["results"]
        question = {"concept_path": "restart/*", "lens": "consensus", "as_of": 500, "limit": 500}
        before = server.query(**question)
        self.assertEqual(len(before.json["assertions"]), 500)
        server.stop()
        again = self.start()
        self.assertEqual(again.query(**question).body, before.body)
        self.assertEqual(again.get("/v1/health").json["sequence"], 500)
        repeat = again.get("/v1/assertions/" + results[123]["id"])
        self.assertEqual(repeat.json["value"], 123)
        new = again.post("/v1/assert", claim(concept_path="restart/new"))
        self.assertEqual(new.json["sequence"], 501)

    def test_everything_acknowledged_survives_a_kill(self):
        server = self.start()
        ids = [server.post("/v1/assert", claim(concept_path="kill", value=i)).json["id"] for i in range(50)]
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        again = self.start()
        for id_ in ids:
            self.assertEqual(again.get("/v1/assertions/" + id_).status, 200)

    def test_restarts_are_counted_and_metadata_says_what_is_there(self):
        for starts in (1, 2, 3):
            server = Server(root=self.root)
            server.post("/v1/assert", claim(concept_path=f"meta/{starts}"))
            self.assertIn(f"\nstemedb_restarts_total {starts - 1}\n", server.get("/metrics").body.decode())
            self.assertEqual(self.metadata()["assertion_count"], starts - 1)
            server.stop()
            metadata = self.metadata()
            self.assertEqual((metadata["assertion_count"], metadata["sequence"], metadata["starts"]), (starts,) * 3)
            self.assertRegex(metadata["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertEqual(metadata["version"], server_version())


def server_version():
    return subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


if __name__ == "__main__":
    unittest.main()
