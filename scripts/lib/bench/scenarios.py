# SPDX-License-Identifier: Apache-2.0
"""What is measured. Each scenario takes the options, a scratch directory and the dictionary {figure: value} that it
adds to, so that what was measured before a failure is kept; names end in their unit. A measurement that met refused
or broken answers says so in a figure of its own (NAME_errors)."""
import shutil
import time

from . import claims
from .processes import ROOT, bare_loop, our_server, wrk, yardstick

CANDIDATES = {20: 1000, 100: 200, 1000: 20}  # claims on a path: how many such paths


def figures(name, result):
    found = {f"{name}_per_s": result["per_second"], f"{name}_p50_ms": result["p50_ms"],
             f"{name}_p99_ms": result["p99_ms"]}
    errors = result["refused"] + result["broken"]
    if errors:
        found[f"{name}_errors"] = errors
    return found


def health(options, directory, found):
    with bare_loop(options, directory) as server:
        found |= figures("bare_loop", wrk(options, server.url + "/v1/health", "get.lua"))
    with our_server(options, directory) as server:
        found |= figures("health", wrk(options, server.url + "/v1/health", "get.lua"))


def asserts(options, directory, found):
    found["verify_per_s"] = claims.verify_rate()
    signed = directory / "signed.ndjson"
    claims.write_signed(signed, options.signed, seed=options.seed)
    with our_server(options, directory) as server:
        found |= figures("assert_unsigned", wrk(options, server.url, "assert.lua", [1, options.seed]))
        found |= figures("assert_signed", wrk(options, server.url, "assert_lines.lua", [signed]))
        batched = wrk(options, server.url, "assert.lua", [100, options.seed + 1])
    found |= figures("assert_batches_of_100", batched)
    found["assert_batched_claims_per_s"] = batched["per_second"] * 100


def lens_names():
    names = (path.stem for path in (ROOT / "lenses").glob("*.lua"))
    return sorted(name for name in names if not name.endswith("_spec"))  # a lens's own test is no lens


def queries(options, directory, found):
    with our_server(options, directory) as server:
        for size, paths in CANDIDATES.items():
            claims.fill(server.url, f"hot{size}", paths, size)
        for lens in lens_names():
            for size, paths in CANDIDATES.items():
                result = wrk(options, server.url, "query.lua", [lens, f"hot{size}", paths, options.seed])
                found |= figures(f"query_{lens}_{size}", result)
        mixed = wrk(options, server.url, "query.lua", ["consensus", "hot20", CANDIDATES[20], options.seed, 9])
        found |= figures("mixed_9_to_1", mixed)


def directory_bytes(directory):
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def capacity(options, directory, found):
    """Memory and disk for each claim, and the three kinds of start."""
    millions = options.claims / 1e6
    with our_server(options, directory) as server:
        before = server.memory_bytes()
        started = time.monotonic()
        claims.fill(server.url, "many", options.claims // 10, 10)
        seconds = time.monotonic() - started
        found["load_claims_per_s"] = options.claims / seconds
        found["memory_mb_per_million"] = (server.memory_bytes() - before) / 2**20 / millions
    found["wal_mb_per_million"] = directory_bytes(directory / "wal") / 2**20 / millions
    found["db_mb_per_million"] = directory_bytes(directory / "db") / 2**20 / millions
    with our_server(options, directory) as server:
        found["start_s"] = server.start_seconds
    shutil.rmtree(directory / "db" / "indexes")
    with our_server(options, directory) as server:
        found["start_with_rebuild_s"] = server.start_seconds
    shutil.rmtree(directory / "db")
    with our_server(options, directory) as server:
        found["start_with_replay_s"] = server.start_seconds


def yardsticks(options, _directory, found):
    found |= yardstick(options, "redis")
    found |= yardstick(options, "tarantool")


ALL = {"health": health, "asserts": asserts, "queries": queries, "capacity": capacity, "yardsticks": yardsticks}
