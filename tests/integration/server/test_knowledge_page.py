# SPDX-License-Identifier: Apache-2.0
"""docs/knowledge.md: its conversation, typed as printed into one shell, gives what is printed there."""

import os
import re
import subprocess
import unittest

from server_process import SOURCE_DIR, Server

MARK = "@@command "


def conversation():
    """[(command, printed answer)] of all console blocks, in order."""
    with open(os.path.join(SOURCE_DIR, "docs", "knowledge.md"), encoding="utf-8") as file:
        blocks = re.findall(r"^```console\n(.*?)^```", file.read(), re.S | re.M)
    steps = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return [(command, "\n".join(answer)) for command, answer in steps]


class KnowledgePage(unittest.TestCase):
    maxDiff = None

    def test_the_conversation_gives_the_printed_answers(self):
        steps = conversation()
        self.assertGreater(len(steps), 20, "the page has lost its conversation")
        server = Server()
        self.addCleanup(server.close)
        host, port = server.addresses["api"]
        script = "".join(f"echo '{MARK}{i}'\n{command}\n" for i, (command, _) in enumerate(steps))
        script = script.replace("http://127.0.0.1:18180", f"http://{host}:{port}")
        done = subprocess.run(["bash"], input=script, text=True, capture_output=True, timeout=120, check=False)
        self.assertEqual(done.stderr, "")
        answers = re.split(rf"^{MARK}\d+\n", done.stdout, flags=re.M)[1:]
        for (command, printed), answer in zip(steps, answers, strict=True):
            self.assertEqual(answer.rstrip("\n"), printed, f"the page prints something else for: {command}")


if __name__ == "__main__":
    unittest.main()
