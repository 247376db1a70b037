# SPDX-License-Identifier: Apache-2.0
"""Log, records and index, read from their files by programs that aren't the server: log_files.py and LMDB's own
mdb_dump. Whatever moment a process ended at, docs/wal-format.md and docs/index-layout.md must hold:

- the log is whole but for its end;
- assertions.kv holds the log up to its checkpoint, to the byte, and nothing else;
- indexes/ holds what follows from the log up to its own checkpoint, which isn't ahead of the other: rows with their
  marks, concepts, operations by subject with their tallies, each agent's votes, and what rests on what;
- without a checkpoint either may hold what a loading that was broken off has put there: part of what the log says, and in
  assertions.kv under the mark `loading` alone;
- metadata.json, when it is there, is whole.
"""

import hashlib
import json
import math
import os
import struct
import subprocess

import claims as claim_ids
import operations as operation_ids
from ledger import Violation
from log_files import MORE, Segment, segment_paths

CHECKPOINT = struct.Struct("<II QQq 32s")
LAYOUT = b"3"
KIND_CLAIM, KIND_OPERATION = 1, 2  # of a record of the log
HAS_PARENT, HAS_VOTES, HAS_OPERATIONS = 8, 64, 128  # byte 5 of a row
KINDS = ("vote", "supersession", "retraction", "epoch", "source", "source_status", "alias", "trust")
SIGNER_BYTES = 96


def cut(data, *sizes):
    """The parts of which it is made."""
    parts, at = [], 0
    for size in sizes:
        parts.append(data[at:at + size])
        at += size
    if at != len(data):
        raise Violation(f"a record of {len(data)} bytes, whose lengths add up to {at}")
    return parts


def signed(canonical, signers):
    """As a client sends it."""
    if not signers:
        return canonical
    parts = [signers[i:i + SIGNER_BYTES] for i in range(0, len(signers), SIGNER_BYTES)]
    signatures = [{"agent_id": part[:32].hex(), "signature": part[32:].hex()} for part in parts]
    return canonical[:-1] + b',"signatures":' + json.dumps(signatures).encode() + b"}"


class StoredClaim:
    """A record's bytes, taken apart as engine/model/claim_record.h lays them out."""

    is_claim = True

    def __init__(self, payload):
        value, path, predicate, canonical, epoch, derived = struct.unpack_from("<IHHIHH", payload, 48)
        source, = struct.unpack_from("<H", payload, 6)
        parent = 32 if payload[5] & HAS_PARENT else 0
        self.id = payload[64:96]
        self.row, self.path, self.predicate, parent, derived, signers, self.canonical = cut(
            payload, 128 + value + source + epoch, path, predicate, parent, 32 * derived, payload[4] * SIGNER_BYTES,
            canonical)
        self.body = signed(self.canonical, signers)
        self.source = self.row[128 + value:128 + value + source]
        self.parents = [parent] if parent else []
        self.derived_from = [derived[i:i + 32] for i in range(0, len(derived), 32)]
        if self.id.hex() != claim_ids.id_of(self.canonical):
            raise Violation(f"a claim's id isn't that of its text: {self.canonical!r}")

    def links(self, sequence):
        """Keys of the table `links`."""
        for letter, ids in ((b"p", self.parents), (b"d", self.derived_from)):
            yield from (letter + one + big(sequence) for one in ids)
        if self.source:
            yield b"s" + name_key(self.source) + big(sequence)


class StoredOperation:
    """Likewise, engine/model/operation_record.h. Its subjects are found from its text, and must be those of its row."""

    is_claim = False

    def __init__(self, payload):
        if payload[0] != 129:
            raise Violation(f"an operation's record begins with {payload[0]}")
        self.kind = KINDS[payload[1] - 1]
        first, second, canonical = struct.unpack_from("<HHI", payload, 120)
        self.timestamp, = struct.unpack_from("<q", payload, 8)
        self.id, self.agent = payload[24:56], payload[56:88]
        self.row, signers, self.canonical = cut(payload, 128 + first + second, payload[3] * SIGNER_BYTES, canonical)
        self.body = signed(self.canonical, signers)
        if self.id.hex() != operation_ids.id_of(self.kind, self.canonical):
            raise Violation(f"a {self.kind}'s id isn't that of its text: {self.canonical!r}")
        self.fields = json.loads(self.canonical)
        if self.fields["timestamp"] != claim_ids.rfc3339(self.timestamp):
            raise Violation(f"a {self.kind} of {self.fields['timestamp']}, its row says {self.timestamp}")
        self.subjects = subjects_of(self.kind, self.fields)
        said = [(payload[6:7], self.row[128:128 + first])]
        if payload[7]:
            said.append((payload[7:8], self.row[128 + first:]))
        if said != self.subjects:
            raise Violation(f"a {self.kind} is about {self.subjects}, its row says {said}")
        self.weight = units(self.fields["weight"]) if self.kind == "vote" else 0
        self.retracts = self.kind == "retraction" or (self.kind == "source_status" and self.fields["status"] == "retracted")


def parse(record):
    if record.kind not in (KIND_CLAIM, KIND_OPERATION):
        raise Violation(f"a record of type {record.kind} at sequence {record.sequence}")
    return (StoredClaim if record.kind == KIND_CLAIM else StoredOperation)(record.payload)


def subjects_of(kind, fields):
    """(letter, name) by docs/index-layout.md: what an operation is about."""
    def one(letter, name):
        return letter, bytes.fromhex(name) if letter in b"avrt" else name.encode()
    if kind == "vote":
        return [one(b"v", fields["assertion_id"])]
    if kind == "supersession":
        return [one(b"a", fields["target"]), one(b"r", fields["replacement"])]
    if kind == "epoch":
        return [one(b"e", fields["name"])] + ([one(b"o", fields["supersedes"])] if "supersedes" in fields else [])
    if kind in ("source", "source_status"):
        return [one(b"s", fields["id"])]
    if kind == "alias":
        return [one(b"l", fields["alias"]), one(b"q", fields["concept_path"])]
    if kind == "trust":
        return [one(b"t", fields["agent"])]
    if "assertion_id" in fields:
        return [one(b"a", fields["assertion_id"])]
    if "source_id" in fields:
        return [one(b"s", fields["source_id"])]
    path = fields["concept_path"]
    if not path.endswith("/*"):
        return [one(b"p", path)]
    return [one(b"b", path[:-1] if path.endswith("://*") else path[:-2])]


def units(weight):
    """Weights are counted in 10^-9."""
    return math.floor(weight * 1e9 + 0.5)


def name_key(name):
    """A path, or another name, as it stands in keys."""
    if len(name) > 320:
        name = name[:287] + b"\1" + hashlib.sha256(name).hexdigest()[:32].encode()
    return name + b"\0"


class OperationTables:
    """The tables that operations make, from a list of (sequence, StoredOperation) in the order of the log."""

    def __init__(self, operations):
        self.operations, self.newest, self.marks = {}, {}, {}
        votes, tallies = {}, {}
        for sequence, operation in operations:
            value = operation.row
            if operation.kind == "vote":
                claim = operation.subjects[0][1]
                key = claim + operation.agent
                count, weight = tallies.get(claim, (0, 0))
                before, vote_id = votes.get(key), operation.row[24:56]
                if before is None or (before[0], before[2]) < (operation.timestamp, vote_id):
                    count, weight = count + (before is None), weight + operation.weight - (before[1] if before else 0)
                    votes[key] = operation.timestamp, operation.weight, vote_id
                tallies[claim] = count, weight
                value += struct.pack("<QQ", count, weight)
            for letter, name in operation.subjects:
                self.operations[letter + name_key(name) + big(sequence)] = value
                self.newest[b"newest:" + letter] = big(sequence)
                mark = {b"v": HAS_VOTES, b"a": HAS_OPERATIONS}.get(letter, 0)
                self.marks[name] = self.marks.get(name, 0) | mark
            if operation.retracts:
                if operation.fields.get("cascade"):
                    self.newest[b"newest:C"] = big(sequence)
                if operation.subjects[0][0] == b"s":
                    self.newest[b"newest:S"] = big(sequence)
        self.votes = {key: struct.pack("<qQ32s", *ballot) for key, ballot in votes.items()}

    def marked(self, claim):
        """The claim's row as it stands in the index."""
        row = bytearray(claim.row)
        row[5] |= self.marks.get(claim.id, 0)
        return bytes(row)


def read_log(wal_dir):
    """The records of whole groups, in order. The end of the last segment may be anything."""
    records, segments = [], [Segment(path) for path in segment_paths(wal_dir)]
    for i, segment in enumerate(segments):
        is_last = i + 1 == len(segments)
        if not segment.has_header:
            if not is_last:
                raise Violation(f"{segment.path} has no header, and isn't the last segment")
            break
        due = (records[-1].sequence + 1, records[-1].chain) if records else (1, bytes(32))
        if segment.start != due:
            raise Violation(f"{segment.path} begins at {segment.start[0]}, {due[0]} is due")
        # An unborn segment may follow the torn one: the server cuts first and then goes on.
        if not segment.whole() and not is_last:
            raise Violation(f"{segment.path} is not whole, and isn't the last segment")
        found = segment.records
        while found and found[-1].flags & MORE:
            found.pop()
        records += found
    return records


def dump(path, *options):
    """What mdb_dump tells of an LMDB environment: name -> {key: value}. None when there is none."""
    file = os.path.join(path, "data.mdb") if os.path.isdir(path) else path
    if not os.path.exists(file) or os.path.getsize(file) == 0:
        return None
    done = subprocess.run(["mdb_dump", "-a", *options, path], capture_output=True)
    if b"does not contain multiple databases" in done.stderr:
        return {}  # just made
    if done.returncode != 0:
        raise Violation(f"mdb_dump {path}: exit code {done.returncode}, {done.stderr.decode().strip()}")
    databases, key = {}, None
    for line in done.stdout.split(b"\n"):
        if line.startswith(b"database="):
            database = databases.setdefault(line[9:].decode(), {})
        elif line.startswith(b" "):
            if key is None:
                key = bytes.fromhex(line.decode())
            else:
                database[key], key = bytes.fromhex(line.decode()), None
    return databases


def checkpoint_of(path, databases):
    """(sequence, assertions, chain)"""
    found = databases.get("meta", {}).get(b"checkpoint")
    if found is None:
        return 0, 0, bytes(32)
    version, zero, sequence, assertions, _, chain = CHECKPOINT.unpack(found)
    if (version, zero) != (1, 0):
        raise Violation(f"{path}: a checkpoint of version {version}")
    return sequence, assertions, chain


def covered(path, databases, log):
    """The records of the log that the environment's checkpoint covers."""
    sequence, assertions, chain = checkpoint_of(path, databases)
    if sequence > len(log):
        raise Violation(f"{path} is at sequence {sequence}, the log ends at {len(log)}")
    claims = sum(record.kind == KIND_CLAIM for record in log[:sequence])
    if assertions != claims or (sequence and log[sequence - 1].chain != chain):
        raise Violation(f"{path}: the checkpoint at {sequence} says {assertions} assertions and the chain {chain.hex()}; "
                        f"there are {claims}")
    return log[:sequence]


def same(path, name, found, wanted):
    if found == wanted:
        return
    missing, extra = [k for k in wanted if k not in found], [k for k in found if k not in wanted]
    raise Violation(f"{path}, {name}: {len(found)} entries, {len(wanted)} expected; {len(missing)} missing, {len(extra)} "
                    f"too many, {len([k for k in wanted if k in found and found[k] != wanted[k]])} different; "
                    f"{(missing + extra)[:3]}")


def part_of(path, name, found, whole):
    """What a loading that was broken off may have left."""
    strange = [key for key, value in found.items() if whole.get(key) != value]
    if strange:
        raise Violation(f"{path}, {name}: {len(strange)} of {len(found)} entries of a broken-off loading aren't what the "
                        f"log says; {strange[:3]}")


def concepts_of(claims):
    counts = {}
    for claim in claims:
        parts = claim.path.split(b"/")
        for depth in range(len(parts), 0, -1):
            here_below = counts.setdefault(b"/".join(parts[:depth]), [0, 0])
            here_below[depth != len(parts)] += 1
    return {path: struct.pack("<QQ", *both) for path, both in counts.items()}


def big(number):
    return struct.pack(">Q", number)


class Stores:
    """A data directory at rest. Raises Violation when its parts don't agree."""

    def __init__(self, server):
        self.log = read_log(server.wal_dir)
        self.records = [parse(record) for record in self.log]
        self.claims = [record for record in self.records if record.is_claim]
        self.records_at = self._check_records(os.path.join(server.db_dir, "assertions.kv"))
        self.index_at = self._check_index(os.path.join(server.db_dir, "indexes"))
        if self.index_at > self.records_at:
            raise Violation(f"the index is at {self.index_at}, the records at {self.records_at}")
        self._check_metadata(os.path.join(os.path.dirname(server.wal_dir), "metadata.json"))

    def _check_records(self, path):
        databases = dump(path, "-n")
        if databases is None:
            return 0
        log = covered(path, databases, self.log)
        is_loading = not log and b"loading" in databases.get("meta", {})
        check, log = (part_of, self.log) if is_loading else (same, log)
        check(path, "records", databases.get("records", {}),
              {big(r.sequence): struct.pack("<q", r.recorded_at) + r.payload for r in log})
        check(path, "ids", databases.get("ids", {}), {one.id: big(r.sequence) for one, r in zip(self.records, log)})
        return 0 if is_loading else len(log)

    def _check_index(self, path):
        databases = dump(path)
        if databases is None:
            return 0
        covers = len(covered(path, databases, self.log))
        meta = dict(databases.get("meta", {}))
        layout = [meta.pop(name, None) for name in (b"checkpoint", b"layout")][1]
        if covers:
            if layout != LAYOUT:
                raise Violation(f"{path} has a checkpoint and the layout {layout}")
            check, tables, end = same, self._tables(covers), covers
        else:
            # Operations come last and in the order of the log, each transaction with all that follows from them.
            newest = max((int.from_bytes(key[-8:], "big") for key in databases.get("operations", {})), default=0)
            check, tables, end = part_of, self._tables(newest), len(self.log)
        claims = [(i + 1, one) for i, one in enumerate(self.records[:end]) if one.is_claim]
        check(path, "claims", databases.get("claims", {}),
              {name_key(c.path) + c.predicate + b"\0" + big(i): tables.marked(c) for i, c in claims})
        check(path, "concepts", databases.get("concepts", {}), concepts_of([claim for _, claim in claims]))
        check(path, "links", databases.get("links", {}), {key: b"" for i, claim in claims for key in claim.links(i)})
        for name, found, wanted in (("operations", databases.get("operations", {}), tables.operations),
                                    ("votes", databases.get("votes", {}), tables.votes), ("meta", meta, tables.newest)):
            same(path, name, found, wanted)
        return covers

    def _tables(self, end):
        return OperationTables([(i + 1, one) for i, one in enumerate(self.records[:end]) if not one.is_claim])

    def _check_metadata(self, path):
        self.starts = 0
        if not os.path.exists(path):
            return
        with open(path, "rb") as file:
            text = file.read()
        try:
            self.starts = json.loads(text)["starts"]
        except (ValueError, KeyError) as error:
            raise Violation(f"{path} is not whole: {text!r}") from error

    def digest(self):
        """Of what the log says; after a check that the others say the same."""
        digest = hashlib.sha256()
        for record in self.log:
            digest.update(struct.pack("<Qq", record.sequence, record.recorded_at) + record.payload)
        return digest.hexdigest()

    def check_complete(self, count):
        """After a clean stop everything is everywhere."""
        if (len(self.log), self.records_at, self.index_at) != (count, count, count):
            raise Violation(f"after a clean stop there are {count} records by HTTP, {len(self.log)} in the log, "
                            f"{self.records_at} in assertions.kv and {self.index_at} in the index")
