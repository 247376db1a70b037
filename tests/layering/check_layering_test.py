#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks a small tree in every way that check_layering.py must notice, and looks whether it does."""
import os
import tempfile
import unittest

from check_layering import Checker

SPDX_LINE = "// SPDX-License-Identifier: Apache-2.0\n"
CMAKE = """# SPDX-License-Identifier: Apache-2.0
stemedb_room(base)
stemedb_room(kv stemedb_base PkgConfig::lmdb)
stemedb_room(model stemedb_base)
stemedb_room(store stemedb_kv stemedb_base
             stemedb_model)   # two lines
stemedb_room(server stemedb_store CLI11::CLI11)
"""
FILES = {
    "CMakeLists.txt": CMAKE,
    "engine/base/status.h": SPDX_LINE + "#include <string>\n",
    "engine/kv/env.h": SPDX_LINE + '#include "base/status.h"\n',
    "engine/kv/env.cc": SPDX_LINE + '#include <lmdb.h>\n#include "kv/env.h"\n',
    "engine/model/claim.h": SPDX_LINE + '#include "base/status.h"\n',
    "engine/store/store.h": SPDX_LINE + '#include "kv/env.h"\n#include "base/status.h"\n#include "model/claim.h"\n',
    "engine/server/main.h": SPDX_LINE + '#include <CLI/CLI.hpp>\n#include "store/store.h"\n',
    "engine/bin/stemedb_api.cc": SPDX_LINE + '#include "server/main.h"\n',
    "scripts/run": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n",
}


class LayeringTest(unittest.TestCase):
    def breaches(self, changes):
        with tempfile.TemporaryDirectory() as root:
            for name, text in {**FILES, **changes}.items():
                path = os.path.join(root, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            return Checker(root).run()

    def assert_breach(self, changes, *parts):
        found = self.breaches(changes)
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_a_tree_that_follows_the_plan_passes(self):
        self.assertEqual(self.breaches({}), [])

    def test_an_edge_that_is_not_planned_is_found(self):
        self.assert_breach({"engine/model/bad.cc": SPDX_LINE + '\n#include "kv/env.h"\n'},
                           "engine/model/bad.cc:3", "room model may not include kv/env.h")

    def test_an_edge_upwards_is_found(self):
        self.assert_breach({"engine/base/bad.cc": SPDX_LINE + '#include "store/store.h"\n'}, "room base may not include")

    def test_a_room_that_is_reached_only_through_another_is_found(self):
        self.assert_breach({"engine/server/more.h": SPDX_LINE + '#include "base/status.h"\n'},
                           "engine/server/more.h:2", "room server may not include base/status.h")

    def test_a_link_that_nothing_uses_is_found(self):
        changed = CMAKE.replace("room(server", "room(server stemedb_model")
        self.assert_breach({"CMakeLists.txt": changed}, "room server links stemedb_model and doesn't use it")
        self.assert_breach({"CMakeLists.txt": changed, "engine/server/a.cc": SPDX_LINE + "// of model/claim.h\n"},
                           "stemedb_model")
        self.assertEqual(self.breaches({"CMakeLists.txt": changed,
                                        "engine/server/a.cc": SPDX_LINE + "model::Claim claim;\n"}), [])

    def test_a_circle_of_rooms_is_found(self):
        self.assert_breach({"CMakeLists.txt": CMAKE.replace("room(base)", "room(base stemedb_store)"),
                            "engine/base/a.cc": SPDX_LINE + "store::Store* s;\n"},
                           "rooms in a circle: base -> store")

    def test_a_circle_of_headers_is_found(self):
        self.assert_breach({"engine/kv/a.h": SPDX_LINE + '#include "kv/b.h"\n',
                            "engine/kv/b.h": SPDX_LINE + '#include "kv/a.h"\n'}, "headers in a circle: kv/a.h -> kv/b.h -> kv/a.h")

    def test_a_library_outside_its_room_is_found(self):
        self.assert_breach({"engine/store/bad.cc": SPDX_LINE + "#include <lmdb.h>\n"}, "<lmdb.h> stays in room kv")
        self.assert_breach({"engine/store/bad.cc": SPDX_LINE + '#include "lmdb.h"\n'}, "<lmdb.h> stays in room kv")
        self.assert_breach({"engine/bin/bad.cc": SPDX_LINE + "#include <lmdb.h>\n"}, "<lmdb.h> stays in room kv")
        self.assert_breach({"engine/kv/bad.cc": SPDX_LINE + "# include <lualib.h>\n"}, "<lualib.h> stays in room (none)")

    def test_a_library_in_two_rooms_is_found(self):
        self.assert_breach({"CMakeLists.txt": CMAKE.replace("room(model", "room(model PkgConfig::lmdb")},
                           "PkgConfig::lmdb belongs to one room, but is linked by kv, model")

    def test_a_library_that_is_not_linked_is_found(self):
        self.assert_breach({"engine/model/bad.cc": SPDX_LINE + "#include <CLI/CLI.hpp>\n"}, "needs CLI11::CLI11")

    def test_an_include_that_is_not_under_engine_is_found(self):
        self.assert_breach({"engine/kv/bad.cc": SPDX_LINE + '#include "env.h"\n'}, '"env.h" is not under engine/')

    def test_a_directory_that_is_no_room_is_found(self):
        self.assert_breach({"engine/util/bad.cc": SPDX_LINE}, "engine/util is no room")

    def test_a_room_that_is_linked_but_not_planned_is_found(self):
        self.assert_breach({"CMakeLists.txt": CMAKE.replace("room(base)", "room(base stemedb_ghost)")}, "stemedb_ghost")

    def test_a_missing_spdx_line_is_found(self):
        self.assert_breach({"engine/kv/bad.cc": "// hello\n" + SPDX_LINE}, "engine/kv/bad.cc:1", "SPDX")
        self.assert_breach({"lenses/bad.lua": "return {}\n"}, "lenses/bad.lua:1", "SPDX")
        self.assert_breach({"scripts/run": "#!/bin/sh\necho\n"}, "scripts/run:1", "after #!")
        self.assert_breach({"scripts/lib/part": "echo\n"}, "scripts/lib/part:1", "SPDX")
        self.assert_breach({"tests/CMakeLists.txt": "enable_testing()\n"}, "tests/CMakeLists.txt:1", "SPDX")
        self.assert_breach({"engine/api/more.cmake": "set(a b)\n"}, "engine/api/more.cmake:1", "SPDX")

    def test_a_path_of_somebodys_machine_is_found(self):
        for place in ("wo" + "rk", "ho" + "me", "ro" + "ot"):
            self.assert_breach({"docs/a.md": f"see\n`/{place}/x/y`\n"}, "docs/a.md:2", place)
        self.assertEqual(self.breaches({"docs/a.md": "network/x, build/ho" + "me/x, http://a/wo" + "rk/b\n"}), [])

    def test_a_page_that_is_named_and_missing_is_found(self):
        self.assert_breach({"engine/base/status.h": SPDX_LINE + "// see docs/none.md\n"}, "engine/base/status.h:2", "docs/none.md")
        self.assertEqual(self.breaches({"engine/base/status.h": SPDX_LINE + "// see docs/one.md.\n", "docs/one.md": "1\n"}), [])

    def test_what_has_no_place_on_its_page_is_found(self):
        spdx = "# SPDX-License-Identifier: Apache-2.0\n"
        self.assert_breach({"examples/story/README.md": "s\n", "docs/README.md": "[s](../examples/other/README.md)\n"},
                           "docs/README.md:1", "examples/story")
        self.assertEqual(self.breaches({"examples/story/README.md": "s\n",
                                        "docs/README.md": "[s](../examples/story/README.md)\n"}), [])
        for name, text in (("tests/integration/odd/CMakeLists.txt", spdx), ("tests/odd/CMakeLists.txt", spdx),
                           ("tests/fuzz/odd_fuzz.cc", SPDX_LINE)):
            self.assert_breach({name: text, "docs/testing.md": "| `even` |\n"}, "docs/testing.md:1", name)
        self.assertEqual(self.breaches({"tests/fuzz/odd_fuzz.cc": SPDX_LINE, "docs/testing.md": "| `odd` | holds |\n"}), [])


if __name__ == "__main__":
    unittest.main()
