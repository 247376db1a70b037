# SPDX-License-Identifier: Apache-2.0
"""What the server has to do while it is killed: writers that mix every way of asserting with operations about what is
there, each with a second connection on which it asks for what it was just told is stored, and readers that ask about
anything.

A thread ends when its connection breaks. That is a failure unless the server was killed.
"""

import json
import random
import threading
import urllib.parse

from claims import random_claim
from http_connection import Connection, Disconnected
from ledger import Violation
from operations import CONFLICTS, Author, shown_id

LENSES = ("recency", "consensus", "confidence", "tier_authority", "layered", "skeptic", "vote_consensus", "authority",
          "epoch_aware")


class Workload:
    """One round of load on one process of the server."""

    def __init__(self, port, ledger, seed, round_number, writers=4, readers=2, may_die=False):
        self.port, self.ledger, self.may_die = port, ledger, may_die
        self.killed = False
        self.failures = []
        self.requests = 0
        makers = [Writer] * writers + [Reader] * readers
        self.clients = [make(self, f"{round_number}.{i}", random.Random(f"{seed}/{round_number}/{i}"))
                        for i, make in enumerate(makers)]
        self.threads = [threading.Thread(target=self._run, args=(client,)) for client in self.clients]
        for thread in self.threads:
            thread.start()

    def _run(self, client):
        try:
            client.run()
        except Disconnected as gone:
            if not self.killed and not self.may_die:
                self.failures.append(f"the server hung up on {client.name}: {gone}")
        except (Violation, AssertionError) as failure:
            self.failures.append(f"{client.name}: {failure}")
        except Exception as error:  # a fault of the test itself must not pass for a quiet client
            self.failures.append(f"{client.name}: {type(error).__name__}: {error}")

    def end(self):
        """After the server is dead. Raises what went wrong."""
        for thread in self.threads:
            thread.join(120)
            if thread.is_alive():
                self.failures.append("a client hangs")
        self.requests = sum(client.requests for client in self.clients)
        if self.failures:
            raise Violation("; ".join(self.failures))


class Unexpected(Violation):
    """Another status than the question should have got."""


def expect(answer, *statuses):
    if answer.status not in statuses:
        raise Unexpected(f"expected {statuses}, got {answer}")
    return answer.json()


def tell(connection, ledger, operation):
    """Sends an operation. The server's answer; what it promises is in the ledger, and so is what it refuses."""
    was_known, is_new, seen = ledger.sending_operation(operation)
    answer = connection.request(operation.method, operation.target, operation.body)
    code = None if answer.status == 503 else take_in(ledger, operation, answer, was_known, is_new)
    if code:
        # What it contradicts may not have been shown to anybody yet: then a torn log may lose it.
        newest = expect(connection.get("/v1/feed?limit=1"), 200)["items"][0]
        ledger.saw(newest[newest["type"]]["sequence"])
        ledger.was_refused(operation, code, seen)
    return answer


def take_in(ledger, operation, answer, was_known, is_new):
    """The code, if it was refused."""
    if answer.status in (404, 409):
        if was_known:
            raise Violation(f"{operation} is there, and its repeat was refused: {answer}")
        code = answer.json()["code"]
        if code not in CONFLICTS[operation.kind]:
            raise Violation(f"{operation} is about what is there, and was refused: {answer}")
        if is_new:
            ledger.refuse([operation])
        return code
    item = expect(answer, 200, 201)
    ledger.stored(operation, item, was_known)
    if (answer.status == 201) != (item["status"] == "created") or item["kind"] != operation.kind:
        raise Violation(f"status and body differ: {answer}")
    return None


def derived(rng, ledger, name, serials):
    """New claims, some of which rest on others: on known ones, or on each other, whichever comes first."""
    known, claims = ledger.pick_known(rng, 4), []
    for serial in serials:
        more, chance = {}, rng.random()
        pool = [claim.id for claim in known + claims[-5:]]
        if pool and chance < 0.3:
            more["derived_from"] = rng.sample(pool, min(len(pool), rng.choice((1, 1, 2, 3))))
        if pool and chance < 0.1:
            more["parent"] = rng.choice(pool)
        if chance > 0.8:
            more["epoch"] = f"epoch-{name}-{rng.randrange(1, 40)}"
        if chance > 0.9:
            more["source"] = {"id": f"registered-{name}-{rng.randrange(1, 40)}"}
        claims.append(random_claim(rng, name, serial, more))
    if rng.random() < 0.3:
        rng.shuffle(claims)
    return claims


class Writer:
    def __init__(self, round_, name, rng):
        self.round, self.ledger, self.name, self.rng = round_, round_.ledger, name, rng
        self.serial = 0
        self.requests = 0
        self.author = Author(rng, name)
        self.acts = (self.one, self.one, self.one, self.one, self.batch, self.lines, self.atomic, self.atomic_with_fault,
                     self.repeat, self.operation, self.operation, self.operation, self.operation, self.repeat_operation)

    def run(self):
        self.connection, self.asker = Connection(self.round.port), Connection(self.round.port)
        while not self.round.killed:
            self.requests += 1
            self.rng.choice(self.acts)()

    def fresh(self, count):
        self.serial += count
        return derived(self.rng, self.ledger, self.name, range(self.serial - count + 1, self.serial + 1))

    def operation(self):
        targets = self.ledger.pick_known(self.rng, 2)
        if len(targets) == 2:
            self.send_operation(self.author.make(targets))

    def repeat_operation(self):
        for operation in self.ledger.pick_operations(self.rng, 1):
            self.send_operation(operation)

    def send_operation(self, operation):
        answer = tell(self.connection, self.ledger, operation)
        if answer.status in (200, 201):
            self.author.took(operation)
            self.ask_about(operation)

    def ask_about(self, operation):
        """As with claims: at once, on any connection."""
        if self.rng.random() > 0.3:
            return
        self.requests += 1
        sequence = self.ledger.sequence_of(operation.id)
        item = expect(self.asker.get(f"/v1/feed?limit=1&cursor={sequence + 1}"), 200)["items"][0]
        shown = item.get("operation", {"kind": None, "id": None})
        if shown_id(shown) != operation.id or shown["sequence"] != sequence:
            raise Violation(f"{operation} was acknowledged with sequence {sequence}; there the feed has {item}")
        if "assertion_id" in operation.fields:
            trace = expect(self.asker.get(f"/v1/trace/{operation.fields['assertion_id']}"), 200)
            if operation.kind == "vote" and trace["votes"]["count"] == 0:
                raise Violation(f"{operation} was acknowledged; its claim has no vote: {trace}")
            if operation.kind == "retraction" and trace["status"] != "retracted":
                raise Violation(f"{operation} was acknowledged; its claim is {trace['status']}")

    def some(self, count):
        """New claims with a repeat here and there."""
        claims = self.fresh(count)
        if self.rng.random() < 0.4:
            claims += self.ledger.pick(self.rng, self.rng.randrange(1, 6))
            self.rng.shuffle(claims)
        return claims

    def one(self):
        self.send_one(self.fresh(1)[0])

    def repeat(self):
        for claim in self.ledger.pick(self.rng, 1):
            self.send_one(claim)

    def send_one(self, claim):
        known = self.ledger.sending([claim])
        answer = self.connection.post(self.rng.choice(("/v1/assert", "/v1/assertions")), claim.body)
        if answer.status == 503:
            return
        item = expect(answer, 200, 201)
        self.ledger.stored(claim, item, claim.id in known)
        if (answer.status == 201) != (item["status"] == "created"):
            raise Violation(f"status and body differ: {answer}")
        self.ask_for(claim)

    def batch(self):
        claims = self.some(self.rng.randrange(1, 30))
        self.send_batch("/v1/assert/batch", b"[" + b",".join(c.body for c in claims) + b"]", claims)

    def lines(self):
        claims = self.some(self.rng.randrange(1, 30))
        bad = self.rng.randrange(len(claims)) if self.rng.random() < 0.2 else None
        lines = [claim.body for claim in claims]
        if bad is not None:
            lines.insert(bad, b'{"concept_path":"crash/bad","predicate":"p","value":1,"confidence":2}')
            claims.insert(bad, None)
        self.send_batch("/v1/assert/batch", b"\n".join(lines), claims)

    def atomic(self):
        claims = self.some(self.rng.choice((2, 5, 20, 60, 300)))
        body = b"[" + b",".join(c.body for c in claims) + b"]"
        self.send_batch("/v1/assert/batch?atomic=true", body, claims, atomic=True)

    def atomic_with_fault(self):
        """One claim in it can't be taken, so none may be."""
        claims = self.fresh(self.rng.randrange(2, 10))
        self.ledger.sending(claims, atomic=True)
        bodies = [claim.body for claim in claims]
        bodies.insert(self.rng.randrange(len(bodies) + 1), b'{"concept_path":"crash/bad","confidence":0.5}')
        answer = self.connection.post("/v1/assert/batch?atomic=true", b"[" + b",".join(bodies) + b"]")
        self.ledger.refuse(claims)
        expect(answer, 400)

    def send_batch(self, target, body, claims, atomic=False):
        known = self.ledger.sending([claim for claim in claims if claim], atomic)
        answer = self.connection.post(target, body)
        if answer.status == 503:
            return
        results = expect(answer, 200, 201)["results"]
        if len(results) != len(claims):
            raise Violation(f"{len(claims)} claims, {len(results)} results")
        for claim, item in zip(claims, results):
            if claim:
                self.ledger.stored(claim, item, claim.id in known)
            elif item["status"] != "error":
                raise Violation(f"a claim with confidence 2 was taken: {item}")
        self.ask_for(self.rng.choice([claim for claim in claims if claim]))

    def ask_for(self, claim):
        """Acknowledged is visible: at once, on any connection, whichever way one asks."""
        if self.rng.random() > 0.3:
            return
        self.requests += 1
        sequence = self.ledger.sequence_of(claim.id)
        if self.rng.random() < 0.5:
            found = [expect(self.asker.get(f"/v1/assertions/{claim.id}"), 200)]
        else:
            question = {"concept_path": claim.path, "limit": 10_000, "status": "any"}
            if self.rng.random() < 0.3:
                question["lens"] = self.rng.choice(LENSES)
            answer = expect(self.asker.post("/v1/query", question), 200)
            self.ledger.saw(answer["as_of"]["sequence"])
            found = [a for a in answer["assertions"] if a["id"] == claim.id]
        if [a["sequence"] for a in found] != [sequence]:
            raise Violation(f"{claim.id} was acknowledged with sequence {sequence}; asked for it: {found}")


class Reader:
    def __init__(self, round_, name, rng):
        self.round, self.ledger, self.name, self.rng = round_, round_.ledger, name, rng
        self.requests = 0

    def run(self):
        connection = Connection(self.round.port)
        pause = threading.Event()
        while not self.round.killed:
            self.requests += 1
            self.ask(connection)
            pause.wait(self.rng.random() * 0.02)

    def ask(self, connection):
        picked = self.ledger.pick(self.rng, 1)
        if self.rng.random() < 0.2:
            self.ask_feed(connection)
            return
        path = self.rng.choice((picked[0].path if picked else "crash/none", "crash/*",
                                f"crash/alias/{self.rng.randrange(12)}", picked[0].path + "/*" if picked else "*"))
        question = {"concept_path": path, "limit": 50}
        if self.rng.random() < 0.6 and not path.endswith("*"):
            question["lens"] = self.rng.choice(LENSES)
        wanted = self.rng.choice((None, "any", "active", "retracted", "superseded"))
        if wanted:
            question["status"] = wanted
        told_before = self.ledger.seen
        if self.rng.random() < 0.5:
            answer = connection.post("/v1/query", question)
        else:
            answer = connection.get("/v1/query?" + urllib.parse.urlencode(question))
        answer = expect(answer, 200)
        as_of = answer["as_of"]["sequence"]
        self.ledger.saw(as_of)
        if as_of < told_before:
            raise Violation(f"the answer is of sequence {as_of}, but {told_before} had been told of before the question")
        for assertion in answer["assertions"]:
            if assertion["sequence"] > as_of or not self.ledger.may_be_there(assertion["id"]):
                raise Violation(f"an answer as of {as_of} shows what it can't: {json.dumps(assertion)}")
            if wanted != "any" and assertion["status"] != (wanted or "active"):
                raise Violation(f"asked for {wanted or 'active'} ones: {json.dumps(assertion)}")

    def ask_feed(self, connection):
        told_before = self.ledger.seen
        items = expect(connection.get("/v1/feed?limit=30"), 200)["items"]
        sequences = []
        for item in items:
            is_claim = item["type"] == "assertion"
            shown = item["assertion" if is_claim else "operation"]
            sequences.append(shown["sequence"])
            self.ledger.saw(shown["sequence"])
            if not self.ledger.may_be_there(shown["id"] if is_claim else shown_id(shown)):
                raise Violation(f"the feed shows what it can't: {json.dumps(shown)}")
        newest = sequences[0] if sequences else 0
        if sequences != list(range(newest, newest - len(sequences), -1)):
            raise Violation(f"the feed has holes: {sequences}")
        if newest < told_before:
            raise Violation(f"the feed begins at {newest}, but {told_before} had been told of before")
