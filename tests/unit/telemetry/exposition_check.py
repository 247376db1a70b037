#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lets readers that we didn't write judge what /metrics would show: `promtool check metrics` for the Prometheus
format, prometheus_client's strict parser for OpenMetrics, on a fresh server and on a used one.

Usage: exposition_check.py TELEMETRY_TEST   (needs Debian's prometheus and python3-prometheus-client)
"""
import os
import pathlib
import subprocess
import sys
import tempfile

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus

WRITER = "Exposition.WritesSamplesForTheCheckersOutside"


def write_samples(program, directory):
    subprocess.run([program, f"--gtest_filter={WRITER}"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "STEMEDB_EXPOSITION_DIR": directory})


def promtool_verdict(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    return "" if done.returncode == 0 else f"promtool says {done.returncode}: {done.stdout}{done.stderr}"


def samples(families):
    """{(sample name, labels): value}, without what changes from one scrape to the next."""
    return {(s.name, frozenset((k, float(v) if k == "le" else v) for k, v in s.labels.items())): s.value
            for family in families for s in family.samples if "process_" not in s.name}


def check(state, directory):
    prometheus_text = (directory / f"{state}.prom").read_text()
    openmetrics = list(read_openmetrics((directory / f"{state}.om").read_text()))
    problems = [promtool_verdict(prometheus_text)]
    types = {family.name: family.type for family in openmetrics}
    if types.get("stemedb_wal_writes") != "counter" or types.get("stemedb_wal_batch_size") != "histogram":
        problems.append(f"OpenMetrics has the wrong types: {types}")
    ours, theirs = samples(openmetrics), samples(read_prometheus(prometheus_text))
    if not ours or ours != theirs:
        problems.append(f"the formats disagree: {set(ours.items()) ^ set(theirs.items())}")
    return [f"{state}: {problem}" for problem in problems if problem]


def main():
    with tempfile.TemporaryDirectory() as directory:
        write_samples(sys.argv[1], directory)
        problems = [p for state in ("fresh", "used") for p in check(state, pathlib.Path(directory))]
    print("\n".join(problems) or "promtool and the OpenMetrics parser accept both states")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
