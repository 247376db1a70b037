# SPDX-License-Identifier: Apache-2.0
"""The tool as a child process, and a server with a few claims for it."""

import os
import subprocess
import sys

SOURCE_DIR = os.environ["STEMEDB_SOURCE_DIR"]
TOOL = os.environ["STEMEDB_TOOL"]
sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "integration", "server"))
from server_process import Server, claim  # noqa: E402

SECONDS_MAX = 60


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STEMEDB_", "NO_COLOR", "LC_", "LANG"))}
    return kept | {"LANG": "C.UTF-8"} | more


def run(*arguments, text="", cwd=None, env=None):
    """The finished process, with stdout and stderr as text."""
    return subprocess.run([TOOL, *arguments], input=text, text=True, capture_output=True, timeout=SECONDS_MAX, cwd=cwd,
                          env=environment(**(env or {})), check=False)


def url_of(server):
    host, port = server.addresses["api"]
    return f"http://{host}:{port}"


def say(server, **fields):
    """The id of a new claim."""
    answer = server.post("/v1/assert", claim(**fields))
    assert answer.status == 201, answer.body
    return answer.json["id"]


def claims(server):
    """A small dispute, and a chain of origins. Gives the chain's ids, from its root."""
    for number, (value, source) in enumerate([("clear", "window"), ("rain", "service"), ("rain", "radar")]):
        say(server, concept_path="weather/zagreb", predicate="sky", value=value, confidence=0.5 + number / 10,
            timestamp=f"2026-01-0{number + 1}T00:00:00Z", source={"id": source, "class": "expert"})
    say(server, concept_path="weather/zadar", predicate="sky", value="clear", timestamp="2026-01-01T00:00:00Z")
    root = say(server, concept_path="chain/root", predicate="p", value=1, timestamp="2026-01-01T00:00:00Z")
    middle = say(server, concept_path="chain/middle", predicate="p", value=2, timestamp="2026-01-01T00:00:00Z",
                 parents=[root])
    leaf = say(server, concept_path="chain/leaf", predicate="p", value=3, timestamp="2026-01-01T00:00:00Z", parents=[middle])
    return [root, middle, leaf]
