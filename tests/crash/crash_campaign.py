#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the real server again and again while clients write to it, and holds what it comes back with against what the
clients were told.

A campaign is a number of kills, in legs of some fifteen with a data directory each. Every kill falls at a random moment,
into the load or into the start itself. Between kill and start the log is now and then torn as a crash of the machine
would tear it, and data/db/indexes or data/db is removed. At the end of a leg everything is checked claim by claim, and
copies of the log are damaged in the middle: the server must refuse them, and salvage what stands before.

The seed decides on everything but the timing of threads: a repeat with the same seed is alike, not the same.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import damage
import log_files
from checks import check_everything, check_operations_go_on, check_restarted, check_writes_go_on
from claims import random_claim
from http_connection import Connection
from ledger import Ledger, Violation
from server_program import ServerProgram, StartFailed
from workload import Workload

KILLS_PER_LEG = 15
SEGMENT_BYTES = 64 * 1024  # small, so that the log goes through many segments
SHORT_KILLS, LONG_KILLS = 36, 2_000
# A kill under load comes after 10 ms at least; mostly there are hundreds of acknowledgements. Fewer than this many for
# each such kill of a leg, on average, and it was no load.
ACKNOWLEDGED_PER_KILL_MIN = 3


class Leg:
    """One data directory and the kills that it survives."""

    def __init__(self, options, number, root):
        self.options, self.number = options, number
        self.rng = random.Random(f"{options.seed}/{number}")
        self.server = ServerProgram(options.server, options.lenses, root,
                                    ["--wal-segment-bytes", str(SEGMENT_BYTES), "--loops", str(self.rng.choice((1, 2)))])
        self.ledger = Ledger()
        self.db_is_needed = False  # the log alone doesn't hold everything any more
        self.kills = self.loads = self.requests = self.found = 0

    def run(self, kills):
        while self.kills < kills:
            self.note(f"kill {self.kills + 1}")
            self.maim()
            if self.kills and self.rng.random() < 0.2:
                self.kill_in_start()
            else:
                self.kill_under_load()
        self.finish()

    def note(self, text):
        with open(self.server.log_path, "a", encoding="utf-8") as log:
            log.write(f"--- leg {self.number}: {text}\n")
        if self.options.verbose:
            print(f"leg {self.number}: {text}", flush=True)

    def maim(self):
        """What a crash does to the files, and what an operator does to data/db."""
        if self.rng.random() < 0.55:
            self.note(log_files.tear(self.rng, self.server.wal_dir, self.ledger.seen) or "nothing to tear")
        chance = self.rng.random()
        if chance < 0.15:
            self.note("data/db/indexes removed")
            shutil.rmtree(os.path.join(self.server.db_dir, "indexes"), ignore_errors=True)
        elif chance < 0.3 and not self.db_is_needed:
            self.note("data/db removed")
            shutil.rmtree(self.server.db_dir, ignore_errors=True)

    def start(self):
        try:
            self.server.start()
        finally:
            # A torn write may have been synced and indexed a moment before its clients heard of it.
            self.db_is_needed |= "the log ends before the checkpoint" in self.server.log()

    def kill_in_start(self):
        self.note("killed while it starts")
        self.server.spawn()
        time.sleep(self.rng.random() * 0.15)
        if self.server.kill() != -9:
            raise StartFailed(self.server.process.returncode, self.server.log(), 0, 0)
        self.db_is_needed |= "the log ends before the checkpoint" in self.server.log()
        self.kills += 1

    def kill_under_load(self):
        self.start()
        connection = Connection(self.server.port)
        self.found = check_restarted(connection, self.ledger, self.rng)
        connection.close()
        load = Workload(self.server.port, self.ledger, self.options.seed, f"{self.number}.{self.kills}")
        time.sleep(self.rng.choice((0.02, 0.15, 0.4)) * (0.5 + self.rng.random()))
        ended = None if self.server.running() else self.server.process.returncode
        load.killed = True
        self.server.kill()
        self.kills += 1
        load.end()
        self.loads += 1
        self.requests += load.requests
        if ended is not None:
            raise Violation(f"the server ended by itself with exit code {ended}:\n{self.server.log()[-3000:]}")

    def finish(self):
        self.note("last checks")
        if self.ledger.acknowledged < self.loads * ACKNOWLEDGED_PER_KILL_MIN:
            raise Violation(f"{self.loads} loads had only {self.ledger.acknowledged} acknowledgements, "
                            f"of which at least {ACKNOWLEDGED_PER_KILL_MIN} each were expected")
        self.start()
        connection = Connection(self.server.port)
        check_restarted(connection, self.ledger, self.rng)
        check_writes_go_on(connection, self.ledger, random_claim(self.rng, f"{self.number}.end", 1),
                           self.ledger.pick(self.rng, 3))
        check_operations_go_on(connection, self.ledger, self.rng, f"{self.number}.end")
        check_everything(connection, self.ledger)
        self.found = len(self.ledger.known)
        connection.close()
        code, seconds = self.server.stop()
        if code != 0 or seconds > 5:
            raise Violation(f"SIGTERM: exit code {code} after {seconds:.1f} s:\n{self.server.log()[-3000:]}")
        damage.check(self, self.options.damages)


def print_repeat(options, root):
    print(f"The data directory, the log of all its starts and what was copied of it are kept in {root}\n"
          f"To repeat (the timing of threads will differ):\n"
          f"  {sys.executable} {os.path.abspath(__file__)} --server {options.server} --lenses {options.lenses} "
          f"--kills {options.kills} --seed {options.seed}", flush=True)


def campaign(options):
    print(f"seed {options.seed}, {options.kills} kills", flush=True)
    began, kills, number = time.monotonic(), 0, 0
    total = {"requests": 0, "acknowledged": 0, "found": 0, "segments": 0}
    while kills < options.kills:
        number += 1
        root = tempfile.mkdtemp(prefix=f"stemedb-crash-{number}-")
        leg = Leg(options, number, root)
        try:
            leg.run(min(KILLS_PER_LEG, options.kills - kills))
        except (Violation, StartFailed, AssertionError) as failure:
            leg.server.kill()
            print(f"FAILED in leg {number}, after {leg.kills} of its kills: {failure}")
            print_repeat(options, root)
            return 1
        except BaseException:
            if leg.server.process:
                leg.server.kill()
            print_repeat(options, root)
            raise
        kills += leg.kills
        total["requests"] += leg.requests
        total["acknowledged"] += leg.ledger.acknowledged
        total["found"] += leg.found
        total["segments"] += len(log_files.segment_paths(leg.server.wal_dir))
        shutil.rmtree(root)
        print(f"leg {number}: {kills} kills so far, {time.monotonic() - began:.0f} s", flush=True)
    print(f"seed {options.seed}: {kills} kills, {total['requests']} requests, {total['acknowledged']} acknowledgements, "
          f"{total['found']} claims and operations found in {total['segments']} segments: nothing lost, nothing invented")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--server", required=True, help="the program stemedb-api")
    parser.add_argument("--lenses", required=True, help="the directory of the lenses")
    parser.add_argument("--kills", type=int, help=f"default {SHORT_KILLS}")
    parser.add_argument("--long", action="store_true", help=f"{LONG_KILLS} kills; also by STEMEDB_TEST_LONG=1")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--damages", type=int, default=4, help="copies of the log to damage at the end of each leg")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    is_long = options.long or os.environ.get("STEMEDB_TEST_LONG", "") not in ("", "0")
    options.kills = options.kills or (LONG_KILLS if is_long else SHORT_KILLS)
    options.server, options.lenses = os.path.abspath(options.server), os.path.abspath(options.lenses)
    return campaign(options)


if __name__ == "__main__":
    sys.exit(main())
