#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The console in a pipe: plain output, exit codes, errors, against a running server."""

import http.server
import json
import os
import tempfile
import threading
import unittest

from tool import Server, claims, run, say, url_of


class Pipe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.chain = claims(cls.server)
        cls.url = url_of(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def console(self, text, *arguments, code=0):
        done = run("console", "--url", self.url, *arguments, text=text)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        self.assertEqual(done.stderr == "", code == 0, done.stderr)
        return done

    def json(self, text):
        lines = self.console(text, "--json").stdout.splitlines()
        return [json.loads(line) for line in lines]

    def test_a_question_gives_a_table(self):
        lines = self.console('query{"weather/zagreb", "sky", lens = "recency"}\n').stdout.splitlines()
        self.assertRegex(lines[0], r"^concept +predicate +value +confidence +status +conflict +claims +explain$")
        self.assertRegex(lines[1], r"^weather/zagreb +sky +rain +0\.95 +contested ")
        self.assertRegex(lines[2], r"^-- lens recency 1\.0\.0 \([0-9a-f]{12}\), as of sequence \d+, ")

    def test_json_is_what_the_server_said(self):
        question = {"concept_path": "weather/zagreb", "predicate": "sky", "lens": "consensus", "as_of": 4}
        [value] = self.json('query{"weather/zagreb", "sky", lens = "consensus", as_of = 4}\n')
        self.assertEqual(value, self.server.query(**question).json)

    def test_every_way_to_spell_a_question_asks_the_same(self):
        values = self.json('query("weather/zadar", "sky").assertions\n'
                           'query{"weather/zadar", "sky"}.assertions\n'
                           'query{"weather/zadar", predicate = "sky"}.assertions\n'
                           'query{concept_path = "weather/zadar", predicate = "sky"}.assertions\n'
                           'query("weather/zadar").assertions\n')
        self.assertEqual(len(values), 5)
        self.assertTrue(all(value == values[0] and len(value) == 1 for value in values))

    def test_input_goes_over_lines_until_it_is_whole(self):
        self.assertEqual(self.json('x = {\n  1,\n\n  2,\n}\nfunction twice(n)\n  return 2 * n\nend\ntwice(x[2]), #x\n'), [4, 2])

    def test_an_input_that_fails_does_not_hold_back_the_next_ones(self):
        done = self.console('error("one")\n1 + 1\nnix()\n', code=1)
        self.assertEqual(done.stdout, "2\n")
        self.assertEqual(done.stderr, "error: one\nerror: input:1: attempt to call global 'nix' (a nil value)\n")

    def test_an_input_that_fills_the_memory_does_not_either(self):
        done = self.console('kept = 41\nlocal t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end\nkept + 1\n', code=1)
        self.assertEqual((done.stdout, done.stderr), ("42\n", "error: out of memory (cap 256 MiB)\n"))
        done = self.console('kept, t = 41, {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end\nkept\n#lenses().lenses\n', code=1)
        self.assertEqual((done.stdout, done.stderr), ("nil\n10\n", "error: out of memory (cap 256 MiB): the globals held most of "
                                                      "it, so all of them are gone: keep less in them\n"))

    def test_what_has_no_end_is_an_error(self):
        done = self.console("query{", code=1)
        self.assertIn("has no end: query{", done.stderr)

    def test_expressions_come_from_the_command_line_as_well(self):
        done = run("console", "--url", self.url, "-e", "1 + 1", "-e", "'a'", text="not read")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "2\na\n", ""))

    def test_usage_errors_are_2(self):
        for arguments in (["console", "--nix"], ["nix"], [], ["console", "--url", "http://x", "--data-dir", "y"],
                          ["console", "--width", "3"]):
            done = run(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertRegex(done.stderr, r"^stemedb: .*--help lists commands and options\n$")

    def test_help_lists_functions_and_the_script_api(self):
        self.assertIn("compare{ path", self.console("help()\n").stdout)
        one = self.console('help("steme.leader")\n').stdout
        self.assertTrue(one.startswith("steme.leader(claims, weights)\n"), one)
        self.assertEqual(one, self.console('help("leader")\n').stdout)
        self.assertIn("value_index", self.console('help("candidate")\n').stdout)
        self.assertEqual(self.console("help(query)\n").stdout, self.console('help("query")\n').stdout)
        self.assertIn("string.find", self.console('help("fin")\n', code=1).stderr)

    def test_explain_is_an_account(self):
        text = self.console('explain{"weather/zagreb", "sky", lens = "tier_authority"}\n').stdout
        self.assertIn("weather/zagreb sky = rain\n", text)
        self.assertRegex(text, r"confidence +\S+ +the share of the winner's value")
        self.assertRegex(text, r"rain +\S+ +\S+ +2 +wins")
        self.assertRegex(text, r"\d{12}|[0-9a-f]{12} +clear .* opposes")

    def test_compare_asks_all_lenses_unless_some_are_named(self):
        everyone = self.json('compare{"weather/zagreb", "sky"}\n')[0]
        self.assertEqual([one["lens"]["name"] for one in everyone["results"]],
                         ["authority", "confidence", "consensus", "constraints", "epoch_aware", "layered", "recency", "skeptic",
                          "tier_authority", "vote_consensus"])
        text = self.console('compare{"weather/zagreb", "sky", lenses = { "recency", "skeptic" }}\n').stdout
        self.assertEqual([line.split()[0] for line in text.splitlines()[1:3]], ["recency", "skeptic"])

    def test_trace_walks_to_the_roots(self):
        steps = self.json(f'trace("{self.chain[2]}")\n')[0]
        self.assertEqual([(step["depth"], step["id"]) for step in steps],
                         [(0, self.chain[2]), (1, self.chain[0]), (1, self.chain[1]), (2, self.chain[0])])
        self.assertEqual([step["relation"] for step in steps], ["", "derived_from", "derived_from", "parent"])
        self.assertEqual(steps[3]["note"], "shown above")

    def test_trace_says_what_is_not_there(self):
        self.assertIn("unknown_assertion", self.console(f'trace("{"0" * 64}")\n', code=1).stderr)
        self.assertIn("64 lower-case hex digits", self.console('trace("x")\n', code=1).stderr)

    def test_concepts_lenses_and_health(self):
        self.assertIn("weather/zagreb", self.console('concepts("weather")\n').stdout)
        self.assertRegex(self.console("lenses()\n").stdout, r"\nrecency +1\.0\.0 +max_age_s = 0 ")
        self.assertRegex(self.console("health()\n").stdout, r"status +healthy")

    def test_what_the_server_refuses_is_said_with_its_code(self):
        self.assertIn("unknown_lens: there is no lens 'nix'; there are authority, confidence",
                      self.console('query{"a", "b", lens = "nix"}\n', code=1).stderr)
        self.assertIn("invalid_request", self.console('query{"a", limit = -1, nix = 2}\n', code=1).stderr)
        self.assertIn("unknown field", self.console('query{"a", limit = -1, nix = 2}\n', code=1).stderr)
        self.assertIn("wants a lens", self.console('explain{"a"}\n', code=1).stderr)
        self.assertIn("wants a concept path", self.console("query{}\n", code=1).stderr)
        self.assertIn("value 3, c, has no field", self.console('query{"a", "b", "c"}\n', code=1).stderr)

    def test_a_draft_is_tried_on_live_data_in_the_servers_sandbox(self):
        with tempfile.TemporaryDirectory(prefix="stemedb-test-") as directory:
            draft = os.path.join(directory, "oldest.lua")

            def write(body):
                with open(draft, "w", encoding="utf-8") as file:
                    file.write('return { kind = "lens", api = 1, name = "oldest", version = "0.1", description = "d",\n'
                               f'  resolve = function(ctx, candidates) {body} end }}\n')

            write('return { winner = #candidates, notes = { "the newest" } }')
            ask = f'try("{draft}", {{"weather/zagreb", "sky"}})\n'
            answer = self.json(ask)[0]
            self.assertEqual((answer["lens"]["name"], answer["resolutions"][0]["value"]), ("oldest", "clear"))
            account = self.console(f'try("{draft}", {{"weather/zagreb", "sky", include = {{ "explain" }}}})\n').stdout
            self.assertIn("the newest", account)
            write("while true do end")
            self.assertIn("oldest.lua:2", self.console(ask, code=1).stderr)
            write("return os.time()")
            self.assertIn("attempt to index global 'os'", self.console(ask, code=1).stderr)
            write("return nil, 'no")
            self.assertIn("a text that never ends", self.console(ask, code=1).stderr)
        self.assertNotIn("oldest", self.console("lenses()\n").stdout)

    def test_scripts_says_what_is_live(self):
        live = self.json("scripts()\n")[0]
        self.assertIn("recency", [one["name"] for one in live["scripts"]])
        self.assertIn("recency", self.console("scripts()\n").stdout)
        self.assertIn("recency", self.console('scripts("recency")\n').stdout)
        self.assertIn("unknown_script", self.console('scripts("nix")\n', code=1).stderr)

    def test_a_server_that_is_not_there_is_one_clear_line(self):
        done = run("console", "--url", "http://127.0.0.1:1", text="health()\n")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"^error: no answer from http://127\.0\.0\.1:1 \(.*\): start the server with "
                                      r"scripts/run, or name another with --url\n$")
        self.assertEqual(run("console", "--url", "nonsense", "-e", "1").returncode, 1)

    def test_another_program_on_the_port_is_told_apart(self):
        class Other(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_error(404)

            def log_message(self, *arguments):
                pass

        other = http.server.HTTPServer(("127.0.0.1", 0), Other)
        threading.Thread(target=other.serve_forever, daemon=True).start()
        self.addCleanup(other.shutdown)
        done = run("console", "--url", f"http://127.0.0.1:{other.server_port}", "-e", "health()")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is another program listening there?", done.stderr)

    def test_the_key_goes_along(self):
        seen = []

        class Server_(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                seen.append(self.headers["X-API-Key"])
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *arguments):
                pass

        other = http.server.HTTPServer(("127.0.0.1", 0), Server_)
        threading.Thread(target=other.serve_forever, daemon=True).start()
        self.addCleanup(other.shutdown)
        url = f"http://127.0.0.1:{other.server_port}"
        run("console", "--url", url, "-e", "health()", env={"STEMEDB_API_KEY": "steme_live_x"})
        run("console", "--url", url, "-e", "health()")
        self.assertEqual(seen, ["steme_live_x", None])

    def test_stored_claims_send_no_escapes(self):
        say(self.server, concept_path="hostile", predicate="p", value="\u001b]0;owned\u0007\u009b2J\u202e")
        for text in ('query{"hostile"}\n', 'query{"hostile"}.assertions[1].value\n', 'query{"hostile"}.assertions\n',
                     'explain{"hostile", "p", lens = "recency"}\n', "error(query{'hostile'}.assertions[1].value)\n"):
            done = run("console", "--url", self.url, text=text)
            for stream in (done.stdout, done.stderr):
                self.assertFalse(set(stream) & {"\x1b", "\x07", "\u009b", "\u202e"}, text)
            self.assertIn(r"\x1b]0;owned", done.stdout + done.stderr)

    def test_tables_keep_to_a_given_width(self):
        lines = self.console('query("weather/*")\nlenses()\nexplain{"weather/zagreb", "sky", lens = "recency"}\nhelp()\n',
                             "--width", "60").stdout.splitlines()
        self.assertGreater(len(lines), 20)
        for line in lines:
            if not line.startswith(("-- ", "  ")):  # the foot and help's signatures are not cut
                self.assertLessEqual(len(line), 60, line)


if __name__ == "__main__":
    unittest.main()
