# SPDX-License-Identifier: Apache-2.0
"""Ed25519 by Node, which shares no code with the server."""

import json
import os
import subprocess

TIME = "2026-02-11T10:00:00.000Z"


def seed(number):
    return f"{number:064x}"


def sign_all(pairs, kind=None):
    """(seed, claim) → {agent_id, signature, id}, in order; with `kind`, of operations."""
    more = {} if kind is None else {"kind": kind}
    lines = "".join(json.dumps({"seed": key, "claim": claim} | more) + "\n" for key, claim in pairs)
    tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sign.mjs")
    run = subprocess.run(["node", tool], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def sign(key, claim, kind=None):
    return sign_all([(key, claim)], kind)[0]


def signed(key, body, kind=None):
    """The body with its agent and signature."""
    proof = sign(key, body, kind)
    return body | {"agent_id": proof["agent_id"], "signature": proof["signature"]}
