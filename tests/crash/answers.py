# SPDX-License-Identifier: Apache-2.0
"""Every question's answer: what a server says that has been through crashes, against one that has the same log and
nothing else, and against one that never crashed and was told the log's claims in their order."""

import os
import shutil

from http_connection import Connection
from ledger import Violation
from server_program import ServerProgram
from workload import expect

LENSES = ("recency", "consensus", "confidence", "tier_authority", "layered", "skeptic")
CONCEPTS = 12


def ask(connection, paths, include=()):
    """All pairs through every lens: in one question by the whole tree, and concept by concept through one lens."""
    asked = [("*", lens) for lens in LENSES] + [(path, LENSES[i % len(LENSES)]) for i, path in enumerate(paths)]
    answers = {}
    for path, lens in asked:
        question = {"concept_path": path, "lens": lens, "limit": 0}
        if include:
            question["include"] = list(include)
        body = connection.post("/v1/query", question)
        answers[path, lens] = expect(body, 200)["resolutions"]
    return answers


def compare(what, wanted, got):
    for question, answer in wanted.items():
        if got[question] != answer:
            raise Violation(f"{what}: another answer to {question}:\n  {answer}\n  {got[question]}")


def check(server, stores, rng):
    """`server` is stopped. Returns how many answers were compared. Every pair is in the answers by the whole tree; a few
    concepts are asked for by themselves as well."""
    paths = sorted({claim.path.decode() for claim in stores.claims})
    paths = rng.sample(paths, min(CONCEPTS, len(paths)))
    own = _answers(server, paths)
    other = ServerProgram(server.program, server.lenses, os.path.join(server.root, "log-alone"))
    os.makedirs(os.path.dirname(other.wal_dir))
    shutil.copytree(server.wal_dir, other.wal_dir)
    compare("a server with the log alone", own["full"], _answers(other, paths)["full"])
    told = ServerProgram(server.program, server.lenses, os.path.join(server.root, "told"))
    told.start()
    connection = Connection(told.port)
    for start in range(0, len(stores.claims), 500):
        lines = b"\n".join(claim.canonical for claim in stores.claims[start:start + 500])
        expect(connection.post("/v1/assert/batch", lines), 200, 201)
    connection.close()
    told.kill()
    compare("a server that was told the same", own["plain"], _answers(told, paths)["plain"])
    for one in (other, told):
        shutil.rmtree(one.root)
    return 2 * len(own["plain"])


def _answers(server, paths):
    server.start()
    connection = Connection(server.port)
    answers = {"plain": ask(connection, paths), "full": ask(connection, paths, ("candidates",))}
    connection.close()
    server.kill()
    return answers
