# SPDX-License-Identifier: Apache-2.0
"""What the tests of the runbooks share: a place to type commands, servers that were started by typing, faults."""

import functools
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE_DIR = os.environ["STEMEDB_SOURCE_DIR"]
sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "integration", "server"))
from runbook import Runbook, pattern  # noqa: E402
from server_process import PROGRAM, claim  # noqa: E402

SECONDS_MAX = 60  # sanitizers and busy machines are slow
WONT_START = Runbook("server-wont-start")
CLAIMS = 40  # in segments of 4 KiB: more than two


def follows(title):
    """The test follows the section of that title: each of its commands has to be typed."""
    def decorate(test):
        @functools.wraps(test)
        def run(self):
            self.section, self.typed, self.phrases_seen = self.book.sections[title], set(), set()
            test(self)
            self.assertEqual([c for c in self.section.commands if c not in self.typed], [], "commands that nobody typed")
            self.assertEqual(self.phrases_of_the_table(), self.phrases_seen, "phrases of the table that nobody saw")
        run.title = title
        return run
    return decorate


def free_port():
    """Below the ports that the system gives away, so that it stays free."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", random.randrange(20_000, 30_000)))
                return probe.getsockname()[1]
            except OSError:
                continue


class Typed:
    """A server that a typed command has started."""

    def __init__(self, command, log_path, port, **popen):
        self.log_path, self.port = log_path, port
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **popen)
        deadline = time.monotonic() + SECONDS_MAX
        while "Startup complete" not in self.log():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"the server didn't start with {command}:\n{self.log()}")
            time.sleep(0.005)

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def ended(self, seconds=SECONDS_MAX):
        """Waits for the end that somebody else has asked for."""
        return self.process.wait(timeout=seconds)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def request(self, method, target, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        try:
            connection.request(method, target, body=body)
            answer = connection.getresponse()
            content = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status not in (200, 201):
            raise AssertionError(f"{method} {target}: {answer.status} {content}")
        return content

    def count(self):
        return self.request("GET", "/v1/health")["assertion_count"]

    def add_claims(self, count=CLAIMS, **fields):
        for i in range(count):
            newest = self.request("POST", "/v1/assert", json.dumps(claim(value=i, **fields)))
        return newest


class RunbookTest(unittest.TestCase):
    """A test types in `root`, where data/ is the server's, as the runbooks say. Ports and /backup are its own."""

    book = None

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="stemedb-test-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        os.chmod(self.root, 0o755)  # another user's server is started here, too
        for directory in ("bin", "backup"):
            os.mkdir(self.path(directory))
        shutil.copy(PROGRAM, self.path("bin", "stemedb-api"))
        shutil.copy(os.environ["STEMEDB_TOOL"], self.path("bin", "stemedb"))
        shutil.copytree(os.path.join(SOURCE_DIR, "lenses"), self.path("lenses"))
        self.ports = {number: free_port() for number in ("18180", "18188", "18280")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STEMEDB_")}
        self.env = kept | {
            "PATH": self.path("bin") + ":" + os.environ["PATH"] + ":/usr/sbin:/sbin",
            "LC_ALL": "C.UTF-8",
            "STEMEDB_BIND_ADDR": f"127.0.0.1:{self.ports['18180']}",
            "STEMEDB_DASHBOARD_ADDR": f"127.0.0.1:{self.ports['18188']}",
        }
        self.cwd = self.root
        self.inside = []  # a command that runs others in a place of their own
        self.starts = 0

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    # Typing

    def command(self, step, index=0, **words):
        """The command as it is typed: `words` are what the reader puts in the place of words in capitals."""
        self.typed.add((step, index))
        text = self.section.steps[step].commands[index]
        for number, port in self.ports.items():
            text = text.replace(number, str(port))
        for word, value in words.items():
            text, found = re.subn(rf"\b{word}\b", str(value), text)
            self.assertTrue(found, f"{word} isn't in: {text}")
        if shutil.which("sudo") is None:
            text = text.removeprefix("sudo ")
        return text.replace("/backup/", self.path("backup") + "/")

    def type(self, step, index=0, code=0, **words):
        """Types a command of the section, and returns what it prints."""
        text = self.command(step, index, **words)
        done = subprocess.run([*self.inside, "bash", "-o", "pipefail", "-c", text], cwd=self.cwd, env=self.env,
                              capture_output=True, text=True, timeout=SECONDS_MAX)
        self.assertEqual(done.returncode, code, f"{text}\n{done.stdout}{done.stderr}")
        if code == 0:
            self.assertEqual(done.stderr, "", text)
        return done.stdout + done.stderr

    def expect(self, step, printed):
        """What the step's "Expected:" tells of was printed."""
        phrases = self.section.steps[step].expected
        self.assertTrue(phrases, "the runbook expects nothing")
        for phrase in phrases:
            self.assertRegex(printed, pattern(phrase))

    def see(self, phrase, printed):
        """The section tells of this phrase, and it was printed."""
        self.assertIn(phrase, self.section.spans)
        self.assertRegex(printed, pattern(phrase))

    # Servers

    def start(self, step=None, index=0, command="stemedb-api", prefix=(), port="18180", env=None):
        """Types the step's command, or that of everyday, which starts a server."""
        text = command if step is None else self.command(step, index)
        self.starts += 1
        log = self.path(f"server-{self.starts}.log")
        server = Typed([*self.inside, *prefix, "bash", "-c", text], log, self.ports[port], cwd=self.cwd,
                       env=self.env | (env or {}))
        self.addCleanup(server.stop)
        return server

    def claims_kept(self, count=CLAIMS):
        """A start serves that many claims, and is stopped again. Its log."""
        server = self.start()
        self.assertEqual(server.count(), count)
        server.stop()
        return server.log()

    def with_claims(self, **options):
        """Leaves data/ of a server that was stopped cleanly."""
        server = self.start(**options)
        server.add_claims()
        self.assertEqual(server.stop(), 0)

    def phrases_of_the_table(self):
        return {phrase for phrases, see in WONT_START.diagnosis() for phrase in phrases if see == self.name_in_table()}

    def name_in_table(self):
        return self.section.title.split()[0] if self.book is WONT_START else None

    def refused(self, *more, prefix=(), env=None, see=None):
        """The start ends; the table sends the reader of its last line to `see`, this section, and so does the line."""
        see = see or self.name_in_table()
        done = subprocess.run([*self.inside, *prefix, "stemedb-api", *more], cwd=self.cwd, env=self.env | (env or {}),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=SECONDS_MAX)
        self.assertIn(done.returncode, (1, 2), done.stdout)
        line = done.stdout.splitlines()[-1]
        found = {(phrase, to) for phrases, to in WONT_START.diagnosis() for phrase in phrases
                 if re.search(pattern(phrase), line)}
        self.assertEqual({to for _, to in found}, {see}, line)
        self.phrases_seen |= {phrase for phrase, _ in found}
        page = WONT_START.page if see.startswith("§") else see
        self.assertTrue(line.endswith(f"Runbook: docs/operations/runbooks/{page}.md"), line)
        return line

    # Faults

    def damage(self, *parts, at=None, count=1):
        """Turns bytes over, by default one in the middle."""
        with open(self.path(*parts), "r+b") as file:
            start = os.path.getsize(file.name) // 2 if at is None else at
            file.seek(start)
            wrong = bytes(byte ^ 0xFF for byte in file.read(count))
            file.seek(start)
            file.write(wrong)
