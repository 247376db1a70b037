#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reloads under load: a lens is replaced again and again while 64 connections ask it, by the watch of the directory and
by POST …/reload in turn. One step in ten breaks something, each kind of break in its turn, by chance.

No answer may fail or be a mix of two versions: the lens writes its number into the confidence and the explanation, and
both must agree with version and SHA-256 of the same answer. The version of each answer must have been live at some
moment between question and answer; one that was refused must never have been; memory must not grow.

Two breaks are meant to be seen by clients, and only while they last. A version that fails on claims which came after it
went live: the fallback answers and names it, until the server has taken it back by itself. And the lens's file is gone:
404 unknown_lens, until it is back.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))

from busy_clients import BusyClients
from server_program import ServerProgram

SHORT, LONG = 120, 1000
CONNECTIONS = 64
GROWTH_MAX = 1.05
POLL_MS = 20
PATIENCE_S = 60

SPEC = """-- SPDX-License-Identifier: Apache-2.0
return { { claim = "the newest wins", given = { { value = "old", age_s = 9 }, { value = "new" } },
           expect = { winner = 2 } } }
"""


def lens(name, number, body="", winner=1):
    return f"""-- SPDX-License-Identifier: Apache-2.0
local NUMBER = {number}
return {{
  kind = "lens", api = 1, name = "{name}", version = "1.0.{number}", description = "number {number}",
  resolve = function(ctx, candidates)
    {body}
    return {{ winner = {winner}, confidence = NUMBER / 100000, explain = "number " .. NUMBER }}
  end,
}}
"""


def fails_on(source):
    return f'for i = 1, #candidates do if candidates[i].source == "{source}" then error("{source}") end end'


# Each gives a text that must never answer, and the result that the server must give it.
BROKEN = {
    "syntax": lambda n: (lens("target", n).replace("return {", "return {{", 1), "failed_compile"),
    "half": lambda n: (lens("target", n)[:150], "failed_compile"),
    "metadata": lambda n: (lens("target", n).replace("api = 1", "api = 7"), "failed_describe"),
    "spec": lambda n: (lens("target", n, winner="#candidates"), "failed_spec"),
    "self-check": lambda n: (lens("target", n, 'if #candidates > 2 then error("many") end'), "failed_check"),
    "shadow": lambda n: (lens("target", n, fails_on("real")), "failed_shadow"),
}
OTHER_BREAKS = ["vanishing", "half, in place", "live data"]
GONE = 0  # instead of a version's number: there was none


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Campaign:
    def __init__(self, options, root, rng):
        self.any_growth = options.any_growth
        self.count, self.rng, self.root = options.count, rng, root
        self.lenses = os.path.join(root, "lenses")
        os.mkdir(self.lenses)
        self.write("target_spec.lua", SPEC)
        self.write("target.lua", lens("target", 1))
        self.write("extra.lua", lens("extra", 1))
        self.server = ServerProgram(os.path.abspath(options.server), self.lenses, root, ["--loops", "2"])
        self.server.environment["STEMEDB_SCRIPTS_POLL_MS"] = str(POLL_MS)
        # What waits in memory while the disk is slow (some 20 MiB at this rate) isn't what is judged here.
        self.server.environment["STEMEDB_AUDIT_QUERIES"] = "false"
        # Full before the memory is looked at first: answers of versions that are gone stay until others need the room.
        self.server.environment["STEMEDB_ANSWER_CACHE_BYTES"] = "262144"
        self.server.environment["STEMEDB_POLICIES_DIR"] = os.path.join(root, "policies")
        os.mkdir(os.path.join(root, "policies"))
        self.server.start()
        self.base = f"http://127.0.0.1:{self.server.port}"
        self.number, self.live = 1, 1
        self.hashes = {1: sha256(lens("target", 1))}  # of every version that was meant to be live
        self.spans = {1: [[0.0, float("inf")]], GONE: []}  # when it may have been live: each time [first, last]
        self.safe = 1        # where the server goes back to by itself: no later one is live for a whole probation
        self.replaced = {}   # by number of a version that fails on live data: how often another lens stood in
        self.breaks = []     # that are still to come in this round
        self.results = {}

    def write(self, name, text):
        """As editors save: the new file takes the old one's name."""
        path = os.path.join(self.lenses, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def script(self, name="target"):
        return self.call("GET", "/v1/admin/scripts/" + name)[1]

    def wait(self, what, condition):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            seen = self.script(what)
            if condition(seen):
                return seen
            assert time.monotonic() < deadline, f"{what} didn't come to what was expected: {seen}"
            time.sleep(0.005)

    def check(self, status, answer):
        """The number of the version that was asked; every trace of it in the answer must say the same."""
        if status == 404 and answer["code"] == "unknown_lens" and "'target'" in answer["detail"]:
            return GONE  # whether it was gone then, check_times looks
        assert status == 200, f"{status} {answer}"
        number = self.number_of(answer["lens"])
        resolution = answer["resolutions"][0]
        assert resolution["explain"] == f"number {number}", f"a mixed answer: {answer}"
        assert round(resolution["confidence"] * 100000) == number, f"a mixed answer: {answer}"
        if "fallback_from" not in answer:
            assert answer["lens"]["name"] == "target", answer
            assert answer["lens"]["sha256"] == self.hashes.get(number), f"a version that was never live: {answer}"
            return number
        assert (answer["lens"]["name"], number) == ("extra", 1), answer
        failed = answer["fallback_from"]
        number = self.number_of(failed["lens"])
        assert failed["code"] == "lens_failed" and f"late-{number}" in failed["detail"], answer
        assert failed["lens"]["sha256"] == self.hashes[number], answer
        self.replaced[number] += 1  # a KeyError here: one that must not fail has failed
        return number

    @staticmethod
    def number_of(lens_name):
        return int(lens_name["version"].rsplit(".", 1)[1])

    def resident(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

    # The steps

    def put_good(self, in_place=False):
        self.number += 1
        self.put(lens("target", self.number), in_place)

    def put(self, text, in_place=False):
        self.hashes[self.number] = sha256(text)
        self.spans[self.number] = [[time.monotonic(), float("inf")]]
        if in_place:
            with open(os.path.join(self.lenses, "target.lua"), "w", encoding="utf-8") as file:
                file.write(text)
        else:
            self.write("target.lua", text)
        if self.rng.random() < 0.5:
            status, report = self.call("POST", "/v1/admin/scripts/target/reload")
            assert status == 200 and report["result"] in ("ok", "unchanged"), report
            assert report["sha256"] == self.hashes[self.number], report
            self.count_result("by request")
        else:
            self.wait("target", lambda seen: seen["sha256"] == self.hashes[self.number])
            self.count_result("by the watch")
        self.spans[self.live][-1][1] = time.monotonic()
        self.live = self.number

    def put_broken(self):
        if not self.breaks:
            self.breaks = sorted(BROKEN) + OTHER_BREAKS
            self.rng.shuffle(self.breaks)
        stage = self.breaks.pop()
        self.count_result("broken: " + stage)
        if stage == "vanishing":
            return self.vanish()
        if stage == "live data":
            return self.put_failing_on_live_data()
        if stage == "half, in place":
            with open(os.path.join(self.lenses, "target.lua"), "w", encoding="utf-8") as file:
                file.write(lens("target", self.number + 1)[:150])
            self.wait("target", lambda seen: seen["last_result"]["result"] == "failed_compile")
            return self.put_good(in_place=True)
        self.number += 1
        text, result = BROKEN[stage](self.number)
        self.write("target.lua", text)
        if self.rng.random() < 0.5:
            status, problem = self.call("POST", "/v1/admin/scripts/target/reload")
            assert status == 422 and problem["code"] == "script_refused", problem
            assert problem["detail"].startswith(result), (stage, problem)
        seen = self.wait("target", lambda seen: seen.get("last_error", {}).get("sha256") == sha256(text))
        assert seen["last_error"]["stage"] == result, (stage, seen)
        assert seen["last_error"]["file"].startswith("target"), seen
        assert seen["sha256"] == self.hashes[self.live], seen

    def vanish(self):
        """The lens that everybody asks; it comes back as a new script, with nothing before it to go back to."""
        path = os.path.join(self.lenses, "target.lua")
        self.spans[GONE].append([time.monotonic(), float("inf")])
        os.rename(path, path + ".away")
        self.wait("target", lambda seen: not seen["live"])
        self.spans[self.live][-1][1] = time.monotonic()
        self.spans[self.live].append([time.monotonic(), float("inf")])
        os.rename(path + ".away", path)
        seen = self.wait("target", lambda seen: seen["live"])
        self.spans[GONE][-1][1] = time.monotonic()
        assert seen["sha256"] == self.hashes[self.live], seen
        self.safe = self.live

    def put_failing_on_live_data(self):
        """Nothing before the swap can find it: the claim that it fails on isn't there yet."""
        self.number += 1
        failing, source = self.number, f"late-{self.number}"
        self.replaced[failing] = 0
        self.put(lens("target", failing, fails_on(source)))
        self.spans[self.safe].append([time.monotonic(), float("inf")])
        status, answer = self.call("POST", "/v1/assert", {
            "concept_path": "c", "predicate": "p", "value": source, "confidence": 0.5,
            "source": {"id": source, "class": "clinical"}})
        assert status == 201, answer
        seen = self.wait("target", lambda seen: seen["sha256"] != self.hashes[failing] and
                         seen["last_result"]["result"] == "auto_rolled_back")
        self.spans[failing][-1][1] = time.monotonic()
        self.live = self.safe
        assert seen["sha256"] == self.hashes[self.safe], seen
        assert seen["pinned"], seen
        deadline = time.monotonic() + PATIENCE_S
        while self.replaced[failing] == 0:  # at least five calls have failed; their answers may be under way
            assert time.monotonic() < deadline, f"nobody saw the fallback answer for number {failing}"
            time.sleep(0.005)

    def count_result(self, what):
        self.results[what] = self.results.get(what, 0) + 1

    def run(self):
        status, answer = self.call("POST", "/v1/assert/batch", [
            {"concept_path": "c", "predicate": "p", "value": value, "confidence": 0.5,
             "source": {"id": "real", "class": "clinical"}} for value in ("old", "new")])
        assert status == 201, answer
        question = {"concept_path": "c", "predicate": "p", "lens": "target", "fallback": "extra", "limit": 0}
        clients = BusyClients(("127.0.0.1", self.server.port), CONNECTIONS, question, self.check)
        clients.start()
        began = time.monotonic()
        warm_up, before = max(30, self.count // 10), 0
        try:
            for step in range(self.count):
                if step == warm_up:
                    before = self.resident()
                (self.put_broken if step % 10 == 7 else self.put_good)()
                assert not clients.faults, clients.faults
            seconds = time.monotonic() - began
            after = self.resident()
        finally:
            clients.stop()
        assert not clients.faults, clients.faults
        self.check_times(clients)
        growth = after / before
        print(f"{self.count} reloads in {seconds:.0f} s, {len(clients.versions)} answers "
              f"({len(clients.versions) / seconds:.0f} per second, p50 {clients.milliseconds(0.5):.1f} ms, "
              f"p99 {clients.milliseconds(0.99):.1f} ms), {len(set(clients.versions))} versions seen; "
              f"resident {before} → {after} KiB ({(growth - 1) * 100:+.1f} %)")
        print(f"{sum(self.replaced.values())} answers by the fallback for {len(self.replaced)} versions that failed on "
              f"live data, {clients.versions.count(GONE)} times 404 while the lens was gone")
        print(", ".join(f"{what} {count}" for what, count in sorted(self.results.items())))
        assert len(set(clients.versions)) > self.count // 3, "too few versions were seen to mean anything"
        assert self.any_growth or growth < GROWTH_MAX, f"memory grew by {(growth - 1) * 100:.1f} %"

    def check_times(self, clients):
        """Each answer's version was live at some moment between its question and itself."""
        for sent, received, number in zip(clients.sent, clients.received, clients.versions):
            spans = self.spans[number]
            assert any(received >= first and sent <= last for first, last in spans), \
                f"number {number} answered from {sent} to {received}, but was live {spans}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--long", action="store_true", help=f"{LONG} reloads; also by STEMEDB_TEST_LONG=1")
    parser.add_argument("--count", type=int)
    parser.add_argument("--any-growth", action="store_true", help="don't judge how much memory it takes in the end")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    is_long = options.long or os.environ.get("STEMEDB_TEST_LONG", "") not in ("", "0")
    options.count = options.count or (LONG if is_long else SHORT)
    print(f"seed {options.seed}", flush=True)
    root = tempfile.mkdtemp(prefix="stemedb-reload-")
    campaign = None
    try:
        campaign = Campaign(options, root, random.Random(options.seed))
        campaign.run()
        code, _ = campaign.server.stop()
        assert code == 0, campaign.server.log()[-2000:]
        shutil.rmtree(root)
    except BaseException:
        if campaign is not None and campaign.server.running():
            campaign.server.kill()
        print(f"kept: {root}", flush=True)
        raise


if __name__ == "__main__":
    main()
