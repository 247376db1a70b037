# SPDX-License-Identifier: Apache-2.0
"""Operations (votes, supersessions, retractions, epochs, sources, aliases) whose ids the tests compute themselves:
id = SHA-256("stemedb/" + kind + "/v1" LF + the RFC 8785 form), docs/identity.md; and what follows from a list of claims
and operations: which claims are superseded or retracted, who has how many votes, what a path stands for.
"""

import hashlib

import ed25519
from claims import CLASSES, EPOCH_MS, canonical, number, rfc3339

SERVER_FIELDS = ("kind", "sequence", "recorded_at", "signature", "signatures")
HAS_OWN_ID = ("source", "source_status")  # what is shown of these has its id as operation_id
TARGETS = {"vote": "/v1/vote", "supersession": "/v1/supersede", "retraction": "/v1/retract", "epoch": "/v1/epoch",
           "source": "/v1/source", "alias": "/v1/concepts/alias", "source_status": "/v1/sources/"}
# Why the server may say no to an operation about what is there.
CONFLICTS = {"vote": ("stale_vote",), "supersession": ("already_superseded", "would_close_circle"),
             "retraction": ("already_retracted", "unknown_concept"), "epoch": ("epoch_exists", "would_close_circle"),
             "source": ("source_exists",), "source_status": ("already_retracted",),
             "alias": ("would_close_circle", "alias_exists", "alias_limit")}
AGENTS = 4


def domain(kind):
    return f"stemedb/{kind}/v1\n".encode()


def id_of(kind, canonical_json):
    return hashlib.sha256(domain(kind) + canonical_json).hexdigest()


def target_of(kind, fields):
    return TARGETS[kind] + (fields["id"] if kind == "source_status" else "")


class Operation:
    """What is sent (`body`, to `target`), and under which id it must be found. Signed when `signer` is an agent's number."""

    __slots__ = ("id", "kind", "fields", "canonical", "body", "method", "target")
    ID_FIELDS = ("id",)
    is_claim = False
    path = None

    def __init__(self, kind, fields, signer=None):
        if signer is not None:
            fields = fields | {"agent_id": ed25519.agent(signer).agent_id}
        self.kind, self.fields = kind, fields
        self.canonical = canonical(fields)
        self.id = id_of(kind, self.canonical)
        self.body = self.canonical
        if signer is not None:
            signature = ed25519.agent(signer).sign(domain(kind) + self.canonical)
            self.body = self.canonical[:-1] + b',"signature":"' + signature.encode() + b'"}'
        self.method = "PATCH" if kind == "source_status" else "POST"
        self.target = target_of(kind, fields)

    def __repr__(self):
        return f"{self.kind} {self.fields}"


def own_fields(shown):
    """An operation in an answer, without what the server added."""
    id_field = "operation_id" if shown["kind"] in HAS_OWN_ID else "id"
    return {key: value for key, value in shown.items() if key not in SERVER_FIELDS and key != id_field}


def shown_id(shown):
    return shown["operation_id" if shown["kind"] in HAS_OWN_ID else "id"]


class Author:
    """Makes operations that are mostly right: about claims that are there, sources and epochs of its own, and aliases
    that everybody shares. Two calls hardly give the same operation: times are to the millisecond."""

    def __init__(self, rng, writer):
        self.rng, self.writer = rng, writer
        self.serial = 0
        self.sources, self.epochs = [], []  # that were taken in

    def took(self, operation):
        """The server has it."""
        if operation.kind == "source":
            self.sources.append(operation.fields["id"])
        elif operation.kind == "epoch":
            self.epochs.append(operation.fields["name"])

    def make(self, targets):
        """`targets` are two claims that are there, at least."""
        self.serial += 1
        kinds = ["vote"] * 8 + ["supersession"] * 3 + ["retraction"] * 3 + ["alias"] * 3 + ["epoch", "source"]
        if self.sources:
            kinds.append("source_status")
        kind = self.rng.choice(kinds)
        fields = getattr(self, "_" + kind)(targets)
        fields["timestamp"] = rfc3339(EPOCH_MS + self.rng.randrange(10**10))
        signer = self.rng.randrange(AGENTS) if self.rng.random() < (0.5 if kind == "vote" else 0.1) else None
        return Operation(kind, fields, signer)

    def _name(self, what):
        return f"{what}-{self.writer}-{self.serial}"

    def _vote(self, targets):
        return {"assertion_id": targets[0].id, "weight": number(self.rng.randrange(0, 1001) / 1000)}

    def _supersession(self, targets):
        return {"target": targets[0].id, "replacement": targets[1].id, "reason": self._name("because")}

    def _retraction(self, targets):
        fields, chance = {"reason": self._name("because")}, self.rng.random()
        if self.rng.random() < 0.5:
            fields["cascade"] = True
        if chance < 0.75:
            fields["assertion_id"] = targets[0].id
        elif chance < 0.9:
            fields["concept_path"] = targets[0].path
        elif chance < 0.95:
            fields["concept_path"] = "crash/4/*"
        else:
            # Of a source all claims are retracted, those that come later as well: some sources stay.
            fields["source_id"] = self.rng.choice(self.sources + ["source 8"])
        return fields

    def _epoch(self, _):
        fields = {"name": self._name("epoch")}
        if self.epochs and self.rng.random() < 0.6:
            fields["supersedes"] = self.rng.choice(self.epochs)
        return fields

    def _source(self, _):
        fields = {"id": self._name("registered"), "class": self.rng.choice(CLASSES), "title": "Title é€😀"}
        if self.rng.random() < 0.5:
            fields["content"] = f"content {self.serial} " + "x" * self.rng.choice((10, 1000))
        return fields

    def _source_status(self, _):
        return {"id": self.rng.choice(self.sources), "reason": self._name("because"),
                "status": self.rng.choice(("active", "under_review", "deprecated", "retracted"))}

    def _alias(self, targets):
        """Of a few names, in which nobody makes claims: chains and circles are near."""
        names = [f"crash/alias/{i}" for i in range(12)]
        path = self.rng.choice(names)
        names.remove(path)
        return {"alias": path, "concept_path": self.rng.choice(names) if self.rng.random() < 0.5 else targets[0].path}


class Knowledge:
    """What follows from claims and operations as an answer shows them (claims: with `id`, `sequence`; operations: with
    `kind`, `sequence`), in any order."""

    def __init__(self, claims, operations):
        self.claims = sorted(claims, key=lambda claim: claim["sequence"])
        self.operations = sorted(operations, key=lambda operation: operation["sequence"])

    def statuses(self):
        """id -> active, superseded or retracted"""
        superseded = {o["target"] for o in self.operations if o["kind"] == "supersession"}
        retracted, reached = self._retracted()
        children = {}
        for claim in self.claims:
            for source in claim.get("derived_from", ()):
                children.setdefault(source, []).append(claim["id"])
        todo = list(reached)
        while todo:
            for child in children.get(todo.pop(), ()):
                if child not in reached:
                    reached.add(child)
                    todo.append(child)
        retracted |= reached
        return {claim["id"]: "retracted" if claim["id"] in retracted else "superseded" if claim["id"] in superseded
                else "active" for claim in self.claims}

    def _retracted(self):
        """Claims that a retraction names: all, and those of which it goes on to what rests on them."""
        by_id, by_source, by_path, below = {}, {}, {}, {}
        for operation in self.operations:
            cascade = operation.get("cascade", False)
            if operation["kind"] == "source_status" and operation["status"] == "retracted":
                by_source.setdefault(operation["id"], []).append((float("inf"), False))
            if operation["kind"] != "retraction":
                continue
            # A path's retraction is about the claims that were there.
            if "assertion_id" in operation:
                by_id.setdefault(operation["assertion_id"], []).append((float("inf"), cascade))
            elif "source_id" in operation:
                by_source.setdefault(operation["source_id"], []).append((float("inf"), cascade))
            elif operation["concept_path"].endswith("/*"):
                below.setdefault(operation["concept_path"][:-2], []).append((operation["sequence"], cascade))
            else:
                by_path.setdefault(operation["concept_path"], []).append((operation["sequence"], cascade))
        retracted, reached = set(), set()
        for claim in self.claims:
            parts = claim["concept_path"].split("/")
            said = by_id.get(claim["id"], []) + by_path.get(claim["concept_path"], [])
            said += by_source.get(claim.get("source", {}).get("id"), [])
            for depth in range(1, len(parts)):
                said = said + below.get("/".join(parts[:depth]), [])
            said = [cascade for sequence, cascade in said if sequence > claim["sequence"]]
            if said:
                retracted.add(claim["id"])
            if any(said):
                reached.add(claim["id"])
        return retracted, reached

    def votes(self):
        """assertion id -> {agent: weight}: of each agent the vote with the latest time, of equal ones the last."""
        latest = {}
        for vote in (o for o in self.operations if o["kind"] == "vote"):
            votes = latest.setdefault(vote["assertion_id"], {})
            time, agent = vote["timestamp"], vote.get("agent_id")
            if agent not in votes or votes[agent][0] <= time:
                votes[agent] = (time, vote["weight"])
        return {claim: {agent: weight for agent, (_, weight) in votes.items()} for claim, votes in latest.items()}

    def aliases(self):
        """alias -> the concept that it stands for in the end"""
        targets = {o["alias"]: o["concept_path"] for o in self.operations if o["kind"] == "alias"}
        ends = {}
        for alias in targets:
            path = alias
            for _ in range(len(targets) + 1):
                path = targets.get(path, path)
            if path in targets:
                raise AssertionError(f"a circle of aliases was taken in: {alias}")
            ends[alias] = path
        return ends
