#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The README's first conversation gives the printed answers.

Starts the real server on a port of its own, loads the countries example as scripts/run does, types every command of the
README's `console` blocks into one shell, and compares what comes back with what is printed there.
"""

import os
import re
import subprocess
import sys
import unittest

SOURCE_DIR = os.environ["STEMEDB_SOURCE_DIR"]
sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "integration", "server"))
from server_process import Server  # noqa: E402

README = os.path.join(SOURCE_DIR, "README.md")
MARK = "@@command "


def conversation():
    """[(command, printed answer)] of all console blocks, in order."""
    with open(README, encoding="utf-8") as file:
        blocks = re.findall(r"^```console\n(.*?)^```", file.read(), re.S | re.M)
    steps = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return [(command, "\n".join(answer)) for command, answer in steps]


class Readme(unittest.TestCase):
    maxDiff = None

    def test_the_first_conversation_gives_the_printed_answers(self):
        steps = conversation()
        self.assertGreater(len(steps), 8, "the README has lost its conversation")
        server = Server()
        self.addCleanup(server.close)
        host, port = server.addresses["api"]
        url = f"http://{host}:{port}"
        subprocess.run(["/usr/bin/python3", os.path.join(SOURCE_DIR, "examples/countries/import_countries.py"), "--server", url],
                       check=True, stdout=subprocess.DEVNULL, timeout=120)
        script = "".join(f"echo '{MARK}{i}'\n{command}\n" for i, (command, _) in enumerate(steps))
        script = script.replace("http://127.0.0.1:18180", url)
        done = subprocess.run(["bash"], input=script, text=True, capture_output=True, timeout=120)
        self.assertEqual(done.stderr, "")
        answers = re.split(rf"^{MARK}\d+\n", done.stdout, flags=re.M)[1:]
        for (command, printed), answer in zip(steps, answers, strict=True):
            self.assertEqual(answer.rstrip("\n"), printed, f"README prints something else for: {command}")


if __name__ == "__main__":
    unittest.main()
