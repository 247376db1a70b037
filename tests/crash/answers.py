# SPDX-License-Identifier: Apache-2.0
"""Every question's answer: what a server says that has been through crashes, against one that has the same log and
nothing else, and against one that never crashed and was told the log's claims and operations in their order."""

import os
import shutil

import operations
from http_connection import Connection
from ledger import Violation
from server_program import ServerProgram
from workload import LENSES, expect

CONCEPTS = 12


def ask(connection, paths, include=()):
    """All pairs through every lens: in one question by the whole tree, of what counts and of everything; and concept by
    concept through one lens."""
    asked = [("*", lens, status) for lens in LENSES for status in ("active", "any")]
    asked += [(path, LENSES[i % len(LENSES)], "active") for i, path in enumerate(paths)]
    answers = {}
    for path, lens, status in asked:
        question = {"concept_path": path, "lens": lens, "status": status, "limit": 0}
        if include:
            question["include"] = list(include)
        body = connection.post("/v1/query", question)
        answers[path, lens, status] = expect(body, 200)["resolutions"]
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
    paths += sorted({one.fields["alias"] for one in stores.records if not one.is_claim and one.kind == "alias"})
    own = _answers(server, paths)
    other = ServerProgram(server.program, server.lenses, os.path.join(server.root, "log-alone"))
    os.makedirs(os.path.dirname(other.wal_dir))
    shutil.copytree(server.wal_dir, other.wal_dir)
    compare("a server with the log alone", own["full"], _answers(other, paths)["full"])
    told = ServerProgram(server.program, server.lenses, os.path.join(server.root, "told"))
    told.start()
    connection = Connection(told.port)
    _tell_all(connection, stores.records)
    connection.close()
    told.kill()
    compare("a server that was told the same", own["plain"], _answers(told, paths)["plain"])
    for one in (other, told):
        shutil.rmtree(one.root)
    return 2 * len(own["plain"])


def _tell_all(connection, records):
    """In the order of the log, on which it depends what an operation is about."""
    lines = []
    for record in records + [None]:
        if record and record.is_claim and len(lines) < 500:
            lines.append(record.body)
            continue
        if lines:
            expect(connection.post("/v1/assert/batch", b"\n".join(lines)), 200, 201)
        lines = [record.body] if record and record.is_claim else []
        if record and not record.is_claim:
            answer = connection.request("PATCH" if record.kind == "source_status" else "POST",
                                        operations.target_of(record.kind, record.fields), record.body)
            # Of two votes that came in at once the older may stand behind the later: it changes nothing.
            if answer.status != 409 or record.kind != "vote":
                expect(answer, 201)


def _answers(server, paths):
    server.start()
    connection = Connection(server.port)
    answers = {"plain": ask(connection, paths), "full": ask(connection, paths, ("candidates",))}
    connection.close()
    server.kill()
    return answers
