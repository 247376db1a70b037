#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same claims in any order, by any road, give the same answers to the byte: through every lens, on one loop and on
two, after a restart, and from indexes and records that were made again.

A lens that looks at the order of arrival is loaded as well: if its answers were all alike, the comparison would be blind.
"""

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))

from claims import EPOCH_MS, rfc3339
from disputed_claims import ROOT, generate, of_countries
from http_connection import Connection
from server_program import ServerProgram

ARRIVAL_LENS = """-- SPDX-License-Identifier: Apache-2.0
return {
  kind = "lens", api = 1, name = "arrival", version = "1.0.0",
  description = "The claim that came first wins: what a lens must not do.",
  resolve = function(ctx, candidates)
    local first = 1
    for i = 2, #candidates do
      if candidates[i].sequence < candidates[first].sequence then first = i end
    end
    return { winner = first, confidence = 1, weights = steme.voices(candidates), explain = "came first" }
  end,
}
"""
SEQUENCE = re.compile(rb'"sequence":\d+')


class Road:
    """One way of bringing the claims into a server of its own."""

    def __init__(self, name, loops, connections, send, order=None):
        self.name, self.loops, self.connections, self.send, self.order = name, loops, connections, send, order


def singles(connection, claims, _):
    for claim in claims:
        check(connection.post("/v1/assert", claim.body), 200, 201)


def batches(connection, claims, rng):
    while claims:
        count = rng.randrange(1, 80)
        part, claims = claims[:count], claims[count:]
        bodies = [claim.body for claim in part]
        body = b"[" + b",".join(bodies) + b"]" if rng.random() < 0.5 else b"\n".join(bodies)
        answer = check(connection.post("/v1/assert/batch" + rng.choice(("", "?atomic=true")), body), 200, 201)
        assert answer.json()["errors"] == 0, answer


def mixed(connection, claims, rng):
    for start in range(0, len(claims), 40):
        part = claims[start:start + 40]
        rng.choice((singles, batches))(connection, part, rng)
        singles(connection, rng.sample(claims[:start + 40], 5), rng)  # repeats


ROADS = (
    Road("one by one, in order", 1, 1, singles, order=lambda claims, rng: list(claims)),
    Road("one by one, backwards", 2, 1, singles, order=lambda claims, rng: claims[::-1]),
    Road("batches", 1, 1, batches),
    Road("one by one on six connections", 2, 6, singles),
    Road("batches on four connections", 2, 4, batches),
    Road("everything on three connections, with repeats", 2, 3, mixed),
)


def check(answer, *statuses):
    assert answer.status in statuses, answer
    return answer


def bring(server, road, claims, rng):
    order = road.order(claims, rng) if road.order else rng.sample(claims, len(claims))
    failures = []

    def work(part, own_rng):
        try:
            connection = Connection(server.port)
            road.send(connection, part, own_rng)
            connection.close()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(order[i::road.connections], random.Random(rng.random())))
               for i in range(road.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def questions(lenses, paths, moment):
    """(question, does it show sequences). Without as_of only what doesn't look at the clock."""
    everything = ["*"] + paths
    shapes = [({}, False), ({"class_multipliers": [0.7, 0.6, 0.5, 0.4, 0.3, 0.2]}, False),
              ({"source_class": "expert"}, False), ({"lifecycle": "proposed"}, False), ({"min_confidence": 0.25}, False),
              ({"predicate": "rate"}, False), ({"valid_at": rfc3339(EPOCH_MS + 86_400_000 * 100)}, False),
              ({"include": ["candidates"]}, True),
              ({"as_of": moment}, False), ({"as_of": moment, "decay": True}, False), ({"as_of": moment, "decay": 30.5}, False),
              ({"as_of": moment, "decay": True, "include": ["candidates", "explain"]}, True)]
    for lens in lenses:
        for path in everything:
            for more, shows_sequences in shapes:
                yield {"concept_path": path, "lens": lens, "limit": 0, **more}, shows_sequences
    yield {"concept_path": "*", "lens": "recency", "limit": 0, "as_of": moment,
           "params": {"max_age_s": 86_400 * 500}}, False


def resolutions(answer, shows_sequences):
    """The bytes themselves; a sequence belongs to the order of arrival, so it is left out."""
    body = check(answer, 200).body
    start, end = body.index(b'"resolutions":'), body.rindex(b',"as_of":')
    return SEQUENCE.sub(b'"sequence":0', body[start:end]) if shows_sequences else body[start:end]


def ask(server, asked):
    """On several connections in turn: which of them ends on which loop is the kernel's choice."""
    connections = [Connection(server.port) for _ in range(4)]
    answers = [resolutions(connections[i % 4].post("/v1/query", question), shows)
               for i, (question, shows) in enumerate(asked)]
    for connection in connections:
        connection.close()
    return answers


def compare(name, asked, wanted, got):
    for (question, _), one, other in zip(asked, wanted, got):
        if one == other:
            continue
        at = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
        raise AssertionError(f"{name}: another answer to {question}\n  first: …{one[max(0, at - 200):at + 200]!r}\n"
                             f"  now:   …{other[max(0, at - 200):at + 200]!r}")
    print(f"{name}: {len(got)} answers, {sum(map(len, got))} bytes, alike", flush=True)


def check_answers_say_something(connection, claims):
    """Equal answers prove little when they are empty."""
    answer = check(connection.post("/v1/query", {"concept_path": "*", "lens": "consensus", "limit": 0}), 200).json()
    counted = sum(resolution["candidates_count"] for resolution in answer["resolutions"])
    assert counted == len({claim.id for claim in claims}), f"{counted} candidates of {len(claims)} claims"
    statuses = [resolution["status"] for resolution in answer["resolutions"]]
    assert statuses.count("contested") > 10, statuses


def check_comparison_bites(servers):
    """The lens that looks at the order of arrival must be found out."""
    question = [({"concept_path": "*", "lens": "arrival", "limit": 0}, False)]
    answers = {ask(server, question)[0] for server in servers}
    assert len(answers) > 1, "a lens that depends on the order of arrival gave the same answers in every order"


def rounds(server):
    """The states of the files in which the answers are asked for again."""
    yield "after a restart", lambda: None
    yield "after the loss of data/db/indexes", lambda: shutil.rmtree(os.path.join(server.db_dir, "indexes"))
    yield "after the loss of data/db", lambda: shutil.rmtree(server.db_dir)


def run(options, root):
    claims = generate(options.seed, 420) + of_countries(options.countries, options.seed, 150)
    signed = sum(b'"agent_id"' in claim.canonical for claim in claims)
    print(f"seed {options.seed}: {len(claims)} claims, {signed} of them signed", flush=True)
    lenses_dir = os.path.join(root, "lenses")
    shutil.copytree(options.lenses, lenses_dir)
    with open(os.path.join(lenses_dir, "arrival.lua"), "w", encoding="utf-8") as file:
        file.write(ARRIVAL_LENS)
    servers = []
    try:
        for number, road in enumerate(ROADS):
            server = ServerProgram(options.server, lenses_dir, os.path.join(root, str(number)),
                                   ["--loops", str(road.loops), "--wal-segment-bytes", "65536"])
            servers.append(server)
            server.start()
            bring(server, road, claims, random.Random(f"{options.seed}/{number}"))
        moment_ms = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 <= moment_ms:
            pass  # a millisecond that isn't over is answered as of the one before
        moment = rfc3339(moment_ms)
        connection = Connection(servers[0].port)
        check_answers_say_something(connection, claims)
        lenses = sorted(lens["name"] for lens in connection.get("/v1/lenses").json()["lenses"] if lens["name"] != "arrival")
        connection.close()
        paths = sorted({claim.path for claim in claims if claim.path.startswith(ROOT)})[:4] + [f"{ROOT}/x/*"]
        asked = list(questions(lenses, paths, moment))
        check_comparison_bites(servers)
        wanted = ask(servers[0], asked)
        for road, server in zip(ROADS, servers):
            compare(f"{road.name}, {road.loops} loops", asked, wanted, ask(server, asked))
        for road, server in zip(ROADS, servers):
            for state, change in rounds(server):
                assert server.stop()[0] == 0
                change()
                server.start()
                compare(f"{road.name}, {state}", asked, wanted, ask(server, asked))
    finally:
        for server in servers:
            if server.process:
                server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--server", required=True, help="the program stemedb-api")
    parser.add_argument("--lenses", required=True, help="the directory of the lenses")
    parser.add_argument("--countries", help="the importer of examples/countries; its claims are used when it has any")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    options.server = os.path.abspath(options.server)
    root = tempfile.mkdtemp(prefix="stemedb-determinism-")
    try:
        run(options, root)
    except BaseException:
        print(f"FAILED with --seed {options.seed}; the data directories are kept in {root}", flush=True)
        raise
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
