# SPDX-License-Identifier: Apache-2.0
"""The claims that a benchmark needs beforehand: signed ones in a file, and filled concept paths to ask about."""
import hashlib
import json
import time
import urllib.request

from nacl.signing import SigningKey

AGENTS = 50
BATCH = 1000
KEYS = [SigningKey(hashlib.sha256(f"stemedb bench agent {i}".encode()).digest()) for i in range(AGENTS)]
AGENT_IDS = [key.verify_key.encode().hex() for key in KEYS]


def canonical(fields):
    """RFC 8785 for these claims: ASCII keys and text, and numbers whose repr is ECMAScript's too."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def write_signed(path, count, seed):
    """`count` signed claims, no two alike, one on each line."""
    with open(path, "w", encoding="ascii") as file:
        for i in range(count):
            agent = i % AGENTS
            fields = {"agent_id": AGENT_IDS[agent], "concept_path": f"signed/{(i * 7919) % 100000}", "confidence": 0.9,
                      "predicate": "pred", "timestamp": "2026-01-01T00:00:00.000Z", "value": f"{seed}.{i}"}
            text = canonical(fields)
            signature = KEYS[agent].sign(b"stemedb/assertion/v1\n" + text.encode()).signature.hex()
            file.write(f'{text[:-1]},"signature":"{signature}"}}\n')


def verify_rate():
    """Ed25519 verifications per second of one core by libsodium, through Python (a little below what C sees)."""
    message = b"m" * 256
    signed = KEYS[0].sign(message)
    key, count, started = KEYS[0].verify_key, 0, time.perf_counter()
    while time.perf_counter() - started < 1:
        key.verify(message, signed.signature)
        count += 1
    return count / (time.perf_counter() - started)


def post_batch(url, lines):
    request = urllib.request.Request(url + "/v1/assert/batch", "\n".join(lines).encode(),
                                     {"Content-Type": "application/x-ndjson"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


def fill(url, prefix, paths, claims_each):
    """`claims_each` claims about each of PREFIX/1 … PREFIX/`paths`: ten values, each claim of a source of its own."""
    lines = []
    for path in range(1, paths + 1):
        for i in range(claims_each):
            lines.append(json.dumps({
                "concept_path": f"{prefix}/{path}", "predicate": "pred", "value": f"v{(path + i * i) % 10}",
                "confidence": 0.5 + (i % 50) / 100, "timestamp": f"2026-01-{i % 28 + 1:02}T00:00:{i % 60:02}.000Z",
                "source": {"id": f"bench/{i}", "class": "observational"}}))
            if len(lines) == BATCH:
                post_batch(url, lines)
                lines = []
    if lines:
        post_batch(url, lines)
