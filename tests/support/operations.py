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
             "alias": ("would_close_circle", "alias_exists", "alias_limit", "not_an_alias")}
AGENTS = 4
ALIASES_MAX = 256  # of one concept


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
        """Of a few names, in which nobody makes claims: chains and circles are near. Some are taken back."""
        names = [f"crash/alias/{i}" for i in range(12)]
        path = self.rng.choice(names)
        if self.rng.random() < 0.1:
            return {"alias": path, "concept_path": path}
        names.remove(path)
        return {"alias": path, "concept_path": self.rng.choice(names) if self.rng.random() < 0.5 else targets[0].path}


class Knowledge:
    """What follows from claims and operations as an answer shows them (claims: with `id`, `sequence`; operations: with
    `kind`, `sequence`), in any order."""

    def __init__(self, claims, operations):
        self.claims = sorted(claims, key=lambda claim: claim["sequence"])
        self.operations = sorted(operations, key=lambda operation: operation["sequence"])
        self.by_kind = {}
        for operation in self.operations:
            self.by_kind.setdefault(operation["kind"], []).append(operation)

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
        """assertion id -> {agent: weight}: of each agent the latest vote, of equal times the greatest id."""
        latest = {}
        for vote in (o for o in self.operations if o["kind"] == "vote"):
            votes = latest.setdefault(vote["assertion_id"], {})
            time, agent = (vote["timestamp"], vote["id"]), vote.get("agent_id")
            if agent not in votes or votes[agent][0] < time:
                votes[agent] = (time, vote["weight"])
        return {claim: {agent: weight for agent, (_, weight) in votes.items()} for claim, votes in latest.items()}

    def aliases(self):
        """alias -> the concept that it stands for in the end; itself when it was taken back"""
        said = {o["alias"]: o["concept_path"] for o in self.operations if o["kind"] == "alias"}
        targets = {alias: target for alias, target in said.items() if alias != target}
        return {alias: end_of(alias, targets) for alias in said}

    def accounts_for(self, operation, code, since):
        """Whether a server whose view held everything up to the sequence `since`, and maybe more, was right to refuse the
        operation with the code. What makes it right is final, and so is still there, but for what aliases stand for."""
        of_kind, fields = self.by_kind.get(operation.kind, []), operation.fields
        if code == "stale_vote":
            return any(o["assertion_id"] == fields["assertion_id"] and o.get("agent_id") == fields.get("agent_id") and
                       (o["timestamp"], o["id"]) > (fields["timestamp"], operation.id) for o in of_kind)
        if code == "already_superseded":
            return any(o["target"] == fields["target"] for o in of_kind)
        if code in ("epoch_exists", "source_exists"):
            name = "name" if operation.kind == "epoch" else "id"
            return any(o[name] == fields[name] for o in of_kind)
        if code == "already_retracted":
            return self._is_retracted(fields, operation.kind)
        if code == "unknown_concept":
            path = fields["concept_path"]
            return not any(claim["sequence"] <= since and (claim["concept_path"].startswith(path[:-1]) if path.endswith("/*")
                                                           else claim["concept_path"] == path) for claim in self.claims)
        if operation.kind == "alias":
            return code in self._alias_refusals(fields, since)
        if code == "would_close_circle":
            start, target = (("replacement", "target") if operation.kind == "supersession" else ("supersedes", "name"))
            steps = {o["target"]: o["replacement"] for o in of_kind} if operation.kind == "supersession" else \
                {o["name"]: o.get("supersedes") for o in of_kind}
            at = fields.get(start)
            while at is not None and at != fields[target]:
                at = steps.get(at)
            return at is not None
        return False

    def _is_retracted(self, fields, kind):
        """By something as far-reaching."""
        name = "assertion_id" if "assertion_id" in fields else "source_id"
        target = fields["id"] if kind == "source_status" else fields[name]
        by_retraction = any(o.get(name) == target and (o.get("cascade", False) or not fields.get("cascade", False))
                            for o in self.by_kind.get("retraction", []))
        by_status = name == "source_id" and not fields.get("cascade", False) and any(
            o["id"] == target and o["status"] == "retracted" for o in self.by_kind.get("source_status", []))
        return by_retraction or by_status

    def _alias_refusals(self, fields, since):
        """The codes that an alias may have been refused with at any moment from `since` on."""
        codes, targets = set(), {}

        def judge():
            end, present = end_of(fields["concept_path"], targets), end_of(fields["alias"], targets)
            joined = [path for path in targets if end_of(path, targets) == end or passes(path, fields["alias"], targets)]
            if fields["alias"] == fields["concept_path"]:
                if present == fields["alias"]:
                    codes.add("not_an_alias")
            elif end == fields["alias"]:
                codes.add("would_close_circle")
            elif end == present:
                codes.add("alias_exists")
            elif len(joined) + 1 > ALIASES_MAX:
                codes.add("alias_limit")

        for alias in self.by_kind.get("alias", []):
            if alias["sequence"] > since:
                judge()
            targets[alias["alias"]] = alias["concept_path"]
            if alias["alias"] == alias["concept_path"]:
                del targets[alias["alias"]]
        judge()
        return codes


def end_of(path, targets):
    """What a path stands for in the end, by what each alias stands for."""
    start = path
    for _ in range(len(targets) + 1):
        path = targets.get(path, path)
    if path in targets:
        raise AssertionError(f"a circle of aliases was taken in: {start}")
    return path


def passes(path, through, targets):
    """Whether a path stands for another, in one step or several."""
    for _ in range(len(targets)):
        path = targets.get(path)
        if path == through:
            return True
    return False
