# SPDX-License-Identifier: Apache-2.0
"""A few hundred claims on which a lens can go wrong: conflicts and ties, equal timestamps, every class, every kind of
value, agents that sign and anonymous ones, and confidences whose sums depend on the order of addition."""

import json
import os
import random
import subprocess
import sys
import tempfile

from claims import CLASSES, DOMAIN, EPOCH_MS, Claim, canonical, number, own_fields, rfc3339

ROOT = "determinism"
LIFECYCLES = ("proposed", "under_review", "approved", "deprecated", "rejected")
VALUES = ("a", "b", "ä", 1, 2, 0.1, True, False, {"ref": f"{ROOT}/other"}, "1")


def signers(count):
    """Keys from fixed seeds; none where python3-nacl isn't installed."""
    try:
        from nacl.signing import SigningKey
    except ImportError:
        return []
    return [SigningKey(bytes([i + 1]) * 32) for i in range(count)]


def sign(fields, key):
    """The claim as a signed one: the agent signs the bytes that the id is made of."""
    fields = {**fields, "agent_id": bytes(key.verify_key).hex()}
    body = {**fields, "signature": key.sign(DOMAIN + canonical(fields)).signature.hex()}
    return Claim(fields, json.dumps(body).encode())


def generate(seed, count):
    rng, keys = random.Random(seed), signers(5)
    # A small choice of everything, so that claims collide in all of their parts.
    claims = []
    for serial in range(count):
        fields = {
            "concept_path": f"{ROOT}/{rng.choice(('x', 'x/y', 'z'))}/{rng.randrange(6)}",
            "predicate": rng.choice(("rate", "name")),
            "value": rng.choice(VALUES),
            "confidence": number(rng.choice((0, 0.1, 0.2, 0.3, 0.3, 0.7, 0.7, 0.85, 1))),
            "timestamp": rfc3339(EPOCH_MS + rng.choice((0, 0, 1, 60_000, 3_600_001, 86_400_000 * rng.randrange(400)))),
            "source": {"id": f"source {rng.randrange(6)}", "class": rng.choice(CLASSES)},
            "metadata": {"serial": serial},
        }
        if rng.random() < 0.3:
            fields["lifecycle"] = rng.choice(LIFECYCLES)
        if rng.random() < 0.3:
            fields["valid_from"] = rfc3339(EPOCH_MS + 86_400_000 * rng.randrange(300))
        claims.append(sign(fields, rng.choice(keys)) if keys and rng.random() < 0.6 else Claim(fields))
    return claims


def of_countries(importer, seed, count):
    """What installed packages say about some countries; nothing where none of them is installed."""
    if not importer:
        return []
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "claims.ndjson")
        made = subprocess.run([sys.executable, "-B", importer, "--output", path], capture_output=True, timeout=200)
        if made.returncode != 0 or not os.path.exists(path):
            return []
        with open(path, "rb") as lines:
            bodies = [line.strip() for line in lines if line.strip()]
    by_path = {}
    for body in bodies:
        fields = own_fields(json.loads(body))
        by_path.setdefault(fields["concept_path"], []).append(Claim(fields, body))
    claims = []
    for path in random.Random(seed).sample(sorted(by_path), len(by_path)):
        if len(claims) < count:
            claims += by_path[path]
    return claims
