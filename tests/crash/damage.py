# SPDX-License-Identifier: Apache-2.0
"""Damage that no crash explains: a bit flipped where everything had been synced long ago.

The server must not start: it ends within a second with one line that names the file, the byte and the runbook, and
leaves the files as they are. With --wal-salvage it starts with what stands before the damage and keeps the rest aside.
"""

import os
import shutil
import subprocess

import log_files
from checks import check_order, check_writes_go_on, told, walk
from claims import random_claim
from http_connection import Connection
from ledger import Ledger, Violation
from server_program import ServerProgram

REFUSAL_CPU_S_MAX = 1.0   # CPU time: other programs on a busy machine don't count
REFUSAL_WALL_S_MAX = 10.0


def check(leg, count):
    """`leg`'s server is stopped and its log is whole."""
    for i in range(count):
        if i == 0 or leg.db_is_needed:
            _damage_header(leg, i)
        else:
            _damage_record(leg, i)


def _copy(leg, i, with_db):
    root = os.path.join(leg.server.root, f"damaged-{i}")
    server = ServerProgram(leg.server.program, leg.server.lenses, root, leg.server.flags)
    os.makedirs(os.path.dirname(server.wal_dir))
    shutil.copytree(leg.server.wal_dir, server.wal_dir)
    if with_db:  # sparse: its files are a map of a gigabyte with little in it
        subprocess.run(["cp", "-a", "--sparse=always", leg.server.db_dir, server.db_dir], check=True)
    return server


def _contents(directory):
    return {name: open(os.path.join(directory, name), "rb").read() for name in sorted(os.listdir(directory))
            if name.startswith("segment-")}


def _check_refused(server, path, offset):
    before = _contents(server.wal_dir)
    refused = server.fail_to_start()
    for part in ("Failed to recover WAL segment", os.path.basename(path), f"byte {offset}", "--wal-salvage",
                 "docs/operations/runbooks/"):
        if part not in refused.log:
            raise Violation(f"{path} was damaged at byte {offset}; the refusal doesn't say '{part}':\n{refused.log}")
    if refused.code <= 0:
        raise Violation(f"refused by exit code {refused.code}:\n{refused.log}")
    if refused.cpu_s > REFUSAL_CPU_S_MAX or refused.wall_s > REFUSAL_WALL_S_MAX:
        raise Violation(f"the refusal took {refused.wall_s:.2f} s, {refused.cpu_s:.2f} s of them CPU time")
    if _contents(server.wal_dir) != before:
        raise Violation("the refusal changed the log")


def _damage_header(leg, i):
    """Even with every record in data/db, a segment that isn't one any more stops the start."""
    server = _copy(leg, i, with_db=True)
    path = leg.rng.choice(log_files.segment_paths(server.wal_dir)[:-1])
    log_files.flip_bit(leg.rng, path, 0, 64)
    leg.note(f"header damage in {path}")
    _check_refused(server, path, 0)
    _check_salvaged(leg, server, told_at_least=leg.ledger.known)


def _damage_record(leg, i):
    server = _copy(leg, i, with_db=False)
    path = leg.rng.choice(log_files.segment_paths(server.wal_dir)[:-1])
    segment = log_files.Segment(path)
    number = leg.rng.randrange(len(segment.records))
    record = segment.records[number]
    log_files.flip_bit(leg.rng, path, record.offset, record.end)
    leg.note(f"damage in the record at byte {record.offset} of {path}")
    _check_refused(server, path, record.offset)
    # An atomic batch that has lost a record goes as a whole.
    while number > 0 and segment.records[number - 1].flags & log_files.MORE:
        number -= 1
    kept = segment.records[number].sequence - 1
    _check_salvaged(leg, server, {i: t for i, t in leg.ledger.known.items() if t[0] <= kept}, at_most=kept)


def _check_salvaged(leg, server, told_at_least, at_most=None):
    server.start("--wal-salvage")
    connection = Connection(server.port)
    found = walk(connection)
    check_order(found)
    there = told(found)
    wrong = [i for i in there if there[i] != leg.ledger.known.get(i)]
    missing = [i for i in told_at_least if i not in there]
    if wrong or missing or (at_most is not None and len(there) != at_most):
        raise Violation(f"salvage kept {len(there)} records of {len(told_at_least)} before the damage; "
                        f"{len(missing)} are missing, {len(wrong)} are not as they were")
    if not any(".damaged-" in name for name in os.listdir(server.wal_dir)):
        raise Violation("salvage kept nothing aside")
    check_writes_go_on(connection, Ledger(), random_claim(leg.rng, "salvage", 1), [])
    connection.close()
    server.kill()
    server.start()  # without the flag: the log is whole again
    connection = Connection(server.port)
    if len(walk(connection)) != len(there) + 1:
        raise Violation("what was written after the salvage is gone after a restart")
    connection.close()
    server.kill()
    shutil.rmtree(server.root)
