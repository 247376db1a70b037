#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The load generator does what its measurements rest on: every claim arrives once, signatures hold, the same numbers make
the same claims, and each probe has its twenty candidates, spread over the whole load."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from server_program import ServerProgram

CLAIMS, PROBES, SPREAD = 4000, 20, 30
COMMON = ["--claims", CLAIMS, "--agents", 50, "--probes", PROBES, "--spread", SPREAD, "--signed", 20]


def generate(program, *arguments):
    return subprocess.run(list(map(str, [program, *COMMON, *arguments])), check=True, capture_output=True, text=True).stdout


def load(program, port, *arguments):
    output = generate(program, "--address", f"127.0.0.1:{port}", "--batch", 70, "--connections", 3, *arguments)
    return json.loads(output.removeprefix("RESULT "))


def ask(port, path, predicate):
    body = json.dumps({"concept_path": path, "predicate": predicate, "lens": "consensus"}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/query", body, timeout=10) as answer:
        return json.load(answer)["resolutions"][0]


def check_text(program):
    """--print, without a server."""
    text = generate(program, "--print")
    assert text == generate(program, "--print"), "the same numbers made other claims"
    assert text != generate(program, "--print", "--seed", 2), "another seed made the same claims"
    claims = [json.loads(line) for line in text.splitlines()]
    assert len(claims) == CLAIMS and len(set(text.splitlines())) == CLAIMS, "claims are missing or repeat each other"
    places = {}
    for number, claim in enumerate(claims):
        places.setdefault(claim["concept_path"], []).append(number)
    spread_paths = CLAIMS * SPREAD // 100 // 20
    names = [f"probe/{i + 1}" for i in range(PROBES)] + [f"spread/{i + 1}" for i in range(spread_paths)]
    assert {path for path in places if path.startswith(("probe/", "spread/"))} == set(names)
    for name in names:
        assert len(places[name]) == 20, f"{name} has {len(places[name])} claims"
        gaps = [after - before for before, after in zip(places[name], places[name][1:])]
        assert min(gaps) > CLAIMS // 20 - 3 and max(gaps) < CLAIMS // 20 + 3, f"{name} is not spread evenly: {gaps}"
    return claims


def check_load(program, server, claims):
    done = load(program, server.port)
    assert (done["created"], done["refused"], done["broken"]) == (CLAIMS, 0, 0), done
    assert done["signed"] == sum("signature" in claim for claim in claims) and 700 < done["signed"] < 900, done
    again = load(program, server.port, "--first", 1000)
    assert (again["created"], again["duplicates"]) == (0, 1000), again
    for path in ("probe/1", f"probe/{PROBES}", "spread/1"):
        resolution = ask(server.port, path, "pred")
        assert resolution["candidates_count"] == 20, resolution
        assert len(resolution["claims"]) > 1, f"nobody contradicts at {path}: {resolution}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--lenses", required=True)
    parser.add_argument("--generator", required=True)
    options = parser.parse_args()
    claims = check_text(options.generator)
    with tempfile.TemporaryDirectory(prefix="load-generator-") as root:
        server = ServerProgram(options.server, options.lenses, root)
        server.start()
        try:
            check_load(options.generator, server, claims)
        finally:
            server.kill()
    print(f"{CLAIMS} claims, all well")


if __name__ == "__main__":
    main()
