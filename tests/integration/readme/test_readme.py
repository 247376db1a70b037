#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The README's first conversation gives the printed answers.

Starts the real server on a port of its own, loads the countries example as scripts/run does, types every command of the
README's `console` blocks into one shell, and compares what comes back with what is printed there.
"""

import os
import subprocess
import sys
import unittest

SOURCE_DIR = os.environ["STEMEDB_SOURCE_DIR"]
sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "integration", "server"))
sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "support"))
import conversation  # noqa: E402
from server_process import Server  # noqa: E402


class Readme(unittest.TestCase):
    maxDiff = None

    def test_the_first_conversation_gives_the_printed_answers(self):
        server = Server()
        self.addCleanup(server.close)
        host, port = server.addresses["api"]
        url = f"http://{host}:{port}"
        subprocess.run(["/usr/bin/python3", os.path.join(SOURCE_DIR, "examples/countries/import_countries.py"), "--server", url],
                       check=True, stdout=subprocess.DEVNULL, timeout=120)
        conversation.hold(self, os.path.join(SOURCE_DIR, "README.md"), url, steps_min=9)


if __name__ == "__main__":
    unittest.main()
