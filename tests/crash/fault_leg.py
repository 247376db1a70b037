# SPDX-License-Identifier: Apache-2.0
"""One data directory, and one life of the server after the other on it, each with a fault, a kill or both.

After every life the files are read by others (stores.py); whenever the server serves, all that it has is held against
the ledger (checks.py); a leg's end compares every answer (answers.py).
"""

import collections
import os
import shutil
import signal
import time

import answers
from checks import check_everything, check_operations_go_on, check_restarted, check_writes_go_on
from claims import random_claim
from fault_client import Client
from faulty_server import FaultyServer
from http_connection import Connection, Disconnected
from ledger import Ledger, Violation
from server_program import StartFailed
from stores import Stores
from workload import Unexpected, Workload

INDEX_SECONDS_MAX = 10  # the index thread gathers for two seconds

SEGMENT_BYTES = 8192         # small, so that a life goes through several segments
SMALL_MAP_BYTES = 1 << 17    # two doublings or three in a leg
REFUSED_START_S_MAX = 10.0
STOP_S_MAX = 5.0


class Life:
    """What is to happen from one start to the next. `load`: nothing, client (one at a time), batches (the same with atomic
    ones mostly), until indexed (the same and a while), writers (many at a time). `end`: kill or stop, when no rule has
    killed before."""

    def __init__(self, rules=(), loss="none", load="client", end="kill", small_map=False, remove=None):
        self.rules, self.loss, self.load, self.end = rules, loss, load, end
        self.small_map, self.remove = small_map, remove

    def __str__(self):
        return (f"{','.join(self.rules) or 'no rule'}, loss {self.loss}, load {self.load}, end {self.end}"
                f"{', small map' if self.small_map else ''}{f', {self.remove} removed' if self.remove else ''}")


class FaultLeg:
    def __init__(self, options, name, rng, root):
        self.options, self.name, self.rng = options, name, rng
        self.server = FaultyServer(options.server, options.lenses, root, options.layer,
                                   ["--wal-segment-bytes", str(SEGMENT_BYTES), "--loops", str(rng.choice((1, 2)))])
        self.ledger = Ledger()
        self.tally = collections.Counter()
        self.counts = {}        # (kind, class) -> how many operations a life has
        self.served_starts = 0  # what metadata.json must not fall behind
        self.lives = 0

    def live(self, life):
        self.lives += 1
        with open(self.server.log_path, "a", encoding="utf-8") as log:
            log.write(f"--- {self.name}, life {self.lives}: {life}\n")
        if life.remove:
            shutil.rmtree(os.path.join(self.server.db_dir, life.remove), ignore_errors=True)
        self.server.arm(*life.rules, loss=life.loss, seed=self.rng.randrange(2**63),
                        map_bytes=SMALL_MAP_BYTES if life.small_map else 0)
        try:
            self.server.start()
        except StartFailed as failure:
            self.ended_in_start(failure)
        else:
            self.tally["starts"] += 1
            self.serve(life)
        if life.loss != "later" and os.path.exists(self.server.state_path):
            os.remove(self.server.state_path)
        return self.check_files()

    def ended_in_start(self, failure):
        code, report = self.server.ended()
        if code == -signal.SIGKILL:
            self.count_death(report, "start")
            return
        fired = report.fired()
        if code <= 0 or not fired:
            raise Violation(f"the start ended with exit code {code} after {fired or 'no fault'}:\n{failure.log[-3000:]}")
        if "ERROR" not in failure.log or failure.wall_s > REFUSED_START_S_MAX:
            raise Violation(f"a refusal without a word, or after {failure.wall_s:.1f} s:\n{failure.log[-3000:]}")
        self.tally["refused starts"] += 1
        self.count_faults(fired)

    def serve(self, life):
        try:
            self.check_served()
            if life.load == "writers":
                self.load_writers(life)
                return
            self.load(life)
        except Disconnected as gone:
            if self.server._wait(5) is None:
                raise Violation(f"the server hung up: {gone}") from gone
        self.end(life)

    def load(self, life):
        if life.load == "nothing":
            return
        client = Client(self.server, self.ledger, self.rng, f"{self.name}.{self.lives}")
        if life.load == "batches":
            client.acts = (client.atomic, client.atomic, client.batch, client.one, client.operation)
        client.run(self.rng.randrange(10, 16) if life.load != "client" else self.rng.randrange(3, 16))
        if life.load == "until indexed":
            self.wait_until_indexed()
            client.ask()
            client.run(4)

    def wait_until_indexed(self):
        """Until LMDB has everything, or a fault has struck."""
        connection = Connection(self.server.port)
        deadline = time.monotonic() + INDEX_SECONDS_MAX
        while time.monotonic() < deadline and not self.server.report().fired():
            health = connection.get("/v1/health").json()
            if health["checkpoint"] == health["sequence"]:
                self.tally["waits for the index"] += 1
                break
            time.sleep(0.02)
        connection.close()

    def check_served(self):
        connection = Connection(self.server.port)
        try:
            self.tally["records checked"] += check_restarted(connection, self.ledger, self.rng)
        except Unexpected as unexpected:
            if not self.server.report().fired():
                raise unexpected
            self.tally["walks refused by a fault"] += 1
        finally:
            connection.close()

    def load_writers(self, life):
        """Many at a time, and death on demand at a random moment (or by the rule)."""
        load = Workload(self.server.port, self.ledger, self.rng.random(), f"{self.name}.{self.lives}", writers=3, readers=1,
                        may_die=bool(life.rules))
        time.sleep(self.rng.random() * 0.06)
        load.killed = True
        self.end(life)
        load.end()

    def end(self, life):
        if self.server.running():
            if life.end == "stop":
                self.server.process.send_signal(signal.SIGTERM)
            else:
                self.server.die_now()
        began = time.monotonic()
        code, report = self.server.ended()
        fired = report.fired()
        self.count_faults(fired)
        if code == -signal.SIGKILL and report.first("killed"):
            self.count_death(report, "stop" if life.end == "stop" else "service")
        elif life.end == "stop" and (code == 0 or (code == 1 and fired)):
            self.tally["clean stops"] += 1
            if time.monotonic() - began > STOP_S_MAX:
                raise Violation(f"SIGTERM took {time.monotonic() - began:.1f} s:\n{self.server.log()[-2000:]}")
        else:
            raise Violation(f"the server ended with exit code {code} after {fired or 'no fault'}:\n"
                            f"{self.server.log()[-3000:]}")
        self.counts = report.counts()

    def count_death(self, report, when):
        self.tally["kills"] += 1
        self.tally[f"kills in {when}"] += 1
        words = report.first("killed").split()
        self.tally[f"killed {' '.join(words[:3])}" if words[0] == "before" else f"killed {' '.join(words[:2])}"] += 1
        lost = report.first("lost")
        if lost:
            self.tally["blocks lost"] += int(lost.split()[0])
            self.tally["names lost"] += int(lost.split()[5])
            self.tally["power losses"] += 1

    def count_faults(self, fired):
        self.tally["faults"] += len(fired)
        for one in {tuple(line.split()[:3]) for line in fired}:
            self.tally[f"fault {' '.join(one)}"] += 1

    def check_files(self):
        stores = Stores(self.server)
        ids = {record.id.hex() for record in stores.records}
        for one_id, (sequence, _) in self.ledger.known.items():
            if sequence > len(stores.records) or stores.records[sequence - 1].id.hex() != one_id:
                raise Violation(f"{one_id} was acknowledged as {sequence}; the log, of {len(stores.records)}, hasn't got it")
        back = self.ledger.refused & ids
        if back:
            raise Violation(f"refused, and in the log: {sorted(back)[:3]}")
        if len(ids) != len(stores.records):
            raise Violation(f"{len(stores.records)} records in the log with {len(ids)} ids")
        if stores.starts < self.served_starts:
            raise Violation(f"metadata.json says {stores.starts} starts, it has said {self.served_starts}")
        self.served_starts = stores.starts
        self.tally["files checked"] += 1
        return stores

    def finish(self):
        """Everything by HTTP, a clean stop, every answer."""
        self.server.arm()
        self.server.start()
        connection = Connection(self.server.port)
        check_restarted(connection, self.ledger, self.rng)
        check_writes_go_on(connection, self.ledger, random_claim(self.rng, f"{self.name}.end", 1),
                           self.ledger.pick(self.rng, 3))
        check_operations_go_on(connection, self.ledger, self.rng, f"{self.name}.end")
        check_everything(connection, self.ledger)
        connection.close()
        self.end(Life(end="stop"))
        stores = self.check_files()
        stores.check_complete(len(self.ledger.known))
        self.tally["answers compared"] += answers.check(self.server, stores, self.rng)
        self.tally["acknowledged"] += self.ledger.acknowledged
        self.tally["claims"] += len(stores.claims)
        self.tally["operations"] += len(stores.records) - len(stores.claims)
        return stores.digest()
