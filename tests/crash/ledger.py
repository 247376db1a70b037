# SPDX-License-Identifier: Apache-2.0
"""The ledger: what the clients sent, what they were told, and whether the two can both be true.

A claim, or an operation, is *pending* from the moment it is sent until an answer, or a walk through the restarted
server, settles it. Then it is *known*, and must be there for ever with the same sequence and time; or *lost*, and must
not come back by itself; or *refused*, and must never be there. Any number of threads.
"""

import threading


class Violation(Exception):
    """The server broke a promise."""


class Ledger:
    def __init__(self):
        self._lock = threading.Lock()
        self.claims = {}       # id -> Claim or Operation, everything ever sent
        self.known = {}        # id -> (sequence, recorded_at)
        self.by_sequence = {}  # sequence -> id, of the known ones
        self.pending = set()
        self.refused = set()
        self.refusals = []     # of operations, with the reason: (operation, code, what had been seen before it was sent)
        self.lost = set()
        self.created = set()   # ids that some client was told to have created
        self.groups = []       # of atomic batches: (ids that only this batch brings, all of its ids)
        self.group_members = set()
        self.seen = 0          # the highest sequence that any answer has shown
        self.acknowledged = 0  # answers that promised something

    def sending(self, claims, atomic=False):
        """Call before the bytes go out. Returns the ids that are known already: these must come back as duplicates."""
        with self._lock:
            fresh = [claim.id for claim in claims if claim.id not in self.claims]
            if atomic and len(fresh) > 1:
                self.groups.append((fresh, {claim.id for claim in claims}))
                self.group_members.update(fresh)
            for claim in claims:
                self.claims[claim.id] = claim
                if claim.id not in self.known:
                    self.pending.add(claim.id)
                    self.lost.discard(claim.id)
            return {claim.id for claim in claims if claim.id in self.known}

    def sending_operation(self, operation):
        """As `sending`. (whether it is known already, whether it was never sent before, the highest sequence seen)"""
        with self._lock:
            is_new, seen = operation.id not in self.claims, self.seen
        return operation.id in self.sending([operation]), is_new, seen

    def refuse(self, claims):
        """The server said that it took none of these."""
        with self._lock:
            for claim in claims:
                if claim.id not in self.known:
                    self.pending.discard(claim.id)
                    self.refused.add(claim.id)

    def was_refused(self, operation, code, seen):
        """The server gave a reason, which must hold at some moment from the sequence `seen` on."""
        with self._lock:
            self.refusals.append((operation, code, seen))

    def take_refusals(self):
        """All since the last call."""
        with self._lock:
            refusals, self.refusals = self.refusals, []
        return refusals

    def stored(self, claim, item, was_known):
        """The server's answer for one claim or operation: {status, id, sequence, recorded_at}."""
        told = (item["sequence"], item["recorded_at"])
        with self._lock:
            self.acknowledged += 1
            if any(item[name] != claim.id for name in claim.ID_FIELDS):
                raise Violation(f"{claim.canonical!r} has the id {claim.id}, the server answers {item}")
            if item["status"] == "created":
                if was_known or claim.id in self.created:
                    raise Violation(f"created a second time: {item}, known as {self.known.get(claim.id)}")
                self.created.add(claim.id)
            elif item["status"] != "duplicate":
                raise Violation(f"unexpected status: {item}")
            self._know(claim.id, told)

    def _know(self, claim_id, told):
        before = self.known.setdefault(claim_id, told)
        if before != told:
            raise Violation(f"{claim_id} was acknowledged as {before}, now it is {told}")
        holder = self.by_sequence.setdefault(told[0], claim_id)
        if holder != claim_id:
            raise Violation(f"sequence {told[0]} was given to {holder} and to {claim_id}")
        self.pending.discard(claim_id)
        self.seen = max(self.seen, told[0])

    def saw(self, sequence):
        """An answer spoke of everything up to `sequence`."""
        with self._lock:
            self.seen = max(self.seen, sequence)

    def sequence_of(self, claim_id):
        with self._lock:
            return self.known[claim_id][0]

    def may_be_there(self, claim_id):
        with self._lock:
            return claim_id in self.known or claim_id in self.pending

    def pick(self, rng, count):
        """Claims to repeat: known ones, and some of which nobody knows whether they arrived. No members of atomic
        batches while these are open: sent alone, they would not be bound to the others any more."""
        with self._lock:
            unsettled = [i for i in list(self.lost)[:40] + list(self.pending)[:40] if i not in self.group_members]
            return self._sample(rng, count, self._some_known(rng) + unsettled, is_claim=True)

    def pick_known(self, rng, count):
        """Claims that are there: what operations may be about, and other claims rest on."""
        with self._lock:
            return self._sample(rng, count, self._some_known(rng), is_claim=True)

    def pick_operations(self, rng, count):
        """Operations to repeat. None that another client may be sending: whether the server takes one depends on what it
        has got before, so the answer to the one would say nothing of the other."""
        with self._lock:
            return self._sample(rng, count, self._some_known(rng) + list(self.lost)[:40], is_claim=False)

    def _some_known(self, rng):
        return list(self.known) if len(self.known) < 500 else rng.sample(tuple(self.by_sequence.values()), 80)

    def _sample(self, rng, count, pool, is_claim):
        pool = [one for one in (self.claims[i] for i in pool) if one.is_claim == is_claim]
        return rng.sample(pool, min(count, len(pool)))

    def settle(self, found):
        """After a restart: `found` (id -> (sequence, recorded_at)) is everything that the server has."""
        with self._lock:
            missing = [i for i in self.known if i not in found]
            if missing:
                raise Violation(f"{len(missing)} acknowledged claims are gone, the first: {missing[0]} "
                                f"{self.known[missing[0]]}")
            for claim_id, told in found.items():
                if claim_id in self.refused:
                    raise Violation(f"{claim_id} was refused, and is there: {told}")
                if claim_id in self.lost:
                    raise Violation(f"{claim_id} was gone after an earlier restart, and has come back: {told}")
                if claim_id not in self.claims:
                    raise Violation(f"nobody ever sent {claim_id}: {told}")
                self._know(claim_id, told)
            self._settle_groups(found)
            survivors = len(found)
            self.lost |= self.pending
            self.pending.clear()
            return survivors

    def _settle_groups(self, found):
        by_sequence = {told[0]: claim_id for claim_id, told in found.items()}
        for fresh, everyone in self.groups:
            there = sorted(found[i][0] for i in fresh if i in found)
            if there and len(there) < len(fresh):
                raise Violation(f"{len(there)} of the {len(fresh)} claims of an atomic batch are there: {there}")
            # Between them may stand what the batch brought again after nobody had heard of its first arrival.
            if there and any(by_sequence[s] not in everyone for s in range(there[0], there[-1])):
                raise Violation(f"an atomic batch is scattered over the log: {there}")
        self.groups = [(fresh, everyone) for fresh, everyone in self.groups if fresh[0] not in found]
        self.group_members = {i for fresh, _ in self.groups for i in fresh}
