# SPDX-License-Identifier: Apache-2.0
"""docs/knowledge.md: its conversation, typed as printed, gives what is printed there."""

import os
import sys
import unittest

from server_process import SOURCE_DIR, Server

sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "support"))
import conversation  # noqa: E402


class KnowledgePage(unittest.TestCase):
    maxDiff = None

    def test_the_conversation_gives_the_printed_answers(self):
        server = Server()
        self.addCleanup(server.close)
        host, port = server.addresses["api"]
        conversation.hold(self, os.path.join(SOURCE_DIR, "docs", "knowledge.md"), f"http://{host}:{port}", steps_min=23)


if __name__ == "__main__":
    unittest.main()
