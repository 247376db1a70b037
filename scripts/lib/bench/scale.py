# SPDX-License-Identifier: Apache-2.0
"""Cost as a function of size: one server for each size, filled by the load generator with realistic claims, then
questioned, restarted in every way, and killed. Figures of a size come from that one server; short runs of every
question take turns, so that a noisy minute meets all of them, and the median counts."""
import json
import shutil
import statistics
import sys
import time
import urllib.request

from .processes import fill_server, our_server, wrk

BYTES_PER_CLAIM = 2500       # log, records and index, with room to spare
DISK_LEFT = 5 << 30          # what must be free besides
PROBE_PATHS = 250            # the same number for every size
SPREAD_PERCENT = 10          # of the claims are about spread/N, 20 each: questions that reach into the whole index
REPEATED_MAX = 200_000       # claims that are sent twice
TURNS = 3                    # short runs of each question, and starts of each kind
ONE_TURN_FROM = 5_000_000    # claims: of such a size each start takes minutes, and is made once
STARTS = {"start": "", "start_with_rebuild": "db/indexes", "start_with_replay": "db"}  # what is removed before
INDEX_SECONDS_MAX = 900
SIGNED_PERCENT = 10


def check_room(directory, sizes):
    need = max(sizes) * BYTES_PER_CLAIM + DISK_LEFT
    free = shutil.disk_usage(directory).free
    if free < need:
        sys.exit(f"scripts/bench: {max(sizes):,} claims may take {need / 2**30:.0f} GiB with the room that must stay, and "
                 f"{directory} has {free / 2**30:.0f} GiB free: choose another place with --data, or smaller sizes")


def health(server):
    with urllib.request.urlopen(server.url + "/v1/health", timeout=60) as answer:
        return json.load(answer)


def wait_until_indexed(server):
    """The index thread's work belongs to the load, not to what is measured after it."""
    started = time.monotonic()
    while True:
        server.must_run()
        state = health(server)
        if state["checkpoint"] == state["sequence"]:
            return state
        if time.monotonic() - started > INDEX_SECONDS_MAX:
            raise RuntimeError(f"the index did not catch up in {INDEX_SECONDS_MAX} s: {state}")
        time.sleep(0.05)


def metric(server, name):
    with urllib.request.urlopen(server.url + "/metrics", timeout=60) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    raise RuntimeError(f"the server has no metric {name}")


def disk_bytes(path):
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_blocks * 512 for file in files)


def load(options, server, size, found):
    """Fills the server, watching its memory; then sends the first claims again."""
    common = ["--concepts", max(1, size // 10), "--signed", SIGNED_PERCENT, "--probes", PROBE_PATHS,
              "--spread", SPREAD_PERCENT, "--seed", options.seed]
    anonymous_max = 0

    def watch():
        nonlocal anonymous_max
        anonymous_max = max(anonymous_max, server.memory()["anonymous"])

    result = fill_server(options, server, ["--claims", size, *common], watch)
    loaded_at = time.monotonic()
    wait_until_indexed(server)
    behind = time.monotonic() - loaded_at
    found["load_claims_per_s"] = result["per_second"]
    found["load_and_index_claims_per_s"] = size / (result["seconds"] + behind)
    found["load_batch_p99_ms"] = result["p99_ms"]
    found["load_retries"] = result["retries"]
    found["load_cpu_us_per_claim"] = server.cpu_seconds() * 1e6 / size
    found["memory_anonymous_peak_mb"] = anonymous_max / 2**20
    memory = server.memory()
    found["memory_after_load_mb"] = memory["anonymous"] / 2**20
    found["memory_file_after_load_mb"] = memory["file"] / 2**20
    repeated = min(size, REPEATED_MAX)
    # The claims are a function of all numbers, so the same load is begun again and ends early.
    again = fill_server(options, server, ["--claims", size, "--first", repeated, *common])
    if again["created"] != 0:
        raise RuntimeError(f"{again['created']} repeated claims were taken for new ones")
    found["repeat_claims_per_s"] = again["per_second"]
    return result["spread_paths"]


def questions(options, server, spread_paths, found):
    """{name: runs} of every question, in turns."""
    asked = {
        "consensus_20": ("query.lua", ["consensus", "probe", PROBE_PATHS, options.seed]),
        "recency_20": ("query.lua", ["recency", "probe", PROBE_PATHS, options.seed]),
        "consensus_20_anywhere": ("query.lua", ["consensus", "spread", spread_paths, options.seed]),
        "children_page": ("get.lua", "/v1/concepts?prefix=medicine&limit=20"),
        "subtree_page": ("get.lua", "/v1/query?concept_path=probe/*&limit=20"),
    }
    runs = {name: [] for name in asked}
    for _ in range(TURNS):
        for name, (script, what) in asked.items():
            path, arguments = (what, []) if isinstance(what, str) else ("", what)
            runs[name].append(run_wrk(options, server, path, script, arguments))
    take_medians(runs, found)


def run_wrk(options, server, path, script, arguments):
    """With the processor time of each request, which says more than the clock on a machine that others use as well."""
    before = server.cpu_seconds()
    result = wrk(options, server.url + path, script, arguments)
    result["cpu_us"] = (server.cpu_seconds() - before) * 1e6 / max(1, result["requests"])
    return result


def take_medians(runs, found):
    for name, results in runs.items():
        found[f"{name}_per_s"] = statistics.median(result["per_second"] for result in results)
        found[f"{name}_per_s_low"] = min(result["per_second"] for result in results)
        found[f"{name}_per_s_high"] = max(result["per_second"] for result in results)
        for figure in ("p50_ms", "p99_ms", "cpu_us"):
            found[f"{name}_{figure}"] = statistics.median(result[figure] for result in results)
        found[f"{name}_cpu_us_low"] = min(result["cpu_us"] for result in results)
        found[f"{name}_cpu_us_high"] = max(result["cpu_us"] for result in results)
        errors = sum(result["refused"] + result["broken"] for result in results)
        if errors:
            found[f"{name}_errors"] = errors


def starts(options, directory, size, found):
    times, cpu = {name: [] for name in STARTS}, {name: [] for name in STARTS}
    replays = []
    for _ in range(TURNS if size < ONE_TURN_FROM else 1):
        for name, removed in STARTS.items():
            if removed:
                shutil.rmtree(directory / removed)
            with our_server(options, directory) as server:
                times[name].append(server.start_seconds)
                cpu[name].append(server.start_cpu_seconds)
                if health(server)["assertion_count"] != size:
                    raise RuntimeError(f"{name}: {size} claims were there, now {health(server)['assertion_count']}")
                if name == "start_with_replay":
                    replays.append(size / metric(server, "stemedb_wal_recovery_duration_seconds_sum"))
    for name, seconds in times.items():
        found[f"{name}_s"] = statistics.median(seconds)
        found[f"{name}_s_high"] = max(seconds)
        found[f"{name}_cpu_s"] = statistics.median(cpu[name])
    found["replay_records_per_s"] = statistics.median(replays)


def asserts_and_kill(options, directory, found):
    """Single claims make the database larger, so they come last; then the process is killed in the midst of it."""
    with our_server(options, directory, ended_by="kill") as server:
        runs = [run_wrk(options, server, "", "assert.lua", [1, options.seed * 100 + turn]) for turn in range(TURNS)]
        take_medians({"assert": runs}, found)
        state = health(server)
        found["sequence_at_kill"] = state["sequence"]
        found["not_indexed_at_kill"] = state["sequence"] - state["checkpoint"]
    with our_server(options, directory) as server:
        found["start_after_kill_s"] = server.start_seconds
        if health(server)["assertion_count"] < found["sequence_at_kill"]:
            raise RuntimeError("acknowledged claims are missing after the kill")


def measure(options, directory, size):
    """The figures of one size. A failure ends it: half a size proves nothing."""
    found = {"claims": size}
    with our_server(options, directory) as server:
        found["memory_empty_mb"] = server.memory()["anonymous"] / 2**20
        spread_paths = load(options, server, size, found)
    for name, place in {"wal": "wal", "records": "db/assertions.kv", "indexes": "db/indexes"}.items():
        found[f"disk_{name}_bytes_per_claim"] = disk_bytes(directory / place) / size
    with our_server(options, directory) as server:
        time.sleep(1)  # the index thread reads the ids
        memory = server.memory()
        found["memory_after_start_mb"] = memory["anonymous"] / 2**20
        questions(options, server, spread_paths, found)
        memory = server.memory()
        found["memory_serving_mb"] = memory["anonymous"] / 2**20
        found["memory_file_serving_mb"] = memory["file"] / 2**20
    starts(options, directory, size, found)
    asserts_and_kill(options, directory, found)
    return found
