# SPDX-License-Identifier: Apache-2.0
"""Operators' calls for scripts: what they show, what they change, who may make them, and what they refuse."""

import http.client
import json
import os
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
                            {"Origin": "http://evil.example"}, {"Origin": "null"}):
                answer = server.request(method, path, body, headers)
                self.assertEqual((answer.status, answer.code), (403, "forbidden"), (path, headers))
        self.assertEqual({entry["action"] for entry in server.get("/v1/admin/audit").json["entries"]}, {"admin.refused"})
        good = server.request("GET", SCRIPTS, headers={"Origin": "https://good.example"})
        self.assertEqual(good.status, 200)

    def test_they_must_be_addressed_to_this_machine_so_that_no_rebound_page_reads_them(self):
        server = self.start(STEMEDB_ALLOWED_ORIGINS="https://good.example")
        for listener in ("api", "operations"):
            for method, path, body in self.calls():
                for host in ("evil.example", "evil.example:18180", "127.0.0.1.evil.example"):
                    answer = server.request(method, path, body, {"Host": host}, listener=listener)
                    self.assertEqual((answer.status, answer.code), (403, "forbidden"), (path, host))
                    self.assertIn("Host must be", answer.json["detail"])
            for host in ("localhost:1", "127.0.0.2", "[::1]:18180", "good.example:8443"):
                self.assertEqual(server.request("GET", SCRIPTS, headers={"Host": host}, listener=listener).status, 200, host)

    def test_refused_calls_are_audited_a_line_a_second_at_most_with_their_number(self):
        server = self.start()
        began = time.monotonic()
        for number in range(7):
            if number == 6:
                time.sleep(1.01)  # a second after the last line there may be one again
            answer = server.request("POST", SCRIPTS + "/mine/rollback", {}, {"Origin": "http://evil.example", "X-Actor": "eve"})
            self.assertEqual(answer.status, 403)
        entries = server.get("/v1/admin/audit").json["entries"]
        took = time.monotonic() - began
        self.assertGreaterEqual(len(entries), 2)
        self.assertLessEqual(len(entries), took + 1)
        for entry in entries:
            self.assertEqual((entry["peer"], entry["actor"], entry["action"], entry["subject"], entry["result"]),
                             ("127.0.0.1", "eve", "admin.refused", "POST /v1/admin/scripts/{name}/rollback", "forbidden"))
            self.assertIn("web pages of this origin", entry["detail"])
        counts = [int(entry["detail"].split(" ", 1)[0]) for entry in entries]
        self.assertEqual((counts[-1], sum(counts)), (1, 7))

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

    def test_a_policy_has_no_shadow_and_is_told_so(self):
        server = self.start(STEMEDB_POLICIES_DIR=os.path.join(SOURCE_DIR, "policies"))
        for body in ({}, {"source": lens("rate_limit", "2")}):
            answer = server.post(SCRIPTS + "/rate_limit/shadow", body)
            self.assertEqual((answer.status, answer.code), (409, "no_shadow_for_policies"))
            self.assertIn("test a policy with its spec", answer.json["detail"])

    def test_bodies_and_sources_are_bounded(self):
        server = self.start()
        for call in ("reload", "rollback"):
            self.assertEqual(server.post(f"{SCRIPTS}/mine/{call}", " " * 5000).status, 413)
        large = "-" * (300 << 10)
        self.assertEqual(server.post(SCRIPTS + "/mine/shadow", {"source": large}).code, "value_too_large")
        self.assertEqual(server.post(SCRIPTS + "/try", {"source": large, "question": {"concept_path": "a"}}).code,
                         "value_too_large")

    def test_a_full_queue_is_503_while_questions_and_lists_are_answered(self):
        server = self.start()
        server.post("/v1/assert/batch", [claim(concept_path=f"slow/{i}") for i in range(200)])
        first = server.get(SCRIPTS + "/mine").json["sha256"]
        # Some 10 ms for each of 200 pairs: each question takes all the time that it may.
        slow = lens("slow", "1", "local n = 0 for i = 1, 2e6 do n = n + i % 7 end return { winner = 1, explain = '' .. n }")
        body = {"source": slow, "question": {"concept_path": "slow/*", "limit": 0}}
        waiting = [threading.Thread(target=server.post, args=(SCRIPTS + "/try", body)) for _ in range(120)]
        for thread in waiting:
            thread.start()
        refused = set()
        targets = [(method, path + (f"?diff={first}" if method == "GET" and path.endswith("/mine") else ""), content)
                   for method, path, content in self.calls() if path != SCRIPTS]
        deadline = time.monotonic() + 60
        while len(refused) < len(targets) and time.monotonic() < deadline and any(t.is_alive() for t in waiting):
            for method, target, content in targets:
                answer = self.request_within(server, method, target, content, seconds=0.3)
                if answer is not None and answer.status == 503:
                    self.assertEqual(answer.code, "overloaded")
                    refused.add(target)
            self.assertEqual(self.version(server), "1")
            self.assertEqual(server.get(SCRIPTS).status, 200)
        for thread in waiting:
            thread.join()
        self.assertEqual(refused, {target for _, target, _ in targets})

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
        self.write("mine", lens("mine", "2"))
        results = []
        threads = [threading.Thread(target=lambda: results.append(server.post(SCRIPTS + "/mine/reload").status))
                   for _ in range(20)]
        for thread in threads:
            thread.start()
        code, seconds = server.stop()
        for thread in threads:
            thread.join(timeout=60)
        self.assertEqual(code, 0)
        self.assertLess(seconds, 30)
        self.assertTrue(set(results) <= {200, 503}, results)

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
