#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Takes the disk away from the real server in every way that the fault layer (fault_layer.cc) knows, and holds what the
server comes back with against what its clients were told.

A campaign is a number of kill points. Three kinds of legs take turns:
  kill   many lives on one data directory: the n-th operation of some kind on some file, a random moment under many
         writers, in starts, rebuilds and stops; with nothing, everything or a random part of what is unsynced lost
  fault  every operation in turn fails with every error that it can have, then the power goes
  fresh  the same from the very first operation on, in an empty directory

The seed decides on everything but the timing of threads.
"""

import argparse
import collections
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from fault_leg import FaultLeg, Life
from faulty_server import adopt_orphans

SHORT_KILLS, LONG_KILLS = 520, 10_000
LIVES_PER_LEG = 40
FRESH_LIVES = 3  # of each directory in a fresh leg
FRESH_DIRECTORIES = 8
LOSSES = ("none", "later", "all", "all", "torn", "torn")
ERRORS = {
    "open": ("EMFILE", "EIO"), "create": ("ENOSPC", "EDQUOT", "EMFILE"), "write": ("EIO", "ENOSPC", "EDQUOT", "short"),
    "sync": ("EIO", "ENOSPC", "EDQUOT"), "truncate": ("EIO", "ENOSPC"), "allocate": ("ENOSPC", "EIO"),
    "rename": ("EIO", "ENOSPC"), "unlink": ("EIO",), "mkdir": ("ENOSPC", "EDQUOT", "EIO"), "map": ("ENOMEM", "EIO"),
    "dirsync": ("EIO", "ENOSPC"), "close": ("EIO",),
}
START_OPERATIONS = 75
STOP_CLASSES = ("records", "index", "metadata")


def kill_life(leg, rng):
    loss, remove = rng.choice(LOSSES), rng.choice((None,) * 8 + ("indexes", "."))
    small_map = rng.random() < 0.3
    side = rng.choice(("kill_before", "kill_after"))
    kind = rng.random()
    if kind < 0.3:
        return Life([f"{side}:*:*:{rng.randrange(1, START_OPERATIONS)}"], loss, small_map=small_map, remove=remove)
    if kind < 0.45:
        stall = rng.choice((0, 0, 10))
        rule = [] if stall == 0 else [f"kill_before:sync:wal:{rng.randrange(3, 12)}::{stall}"]
        return Life(rule, loss, load="writers", small_map=small_map, remove=remove)
    here = sorted(leg.counts) or [("write", "wal")]
    if kind < 0.65:
        here = [(k, c) for k, c in here if c in STOP_CLASSES] or [("write", "records")]
        operation, cls = rng.choice(here)
        count = leg.counts.get((operation, cls), 6)
        number = rng.randrange(max(1, count // 2), count + 2)  # the first ones are the start's
        return Life([f"{side}:{operation}:{cls}:{number}"], loss, end="stop", small_map=small_map, remove=remove)
    operation, cls = rng.choice(here)
    number = rng.randrange(1, leg.counts.get((operation, cls), 10) + 2)
    load = "until indexed" if rng.random() < 0.03 else "client"
    return Life([f"{side}:{operation}:{cls}:{number}"], loss, load=load, small_map=small_map, remove=remove)


def sharp_kills(rng):
    """What chance alone would seldom bring about. Lives that follow each other."""
    number = rng.randrange(3, 10)
    return rng.choice((
        # In the middle of a write.
        [Life([f"short:write:wal:{number},kill_before:write:wal:{number + 1}"], rng.choice(LOSSES), load="batches")],
        # Between write and sync.
        [Life([f"kill_before:sync:wal:{number}"], "torn", load="batches")],
        [Life([f"kill_after:write:wal:{number}"], "torn", load="batches")],
        # The process dies between write and sync, and the machine when what was read again has been shown.
        [Life([f"kill_before:sync:wal:{number}"], "later", load="batches"), Life([], "all", load="nothing")],
    ))


def sharp_faults(rng, small_map):
    """The log's writes that fail half-way while the clients go on; maps that can't grow while there are readers."""
    for _ in range(3):
        number = rng.randrange(3, 9)
        error = rng.choice(("ENOSPC", "EIO", "EDQUOT"))
        yield Life([f"short:write:wal:{number},{error}:write:wal:{number + 1}"], rng.choice(LOSSES), load="batches")
        yield Life([f"{error}:write:wal:{number}:{rng.choice((1, 2))}"], rng.choice(LOSSES), load="batches")
        yield Life([f"{error}:sync:wal:{number}"], rng.choice(LOSSES), load="batches")
    if small_map:
        for cls in ("records", "index"):
            yield Life(end="stop", small_map=True)  # else the next start has the growing to do, and refuses
            yield Life([f"ENOMEM:map:{cls}:2"], rng.choice(LOSSES), load="until indexed",
                       small_map=True)


def fault_rules(rng, error, operation, cls, number):
    rules = [f"{error}:{operation}:{cls}:{number}:{rng.choice((1, 1, 2, 0)) if error != 'short' else 1}"]
    if error == "short" and rng.random() < 0.5:
        rules.append(f"ENOSPC:{operation}:{cls}:{number + 1}:{rng.choice((1, 0))}")
    return rules


def fault_life(rng, turn):
    error, operation, cls, number, small_map = turn
    end = rng.choice(("kill", "kill", "stop"))
    return Life(fault_rules(rng, error, operation, cls, number), rng.choice(LOSSES), end=end, small_map=small_map,
                remove=rng.choice((None,) * 9 + (".",)))


def turns(counts, rng, every_one, small_map):
    """Each error of each operation: of all that a life has, or of one."""
    out = []
    for (operation, cls), count in sorted(counts.items()):
        for error in ERRORS.get(operation, ()):
            numbers = range(1, count + 1) if every_one else [rng.randrange(1, count + 1)]
            out += [(error, operation, cls, number, small_map) for number in numbers]
    rng.shuffle(out)
    return out


def run_kill_leg(leg, rng, options):
    for _ in range(LIVES_PER_LEG):
        for life in sharp_kills(rng) if rng.random() < 0.2 else [kill_life(leg, rng)]:
            leg.live(life)


def run_fault_leg(leg, rng, options):
    """A part of the turns; which, is the seed's choice."""
    small_map = rng.random() < 0.5
    for _ in range(3):
        leg.live(Life(loss="none", end="stop", small_map=small_map))
    for turn in turns(leg.counts, rng, options.every_one, small_map)[:LIVES_PER_LEG]:
        leg.live(fault_life(rng, turn))
    for life in sharp_faults(rng, small_map):
        leg.live(life)


def run_fresh_leg(leg, rng, options):
    """The first starts in empty directories."""
    for i in range(FRESH_DIRECTORIES):
        one = FaultLeg(options, f"{leg.name}.{i}", rng, os.path.join(leg.server.root, str(i)))
        leg.parts.append(one)
        for _ in range(FRESH_LIVES):
            number = rng.randrange(1, 140)
            action = rng.choice(("kill_before", "kill_after", "EIO", "ENOSPC", "EMFILE", "ENOMEM"))
            one.live(Life([f"{action}:*:*:{number}"], rng.choice(LOSSES[2:]), end=rng.choice(("kill", "stop"))))
        one.finish()


RUNS = {"kill": run_kill_leg, "fault": run_fault_leg, "fresh": run_fresh_leg}


def run_leg(options, number, kind):
    """In a process of its own. {"name", "tally", "failure", "root"}"""
    adopt_orphans()
    os.nice(options.nice)
    name = f"{kind} {number}"
    rng = random.Random(f"{options.seed}/{number}")
    root = tempfile.mkdtemp(prefix=f"stemedb-fault-{number}-", dir=options.scratch)
    leg = FaultLeg(options, f"{number}", rng, root)
    leg.parts = [leg]
    result = {"name": name, "root": root, "failure": None, "digest": ""}
    try:
        RUNS[kind](leg, rng, options)
        result["digest"] = leg.finish()
    except Exception as failure:  # whatever it is, the campaign has to tell it
        for part in leg.parts:
            if part.server.process:
                part.server.kill()
        result["failure"] = f"{type(failure).__name__}: {failure}"
        if options.verbose:
            traceback.print_exc()
    else:
        shutil.rmtree(root, ignore_errors=True)
    result["tally"] = sum((part.tally for part in leg.parts), collections.Counter())
    return result


def kinds():
    """Without end."""
    number = 0
    while True:
        for kind in ("kill", "fault", "kill", "fresh", "kill", "kill"):
            number += 1
            yield number, kind


def campaign(options):
    print(f"seed {options.seed}, {options.kills} kill points", flush=True)
    began, total, failures, pending = time.monotonic(), collections.Counter(), [], []
    source = kinds()
    if options.leg:
        source = iter([next((n, k) for n, k in kinds() if n == options.leg)])
    with multiprocessing.Pool(options.jobs, maxtasksperchild=1) as pool:
        while (total["kills"] < options.kills and not failures) or pending:
            while len(pending) < options.jobs and total["kills"] < options.kills and not failures:
                number_kind = next(source, None)
                if number_kind is None:
                    options.kills = 0
                    break
                pending.append(pool.apply_async(run_leg, (options, *number_kind)))
            done = next((one for one in pending if one.ready()), None)
            if not done:
                time.sleep(0.02)
                continue
            pending.remove(done)
            result = done.get()
            total += result["tally"]
            total["legs"] += 1
            print(f"{result['name']}: {total['kills']} kills, {total['faults']} faults so far, "
                  f"{time.monotonic() - began:.0f} s {result['digest'][:16]}", flush=True)
            if result["failure"]:
                failures.append(result)
                print(f"FAILED in leg {result['name']}: {result['failure']}\n"
                      f"The data directory and the log of all its starts are kept in {result['root']}\nTo repeat:\n"
                      f"  {sys.executable} {os.path.abspath(__file__)} --server {options.server} --lenses {options.lenses} "
                      f"--layer {options.layer} --seed {options.seed} --leg {result['name'].split()[1]}", flush=True)
    seconds = time.monotonic() - began
    if options.report:
        with open(options.report, "w", encoding="utf-8") as file:
            json.dump({"seed": options.seed, "seconds": round(seconds, 1), "tally": dict(sorted(total.items())),
                       "failures": failures}, file, indent=1)
    print(f"seed {options.seed}: {total['kills']} kill points ({total['kills in start']} in starts, "
          f"{total['kills in stop']} in stops, {total['power losses']} with the power lost), {total['faults']} injected faults, "
          f"{total['refused starts']} starts refused for one, {total['acknowledged']} acknowledgements, "
          f"{total['answers compared']} answers compared, {seconds:.0f} s: {len(failures)} failures")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--server", required=True, help="the program stemedb-api")
    parser.add_argument("--lenses", required=True, help="the directory of the lenses")
    parser.add_argument("--layer", required=True, help="the fault layer's library")
    parser.add_argument("--kills", type=int, help=f"default {SHORT_KILLS}")
    parser.add_argument("--long", action="store_true", help=f"{LONG_KILLS} kills; also by STEMEDB_TEST_LONG=1")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--leg", type=int, help="this leg alone")
    parser.add_argument("--jobs", type=int, default=2, help="legs at a time")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--scratch", help="where the data directories are made")
    parser.add_argument("--report", help="a file for the counts, as JSON")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    options.every_one = options.long or os.environ.get("STEMEDB_TEST_LONG", "") not in ("", "0")
    options.kills = options.kills or (LONG_KILLS if options.every_one else SHORT_KILLS)
    for name in ("server", "lenses", "layer"):
        setattr(options, name, os.path.abspath(getattr(options, name)))
    return campaign(options)


if __name__ == "__main__":
    sys.exit(main())
