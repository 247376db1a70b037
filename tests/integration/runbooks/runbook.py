# SPDX-License-Identifier: Apache-2.0
"""Reads a runbook: its sections, their numbered steps, the commands of the console blocks, and what is expected of them.

A command is a line "$ ..." of a console block. Whatever else stands between backquotes is a name or a phrase that is
printed; in phrases `…`, `N` and `NAME` stand for what differs.
"""

import os
import re
from dataclasses import dataclass, field

SOURCE_DIR = os.environ["STEMEDB_SOURCE_DIR"]
RUNBOOKS = os.path.join(SOURCE_DIR, "docs", "operations", "runbooks")
IF_IT_FAILS = "if it fails"
BLOCK = re.compile(r"^ *```console\n(.*?)^ *```$", re.S | re.M)
SPAN = re.compile(r"`([^`\n]+)`")


def pattern(phrase):
    """The regular expression of a phrase."""
    wild = {"…": ".*", "N": r"\d[\d.]*", "NAME": r"[^\"]+"}
    parts = re.split(r"(…|\bN\b|\bNAME\b)", phrase)
    return "".join(wild.get(part) or re.escape(part) for part in parts)


@dataclass
class Step:
    text: str = ""
    commands: list = field(default_factory=list)
    spans: list = field(default_factory=list)

    def finish(self):
        for block in BLOCK.findall(self.text):
            for line in block.splitlines():
                assert line.strip().startswith("$ "), f"only commands stand in console blocks: {line}"
                self.commands.append(line.strip()[2:])
        self.text = BLOCK.sub("", self.text)
        assert "```" not in self.text, f"a block of another kind: {self.text}"
        self.spans = SPAN.findall(self.text)

    @property
    def expected(self):
        """The phrases of the sentence that begins with "Expected:"."""
        sentence = re.search(r"Expected:(.*?)(?:\.\s+[A-Z]|\Z)", self.text, re.S)
        return SPAN.findall(sentence[1]) if sentence else []


@dataclass
class Section:
    title: str
    steps: dict = field(default_factory=dict)  # by number, IF_IT_FAILS, or "" for what has no number

    @property
    def commands(self):
        return [(key, i) for key, step in self.steps.items() for i in range(len(step.commands))]

    @property
    def spans(self):
        return [span for step in self.steps.values() for span in step.spans]


class Runbook:
    def __init__(self, page):
        with open(os.path.join(RUNBOOKS, page + ".md"), encoding="utf-8") as file:
            lines = file.read().splitlines(keepends=True)
        self.page = page
        self.sections = {"": Section("", {"": Step()})}
        section, key = self.sections[""], ""
        for line in lines:
            number = re.match(r"(\d+)\. ", line)
            if line.startswith("## "):
                section, key = Section(line[3:].strip()), ""
                self.sections[section.title] = section
                continue
            if number:
                key = int(number[1])
            elif line.startswith("If it fails"):
                key = IF_IT_FAILS
            elif line.strip() and not line.startswith((" ", "`", "$")) and isinstance(key, int):
                key = ""
            section.steps.setdefault(key, Step()).text += line
        for section in self.sections.values():
            for step in section.steps.values():
                step.finish()

    def diagnosis(self):
        """[(phrases, what to see)] of the table, where a § or a page's name is seen."""
        rows = re.findall(r"^\| (`.*) \| (.*) \|$", self.sections["Quick diagnosis"].steps[""].text, re.M)
        return [(SPAN.findall(phrases), re.sub(r"\[(.*)\]\(.*\)", r"\1", see)) for phrases, see in rows]
