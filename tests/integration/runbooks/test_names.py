# SPDX-License-Identifier: Apache-2.0
"""What the runbooks name is known: every command is typed by a test, every flag, variable and phrase is the server's."""

import re
import subprocess
import unittest

import test_restore_from_backup
import test_server_wont_start
from runbook_test import PROGRAM, WONT_START

CASES = (test_server_wont_start.ServerWontStart, test_restore_from_backup.RestoreFromBackup)
RESTORE = CASES[1].book

# Between backquotes stand only these, the table's phrases, what steps expect, and the server's flags and variables.
# Nothing here is a command: those stand in console blocks.
PHRASES = {  # that the tests see printed
    "a segment is missing", "the log ends before the checkpoint: an older one was put back", "File exists",
    "belong to different databases", "segment-00001.log", "assertion_count",
    "NAME.lua:N:", "_spec.lua: 'NAME':", "its directory is for kind", "names are unique over both", "not a file: move it",
    "is a link that leads to no file", "larger than 256 KiB", "no lens in it (expected *.lua)",
    "give the directory with the scripts",
}
NAMES = {
    "stemedb-api", "ss", "ps", "data", "data/wal", "data/db", "data/db/indexes", "data/db/assertions.kv",
    "data/db/LOCK", "LOCK", "wal", "db", "db/indexes", "x", "lenses", "policies",
}


class Names(unittest.TestCase):
    def test_every_section_with_commands_is_followed(self):
        for case in CASES:
            tests = (getattr(case, name) for name in dir(case) if name.startswith("test_"))
            followed = {test.title for test in tests if hasattr(test, "title")}
            wanted = {title for title, section in case.book.sections.items() if section.commands}
            self.assertLessEqual(wanted, followed)
            self.assertLessEqual(followed, set(case.book.sections))

    def test_every_line_of_the_table_leads_somewhere(self):
        for _, see in WONT_START.diagnosis():
            titles = [title for title in WONT_START.sections if title.startswith(see + " ")]
            self.assertTrue(titles or see == RESTORE.page, see)

    def test_what_stands_between_backquotes_is_known(self):
        known = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
        phrases = {phrase for row, _ in WONT_START.diagnosis() for phrase in row} | PHRASES | NAMES
        for book in (WONT_START, RESTORE):
            for section in book.sections.values():
                expected = {phrase for step in section.steps.values() for phrase in step.expected}
                for span in section.spans:
                    if re.fullmatch(r"(--[a-z-]+|STEMEDB_[A-Z_]+)", span):
                        self.assertRegex(known, re.escape(span) + r"\b")
                    elif span not in ("rwx", "off"):
                        self.assertIn(span, phrases | expected, f"{book.page}, {section.title}")


if __name__ == "__main__":
    unittest.main()
