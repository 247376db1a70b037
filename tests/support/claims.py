# SPDX-License-Identifier: Apache-2.0
"""Claims whose ids the tests compute themselves: id = SHA-256("stemedb/assertion/v1" LF + the RFC 8785 form).

Python's JSON with sorted keys and no blanks is that form for what is made here: keys are ASCII, numbers are whole or
have few decimals, and no text holds a control character.
"""

import datetime
import hashlib
import json

DOMAIN = b"stemedb/assertion/v1\n"
SERVER_FIELDS = ("id", "sequence", "recorded_at", "status", "signature", "signatures")
CLASSES = ("regulatory", "clinical", "observational", "expert", "community", "anecdotal")
EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z


def canonical(fields):
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def id_of(canonical_json):
    return hashlib.sha256(DOMAIN + canonical_json).hexdigest()


def number(value):
    """RFC 8785 writes a whole number without a decimal point."""
    return int(value) if value == int(value) else value


def rfc3339(ms):
    moment = datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


class Claim:
    """What is sent (`body`), and under which id it must be found."""

    __slots__ = ("id", "canonical", "body", "path")
    ID_FIELDS = ("id", "hash")  # where an answer has its id
    is_claim = True

    def __init__(self, fields, body=None):
        self.canonical = canonical(fields)
        self.id = id_of(self.canonical)
        self.body = body or self.canonical
        self.path = fields["concept_path"]


def own_fields(assertion):
    """The claim in an answer, without what the server added. With the claim's canonical form this gives its id again."""
    return {key: value for key, value in assertion.items() if key not in SERVER_FIELDS}


def random_value(rng, serial):
    kind = rng.randrange(10)
    if kind < 4:
        return f"value {serial} é€😀 " + "x" * rng.choice((0, 10, 60, 60, 300, 3000))
    if kind < 7:
        return number(rng.choice((serial, rng.randrange(10), rng.randrange(1, 100) / 4)))
    if kind == 7:
        return rng.random() < 0.5
    return {"ref": f"crash/ref/{rng.randrange(20)}"}


def random_claim(rng, writer, serial, more=None):
    """No two calls with different (writer, serial) give the same claim: metadata holds both. `more` are further fields."""
    fields = {
        "concept_path": f"crash/{serial % 5}/{serial % 37}",
        "predicate": rng.choice(("rate", "name", "colour")),
        "value": random_value(rng, serial),
        "confidence": number(rng.randrange(0, 101) / 100),
        "timestamp": rfc3339(EPOCH_MS + rng.randrange(10**10)),
        "metadata": {"writer": writer, "serial": serial},
    }
    if rng.random() < 0.7:
        fields["source"] = {"id": f"source {rng.randrange(9)}", "class": rng.choice(CLASSES)}
    if rng.random() < 0.2:
        fields["lifecycle"] = rng.choice(("proposed", "approved", "rejected"))
    fields |= more or {}
    claim = Claim(fields)
    if rng.random() < 0.1:
        claim.body = _in_dialect(rng, fields)
    return claim


def _in_dialect(rng, fields):
    """Other bytes with the same meaning: order, blanks, escapes, the alias of a field."""
    items = list(fields.items())
    rng.shuffle(items)
    return json.dumps({("subject" if key == "concept_path" else key): value for key, value in items}).encode()
