# SPDX-License-Identifier: Apache-2.0
"""Pages that print a conversation with a server: `console` blocks of commands, each behind "$ ", and what they answer.
A test types them as printed and compares.
"""

import re
import subprocess

PRINTED_URL = "http://127.0.0.1:18180"
MARK = "@@command "


def steps_of(text):
    """[(command, printed answer)] of all console blocks, in order."""
    steps = []
    for line in "".join(re.findall(r"^```console\n(.*?)^```", text, re.S | re.M)).splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return [(command, "\n".join(answer)) for command, answer in steps]


def hold(case, page, url, steps_min):
    """All commands of the page, typed into one shell, give the printed answers; `case` is the test that says so. A page
    with fewer commands has lost its conversation."""
    with open(page, encoding="utf-8") as file:
        steps = steps_of(file.read())
    case.assertGreaterEqual(len(steps), steps_min, f"{page} has lost its conversation")
    script = "".join(f"echo '{MARK}{i}'\n{command}\n" for i, (command, _) in enumerate(steps)).replace(PRINTED_URL, url)
    done = subprocess.run(["bash"], input=script, text=True, capture_output=True, timeout=120, check=False)
    case.assertEqual(done.stderr, "")
    answers = re.split(rf"^{MARK}\d+\n", done.stdout, flags=re.M)[1:]
    for (command, printed), answer in zip(steps, answers, strict=True):
        case.assertEqual(answer.rstrip("\n"), printed, f"{page} prints something else for: {command}")
