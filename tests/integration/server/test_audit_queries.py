# SPDX-License-Identifier: Apache-2.0
"""The trail of queries: who asked what, of which lens version, what the answer rested on, and whether it can be had again."""

import hashlib
import os
import shutil
import signal
import struct
import tempfile
import time
import unittest

from server_process import Server, claim
from small_disk import fill, mount_small_disk
from test_admin_scripts import lens

QUERIES = "/v1/audit/queries"
REMOTE = {"X-Forwarded-For": "192.0.2.1"}


def digest(answer):
    return {"bytes": len(answer.body), "sha256": hashlib.sha256(answer.body).hexdigest()}


def until(condition, seconds=30):
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class TrailCase(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="stemedb-test-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def start(self, **more):
        server = Server(root=self.root, **more)
        self.addCleanup(server.close)
        return server

    def entries(self, server, **params):
        answer = server.get(QUERIES, **params)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json["entries"]

    def entry(self, server, id, **params):
        answer = server.get(f"/v1/audit/query/{id}", **params)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def store(self, server, path="drugs/aspirin", **fields):
        answer = server.post("/v1/assert", claim(concept_path=path, **fields))
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json


class Asked(TrailCase):
    def setUp(self):
        super().setUp()
        self.server = self.start()

    def test_an_entry_tells_who_asked_what_and_what_the_answer_rested_on(self):
        won = self.store(self.server, value=True, source={"id": "a", "class": "clinical"})
        lost = self.store(self.server, value=False, source={"id": "b", "class": "anecdotal"})
        agent = "ab" * 32
        answer = self.server.post("/v1/query", {"limit": 0, "lens": "consensus", "subject": "drugs/*", "params": {}},
                                  headers={"X-Agent-Id": agent, "X-Request-Id": "request-1"})
        self.assertEqual(answer.status, 200, answer.body)
        listed = self.entries(self.server)
        self.assertEqual(len(listed), 1)
        entry = self.entry(self.server, listed[0]["id"])
        self.assertEqual(entry, listed[0])
        self.assertEqual(entry["agent_id"], agent)
        self.assertEqual(entry["client"], {"kind": "loopback", "address": "127.0.0.1"})
        self.assertEqual(entry["request_id"], "request-1")
        self.assertEqual(entry["endpoint"], "query")
        self.assertEqual(entry["question"], {"concept_path": "drugs/*", "lens": "consensus", "limit": 0})
        self.assertEqual(entry["lenses"], [answer.json["lens"]])
        self.assertEqual(entry["as_of"], answer.json["as_of"])
        self.assertEqual(entry["status"], "answered")
        self.assertEqual(entry["answer"], digest(answer))
        self.assertEqual((entry["resolutions_count"], entry["candidates_count"], entry["assertions_count"]), (1, 2, 0))
        resolution = answer.json["resolutions"][0]
        winner = {won["id"]: won, lost["id"]: lost}[resolution["winner"]]["sequence"]
        loser = won["sequence"] + lost["sequence"] - winner
        self.assertEqual([(c["sequence"], c["role"]) for c in entry["contributions"]],
                         [(winner, "winner"), (loser, "opposes")])
        shares = {c["value"]: c["share"] for c in resolution["claims"]}
        self.assertEqual([c["share"] for c in entry["contributions"]],
                         [shares[resolution["value"]], shares[not resolution["value"]]])
        explained = self.server.query(concept_path="drugs/aspirin", lens="consensus", include=["explain"]).json
        weights = {c["sequence"]: c["weight"] for c in explained["resolutions"][0]["candidates"]}
        self.assertEqual({c["sequence"]: c["weight"] for c in entry["contributions"]}, weights)
        self.assertEqual(entry["contributions_not_told"], 0)

    def test_every_way_to_ask_is_in_it(self):
        self.store(self.server)
        self.server.query(concept_path="drugs/aspirin")
        self.server.get("/v1/query", concept_path="drugs/aspirin", lens="recency")
        for path in ("skeptic", "layered", "constraints"):
            self.server.get("/v1/" + path, concept_path="drugs/aspirin")
        self.server.post("/v1/lenses/compare", {"concept_path": "drugs/aspirin", "lenses": ["recency", "consensus"]})
        asked = [(entry["endpoint"], [used["name"] for used in entry["lenses"]]) for entry in self.entries(self.server)]
        self.assertEqual(asked, [("compare", ["recency", "consensus"]), ("constraints", ["constraints"]),
                                 ("layered", ["layered"]), ("skeptic", ["skeptic"]), ("query", ["recency"]), ("query", [])])
        listed = self.entries(self.server)[-1]["contributions"]
        self.assertEqual(listed, [{"sequence": 1, "role": "listed"}])

    def test_an_answer_that_was_kept_is_a_query_like_any_other(self):
        # Enough to take longer than what is worth keeping.
        items = [claim(concept_path=f"many/{i}", value=i, timestamp="2026-01-01T00:00:00Z") for i in range(300)]
        self.assertEqual(self.server.post("/v1/assert/batch", items).status, 201)
        question = {"concept_path": "many/*", "lens": "consensus", "limit": 0,
                    "as_of": {"sequence": 300, "time": "2026-02-01T00:00:00.000Z"}}
        answers = [self.server.post("/v1/query", question) for _ in range(6)]
        entries = self.entries(self.server)
        self.assertEqual([entry["answer"] for entry in entries], [digest(answer) for answer in reversed(answers)])
        for entry in entries:
            self.assertEqual(entry["contributions"], entries[0]["contributions"])
            self.assertEqual((entry["resolutions_count"], len(entry["contributions"]), entry["contributions_not_told"]),
                             (300, 16, 284))
            self.assertEqual(entry["as_of"]["sequence"], 300)

    def test_what_fails_is_in_it_with_its_code_and_what_is_no_question_is_not(self):
        self.assertEqual(self.server.query(concept_path="a", lens="no_such_lens").status, 404)
        self.assertEqual(self.server.query(concept_path="a", as_of=10**6).status, 422)
        self.assertEqual(self.server.query(concept_path="a", no_such_field=1).status, 400)
        self.assertEqual(self.server.post("/v1/query", "{").status, 400)
        failed = [(entry["status"], entry["code"], "answer" in entry) for entry in self.entries(self.server)]
        self.assertEqual(failed, [("failed", "as_of_in_future", False), ("failed", "unknown_lens", False)])

    def test_who_asks_through_a_proxy_is_told_by_its_address(self):
        self.server.request("GET", "/v1/query?concept_path=a", headers=REMOTE)
        entry = self.entries(self.server)[0]
        self.assertEqual(entry["client"], {"kind": "proxied", "address": "192.0.2.1"})
        self.assertIsNone(entry["agent_id"])

    def test_a_very_long_question_is_cut_and_says_so(self):
        self.store(self.server)
        names = ["x" * 100 + str(i) for i in range(60)]
        answer = self.server.query(concept_path="drugs/aspirin", lens="recency", params={name: 1 for name in names})
        self.assertEqual(answer.status, 400)  # the lens has no such parameters
        entry = self.entries(self.server)[0]
        self.assertEqual(entry["code"], "invalid_params")
        self.assertTrue(entry["question_beginning"].startswith('{"concept_path":"drugs/aspirin","lens":"recency"'))
        self.assertGreater(entry["question_bytes"], 6000)
        self.assertNotIn("question", entry)
        self.assertEqual(self.entry(self.server, entry["id"], replay="true")["replay"]["possible"], False)

    def test_it_is_filtered_and_paged(self):
        for i, agent in enumerate(["one", "two", None, "one"]):
            self.store(self.server, path=f"f/{i}")
            self.server.request("GET", f"/v1/query?concept_path=f/{i}&lens={'recency' if i < 2 else 'consensus'}",
                                headers={"X-Agent-Id": agent} if agent else {})
        self.server.query(concept_path="f/*")
        all_of_them = self.entries(self.server)
        self.assertEqual(len(all_of_them), 5)

        def ids(**params):
            return [entry["id"] for entry in self.entries(self.server, **params)]

        newest = all_of_them[0]["id"]
        self.assertEqual(ids(agent_id="one"), [newest - 1, newest - 4])
        self.assertEqual(ids(agent_id="nobody"), [])
        self.assertEqual(ids(lens="recency"), [newest - 3, newest - 4])
        self.assertEqual(ids(concept_path="f/0"), [newest - 4])
        self.assertEqual(ids(concept_path="f/*"), [newest - i for i in range(5)])
        self.assertEqual(ids(contributed=1), [newest, newest - 4])
        moment = all_of_them[2]["time"]
        after = ids(**{"from": moment})
        self.assertIn(newest - 2, after)
        self.assertEqual(sorted(after + ids(to=moment)), sorted(ids()))
        self.assertEqual(ids(**{"from": "2100-01-01T00:00:00Z"}), [])
        self.assertEqual(ids(to="0"), [])
        self.assertEqual(ids(**{"from": "0", "to": str(2**45)}), ids())
        found, cursor = [], {}
        while True:
            page = self.server.get(QUERIES, limit=2, **cursor).json
            found += [entry["id"] for entry in page["entries"]]
            if "next_cursor" not in page:
                break
            cursor = {"cursor": page["next_cursor"]}
        self.assertEqual(found, ids())

    def test_wrong_parameters_are_refused_by_name(self):
        for params, pointer in (({"limit": "0"}, "limit"), ({"limit": "1001"}, "limit"), ({"limit": "x"}, "limit"),
                                ({"limit": ""}, "limit"), ({"cursor": "x"}, "cursor"), ({"cursor": "0"}, "cursor"),
                                ({"cursor": ""}, "cursor"), ({"cursor": "-1"}, "cursor"),
                                ({"from": "yesterday"}, "from"), ({"to": ""}, "to"), ({"to": "9" * 30}, "to"),
                                ({"agent_id": ""}, "agent_id"), ({"agent_id": "x" * 161}, "agent_id"),
                                ({"lens": ""}, "lens"), ({"lens": "x" * 129}, "lens"),
                                ({"concept_path": ""}, "concept_path"), ({"concept_path": "x" * 515}, "concept_path"),
                                ({"contributed": "-1"}, "contributed"), ({"contributed": "ab"}, "contributed"),
                                ({"no_such": "1"}, "no_such"),
                                ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
                                ({"from": "5", "to": "5"}, "from")):
            answer = self.server.get(QUERIES, **params)
            self.assertEqual((answer.status, answer.code, answer.pointers), (400, "invalid_request", [pointer]), params)
        self.assertEqual(self.server.get(QUERIES + "?limit=1&limit=2").pointers, ["limit"])
        self.assertEqual(self.server.get(QUERIES, limit="x", to="y").pointers, ["limit", "to"])
        self.assertEqual(self.server.get(QUERIES + "?lens=%FF").code, "invalid_query")
        for target in ("/v1/audit/query/x", "/v1/audit/query/0", "/v1/audit/query/-1", "/v1/audit/query/1.5",
                       "/v1/audit/query/" + "9" * 30):
            answer = self.server.get(target)
            self.assertEqual((answer.status, answer.pointers), (400, ["id"]), target)
        for query, pointer in (("replay=yes", "replay"), ("replay=", "replay"), ("again=true", "again"),
                               ("replay=true&replay=true", "replay")):
            answer = self.server.get("/v1/audit/query/1?" + query)
            self.assertEqual((answer.status, answer.pointers), (400, [pointer]), query)
        for replay in ("true", "false"):
            answer = self.server.get("/v1/audit/query/1000000", replay=replay)
            self.assertEqual((answer.status, answer.code), (404, "unknown_query"))
        answer = self.server.request("POST", QUERIES)
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD, OPTIONS"))

    def test_it_is_for_operators_alone_and_on_both_listeners(self):
        self.server.query(concept_path="a")
        for target in (QUERIES, "/v1/audit/query/1", "/v1/audit/query/1?replay=true"):
            for headers in (REMOTE, {"Origin": "https://evil.example"}, {"Host": "evil.example"},
                            {"Sec-Fetch-Site": "cross-site"}):
                answer = self.server.request("GET", target, headers=headers)
                self.assertEqual((answer.status, answer.code), (403, "forbidden"), headers)
            for listener in ("api", "operations"):
                self.assertEqual(self.server.request("GET", target, listener=listener).status, 200)

    def test_a_trace_tells_who_asked(self):
        stored = self.store(self.server)
        other = self.store(self.server, path="t/other")
        for agent in ("one", "two"):
            self.server.post("/v1/query", {"concept_path": "drugs/aspirin", "lens": "recency"}, {"X-Agent-Id": agent})
        entries = self.entries(self.server)

        def askers(id):
            return [(query["query_id"], query["time"], query["agent_id"])
                    for query in self.server.get("/v1/trace/" + id).json["queried_by"]]

        told = [(entry["id"], entry["time"], entry["agent_id"]) for entry in entries]
        self.assertTrue(until(lambda: askers(stored["id"]) == told), askers(stored["id"]))
        self.assertEqual(askers(other["id"]), [])
        for _ in range(20):
            self.server.query(concept_path="drugs/aspirin", lens="recency")
        self.assertTrue(until(lambda: len(askers(stored["id"])) == 16))
        self.server.stop()
        self.server = self.start()
        self.assertTrue(until(lambda: len(askers(stored["id"])) == 16), "the newest are known after a start")

    def test_it_is_counted(self):
        for _ in range(3):
            self.server.query(concept_path="a")
        self.entries(self.server)
        metrics = self.server.request("GET", "/metrics").body.decode()
        self.assertIn("stemedb_audit_queries_total 3\n", metrics)
        self.assertIn('stemedb_audit_queries_dropped_total{reason="buffer_full"} 0\n', metrics)
        disk = float(metrics.split("\nstemedb_audit_disk_usage_bytes ")[1].split("\n")[0])
        audit = os.path.join(self.root, "data", "audit")
        self.assertEqual(disk, sum(os.path.getsize(os.path.join(audit, name)) for name in os.listdir(audit)
                                   if name.startswith("queries-")))


class Replayed(TrailCase):
    def setUp(self):
        super().setUp()
        self.lenses = os.path.join(self.root, "lenses")
        os.makedirs(self.lenses)
        self.write("mine", lens("mine", "1"))
        self.write("other", lens("other", "1"))
        self.server = self.start_again()

    def start_again(self):
        return self.start(lenses_dir=self.lenses, env={"STEMEDB_SCRIPTS_POLL_MS": "60000"})

    def write(self, name, text):
        with open(os.path.join(self.lenses, name + ".lua"), "w", encoding="utf-8") as file:
            file.write(text)

    def reload(self, name):
        answer = self.server.post(f"/v1/admin/scripts/{name}/reload")
        self.assertEqual(answer.status, 200, answer.body)

    def replay(self, id):
        return self.entry(self.server, id, replay="true")["replay"]

    def expect_same(self, id, answer):
        self.assertEqual(self.replay(id), {"possible": True, "same": True, "answer": digest(answer)})

    def test_every_question_gets_the_same_answer_again_whatever_came_in_meanwhile(self):
        for i in range(5):
            self.store(self.server, value=i, source={"id": f"s{i}", "class": "expert"})
        retracted = self.store(self.server, value=9)
        self.server.post("/v1/retract", {"assertion_id": retracted["id"]})
        first = self.server.query(concept_path="drugs/aspirin", limit=2)
        answers = [first, self.server.query(concept_path="drugs/aspirin", limit=2, cursor=first.json["next_cursor"])]
        for question in ({"lens": "mine"}, {"lens": "mine", "include": ["candidates", "explain"], "decay": True},
                         {"lens": "other", "as_of": 3}, {"lens": "mine", "status": "any", "since": 2},
                         {"lens": "mine", "predicate": "thins_blood", "class_multipliers": {"expert": 0.25}},
                         {"as_of": "2020-01-01T00:00:00Z"}, {"lens": "mine", "predicate": "nobody_said"}):
            answers.append(self.server.query(concept_path="drugs/aspirin", **question))
        answers.append(self.server.query(concept_path="*", lens="mine", limit=0))
        answers.append(self.server.post("/v1/lenses/compare", {"concept_path": "drugs/*", "lenses": ["mine", "other"]}))
        for answer in answers:
            self.assertEqual(answer.status, 200, answer.body)
        for i in range(5, 9):
            self.store(self.server, value=i)
        self.server.post("/v1/retract", {"concept_path": "drugs/aspirin"})
        for id, answer in enumerate(answers, 1):
            self.expect_same(id, answer)
        self.server.stop()
        self.server = self.start_again()
        for id, answer in enumerate(answers, 1):
            self.expect_same(id, answer)

    def test_a_version_that_is_kept_answers_though_another_one_is_live(self):
        self.store(self.server)
        answer = self.server.query(concept_path="drugs/aspirin", lens="mine")
        self.write("mine", lens("mine", "2"))
        self.reload("mine")
        self.assertEqual(self.server.query(concept_path="drugs/aspirin", lens="mine").json["lens"]["version"], "2")
        self.expect_same(1, answer)
        self.server.stop()
        self.server = self.start_again()
        self.expect_same(1, answer)
        self.assertEqual(self.server.query(concept_path="drugs/aspirin", lens="mine").json["lens"]["version"], "2")

    def test_what_is_asked_again_counts_as_no_traffic(self):
        def calls():
            lines = self.server.request("GET", "/metrics").body.decode().split("\n")
            return [line for line in lines if line.startswith("stemedb_lens_duration_seconds_count")]

        self.store(self.server)
        answer = self.server.query(concept_path="drugs/aspirin", lens="mine")
        self.assertTrue(any(line.endswith(" 1") for line in calls()), "the question itself is counted")
        before = calls()
        self.expect_same(1, answer)
        self.assertEqual(calls(), before)

    def test_a_version_that_is_gone_cannot_answer(self):
        self.store(self.server)
        self.server.query(concept_path="drugs/aspirin", lens="mine")
        for version in range(2, 20):
            self.write("mine", lens("mine", str(version)))
            self.reload("mine")
        replay = self.replay(1)
        self.assertEqual((replay["possible"], replay["reason"]), (False, "unknown_version"))

    def test_what_had_no_answer_or_whose_lens_failed_cannot_be_repeated(self):
        self.store(self.server)
        self.write("mine", lens("mine", "2", "if ctx.predicate == 'thins_blood' then error('no') end return { winner = 1 }"))
        self.server.stop()
        self.server = self.start_again()
        self.assertEqual(self.server.query(concept_path="drugs/aspirin", lens="mine").status, 500)
        self.assertEqual(self.server.query(concept_path="drugs/aspirin", lens="mine", fallback="other").status, 200)
        entries = self.entries(self.server)
        self.assertEqual([self.replay(entry["id"])["reason"] for entry in entries[:2]], ["fell_back", "failed"])


class Kept(TrailCase):
    def test_a_kill_before_the_first_question_is_told_of(self):
        server = self.start()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        server = self.start()
        self.assertEqual([entry["gap"]["reason"] for entry in self.entries(server)], ["unclean_stop"])
        self.assertEqual(server.stop()[0], 0)
        self.assertEqual(len(self.entries(self.start())), 1, "told once")

    def test_a_kill_keeps_what_was_asked_a_second_before_and_tells_of_a_gap(self):
        server = self.start()
        answers = [server.query(concept_path=f"k/{i}") for i in range(20)]
        self.assertTrue(until(lambda: f"stemedb_audit_queries_total {len(answers)}\n"
                              in server.request("GET", "/metrics").body.decode(), 10))
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        server = self.start()
        entries = self.entries(server)
        self.assertEqual([entry["answer"] for entry in entries[1:]], [digest(answer) for answer in reversed(answers)])
        self.assertEqual((entries[0]["gap"]["reason"], entries[0]["gap"]["queries"]), ("unclean_stop", None))
        replay = self.entry(server, entries[0]["id"], replay="true")["replay"]
        self.assertEqual((replay["possible"], replay["reason"]), (False, "gap"))

    def test_a_kill_under_load_loses_the_last_moments_at_the_most(self):
        server = self.start()
        began, asked = time.monotonic(), []
        while time.monotonic() - began < 3:
            answer = server.query(concept_path=f"k/{len(asked)}")
            asked.append((time.monotonic(), digest(answer)["sha256"]))
        killed = time.monotonic()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        server = self.start()
        found, cursor = [], {}
        while True:
            page = server.get(QUERIES, limit=1000, **cursor).json
            found += [entry["answer"]["sha256"] for entry in page["entries"] if "answer" in entry]
            if "next_cursor" not in page:
                break
            cursor = {"cursor": page["next_cursor"]}
        found.reverse()
        self.assertEqual(found, [sha256 for _, sha256 in asked[:len(found)]], "in their order, none missing before the end")
        self.assertEqual([at for at, _ in asked[len(found):] if at < killed - 1], [])

    def test_a_clean_stop_loses_nothing(self):
        server = self.start()
        for i in range(20):
            server.query(concept_path=f"k/{i}")
        self.assertEqual(server.stop()[0], 0)
        server = self.start()
        self.assertEqual(len(self.entries(server)), 20)

    def test_a_torn_end_is_cut_off_and_what_is_before_it_is_there(self):
        server = self.start()
        for i in range(3):
            server.query(concept_path=f"k/{i}")
        self.entries(server)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        audit = os.path.join(self.root, "data", "audit")
        with open(os.path.join(audit, sorted(os.listdir(audit))[-1]), "ab") as file:
            file.write(struct.pack("<II", 100, 0) + b"torn")
        server = self.start()
        entries = self.entries(server)
        self.assertEqual(len(entries), 4)
        self.assertEqual(entries[0]["gap"]["torn_bytes"], 12)
        self.assertIn("a torn end of the trail of queries was cut off", server.log_text())

    def test_it_keeps_to_its_bytes(self):
        server = self.start(env={"STEMEDB_AUDIT_QUERIES_BYTES": str(1 << 20)})
        name = "x" * 500
        connection = server.connect()
        for i in range(2500):
            connection.request("GET", f"/v1/query?concept_path={name}&predicate=p{i}")
            connection.getresponse().read()
        connection.close()
        # A page doesn't wait for a disk that is slow: the newest is there once it is written.
        deadline = time.monotonic() + 20
        entries = self.entries(server, limit=1000)
        while entries[0]["question"]["predicate"] != "p2499" and time.monotonic() < deadline:
            entries = self.entries(server, limit=1000)
        self.assertEqual(entries[0]["question"]["predicate"], "p2499")
        self.assertGreater(len(entries), 500)
        audit = os.path.join(self.root, "data", "audit")
        self.assertLessEqual(sum(os.path.getsize(os.path.join(audit, file)) for file in os.listdir(audit)), 1 << 20)
        oldest = server.get("/v1/audit/query/1")
        self.assertEqual((oldest.status, oldest.code), (404, "unknown_query"))

    def test_it_can_be_switched_off(self):
        server = self.start(env={"STEMEDB_AUDIT_QUERIES": "false"})
        stored = self.store(server)
        self.assertEqual(server.query(concept_path="drugs/aspirin", lens="recency").status, 200)
        for target in (QUERIES, "/v1/audit/query/1", "/v1/audit/query/1?replay=true"):
            answer = server.get(target)
            self.assertEqual((answer.status, answer.code), (409, "audit_off"))
        self.assertNotIn("queried_by", server.get("/v1/trace/" + stored["id"]).json)
        self.assertFalse(os.path.exists(os.path.join(self.root, "data", "audit")))

    def test_a_full_disk_hurts_no_question_and_is_told_of_when_there_is_room_again(self):
        inside, disk = mount_small_disk(self, os.path.join(self.root, "data"), self.root)
        where = {"prefix": inside, "env": {"STEMEDB_DB_DIR": os.path.join(self.root, "db")}}
        server = self.start(**where)
        self.store(server)
        server.query(concept_path="drugs/aspirin", lens="recency")
        self.assertEqual(len(self.entries(server)), 1)
        filler = os.path.join(disk, "filler")
        fill(filler)
        asked = 0

        def lost():
            metrics = server.request("GET", "/metrics").body.decode()
            return float(metrics.split('stemedb_audit_queries_dropped_total{reason="write_failed"} ')[1].split("\n")[0])

        while lost() == 0:
            answer = server.query(concept_path="drugs/aspirin", lens="recency")
            self.assertEqual(answer.status, 200)
            asked += 1
            self.assertLess(asked, 100_000)
        for _ in range(20):
            self.assertEqual(server.query(concept_path="drugs/aspirin", lens="recency").status, 200)
        os.remove(filler)

        def told():
            gaps = [entry["gap"] for entry in self.entries(server, limit=1000) if "gap" in entry]
            self.assertEqual({gap["reason"] for gap in gaps} - {"write_failed"}, set())
            return sum(gap["queries"] for gap in gaps)

        self.assertTrue(until(lambda: told() == lost()), f"{told()} of {lost()} are told of")
        server.query(concept_path="drugs/aspirin", lens="recency")
        self.assertIn("answer", self.entries(server)[0])
        self.assertIn("queries can't be written to the audit trail", server.log_text())

    def test_settings_out_of_range_end_the_start(self):
        for name, value in (("STEMEDB_AUDIT_QUERIES", "maybe"), ("STEMEDB_AUDIT_QUERIES_BYTES", "1000"),
                            ("STEMEDB_AUDIT_QUERIES_BYTES", str(1 << 40)), ("STEMEDB_AUDIT_QUERIES_DAYS", "0"),
                            ("STEMEDB_AUDIT_QUERIES_DAYS", "4000"), ("STEMEDB_AUDIT_QUERIES_DAYS", "a month")):
            with self.assertRaisesRegex(AssertionError, name):
                Server(root=self.root, env={name: value})


if __name__ == "__main__":
    unittest.main()
