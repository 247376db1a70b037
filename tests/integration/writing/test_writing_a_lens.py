#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/writing-a-lens.md and docs/writing-a-policy.md, from their first lines to their last: files are written where the page says, every command of its
console blocks is typed into one shell, and what comes back is compared with what is printed.
"""

import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE_DIR = os.environ["STEMEDB_SOURCE_DIR"]
sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "integration", "server"))
from server_process import Server  # noqa: E402

MARK = "@@step "
FILE = re.compile(r"`([\w/]+\.lua)`:\n\n```lua\n(.*?)^```", re.S | re.M)
STEP = re.compile(FILE.pattern + r"|^```console\n(.*?)^```", re.S | re.M)


def steps(name):
    """[("file", path, text) or ("command", line, printed)] in the order of the page."""
    with open(os.path.join(SOURCE_DIR, "docs", name), encoding="utf-8") as file:
        page = file.read()
    found = []
    for path, text, block in STEP.findall(page):
        if path:
            found.append(("file", path, text))
            continue
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(("command", line[2:], []))
            else:
                found[-1][2].append(line)
    return found


def rate_limit(server):
    """What the server says of its policy: version, last result and last error with its reason; or why it says nothing."""
    try:
        connection = server.connect()
        connection.request("GET", "/v1/admin/scripts/rate_limit")
        response = connection.getresponse()
        return f"{response.status} {response.read().decode()}"
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}"


class Pages(unittest.TestCase):
    maxDiff = None

    def test_writing_a_lens_holds_from_its_first_line_to_its_last(self):
        self.hold("writing-a-lens.md")

    def test_writing_a_policy_holds_from_its_first_line_to_its_last(self):
        self.hold("writing-a-policy.md")

    def hold(self, page):
        directory = tempfile.TemporaryDirectory(prefix="stemedb-test-")
        self.addCleanup(directory.cleanup)
        root = directory.name
        lenses = os.path.join(root, "lenses")
        shutil.copytree(os.path.join(SOURCE_DIR, "lenses"), lenses)
        policies = os.path.join(root, "policies")
        shutil.copytree(os.path.join(SOURCE_DIR, "policies"), policies)
        os.makedirs(os.path.join(root, "build", "release"))
        os.symlink(os.environ["STEMEDB_TOOL"], os.path.join(root, "build", "release", "stemedb"))
        server = Server(lenses_dir=lenses, env={"STEMEDB_POLICIES_DIR": policies})
        self.addCleanup(server.close)
        host, port = server.addresses["api"]
        url = f"http://{host}:{port}"
        subprocess.run(["/usr/bin/python3", os.path.join(SOURCE_DIR, "examples/countries/import_countries.py"), "--server", url],
                       check=True, stdout=subprocess.DEVNULL, timeout=120)
        script, commands = "", []
        for kind, name, content in steps(page):
            if kind == "file":
                script += f"mkdir -p {os.path.dirname(name)}\ncat >{name} <<'END_OF_FILE'\n{content}END_OF_FILE\n"
            else:
                script += f"echo '{MARK}{len(commands)}'\n{name}\n"
                commands.append((name, "\n".join(content)))
        self.assertGreater(len(commands), 8, "the page has lost its commands")
        done = subprocess.run(["bash"], input=script, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                              cwd=root, check=False, env=os.environ | {"STEMEDB_URL": url, "LANG": "C.UTF-8"})
        answers = re.split(rf"^{MARK}\d+\n", done.stdout, flags=re.M)[1:]
        for (command, printed), answer in zip(commands, answers, strict=True):
            if answer.rstrip("\n") != printed:
                self.assertEqual(answer.rstrip("\n"), printed, f"the page prints something else for: {command}\n"
                                 f"the rate limit by then: {rate_limit(server)}")


if __name__ == "__main__":
    unittest.main()
