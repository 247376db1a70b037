# SPDX-License-Identifier: Apache-2.0
"""Log, records and index, read from their files by programs that aren't the server: log_files.py and LMDB's own
mdb_dump. Whatever moment a process ended at, docs/wal-format.md and docs/index-layout.md must hold:

- the log is whole but for its end;
- assertions.kv holds the log up to its checkpoint, to the byte, and nothing else;
- indexes/ holds what follows from the log up to its own checkpoint, which isn't ahead of the other;
- without a checkpoint either may hold what a loading that was broken off has put there: part of what the log says, and in
  assertions.kv under the mark `loading` alone;
- metadata.json, when it is there, is whole.
"""

import hashlib
import json
import os
import struct
import subprocess

from ledger import Violation
from log_files import MORE, Segment, segment_paths

CHECKPOINT = struct.Struct("<II QQq 32s")


class StoredClaim:
    """A record's bytes, taken apart as engine/model/claim_record.h lays them out."""

    def __init__(self, payload):
        value, path, predicate, canonical, epoch, derived = struct.unpack_from("<IHHIHH", payload, 48)
        source, = struct.unpack_from("<H", payload, 6)
        self.id = payload[64:96]
        self.row = payload[:128 + value + source + epoch]
        at = len(self.row)
        self.path = payload[at:at + path]
        self.predicate = payload[at + path:at + path + predicate]
        self.canonical = payload[len(payload) - canonical:]


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
    if assertions != sequence or (sequence and log[sequence - 1].chain != chain):
        raise Violation(f"{path}: the checkpoint at {sequence} says {assertions} assertions and the chain {chain.hex()}")
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
        self.claims = [StoredClaim(record.payload) for record in self.log]
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
        check(path, "ids", databases.get("ids", {}), {c.id: big(r.sequence) for c, r in zip(self.claims, log)})
        return 0 if is_loading else len(log)

    def _check_index(self, path):
        databases = dump(path)
        if databases is None:
            return 0
        covers = len(covered(path, databases, self.log))
        check, log = (same, self.log[:covers]) if covers else (part_of, self.log)
        claims = self.claims[:len(log)]
        check(path, "claims", databases.get("claims", {}),
              {c.path + b"\0" + c.predicate + b"\0" + big(r.sequence): c.row for c, r in zip(claims, log)})
        # Concepts come last, each transaction with all of what it counts.
        check(path, "concepts", databases.get("concepts", {}), concepts_of(claims))
        return covers

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
            raise Violation(f"after a clean stop there are {count} claims by HTTP, {len(self.log)} in the log, "
                            f"{self.records_at} in assertions.kv and {self.index_at} in the index")
