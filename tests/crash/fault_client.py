# SPDX-License-Identifier: Apache-2.0
"""One writer that sends a request after the other, and so knows for each answer whether a sync failed before it."""

from http_connection import Connection
from ledger import Violation
from operations import Author
from workload import LENSES, derived, expect, take_in


class Client:
    def __init__(self, server, ledger, rng, name):
        self.server, self.ledger, self.rng, self.name = server, ledger, rng, name
        self.connection = Connection(server.port)
        self.serial = 0
        self.author = Author(rng, name)
        self.acts = (self.one, self.one, self.batch, self.atomic, self.repeat, self.ask, self.operation, self.operation,
                     self.repeat_operation)

    def run(self, requests):
        for _ in range(requests):
            self.rng.choice(self.acts)()

    def fresh(self, count):
        self.serial += count
        return derived(self.rng, self.ledger, self.name, range(self.serial - count + 1, self.serial + 1))

    def one(self):
        self.write("/v1/assert", self.fresh(1))

    def batch(self):
        self.write("/v1/assert/batch", self.fresh(self.rng.randrange(2, 8)) + self.ledger.pick(self.rng, 1))

    def atomic(self):
        self.write("/v1/assert/batch?atomic=true", self.fresh(self.rng.choice((2, 5, 12))), atomic=True)

    def repeat(self):
        for claim in self.ledger.pick(self.rng, 1):
            self.write("/v1/assert", [claim])

    def operation(self):
        targets = self.ledger.pick_known(self.rng, 2)
        if len(targets) == 2:
            self.tell(self.author.make(targets))

    def repeat_operation(self):
        for operation in self.ledger.pick_operations(self.rng, 1):
            self.tell(operation)

    def tell(self, operation):
        was_known, is_new, seen = self.ledger.sending_operation(operation)
        answer = self.connection.request(operation.method, operation.target, operation.body)
        fired = self.server.report().fired()
        if answer.status >= 500:
            self.refused(answer, [operation], fired)
            return
        if self.log_is_lost(fired) and answer.status in (200, 201) and answer.json()["status"] == "created":
            raise Violation(f"acknowledged after a failed sync of the log: {fired}, {answer}")
        code = take_in(self.ledger, operation, answer, was_known, is_new)
        if code:
            self.ledger.was_refused(operation, code, seen)
        if answer.status in (200, 201):
            self.author.took(operation)

    def write(self, target, claims, atomic=False):
        known = self.ledger.sending(claims, atomic)
        answer = self.connection.post(target, b"\n".join(claim.body for claim in claims))
        fired = self.server.report().fired()
        if answer.status >= 500:
            self.refused(answer, claims, fired)
            return
        items = [expect(answer, 200, 201)] if target == "/v1/assert" else expect(answer, 200, 201)["results"]
        if len(items) != len(claims):
            raise Violation(f"{len(claims)} claims, {len(items)} results")
        if self.log_is_lost(fired) and any(item["status"] == "created" for item in items):
            raise Violation(f"acknowledged after a failed sync of the log: {fired}, {answer}")
        for claim, item in zip(claims, items):
            self.ledger.stored(claim, item, claim.id in known)

    def log_is_lost(self, fired):
        """A failed sync of a segment, or of the directory that names it."""
        words = (line.split() for line in fired)
        return any((kind, cls) == ("sync", "wal") or (kind == "dirsync" and path == self.server.wal_dir)
                   for _, kind, cls, _, path in words)

    def refused(self, answer, claims, fired):
        if not fired:
            raise Violation(f"refused without a fault: {answer}")
        # After a failed sync nobody knows what is on disk; any other refusal is a promise that it isn't there.
        if answer.json()["code"] != "wal_failed":
            self.ledger.refuse(claims)

    def ask(self):
        for claim in self.ledger.pick(self.rng, 1):
            question = {"concept_path": claim.path, "lens": self.rng.choice(LENSES), "limit": 100, "status": "any"}
            answer = self.connection.post("/v1/query", question)
            if answer.status >= 500 and self.server.report().fired():
                return
            shown = {assertion["id"] for assertion in expect(answer, 200)["assertions"]}
            told = [i for i, (sequence, _) in list(self.ledger.known.items()) if self.ledger.claims[i].path == claim.path]
            if len(told) <= 100 and not shown.issuperset(told):
                raise Violation(f"acknowledged and not shown on {claim.path}: {set(told) - shown}")
