# SPDX-License-Identifier: Apache-2.0
"""Medians, ratios and the table. Ratios are what counts on a shared machine; absolute figures are a hint."""
import statistics

# (what is divided, by what, the goal for the quotient). A quotient is shown when both were measured in the same run.
RATIOS = [
    ("assert_unsigned_per_s", "tarantool_claim", 1.0),
    ("assert_unsigned_per_s", "redis_claim", 1.5),
    ("assert_signed_per_s", "verify_per_s", 0.7),
    ("query_consensus_20_per_s", "tarantool_ask", 1.2),
    ("query_consensus_20_per_s", "redis_ask", 3.0),
    ("health_per_s", "bare_loop_per_s", 0.8),
]
P99_TO_P50_MAX = 10


def medians(rounds):
    """One dictionary of medians from the rounds' dictionaries."""
    names = dict.fromkeys(name for figures in rounds for name in figures)
    return {name: statistics.median(r[name] for r in rounds if name in r) for name in names}


def ratios(figures):
    rows = []
    for over, under, goal in RATIOS:
        if over in figures and figures.get(under):
            value = figures[over] / figures[under]
            rows.append({"ratio": f"{over} / {under}", "value": value, "goal": f">= {goal}", "met": value >= goal})
    for name, p99 in figures.items():
        p50 = figures.get(name.replace("_p99_ms", "_p50_ms"))
        if name.endswith("_p99_ms") and p50:
            value = p99 / p50
            rows.append({"ratio": f"{name} / p50", "value": value, "goal": f"< {P99_TO_P50_MAX}",
                         "met": value < P99_TO_P50_MAX})
    return rows


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"


def print_table(figures, before):
    width = max(map(len, figures), default=10)
    print(f"{'figure':{width}} {'median':>12}" + (f" {'before':>12} {'now/before':>11}" if before else ""))
    for name, value in figures.items():
        line = f"{name:{width}} {number(value):>12}"
        if before and before.get(name):
            line += f" {number(before[name]):>12} {value / before[name]:>11.2f}"
        print(line)
    rows = ratios(figures)
    if rows:
        width = max(len(row["ratio"]) for row in rows)
        print(f"\n{'ratio':{width}} {'value':>8} {'goal':>8}")
        for row in rows:
            print(f"{row['ratio']:{width}} {row['value']:>8.2f} {row['goal']:>8}{'' if row['met'] else '   missed'}")


def print_scale(sizes):
    """A column for each size, and how the last compares with the first."""
    names = list(dict.fromkeys(name for figures in sizes for name in figures))
    width = max(map(len, names))
    for name in names:
        values = [number(figures[name]) if name in figures else "" for figures in sizes]
        ends = [sizes[0].get(name), sizes[-1].get(name)]
        ratio = f"{ends[1] / ends[0]:>10.2f}" if len(sizes) > 1 and all(ends) and name != "claims" else ""
        print(f"{name:{width}}" + "".join(f"{value:>12}" for value in values) + ratio)
