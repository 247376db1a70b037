# SPDX-License-Identifier: Apache-2.0
"""Operators' calls for scripts: what they show, what they change, who may make them, and what they refuse."""

import hashlib
import http.client
import json
import os
import select
import shutil
import tempfile
import threading
import time
import unittest

from server_process import CONTRACT, SOURCE_DIR, Answer, Server, claim, encode

SCRIPTS = "/v1/admin/scripts"


def lens(name, version, body="return { winner = 1, explain = 'version ' .. VERSION }"):
    return f"""local VERSION = '{version}'
return {{ kind = "lens", api = 1, name = "{name}", version = "{version}", description = "d",
resolve = function(ctx, candidates)
{body}
end }}
"""


class AdminScripts(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="stemedb-test-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.lenses = os.path.join(self.root, "lenses")
        os.makedirs(self.lenses)
        self.write("mine", lens("mine", "1"))
        self.write("other", lens("other", "1"))

    # The watch looks once a minute, so that nothing but the calls acts; the campaign in tests/integration/reload has both.
    def start(self, poll_ms=60000, **env):
        server = Server(root=self.root, lenses_dir=self.lenses, env={"STEMEDB_SCRIPTS_POLL_MS": str(poll_ms)} | env)
        self.addCleanup(server.close)
        return server

    def write(self, name, text):
        with open(os.path.join(self.lenses, name + ".lua"), "w", encoding="utf-8") as file:
            file.write(text)

    def ask(self, server):
        return server.query(concept_path="drugs/aspirin", predicate="thins_blood", lens="mine").json

    def version(self, server):
        return self.ask(server)["lens"]["version"]

    def test_a_changed_file_is_taken_by_itself(self):
        server = self.start(poll_ms=10)
        self.assertEqual(self.version(server), "1")
        self.write("mine", lens("mine", "2"))
        deadline = time.monotonic() + 60
        while self.version(server) != "2":
            self.assertLess(time.monotonic(), deadline)
        shown = server.get(SCRIPTS + "/mine").json
        self.assertEqual((shown["version"], shown["last_result"]["result"], shown["generation"]), ("2", "ok", 2))
        self.assertEqual(server.get("/v1/lenses").json["generation"], 2)
        self.assertEqual(server.get("/v1/health").json["script_generation"], 2)
        self.assertIn('stemedb_script_reload_total{result="ok"} 1', server.get("/metrics").body.decode())
        self.assertIn("stemedb_script_generation 2", server.get("/metrics").body.decode())

    def test_reload_rollback_list_and_diff(self):
        server = self.start()
        server.post("/v1/assert", claim())
        first = self.ask(server)["lens"]["sha256"]
        self.write("mine", lens("mine", "2"))
        report = server.post(SCRIPTS + "/mine/reload").json
        self.assertEqual((report["result"], report["generation"], report["version"]), ("ok", 2, "2"))
        self.assertEqual(report["shadow"]["compared"], 1)
        self.assertEqual(report["shadow"]["reworded"], 1)
        answer = self.ask(server)
        self.assertEqual((answer["lens"]["generation"], answer["resolutions"][0]["explain"]), (2, "version 2"))
        self.assertEqual(server.post(SCRIPTS + "/mine/reload", {}).json["result"], "unchanged")
        shown = server.get(SCRIPTS + "/mine", source="true", diff=first).json
        self.assertEqual(shown["source"], lens("mine", "2"))
        self.assertIn("-local VERSION = '1'\n", shown["diff"])
        self.assertIn("+local VERSION = '2'\n", shown["diff"])
        self.assertEqual([version["live"] for version in shown["versions"]], [True, False])
        back = server.post(SCRIPTS + "/mine/rollback", headers={"X-Actor": "alice"})
        self.assertEqual((back.json["result"], back.json["generation"], self.version(server)), ("rolled_back", 3, "1"))
        self.assertTrue(server.get(SCRIPTS + "/mine").json["pinned"])
        self.assertEqual(server.post(SCRIPTS + "/mine/reload").json["result"], "ok")
        self.assertEqual(server.post(SCRIPTS + "/mine/rollback", {"to_version_sha256": first}).json["sha256"], first)
        listed = server.get(SCRIPTS).json
        self.assertEqual(listed["generation"], 5)
        self.assertEqual([g["cause"] for g in listed["generations"]],
                         ["rollback", "reload", "rollback", "reload", "start"])
        self.assertEqual(listed["generations"][2]["actor"], "alice")
        self.assertEqual({script["name"] for script in listed["scripts"]}, {"mine", "other"})

    def test_a_refused_script_says_where_and_what_is_live_stays(self):
        server = self.start()
        self.write("mine", "return {\n}}")
        refused = server.post(SCRIPTS + "/mine/reload")
        self.assertEqual((refused.status, refused.code), (422, "script_refused"))
        self.assertIn("failed_compile: mine.lua:2: ", refused.json["detail"])
        error = server.get(SCRIPTS + "/mine").json["last_error"]
        self.assertEqual((error["stage"], error["file"], error["line"]), ("failed_compile", "mine.lua", 2))
        self.assertEqual(self.version(server), "1")
        # A spec beside it is run as well.
        self.write("mine", lens("mine", "2"))
        self.write("mine_spec", "return { { claim = 'nobody wins', given = { { value = 1 } }, expect = { winner = false } } }")
        self.assertIn("failed_spec: mine_spec.lua: 'nobody wins'", server.post(SCRIPTS + "/mine/reload").json["detail"])

    def test_changed_answers_wait_for_a_yes_when_set_so(self):
        server = self.start(STEMEDB_SCRIPTS_HOLD_CHANGES="true")
        server.post("/v1/assert", claim())
        server.post("/v1/assert", claim(value=False, confidence=0.1))
        self.ask(server)
        self.write("mine", lens("mine", "2", "return { winner = #candidates, confidence = 0.125 }"))
        held = server.post(SCRIPTS + "/mine/reload")
        self.assertEqual((held.status, held.json["result"], held.json["shadow"]["changed"]), (202, "held", 1))
        self.assertEqual(self.version(server), "1")
        self.assertEqual(server.get(SCRIPTS + "/mine").json["held"]["version"], "2")
        self.assertEqual(server.post(SCRIPTS + "/mine/reload", {"accept": True}).json["result"], "ok")
        self.assertEqual(self.version(server), "2")

    def test_a_yes_may_name_the_text_that_it_is_for(self):
        server = self.start(STEMEDB_SCRIPTS_HOLD_CHANGES="true")
        texts = [lens("mine", version) for version in ("2", "3")]
        looked_at, other = (hashlib.sha256(text.encode()).hexdigest() for text in texts)
        self.write("mine", texts[0])
        held = server.post(SCRIPTS + "/mine/reload")
        self.assertEqual((held.status, held.json["sha256"]), (202, looked_at))
        self.assertIn(f'{{"accept": true, "sha256": "{looked_at}"}}', held.json["detail"])
        self.write("mine", texts[1])
        self.assertEqual(server.post(SCRIPTS + "/mine/reload").json["sha256"], other)
        refused = server.post(SCRIPTS + "/mine/reload", {"accept": True, "sha256": looked_at})
        self.assertEqual((refused.status, refused.code), (409, "another_text"))
        self.assertIn(other, refused.json["detail"])
        self.assertEqual(self.version(server), "1")
        self.assertEqual(server.post(SCRIPTS + "/mine/reload", {"accept": True, "sha256": other}).json["result"], "ok")
        self.assertEqual(self.version(server), "3")
        for body in ({"sha256": other}, {"accept": False, "sha256": other}, {"accept": True, "sha256": other[:-1]},
                     {"accept": True, "sha256": other.upper()}, {"accept": True, "sha256": 5}):
            answer = server.post(SCRIPTS + "/mine/reload", body)
            self.assertEqual((answer.status, answer.pointers), (400, ["/sha256"]), body)

    def test_the_removal_of_a_script_waits_for_a_yes_when_set_so(self):
        server = self.start(STEMEDB_SCRIPTS_HOLD_CHANGES="true")
        live = server.get(SCRIPTS + "/mine").json["sha256"]
        os.remove(os.path.join(self.lenses, "mine.lua"))
        held = server.post(SCRIPTS + "/mine/reload")
        self.assertEqual((held.status, held.json["result"]), (202, "held"))
        self.assertLessEqual(set(held.json), {"name", "result", "generation", "detail"})
        self.assertIn("is gone, and the script stays live", held.json["detail"])
        shown = server.get(SCRIPTS + "/mine").json
        self.assertEqual((shown["live"], shown["last_result"]["result"], "held" in shown), (True, "held", False))
        bound = server.post(SCRIPTS + "/mine/reload", {"accept": True, "sha256": live})
        self.assertEqual((bound.status, bound.code), (409, "another_text"))
        self.assertEqual(server.post(SCRIPTS + "/mine/reload", {"accept": True}).json["result"], "removed")
        self.assertFalse(server.get(SCRIPTS + "/mine").json["live"])

    def test_a_live_lens_whose_calls_fail_says_so_with_file_and_line(self):
        self.write("mine", lens("mine", "1", "if candidates[1].value == 'late' then error('oh') end return { winner = 1 }"))
        server = self.start()
        server.post("/v1/assert", claim(value="late"))
        question = {"concept_path": "drugs/aspirin", "predicate": "thins_blood", "lens": "mine"}
        for _ in range(3):
            self.assertEqual(server.query(**question).code, "lens_failed")
        for shown in (server.get(SCRIPTS + "/mine").json,
                      next(one for one in server.get(SCRIPTS).json["scripts"] if one["name"] == "mine")):
            error = shown["last_error"]
            self.assertEqual((error["stage"], error["file"], error["line"], error["failures_last_minute"], error["sha256"]),
                             ("failed_calls", "mine.lua", 4, 3, shown["sha256"]))
            self.assertIn("oh", error["detail"])
            self.assertEqual(shown["failures"], 3)

    def test_a_spec_without_its_script_and_a_script_without_a_spec_are_listed_and_said(self):
        self.write("lost_spec", "return {}")
        server = self.start()
        warnings = server.get(SCRIPTS).json["warnings"]
        self.assertEqual([os.path.basename(one["file"]) for one in warnings], ["lost_spec.lua", "mine.lua", "other.lua"])
        self.assertIn("there is no lost.lua beside this spec", warnings[0]["detail"])
        self.assertIn("write mine_spec.lua", warnings[1]["detail"])
        for one in warnings:
            self.assertIn(one["file"], server.log_text())
        self.assertEqual(self.version(server), "1")

    def test_an_audit_file_that_is_taken_away_is_missed(self):
        server = self.start(poll_ms=10)
        path = os.path.join(self.root, "data", "audit.jsonl")
        server.post(SCRIPTS + "/mine/rollback")
        os.rename(path, path + ".stolen")
        deadline = time.monotonic() + 60
        while not os.path.exists(path) or os.path.getsize(path) == 0:  # nothing else is to be written
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        server.post(SCRIPTS + "/mine/shadow")
        with open(path, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file]
        self.assertEqual([(entry["action"], entry["result"]) for entry in entries],
                         [("audit.file", "file_lost"), ("scripts.shadow", "ok")])
        self.assertEqual([entry["id"] for entry in entries], [2, 3])
        self.assertIn("audit file was moved, removed, replaced or cut short", server.log_text())

    def test_shadow_shows_what_would_change(self):
        server = self.start()
        server.post("/v1/assert", claim())
        self.ask(server)
        self.assertEqual(server.post(SCRIPTS + "/mine/shadow").json["changed"], 0)
        shadow = server.post(SCRIPTS + "/mine/shadow",
                             {"source": lens("mine", "2", "return { winner = 1, confidence = 0.25 }")}).json
        self.assertEqual((shadow["compared"], shadow["changed"]), (1, 1))
        example = shadow["examples"][0]
        self.assertEqual((example["old"]["value"], example["new"]["confidence"], example["difference"]),
                         (True, 0.25, "confidence"))
        refused = server.post(SCRIPTS + "/mine/shadow", {"source": "return {"})
        self.assertEqual((refused.status, refused.code), (422, "script_invalid"))
        self.assertEqual(self.version(server), "1")

    def test_a_draft_is_tried_on_live_data(self):
        server = self.start()
        server.post("/v1/assert", claim())
        question = {"concept_path": "drugs/aspirin", "predicate": "thins_blood"}
        draft = lens("draft", "0", "return { winner = 1, explain = 'tried' }")
        answer = server.post(SCRIPTS + "/try", {"source": draft, "question": question})
        self.assertEqual((answer.json["lens"]["name"], answer.json["resolutions"][0]["explain"]), ("draft", "tried"))
        self.assertEqual(server.query(lens="draft", **question).code, "unknown_lens")
        failed = server.post(SCRIPTS + "/try", {"source": lens("draft", "0", "error('oh')"), "name": "mine.lua",
                                                "question": question})
        self.assertEqual((failed.status, failed.code), (500, "lens_failed"))
        self.assertIn("mine.lua:4: oh", failed.json["detail"])
        wrong = server.post(SCRIPTS + "/try", {"source": "return 5", "question": question})
        self.assertEqual((wrong.status, wrong.code), (422, "script_invalid"))
        bad = server.post(SCRIPTS + "/try", {"source": draft, "question": {"concept_path": 5}})
        self.assertEqual((bad.status, bad.pointers), (400, ["/question/concept_path"]))

    def test_everything_is_audited_and_stays_so_over_a_restart(self):
        server = self.start()
        server.post(SCRIPTS + "/mine/rollback", headers={"X-Actor": "bob"})
        server.post(SCRIPTS + "/mine/shadow")
        server.close()
        server = self.start()
        entries = server.get("/v1/admin/audit").json["entries"]
        self.assertEqual([(e["action"], e["subject"], e["result"]) for e in entries],
                         [("scripts.shadow", "mine", "ok"), ("scripts.rollback", "mine", "no_previous_version")])
        self.assertEqual((entries[1]["peer"], entries[1]["actor"]), ("127.0.0.1", "bob"))
        page = server.get("/v1/admin/audit", limit=1).json
        self.assertEqual(page["entries"], entries[:1])
        rest = server.get("/v1/admin/audit", limit=1, cursor=page["next_cursor"]).json
        self.assertEqual((rest["entries"], rest.get("next_cursor")), (entries[1:], None))
        with open(os.path.join(self.root, "data", "audit.jsonl"), encoding="utf-8") as file:
            self.assertEqual([json.loads(line)["id"] for line in file], [1, 2])

    def calls(self):
        draft = {"source": lens("draft", "0"), "question": {"concept_path": "a"}}
        return (("GET", SCRIPTS, None), ("GET", SCRIPTS + "/mine", None), ("POST", SCRIPTS + "/mine/reload", {}),
                ("POST", SCRIPTS + "/mine/rollback", {}), ("POST", SCRIPTS + "/mine/shadow", {}),
                ("POST", SCRIPTS + "/try", draft), ("GET", "/v1/admin/audit", None))

    def test_only_this_machine_may_make_them_and_no_web_page(self):
        server = self.start(STEMEDB_ALLOWED_ORIGINS="https://good.example")
        for method, path, body in self.calls():
            for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"},
                            {"Via": "1.1 proxy"}, {"X-Real-IP": "127.0.0.1"}, {"X-Forwarded-Proto": "https"},
                            {"Origin": "http://evil.example"}, {"Origin": "null"},
                            {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
                answer = server.request(method, path, body, headers)
                self.assertEqual((answer.status, answer.code), (403, "forbidden"), (path, headers))
        self.assertEqual({entry["action"] for entry in server.get("/v1/admin/audit").json["entries"]}, {"admin.refused"})
        for headers in ({"Origin": "https://good.example"}, {"Sec-Fetch-Site": "same-origin"},
                        {"Origin": "https://good.example", "Sec-Fetch-Site": "cross-site"}):
            self.assertEqual(server.request("GET", SCRIPTS, headers=headers).status, 200, headers)

    def test_they_must_be_addressed_to_this_machine_so_that_no_rebound_page_reads_them(self):
        server = self.start(STEMEDB_ALLOWED_ORIGINS="https://good.example")
        for listener in ("api", "operations"):
            for method, path, body in self.calls():
                for host in ("evil.example", "evil.example:18180", "127.0.0.1.evil.example"):
                    answer = server.request(method, path, body, {"Host": host}, listener=listener)
                    self.assertEqual((answer.status, answer.code), (403, "forbidden"), (path, host))
                    self.assertIn("Host must be", answer.json["detail"])
            self.assertEqual(self.status_of_target(server, listener, "http://evil.example" + SCRIPTS), 403)
            self.assertEqual(self.status_of_target(server, listener, "http://good.example" + SCRIPTS), 200)
            for host in ("localhost:1", "127.0.0.2", "[::1]:18180", "good.example:8443"):
                self.assertEqual(server.request("GET", SCRIPTS, headers={"Host": host}, listener=listener).status, 200, host)

    @staticmethod
    def status_of_target(server, listener, target):
        """A target in absolute form, and a Host that would be right."""
        connection = server.connect(listener)
        try:
            connection.request("GET", target, headers={"Host": "localhost"})
            return connection.getresponse().status
        finally:
            connection.close()

    def test_refused_calls_are_audited_a_line_a_second_at_most_with_their_number(self):
        foreign = {"Origin": "http://evil.example", "X-Actor": "eve"}
        self.check_tally("{}", foreign, 403, "admin.refused", "forbidden", "web pages of this origin")

    def test_bad_requests_are_audited_likewise(self):
        self.check_tally("no JSON", {"X-Actor": "eve"}, 400, "admin.bad_request", "invalid_json", "the body is not JSON")
        self.check_tally({"no_such": 1}, {"X-Actor": "eve"}, 400, "admin.bad_request", "invalid_request", "/no_such")

    def test_what_the_http_server_itself_refuses_is_audited_likewise(self):
        large = "x" * 5000  # a rollback's body ends at 4 KiB
        self.check_tally(large, {"X-Actor": "eve"}, 413, "admin.bad_request", "http_413", "status 413")
        foreign = {"Origin": "http://evil.example", "X-Actor": "eve"}
        self.check_tally(large, foreign, 413, "admin.refused", "forbidden", "web pages of this origin")

    def check_tally(self, body, headers, status, action, result, detail):
        """The first has its line at once; then a flood has one a second at most, and in the end none was forgotten."""
        server = self.start()
        seen = len(server.get("/v1/admin/audit", limit=1000).json["entries"])
        sent = 0

        def send():
            nonlocal sent
            self.assertEqual(server.request("POST", SCRIPTS + "/mine/rollback", body, headers).status, status)
            sent += 1

        def lines():
            entries = server.get("/v1/admin/audit", limit=1000).json["entries"]
            return entries[:len(entries) - seen]

        began = time.monotonic()
        send()
        self.assertEqual(self.counts(lines()), [1])
        while len(lines()) < 2:
            self.assertLess(time.monotonic(), began + 60)
            time.sleep(0.05)
            send()
        self.assertGreaterEqual(time.monotonic(), began + 1)
        for _ in range(5):
            send()
        self.assertLessEqual(len(lines()), time.monotonic() - began + 1)
        server.close()
        with open(os.path.join(self.root, "data", "audit.jsonl"), encoding="utf-8") as file:
            entries = [json.loads(line) for line in file][seen:]
        for entry in entries:
            self.assertEqual((entry["peer"], entry["actor"], entry["action"], entry["subject"], entry["result"]),
                             ("127.0.0.1", "eve", action, "POST /v1/admin/scripts/{name}/rollback", result))
            self.assertIn(detail, entry["detail"])
        self.assertEqual(sum(self.counts(entries)), sent)

    @staticmethod
    def counts(entries):
        return [int(entry["detail"].split(" ", 1)[0]) for entry in entries]

    def test_the_operations_listener_serves_them_too(self):
        server = self.start()
        for method, path, body in self.calls():
            answer = server.request(method, path, body, listener="operations")
            self.assertIn(answer.status, (200, 409), path)

    def test_bad_requests_are_refused_with_what_is_allowed(self):
        server = self.start()
        for method, path, body in self.calls():
            answer = server.request(method, path + "?no_such=1", body)
            self.assertEqual((answer.status, answer.code), (400, "invalid_request"), path)
            if method == "POST":
                self.assertEqual(server.request(method, path, "no JSON").code, "invalid_json", path)
                unknown = server.request(method, path, {"no_such": 1})
                self.assertEqual(unknown.pointers, ["/no_such"], path)
                self.assertEqual(server.request(method, path, []).code, "invalid_request")
        self.assertEqual(server.post(SCRIPTS + "/mine/reload", {"accept": 1}).pointers, ["/accept"])
        self.assertEqual(server.post(SCRIPTS + "/mine/rollback", {"to_version_sha256": "x"}).pointers,
                         ["/to_version_sha256"])
        self.assertEqual(server.post(SCRIPTS + "/try", {"question": {}}).pointers, ["/source"])
        self.assertEqual(server.post(SCRIPTS + "/try", {"source": "x"}).pointers, ["/question"])
        for target in ("?source=1", "?diff=abc"):
            self.assertEqual(server.get(SCRIPTS + "/mine" + target).status, 400)
        for target in ("?limit=0", "?limit=1001", "?cursor=x"):
            self.assertEqual(server.get("/v1/admin/audit" + target).status, 400)

    def test_unknown_scripts_and_versions_are_404_and_impossible_rollbacks_409(self):
        server = self.start()
        for name in ("nobody", "No%20Name", "x" * 65):
            self.assertEqual(server.get(f"{SCRIPTS}/{name}").code, "unknown_script")
            for call in ("reload", "rollback", "shadow"):
                answer = server.post(f"{SCRIPTS}/{name}/{call}")
                self.assertEqual((answer.status, answer.code), (404, "unknown_script"), (name, call))
        self.assertEqual(server.get(SCRIPTS + "/mine", diff="0" * 64).code, "unknown_version")
        self.assertEqual(server.post(SCRIPTS + "/mine/rollback", {"to_version_sha256": "0" * 64}).code, "unknown_version")
        self.assertEqual(server.post(SCRIPTS + "/mine/rollback").code, "no_previous_version")
        live = server.get(SCRIPTS + "/mine").json["sha256"]
        self.assertEqual(server.post(SCRIPTS + "/mine/rollback", {"to_version_sha256": live}).code, "already_live")

    def test_a_policy_is_put_to_recent_requests(self):
        policies = os.path.join(self.root, "policies")
        os.mkdir(policies)
        path = os.path.join(policies, "rate_limit.lua")
        shutil.copy(os.path.join(SOURCE_DIR, "policies", "rate_limit.lua"), path)
        with open(path, encoding="utf-8") as file:
            shipped = file.read()
        server = self.start(STEMEDB_POLICIES_DIR=policies)
        server.get("/v1/concepts", headers={"X-Forwarded-For": "203.0.113.7"})
        self.assertEqual(server.post(SCRIPTS + "/rate_limit/shadow").json["changed"], 0)
        dearer = shipped.replace('points("Points for a question.", 5)', 'points("Points for a question.", 7)')
        shadow = server.post(SCRIPTS + "/rate_limit/shadow", {"source": dearer}).json
        self.assertEqual(shadow["changed"], 1)
        example = shadow["examples"][0]
        self.assertEqual((example["request"]["route"], example["request"]["peer"]), ("/v1/concepts", "203.0.113.7"))
        self.assertEqual((example["old"]["cost"], example["new"]["cost"], example["difference"]), (5, 7, "cost"))
        other = server.post(SCRIPTS + "/rate_limit/shadow", {"source": lens("rate_limit", "2")})
        self.assertEqual((other.status, other.code), (422, "script_invalid"))
        with open(path, "w", encoding="utf-8") as file:
            file.write(shipped.replace("local params = ctx.params",
                                       "if request.route == '/v1/concepts' then error('oh') end local params = ctx.params"))
        refused = server.post(SCRIPTS + "/rate_limit/reload")
        self.assertEqual((refused.status, refused.code), (422, "script_refused"))
        self.assertIn("failed_shadow: fails on 1 of", refused.json["detail"])

    def test_bodies_and_sources_are_bounded(self):
        server = self.start()
        for call in ("reload", "rollback"):
            self.assertEqual(server.post(f"{SCRIPTS}/mine/{call}", " " * 5000).status, 413)
        large = "-" * (300 << 10)
        self.assertEqual(server.post(SCRIPTS + "/mine/shadow", {"source": large}).code, "value_too_large")
        self.assertEqual(server.post(SCRIPTS + "/try", {"source": large, "question": {"concept_path": "a"}}).code,
                         "value_too_large")

    def test_a_flood_of_tries_is_503_and_keeps_out_neither_changes_nor_questions_nor_lists(self):
        server = self.start()
        server.post("/v1/assert/batch", [claim(concept_path=f"slow/{i}") for i in range(200)])
        first = server.get(SCRIPTS + "/mine").json["sha256"]
        # Some 10 ms for each of 200 pairs: each question takes all the time that it may.
        slow = lens("slow", "1", "local n = 0 for i = 1, 2e6 do n = n + i % 7 end return { winner = 1, explain = '' .. n }")
        body = {"source": slow, "question": {"concept_path": "slow/*", "limit": 0}}
        done = threading.Event()

        def flood():
            while not done.is_set():
                server.post(SCRIPTS + "/try", body)

        flooding = [threading.Thread(target=flood) for _ in range(40)]
        for thread in flooding:
            thread.start()
        changes = ("/reload", "/rollback")
        inquiries = [(method, path + (f"?diff={first}" if method == "GET" and path.endswith("/mine") else ""), content)
                     for method, path, content in self.calls() if path != SCRIPTS and not path.endswith(changes)]
        refused = set()
        deadline = time.monotonic() + 60
        try:
            while len(refused) < len(inquiries) and time.monotonic() < deadline:
                for method, target, content in inquiries:
                    answer = self.request_within(server, method, target, content, seconds=0.3)
                    if answer is not None and answer.status == 503:
                        self.assertEqual(answer.code, "overloaded")
                        refused.add(target)
                self.assertEqual(server.post(SCRIPTS + "/mine/reload").json["result"], "unchanged")
                self.assertEqual(server.post(SCRIPTS + "/mine/rollback").code, "no_previous_version")
                self.assertEqual(self.version(server), "1")
                self.assertEqual(server.get(SCRIPTS).status, 200)
        finally:
            done.set()
            for thread in flooding:
                thread.join()
        self.assertEqual(refused, {target for _, target, _ in inquiries})

    @staticmethod
    def request_within(server, method, target, body, seconds):
        """The answer, or None when it waits in the queue."""
        connection = http.client.HTTPConnection(*server.addresses["api"], timeout=seconds)
        try:
            connection.request(method, target, body=encode(body))
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except TimeoutError:
            return None
        finally:
            connection.close()
        CONTRACT.check(method, target, answer)
        return answer

    def test_a_stop_answers_what_waits(self):
        server = self.start()
        # Some 400 ms of specs for each reload, the last of whose cases fails, so that the next one is as long.
        self.write("mine", lens("mine", "2", "local n = 0 for i = 1, 2e5 do n = n + i % 7 end return { winner = 1 + n * 0 }"))
        self.write("mine_spec", "local cases = {} for i = 1, 400 do cases[i] = { claim = 'case ' .. i, "
                                "given = { { value = i } }, expect = { winner = i < 400 and 1 } } end return cases")
        waiting = []
        for call in (("/mine/reload",) * 9 + ("/mine/rollback",)) * 12:
            connection = server.connect()
            connection.request("POST", SCRIPTS + call)
            waiting.append((connection, call))
        answers = []
        deadline = time.monotonic() + 60
        while "overloaded" not in answers:  # then the queue is full
            ready = select.select([connection.sock for connection, _ in waiting], [], [], 1)[0]
            for one in [one for one in waiting if one[0].sock in ready]:
                answers.append(self.answer_to(*one))
                waiting.remove(one)
            self.assertLess(time.monotonic(), deadline, answers)
        code, seconds = server.stop()
        late = [self.answer_to(*one) for one in waiting]
        self.assertEqual(code, 0)
        self.assertLess(seconds, 30)
        self.assertLessEqual(set(answers + late), {"script_refused", "no_previous_version", "overloaded", "shutting_down"})
        self.assertGreater(late.count("shutting_down"), 32, late)

    @staticmethod
    def answer_to(connection, call):
        """The code or the result of the answer that comes, or has come, on the connection."""
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        CONTRACT.check("POST", SCRIPTS + call, answer)
        return answer.json.get("code") or answer.json["result"]

    def test_a_kept_version_that_cannot_be_run_any_more_is_refused_and_what_is_live_stays(self):
        server = self.start()
        server.close()
        # As if it had been kept by an older server, whose API it needs.
        text = lens("mine", "0").replace("api = 1", "api = 0")
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        kept = os.path.join(self.root, "data", "scripts")
        with open(os.path.join(kept, "versions", sha256 + ".lua"), "w", encoding="utf-8") as file:
            file.write(text)
        with open(os.path.join(kept, "state.json"), encoding="utf-8") as file:
            state = json.load(file)["state"]
        versions = next(script for script in state["scripts"] if script["name"] == "mine")["versions"]
        versions.insert(0, versions[0] | {"version": "0", "sha256": sha256})
        state = json.dumps(state)
        seal = hashlib.sha256(state.encode()).hexdigest()
        with open(os.path.join(kept, "state.json"), "w", encoding="utf-8") as file:
            file.write(f'{{"sha256":"{seal}","state":{state}}}\n')
        server = self.start()
        self.assertEqual([version["version"] for version in server.get(SCRIPTS + "/mine").json["versions"]], ["1", "0"])
        refused = server.post(SCRIPTS + "/mine/rollback")
        self.assertEqual((refused.status, refused.code), (422, "script_invalid"))
        self.assertIn("mine.lua", refused.json["detail"])
        self.assertEqual(self.version(server), "1")

    def test_a_start_refuses_a_wrong_script_and_never_waits_for_a_fifo(self):
        os.mkfifo(os.path.join(self.lenses, "pipe.lua"))
        with self.assertRaisesRegex(AssertionError, r"pipe\.lua: is a FIFO"):
            self.start()
        os.remove(os.path.join(self.lenses, "pipe.lua"))
        self.write("mine_spec", "return { { claim = 'nobody wins', given = { { value = 1 } }, expect = { winner = false } } }")
        with self.assertRaisesRegex(AssertionError, r"mine_spec\.lua: 'nobody wins'"):
            self.start()

    def test_policies_may_be_missing_or_empty(self):
        policies = os.path.join(self.root, "policies")
        os.mkdir(policies)
        server = self.start(STEMEDB_POLICIES_DIR=policies)
        self.assertEqual(self.version(server), "1")
        self.assertTrue(os.path.isdir(os.path.join(SOURCE_DIR, "policies")))


if __name__ == "__main__":
    unittest.main()
