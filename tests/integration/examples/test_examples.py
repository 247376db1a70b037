#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The client's own tests, its README's conversation, and the stories told with it, against the real server.

Each example's README prints what its run.mjs prints (the block ```text), and commands with their answers (```console).
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

SOURCE_DIR = os.environ["STEMEDB_SOURCE_DIR"]
sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "support"))
from conversation import PRINTED_URL, steps_of  # noqa: E402
from server_program import ServerProgram  # noqa: E402

EXAMPLES = os.path.join(SOURCE_DIR, "examples")
CLIENT = os.path.join(EXAMPLES, "client-js")
STORIES = ("agent-team", "due-diligence", "living-review")
TIMEOUT_S = 300


def blocks(folder, language):
    with open(os.path.join(folder, "README.md"), encoding="utf-8") as file:
        return re.findall(rf"^```{language}\n(.*?)^```", file.read(), re.S | re.M)


class OnServer(unittest.TestCase):
    """One fresh server for the tests of a class."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="stemedb-examples-")
        cls.server = ServerProgram(os.environ["STEMEDB_API"], os.path.join(SOURCE_DIR, "lenses"), cls.root,
                                   ["--policies-dir", os.path.join(SOURCE_DIR, "policies")])
        cls.server.start()
        cls.url = f"http://127.0.0.1:{cls.server.port}"

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        shutil.rmtree(cls.root, ignore_errors=True)

    def run_in(self, folder, command, **more):
        return subprocess.run(command, cwd=folder, env=os.environ | {"STEMEDB_URL": self.url}, text=True,
                              capture_output=True, timeout=TIMEOUT_S, **more)


class Client(OnServer):
    def has_watch(self):
        try:
            urllib.request.urlopen(self.url + "/v1/watch?concept_path=none", timeout=10).close()
        except urllib.error.HTTPError as error:
            return error.code != 404
        return True

    def test_its_own_tests_pass_and_none_is_left_out(self):
        files = sorted(glob.glob(os.path.join(CLIENT, "tests", "*.test.mjs")))
        self.assertGreater(len(files), 4)
        done = self.run_in(CLIENT, ["node", "--test", "--test-reporter=tap", *files])
        counts = dict(re.findall(r"^# (pass|fail|cancelled|skipped|todo) (\d+)$", done.stdout, re.M))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreater(int(counts["pass"]), 60)
        skipped = re.findall(r"^ *ok \d+ - .*# SKIP (.*)$", done.stdout, re.M)
        self.assertEqual(skipped, [] if self.has_watch() else ["the server has no /v1/watch"] * int(counts["skipped"]))

    def test_the_readmes_conversation_prints_what_it_says(self):
        script, wanted = blocks(CLIENT, "js")[0], blocks(CLIENT, "text")[0]
        done = self.run_in(CLIENT, ["node", "--input-type=module"], input=script)
        self.assertEqual((done.stderr, done.stdout), ("", wanted))


class Stories(OnServer):
    def tell(self, folder):
        return self.run_in(folder, ["node", "run.mjs"])

    def test_each_is_told_as_its_readme_says_also_when_it_is_told_again(self):
        for story in STORIES:
            with self.subTest(story=story):
                folder = os.path.join(EXAMPLES, story)
                wanted, = blocks(folder, "text")
                first = self.tell(folder)
                self.assertEqual((first.stderr, first.stdout, first.returncode), ("", wanted, 0))
                again = self.tell(folder)
                self.assertEqual((again.stderr, again.returncode), ("", 0))
                self.assertEqual(len(again.stdout.splitlines()), len(wanted.splitlines()))
                self.check_commands(folder)

    def check_commands(self, folder):
        """What the README lets the reader type afterwards."""
        with open(os.path.join(folder, "README.md"), encoding="utf-8") as file:
            steps = steps_of(file.read())
        self.assertGreater(len(steps), 0)
        for command, wanted in steps:
            done = self.run_in(folder, ["bash", "-c", command.replace(PRINTED_URL, self.url)])
            self.assertEqual((done.stderr, done.stdout.rstrip("\n")), ("", wanted), command)

    def test_one_that_is_told_otherwise_ends_with_1(self):
        for story in STORIES:
            with self.subTest(story=story), tempfile.TemporaryDirectory() as place:
                for folder in (story, "client-js"):
                    shutil.copytree(os.path.join(EXAMPLES, folder), os.path.join(place, folder))
                folder = os.path.join(place, story)
                wanted, = blocks(folder, "text")
                last = wanted.splitlines()[-1]
                readme = os.path.join(folder, "README.md")
                with open(readme, encoding="utf-8") as file:
                    text = file.read()
                with open(readme, "w", encoding="utf-8") as file:
                    file.write(text.replace(wanted, wanted.replace(last, last + ", or so")))
                done = self.tell(folder)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn("NOT AS TOLD", done.stderr)
                self.assertIn(last + ", or so", done.stderr)


if __name__ == "__main__":
    unittest.main()
