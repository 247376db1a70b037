#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the plots of docs/performance.md: plot.py FIGURES.json DIRECTORY, with what scripts/bench --scale wrote.

Needs Debian's python3-matplotlib. The files are SVG with text as text, and the same figures give the same bytes.
"""
import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib import ticker  # noqa: E402

COLOURS = ["#1b6ca8", "#d1495b", "#3a7d44", "#c98a12", "#6f4e9b"]
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "stemedb", "font.family": "sans-serif", "font.size": 11,
         "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#dddddd",
         "lines.linewidth": 2, "lines.markersize": 6, "legend.frameon": False, "figure.facecolor": "white"}


def label(value, _position=None):
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def axes(title, unit, sizes, count=1):
    figure, found = plt.subplots(1, count, figsize=(4.2 * count + 1.2, 3.6), squeeze=False)
    for axis, name, what in zip(found[0], title, unit):
        axis.set_title(name, fontsize=12, loc="left")
        axis.set_xscale("log")
        axis.set_xticks(sizes, [label(size) for size in sizes])
        axis.xaxis.set_minor_locator(ticker.NullLocator())
        axis.set_xlabel("claims stored")
        axis.set_ylabel(what)
    return figure, list(found[0])


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def lines(axis, scale, named, beginning="", end=""):
    """One line for each (figure, label), the figure's name put between `beginning` and `end`; with a band where the runs'
    lowest and highest are known."""
    for colour, (name, text) in zip(COLOURS, named):
        name = beginning + name + end
        points = [(size["claims"], size[name]) for size in scale if name in size]
        axis.plot(*zip(*points), marker="o", color=colour, label=text)
        bands = [(size["claims"], size[f"{name}_low"], size[f"{name}_high"]) for size in scale if f"{name}_low" in size]
        if bands:
            axis.fill_between(*zip(*bands), color=colour, alpha=0.15, linewidth=0)


def end_at_medians(axis):
    """The axis ends well above the medians: one slow run would flatten them. How far a band goes on is written there."""
    highest = 2.5 * max(max(line.get_ydata()) for line in axis.get_lines())
    top = min(highest, axis.get_ylim()[1] * 1.4)
    for band in axis.collections:
        x, y = max(band.get_paths()[0].vertices, key=lambda corner: corner[1])
        if y > top:
            axis.annotate(f"to {y:.0f} ", (x, top), ha="right", va="top", fontsize=9, color=band.get_facecolor()[0][:3])
    axis.set_ylim(bottom=0, top=top)


def cost(scale, directory):
    figure, (questions, writes) = axes(["Cost of a question", "Cost of a claim"], ["µs of the server's processor time"] * 2,
                                       [size["claims"] for size in scale], 2)
    lines(questions, scale, [("consensus_20", "consensus of 20"), ("consensus_20_anywhere", "the same, over all data"),
                             ("recency_20", "recency of 20"), ("children_page", "children, a page of 20")], end="_cpu_us")
    lines(writes, scale, [("assert_cpu_us", "sent alone, durable"),
                          ("load_cpu_us_per_claim", "in batches of 1,000, a tenth signed, and indexed")])
    for axis in (questions, writes):
        end_at_medians(axis)
        axis.legend(loc="upper left", fontsize=9)
    save(figure, directory / "cost.svg")


def room(scale, directory):
    sizes = [size["claims"] for size in scale]
    figure, (disk, memory) = axes(["Disk", "Resident memory"], ["bytes per claim", "MiB"], sizes, 2)
    bottom = [0.0] * len(scale)
    for colour, name, text in zip(COLOURS, ("wal", "records", "indexes"), ("log", "assertions.kv", "indexes/")):
        values = [size[f"disk_{name}_bytes_per_claim"] for size in scale]
        disk.bar(range(len(scale)), values, 0.6, bottom=bottom, color=colour, label=text)
        bottom = [below + value for below, value in zip(bottom, values)]
    disk.set_xscale("linear")
    disk.set_xticks(range(len(scale)), [label(size) for size in sizes])
    disk.grid(False, axis="x")
    disk.set_axisbelow(True)
    disk.set_ylim(top=max(bottom) * 1.2)
    disk.legend(loc="upper left", fontsize=9, ncols=3)
    lines(memory, scale, [("memory_anonymous_peak_mb", "own, highest while loading"),
                          ("memory_serving_mb", "own, while answering"),
                          ("memory_file_serving_mb", "mapped files, which the kernel may take back")])
    memory.set_yscale("log")
    memory.yaxis.set_major_formatter(ticker.FuncFormatter(label))
    memory.set_ylim(top=memory.get_ylim()[1] * 10)
    memory.legend(loc="upper left", fontsize=9)
    save(figure, directory / "room.svg")


def starts(scale, directory):
    figure, (axis,) = axes(["Time until the server answers"], ["seconds"], [size["claims"] for size in scale])
    lines(axis, scale, [("start_s", "after a clean stop"), ("start_after_kill_s", "after kill -9 under load"),
                        ("start_with_rebuild_s", "indexes/ removed: rebuild"),
                        ("start_with_replay_s", "db/ removed: replay and rebuild")])
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(ticker.FuncFormatter(label))
    axis.set_ylim(top=axis.get_ylim()[1] * 4)
    axis.legend(loc="upper left", fontsize=9)
    save(figure, directory / "starts.svg")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py FIGURES.json DIRECTORY")
    scale = json.loads(pathlib.Path(sys.argv[1]).read_text())["scale"]
    directory = pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        cost(scale, directory)
        room(scale, directory)
        starts(scale, directory)


if __name__ == "__main__":
    main()
