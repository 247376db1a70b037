#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`stemedb script check` and `stemedb script test`: what a server says to scripts, without one."""

import json
import os
import shutil
import tempfile
import unittest

from tool import SOURCE_DIR, Server, run

LENSES = os.path.join(SOURCE_DIR, "lenses")
GOOD = """return {
  kind = "lens", api = 1, name = "good", version = "1.2.3", description = "d",
  resolve = function(_, candidates) return { winner = 1, explain = "the first of " .. #candidates } end,
}
"""
SPEC = """return {
  { claim = "the first wins", given = { { value = "a" }, { value = "b", age_s = 5 } }, expect = { winner = 1 } },
  { claim = "it counts", given = { { value = "a" } }, expect = { explain = "of 1" } },
}
"""


class Script(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="stemedb-test-")
        self.addCleanup(directory.cleanup)
        self.root = directory.name

    def write(self, name, text):
        path = os.path.join(self.root, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_the_shipped_scripts_and_specs_are_good(self):
        files = sorted(os.path.join(LENSES, name) for name in os.listdir(LENSES) if name.endswith(".lua"))
        done = run("script", "check", *files)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.count(", good\n"), len(files))
        done = run("script", "test", "--strict", LENSES)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"\n10 scripts, \d+ cases: all hold\n$")

    def test_check_says_what_the_server_says(self):
        broken = {
            "syntax.lua": "return {\n  kind = 'lens'\n  api = 1 }",
            "global.lua": "counter = 0\nreturn {}",
            "kind.lua": "return { kind = 'lense', api = 1, name = 'kind', version = '1', description = 'd' }",
            "other_name.lua": GOOD,
            "no_table.lua": "return 1",
            "endless.lua": "while true do end",
        }
        for name, text in broken.items():
            with self.subTest(name):
                directory = os.path.join(self.root, name + ".d")
                os.mkdir(directory)
                path = self.write(os.path.join(name + ".d", name), text)
                done = run("script", "check", path)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                place, message = done.stderr.splitlines()[0].split(": error: ")
                self.assertTrue(place == path or place.startswith(path + ":"), done.stderr)
                with self.assertRaises(AssertionError) as refused:
                    Server(lenses_dir=directory)
                self.assertIn(message.replace("'", ""), str(refused.exception).replace("'", "").replace("\\", ""))

    def test_a_mark_stands_below_what_is_wrong(self):
        path = self.write("slip.lua", "local now = os.time()\nreturn {}\n")
        lines = run("script", "check", path).stderr.splitlines()
        self.assertEqual(lines[0], f"{path}:1: error: attempt to index global 'os' (a nil value)")
        self.assertEqual(lines[1].index("os.time"), lines[2].index("^"))
        self.assertTrue(lines[3].startswith("help: "))

    def test_a_file_that_is_wrong_does_not_hide_the_others(self):
        good, bad = self.write("good.lua", GOOD), self.write("bad.lua", "return")
        done = run("script", "check", bad, os.path.join(self.root, "none.lua"), good)
        self.assertEqual((done.returncode, done.stdout), (1, f"{good}: lens good 1.2.3, good\n"))
        self.assertIn("none.lua: No such file", done.stderr)

    def test_a_long_line_is_cut_around_the_place(self):
        path = self.write("long.lua", "local a = {" + "'x', " * 2000 + "} local now = os.time() local b = {" + "'x', " * 2000 + "}\nreturn {}")
        lines = run("script", "check", path).stderr.splitlines()
        self.assertRegex(lines[1], r"^    ….*os\.time\(\).*…$")
        self.assertLessEqual(len(lines[1]), 160)
        self.assertEqual(lines[1].index("os.time"), lines[2].index("^"))

    def test_what_a_script_or_a_spec_holds_sends_no_escapes(self):
        escapes = "\x1b]0;owned\x07\u009b2J\u202e"
        lua = escapes.replace("\x1b", "\\27").replace("\x07", "\\7")
        self.write("good.lua", GOOD.replace('"the first of "', f'"{lua} the first of "'))
        spec = SPEC.replace("the first wins", lua).replace("of 1", "of 2")
        self.write("good_spec.lua", spec.replace("winner = 1", f'value = "{lua}"'))
        self.write("thrown.lua", GOOD.replace("good", "thrown").replace("return { winner", f"error('{lua}') return {{ winner"))
        self.write("syntax.lua", f"local text = '{escapes}' nix nix")
        self.write("case_spec.lua", f"return {{ {{ claim = '{lua}', ['{lua}'] = 1 }} }}")
        done = run("script", "test", self.root)
        files = [os.path.join(self.root, name) for name in os.listdir(self.root)]
        checked = run("script", "check", *files, os.path.join(self.root, escapes))
        for stream in (done.stdout, done.stderr, checked.stdout, checked.stderr):
            self.assertFalse(set(stream) & {"\x1b", "\x07", "\u009b", "\u202e"}, stream)
        self.assertIn(r"good: fails: \x1b]0;owned\x07\u{9b}2J\u{202e}", done.stdout)
        self.assertIn(r"got '\x1b]0;owned\x07\u{9b}2J\u{202e} the first of 1'", done.stdout)
        self.assertGreaterEqual(checked.stderr.count(r"\x1b]0;owned"), 4)

    def test_a_version_that_could_steer_a_terminal_is_refused(self):
        path = self.write("good.lua", GOOD.replace('"1.2.3"', '"1\\27[2J"'))
        done = run("script", "check", path)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith(f"{path}:2: error: version has a control character: "), done.stderr)

    def test_a_case_that_expects_nothing_is_wrong(self):
        self.write("good.lua", GOOD)
        for case, fault in (("", "expect is missing: "), (", expect = {}", "expect is empty, "),
                            (", expect = { confidence = 0/0 }", "expect.confidence must be a finite number, got nan")):
            spec = self.write("good_spec.lua", f"return {{ {{ claim = 'x', given = {{ {{ value = 1 }} }}{case} }} }}")
            done = run("script", "test", self.root)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"good: fails: x\n    the case in good_spec.lua is wrong: {fault}", done.stdout)
            done = run("script", "check", spec)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{spec}: error: the case 'x': {fault}", done.stderr)

    def test_a_case_that_fails_says_what_was_expected_and_what_came(self):
        self.write("good.lua", GOOD)
        self.write("good_spec.lua", SPEC.replace("winner = 1", "winner = 2"))
        done = run("script", "test", self.root)
        self.assertEqual(done.returncode, 1)
        self.assertIn("good: fails: the first wins\n    winner: expected claim 2, got claim 1\n", done.stdout)
        self.assertIn("1 scripts, 2 cases: 1 cases fail, 1 scripts fail\n", done.stdout)

    def test_a_script_or_its_spec_may_be_named(self):
        script, spec = self.write("good.lua", GOOD), self.write("good_spec.lua", SPEC)
        for path in (script, spec, self.root):
            done = run("script", "test", path)
            self.assertEqual((done.returncode, done.stdout),
                             (0, "good 1.2.3: 2 cases hold\n1 scripts, 2 cases: all hold\n"), path)

    def test_a_missing_spec_is_a_warning_or_with_strict_a_failure(self):
        self.write("good.lua", GOOD)
        done = run("script", "test", self.root)
        self.assertEqual(done.returncode, 0)
        self.assertIn("good.lua: warning: there is no spec: write good_spec.lua beside it", done.stdout)
        self.assertEqual(run("script", "test", "--strict", self.root).returncode, 1)

    def test_a_spec_without_its_script_and_a_broken_spec_fail(self):
        self.write("lost_spec.lua", SPEC)
        self.assertIn("there is no lost.lua beside this spec", run("script", "test", self.root).stdout)
        os.remove(os.path.join(self.root, "lost_spec.lua"))
        self.write("good.lua", GOOD)
        self.write("good_spec.lua", "return { { claim = 'x', givn = {} } }")
        done = run("script", "test", self.root)
        self.assertEqual(done.returncode, 1)
        self.assertIn("givn is no known field", done.stdout)

    def test_check_warns_of_a_missing_half_and_finds_no_fault_in_it(self):
        spec, script = self.write("lost_spec.lua", SPEC), self.write("good.lua", GOOD)
        done = run("script", "check", spec, script)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.count(", good\n"), 2)
        self.assertEqual(done.stderr.splitlines(), [
            f"{spec}: warning: there is no lost.lua beside this spec: a server runs it once there is; put it there, or "
            "remove the spec",
            f"{script}: warning: there is no spec: write good_spec.lua beside it"])
        self.write("good_spec.lua", SPEC)
        self.assertEqual(run("script", "check", script).stderr, "")
        missing = self.write("bad.lua", "return")
        self.assertNotIn("warning", run("script", "check", missing).stderr)
        done = run("script", "test", self.root)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no lost.lua beside this spec, so that nobody runs it\n"
                      "help: put the script there, or remove the spec\n", done.stdout)

    def test_check_finds_what_is_wrong_with_a_policys_spec(self):
        policies = os.path.join(SOURCE_DIR, "policies")
        shutil.copy(os.path.join(policies, "rate_limit.lua"), self.root)
        spec = self.write("rate_limit_spec.lua",
                          'return { { claim = "x", request = { rout = "/" }, expect = false } }')
        done = run("script", "check", spec)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("the case 'x': request.rout is no known field", done.stderr)
        files = [os.path.join(policies, name) for name in ("rate_limit.lua", "rate_limit_spec.lua")]
        done = run("script", "check", *files)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.count(", good\n"), 2)

    def test_a_lens_that_keeps_its_spec_and_fails_the_self_check_is_refused_as_a_server_does(self):
        path = self.write("good.lua", GOOD.replace("return {\n", "local asked = 0\nreturn {\n", 1).replace(
            "candidates) return", "candidates) asked = asked + 1 return").replace(
            '"the first of " ..', '"call " .. asked .. " of " ..'))
        self.write("good_spec.lua", SPEC)
        message = "answers differently when asked again"
        for command in (("check", path), ("test", self.root)):
            done = run("script", *command)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(message, done.stdout + done.stderr)
        os.mkdir(os.path.join(self.root, "lenses"))
        for name in ("good.lua", "good_spec.lua"):
            shutil.move(os.path.join(self.root, name), os.path.join(self.root, "lenses"))
        with self.assertRaises(AssertionError) as refused:
            Server(lenses_dir=os.path.join(self.root, "lenses"))
        self.assertIn(message, str(refused.exception))

    def test_json_has_every_case(self):
        shutil.copy(os.path.join(LENSES, "recency.lua"), self.root)
        shutil.copy(os.path.join(LENSES, "recency_spec.lua"), self.root)
        self.write("bad.lua", "return")
        done = run("script", "test", "--json", self.root)
        self.assertEqual(done.returncode, 1)
        results = json.loads(done.stdout)
        self.assertEqual([(one["name"], one["ok"]) for one in results["scripts"]], [("bad", False), ("recency", True)])
        self.assertTrue(all(case["holds"] for case in results["scripts"][1]["cases"]))
        self.assertFalse(results["ok"])


if __name__ == "__main__":
    unittest.main()
