#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the source tree against its plan and its house rules; prints each breach as FILE:LINE: what and remedy.

The plan is the stemedb_room(...) lines of CMakeLists.txt, so that there is one truth: a room may include its own
headers and those of the rooms that its own line names, and its line names no room that it doesn't use. Checked as
well: no cycle between rooms or between headers, the headers of five libraries stay in the one room that links them,
other libraries' headers are included only where they are linked, every source file, CMake file and script has its SPDX
line, no path of a developer's machine, the pages that the engine names are there, and every example and kind of test has
its place on the pages that list them.

Usage: check_layering.py [ROOT]   (default: the checkout that this file is in)
"""
import os
import re
import sys

# Include, as a pattern on the text between the brackets -> the CMake target that brings it.
LIBRARIES = [
    (r"uv\.h|uv/.*", "PkgConfig::libuv"),
    (r"llhttp\.h", "llhttp"),
    (r"lmdb\.h", "PkgConfig::lmdb"),
    (r"lua.*\.h|lauxlib\.h|lualib\.h|luajit.*", "PkgConfig::luajit"),
    (r"re2/.*", "PkgConfig::re2"),
    (r"sodium\.h|sodium/.*", "PkgConfig::sodium"),
    (r"openssl/.*", "PkgConfig::libcrypto"),
    (r"zlib\.h", "PkgConfig::zlib"),
    (r"prometheus/.*", "prometheus-cpp::core"),
    (r"spdlog/.*", "spdlog::spdlog"),
    (r"simdjson\.h", "simdjson::simdjson"),
    (r"CLI/.*", "CLI11::CLI11"),
    (r"curl/.*", "PkgConfig::libcurl"),
    (r"histedit\.h|editline/.*", "PkgConfig::libedit"),
]
# These are included by exactly one room, however far the link goes.
ONE_ROOM_TARGETS = {"PkgConfig::libuv", "llhttp", "PkgConfig::lmdb", "PkgConfig::luajit", "PkgConfig::sodium",
                    "PkgConfig::libcurl", "PkgConfig::libedit"}
PROGRAMS = "bin"  # engine/bin is no room: each file is a program over one of these
PROGRAM_ROOMS = ("server", "tool")

SKIPPED_DIRECTORIES = {".git", "build", "data", "backups", "node_modules", "__pycache__"}
SPDX_ENDINGS = (".cc", ".h", ".in", ".py", ".lua", ".sh", ".js", ".mjs", ".cmake", "CMakeLists.txt")
SPDX_DIRECTORY = "scripts"  # everything in it, whatever its ending
SPDX_LUA_LINES = 5  # a lens or policy may begin with what it is for
SPDX = "SPDX-License-Identifier: Apache-2.0"
MACHINE_PATH = re.compile(r"(?<![\w./~$}-])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me)/[\w.]")
NAMED_PAGE = re.compile(r"\bdocs/[\w./-]+\.(?:md|yaml)\b")
NAMING = ("engine", "lenses", "policies", "scripts")  # where pages are named for whoever reads on
# What must be named on a page, and how: directories and files of the tree by a pattern of their paths.
LISTED = [
    (r"examples/([\w-]+)/README\.md", "docs/README.md", "(../{0})"),
    (r"tests/(?!integration/|unit/)(\w+)/CMakeLists\.txt", "docs/testing.md", "| `tests/{1}` |"),
    (r"tests/integration/(\w+)/CMakeLists\.txt", "docs/testing.md", "| `tests/integration/{1}` |"),
    (r"tests/fuzz/(\w+)_fuzz\.cc", "docs/testing.md", "| `{1}` |"),
]
MAX_TEXT_BYTES = 4 << 20


def read_plan(root):
    """{room: [what it links]} in the order of CMakeLists.txt."""
    with open(os.path.join(root, "CMakeLists.txt"), encoding="utf-8") as file:
        text = re.sub(r"#.*", "", file.read())
    plan = {}
    for body in re.findall(r"^\s*stemedb_room\(([^)]*)\)", text, re.M):
        name, *links = body.split()
        if name in plan:
            raise SystemExit(f"CMakeLists.txt: room {name} is planned twice")
        plan[name] = links
    if not plan:
        raise SystemExit("CMakeLists.txt: no stemedb_room(...) line found")
    return plan


def rooms_of(links):
    return [link[len("stemedb_"):] for link in links if link.startswith("stemedb_")]


def closure(plan, room):
    """The room and every room that it reaches."""
    reached, open_rooms = {room}, [room]
    while open_rooms:
        for other in rooms_of(plan.get(open_rooms.pop(), [])):
            if other not in reached:
                reached.add(other)
                open_rooms.append(other)
    return reached


def find_cycle(edges):
    """One cycle of the graph {node: nodes} as a list, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for other in sorted(edges.get(node, ())):
            cycle = visit(other)
            if cycle:
                return cycle
        path.pop()
        done.add(node)
        return None

    for start in sorted(edges):
        cycle = visit(start)
        if cycle:
            return cycle
    return None


def files_under(top):
    for directory, names, files in os.walk(top):
        names[:] = sorted(n for n in names if n not in SKIPPED_DIRECTORIES)
        for file in sorted(files):
            yield os.path.join(directory, file)


def read_text(path):
    """The file's text, or None when it is a link, large or binary."""
    if os.path.islink(path) or os.path.getsize(path) > MAX_TEXT_BYTES:
        return None
    with open(path, "rb") as file:
        data = file.read()
    return None if b"\0" in data else data.decode("utf-8", "replace")


def includes_of(text):
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found[1], found[2]


class Checker:
    def __init__(self, root):
        self.root = root
        self.engine = os.path.join(root, "engine")
        self.plan = read_plan(root)
        self.breaches = []
        self.header_edges = {}
        self.edge_count = 0
        self.used = {room: {room} for room in self.plan}

    def breach(self, path, line, what):
        self.breaches.append(f"{os.path.relpath(path, self.root)}:{line}: {what}")

    def targets_reached(self, room):
        return {link for r in closure(self.plan, room) for link in self.plan.get(r, [])}

    def check_plan(self):
        cmake = os.path.join(self.root, "CMakeLists.txt")
        edges = {room: set(rooms_of(links)) for room, links in self.plan.items()}
        for room, others in edges.items():
            for other in sorted(others - set(self.plan)):
                self.breach(cmake, 1, f"room {room} links stemedb_{other}, which is not planned")
        cycle = find_cycle(edges)
        if cycle:
            self.breach(cmake, 1, "rooms in a circle: " + " -> ".join(cycle))
        for target in sorted(ONE_ROOM_TARGETS):
            users = [room for room, links in self.plan.items() if target in links]
            if len(users) > 1:
                self.breach(cmake, 1, f"{target} belongs to one room, but is linked by {', '.join(users)}")

    def check_own_include(self, path, line, room, name):
        target = name.split("/")[0]
        if not os.path.isfile(os.path.join(self.engine, name)):
            self.breach(path, line, f'"{name}" is not under engine/: includes are spelled "room/file.h"')
        elif room != PROGRAMS and target != room and target not in rooms_of(self.plan[room]):
            self.breach(path, line, f"room {room} may not include {name}: its line in CMakeLists.txt doesn't name stemedb_{target}")
        elif room == PROGRAMS and target not in {r for top in PROGRAM_ROOMS for r in closure(self.plan, top)}:
            self.breach(path, line, f"a program may not include {name}: no program's room reaches it")
        self.edge_count += 1
        if path.endswith(".h"):
            self.header_edges.setdefault(os.path.relpath(path, self.engine), set()).add(name)

    def check_library_include(self, path, line, room, name):
        for pattern, target in LIBRARIES:
            if not re.fullmatch(pattern, name):
                continue
            owners = [r for r, links in self.plan.items() if target in links]
            if target in ONE_ROOM_TARGETS and room not in owners:
                self.breach(path, line, f"<{name}> stays in room {' '.join(owners) or '(none)'}: go through its headers")
            elif room != PROGRAMS and target not in self.targets_reached(room):
                self.breach(path, line, f"<{name}> needs {target}, which CMakeLists.txt does not give to room {room}")
            return

    def check_engine(self):
        for path in files_under(self.engine):
            text = read_text(path) if path.endswith((".cc", ".h")) else None
            if text is None:
                continue
            room = os.path.relpath(path, self.engine).split(os.sep)[0]
            if room != PROGRAMS and room not in self.plan:
                self.breach(path, 1, f"engine/{room} is no room of CMakeLists.txt")
                continue
            self.note_use(room, text)
            for line, bracket, name in includes_of(text):
                library = any(re.fullmatch(pattern, name) for pattern, _ in LIBRARIES)
                if bracket == '"' and not library:
                    self.check_own_include(path, line, room, name)
                else:
                    self.check_library_include(path, line, room, name)
        cycle = find_cycle(self.header_edges)
        if cycle:
            self.breach(os.path.join(self.engine, cycle[0]), 1, "headers in a circle: " + " -> ".join(cycle))

    def note_use(self, room, text):
        """A room is used by a header of it, or by a name of its namespace."""
        if room in self.used:
            self.used[room] |= {a or b for a, b in re.findall(r'#\s*include\s*"(\w+)/|\b(\w+)::', text)}

    def check_links_are_used(self):
        cmake = os.path.join(self.root, "CMakeLists.txt")
        for room, links in self.plan.items():
            for other in rooms_of(links):
                if other in self.plan and other not in self.used[room]:
                    self.breach(cmake, 1, f"room {room} links stemedb_{other} and doesn't use it: take it out")

    def check_houses_rules(self):
        for path in files_under(self.root):
            text = read_text(path)
            if text is None:
                continue
            lines = text.splitlines()
            script = text.startswith("#!")
            head = lines[1:2] if script else lines[:SPDX_LUA_LINES] if path.endswith(".lua") else lines[:1]
            scripted = os.path.relpath(path, self.root).split(os.sep)[0] == SPDX_DIRECTORY
            if (path.endswith(SPDX_ENDINGS) or script or scripted) and not any(SPDX in line for line in head):
                self.breach(path, 1, f"the first line{' after #!' if script else ''} must say {SPDX}")
            for number, line in enumerate(lines, 1):
                found = MACHINE_PATH.search(line)
                if found:
                    self.breach(path, number, f"a path of somebody's machine: {found[0]}…")

    def check_named_pages(self):
        for place in NAMING:
            for path in files_under(os.path.join(self.root, place)):
                for number, line in enumerate((read_text(path) or "").splitlines(), 1):
                    for page in NAMED_PAGE.findall(line):
                        if not os.path.isfile(os.path.join(self.root, page)):
                            self.breach(path, number, f"there is no page {page}")

    def check_lists(self):
        pages = {}
        for path in files_under(self.root):
            name = os.path.relpath(path, self.root)
            for pattern, page, entry in LISTED:
                found = re.fullmatch(pattern, name)
                if not found:
                    continue
                if page not in pages:
                    listing = os.path.join(self.root, page)
                    pages[page] = read_text(listing) if os.path.isfile(listing) else ""
                wanted = entry.format(name, found[1])
                if wanted not in pages[page]:
                    self.breach(os.path.join(self.root, page), 1, f"{name} has no place here: there is no {wanted}")

    def run(self):
        self.check_plan()
        self.check_engine()
        self.check_links_are_used()
        self.check_houses_rules()
        self.check_named_pages()
        self.check_lists()
        return self.breaches


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", ".."))
    checker = Checker(root)
    breaches = checker.run()
    for breach in breaches:
        print(breach)
    print(f"layering: {len(checker.plan)} rooms, {checker.edge_count} includes, {len(breaches)} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
