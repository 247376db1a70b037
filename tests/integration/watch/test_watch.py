#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GET /v1/watch: a thousand watchers while others write miss nothing and see nothing twice, whenever they reconnect."""

import asyncio
import json
import os
import random
import resource
import socket
import sys
import threading
import time
import unittest
from urllib.parse import urlencode

SOURCE_DIR = os.environ["STEMEDB_SOURCE_DIR"]
sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "integration", "server"))
from server_process import Server, claim  # noqa: E402

PATIENCE_S = 240  # sanitizers and busy machines are slow
WATCHERS, PATHS, BATCHES, BATCH = 1000, 50, 100, 20
LAST_PATH = f"watched/{PATHS - 1}"  # gets the last claim
LAST = b"large/last"


class Stream:
    """One connection to /v1/watch; reads events as (id, name, data)."""

    def __init__(self, address):
        self.address = address
        self.text = ""

    async def open(self, last_event_id=None, **params):
        self.reader, self.writer = await asyncio.open_connection(*self.address)
        last = "" if last_event_id is None else f"Last-Event-ID: {last_event_id}\r\n"
        self.writer.write(f"GET /v1/watch?{urlencode(params)} HTTP/1.1\r\nHost: test\r\n{last}\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 200 "), head
        assert "Transfer-Encoding: chunked\r\n" in head and "Content-Type: text/event-stream\r\n" in head, head
        return self

    async def event(self):
        """The next event; None when the stream has ended properly."""
        while True:
            while "\n\n" not in self.text:
                size = int(await self.reader.readuntil(b"\r\n"), 16)
                self.text += (await self.reader.readexactly(size)).decode()
                assert await self.reader.readexactly(2) == b"\r\n"
                if size == 0:
                    return None
            block, self.text = self.text.split("\n\n", 1)
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            if fields:
                number = int(fields["id"]) if "id" in fields else None
                return number, fields["event"], json.loads(fields["data"])

    def close(self):
        self.writer.transport.abort()  # as a client that has lost its network


class SlowReader(threading.Thread):
    """Watches and takes 4 KB a second, with a receive buffer as programs have, until it is hurried. Its kernel shows the
    server nothing of that for half a minute on end."""

    def __init__(self, address, path):
        super().__init__(daemon=True)
        self.socket = socket.create_connection(address, timeout=PATIENCE_S)
        self.socket.sendall(f"GET /v1/watch?{urlencode({'concept_path': path})} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        self.hurried = threading.Event()
        self.got = b""
        self.bytes_while_slow = 0
        self.failure = None

    def run(self):
        """Until an event of LAST comes, or the connection ends."""
        try:
            while LAST not in self.got[-200_000:]:
                is_slow = not self.hurried.wait(0.1)
                piece = self.socket.recv(400 if is_slow else 100_000)
                if not piece:
                    break
                self.got += piece
                self.bytes_while_slow = len(self.got) if is_slow else self.bytes_while_slow
        except OSError as failure:
            self.failure = failure
        self.socket.close()

    def sequences(self):
        """Of the assertions, as they came."""
        rest, text = self.got.split(b"\r\n\r\n", 1)[1], b""
        while rest:
            size, rest = rest.split(b"\r\n", 1)
            size = int(size, 16)
            text, rest = text + rest[:size], rest[size + 2:]
        blocks = (block.split(b"\n") for block in text.split(b"\n\n"))
        return [int(block[0].removeprefix(b"id: ")) for block in blocks if b"event: assertion" in block]


class Watcher:
    def __init__(self, address, path, chance, restless):
        self.address, self.path, self.chance, self.restless = address, path, chance, restless
        self.begun = None  # where the first hello says that it watches from
        self.seen = []
        self.last = None
        self.has_ended = False
        self.reconnects = 0

    def covers(self, path):
        if self.path == "*":
            return True
        return path.startswith(self.path[:-1]) if self.path.endswith("/*") else path == self.path

    async def run(self, ready):
        while not self.has_ended:
            stream = await Stream(self.address).open(self.last, concept_path=self.path)
            try:
                number, name, data = await stream.event()
                assert name == "hello" and data["sequence"] == number, (name, data)
                if self.begun is None:
                    self.begun = self.last = number
                assert number == self.last, (number, self.last)
                ready.set()
                left = self.chance.randint(0, 60) if self.restless else None
                while left != 0 and not self.has_ended:
                    number, name, data = await stream.event()
                    self.seen.append((number, name))
                    self.last = number
                    self.has_ended = data.get("predicate") == "end" and data["concept_path"] in (self.path, LAST_PATH)
                    left = left and left - 1
            finally:
                stream.close()
            self.reconnects += 1


async def all_of(tasks):
    """Like gather; the first failure is raised at once."""
    done, pending = await asyncio.wait(tasks, timeout=PATIENCE_S, return_when=asyncio.FIRST_EXCEPTION)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()
    assert not pending, f"{len(pending)} watchers still wait"


class Watching(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 65536, hard))
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def write(self, claims):
        answer = self.server.post("/v1/assert/batch", claims)
        self.assertIn(answer.status, (200, 201), answer.body[:500])
        return [result["sequence"] for result in answer.json["results"]]

    def write_all(self, wait):
        """(sequence, name, path) of everything that was written."""
        written = []
        for batch in range(BATCHES):
            claims = [claim(concept_path=f"watched/{(batch * 7 + i) % PATHS}", predicate="p", value=batch * BATCH + i)
                      for i in range(BATCH)]
            written += [(sequence, "assertion", one["concept_path"])
                        for sequence, one in zip(self.write(claims), claims)]
            if batch % 5 == 0:
                path = claims[0]["concept_path"]
                found = self.server.query(concept_path=path, limit=1).json["assertions"][0]["id"]
                vote = self.server.post("/v1/vote", {"assertion_id": found, "weight": 0.5})
                self.assertEqual(vote.status, 201, vote.body)
                written.append((vote.json["sequence"], "operation", path))
            time.sleep(wait)
        end = [claim(concept_path=f"watched/{i}", predicate="end", value=i) for i in range(PATHS)]
        written += [(sequence, "assertion", one["concept_path"]) for sequence, one in zip(self.write(end), end)]
        return written

    def test_a_thousand_watchers_miss_nothing_and_see_nothing_twice(self):
        seed = random.SystemRandom().getrandbits(32)
        print("random seed", seed)
        chance = random.Random(seed)
        address = self.server.addresses["api"]

        def path_of(i):
            return "*" if i % 100 == 0 else "watched/*" if i % 25 == 0 else f"watched/{i % PATHS}"
        watchers = [Watcher(address, path_of(i), random.Random(chance.random()), i % 2 == 0) for i in range(WATCHERS)]

        async def stalled():
            """Asks for everything and reads nothing, until the test ends."""
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(tuple(address))
            client.sendall(b"GET /v1/watch?concept_path=* HTTP/1.1\r\nHost: test\r\n\r\n")
            return client

        async def campaign():
            tasks = []
            for watcher in watchers:
                ready = asyncio.Event()
                tasks.append(asyncio.create_task(watcher.run(ready)))
                waiting = asyncio.create_task(ready.wait())
                await asyncio.wait([waiting, tasks[-1]], timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
            stuck = await stalled()
            written = await asyncio.get_running_loop().run_in_executor(None, self.write_all, 0.02)
            await all_of(tasks)
            stuck.close()
            return written

        written = sorted(asyncio.run(campaign()))
        for i, watcher in enumerate(watchers):
            expected = [(sequence, name) for sequence, name, path in written
                        if watcher.covers(path) and sequence > watcher.begun]
            self.assertEqual(watcher.seen, expected, f"watcher {i} of {watcher.path}, seed {seed}")
        self.assertGreater(sum(watcher.reconnects for watcher in watchers), WATCHERS)

    def test_who_reads_nothing_is_dropped_who_reads_slowly_lags_and_all_others_get_all(self):
        stuck = socket.socket()
        self.addCleanup(stuck.close)
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(tuple(self.server.addresses["api"]))
        stuck.sendall(b"GET /v1/watch?concept_path=large/* HTTP/1.1\r\nHost: test\r\n\r\n")
        slow = SlowReader(self.server.addresses["api"], "large/*")
        slow.start()
        written = []

        async def watch():
            stream = await Stream(self.server.addresses["api"]).open(concept_path="large/*")
            await stream.event()
            self.assertTrue(await wait_until(lambda: b"event: hello" in slow.got))
            # More than the sockets' buffers take.
            for batch in range(20):
                sequences = await asyncio.get_running_loop().run_in_executor(None, self.write, [
                    claim(concept_path=f"large/{batch}", predicate="p", value=f"{i}" + "x" * 30_000) for i in range(20)])
                written.extend(sequences)
                for sequence in sequences:
                    self.assertEqual((await asyncio.wait_for(stream.event(), PATIENCE_S))[:2], (sequence, "assertion"))

            # A peer that takes nothing has 30 s, and a few more for what its small buffer has taken.
            def is_dropped():
                try:
                    stuck.sendall(b"x")
                except OSError:
                    return True
                return False
            began = time.monotonic()
            self.assertTrue(await wait_until(is_dropped))
            # The slow one's longest silence begins after a quarter of a minute.
            await asyncio.sleep(max(0, began + 55 - time.monotonic()))
            sequence, = self.write([claim(concept_path="large/last", predicate="p", value=1)])
            written.append(sequence)
            self.assertEqual((await asyncio.wait_for(stream.event(), PATIENCE_S))[:2], (sequence, "assertion"))
            stream.close()

        async def wait_until(condition, seconds=120):
            deadline = time.monotonic() + seconds
            while not condition():
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(0.2)
            return True
        asyncio.run(watch())
        self.assertTrue(slow.is_alive(), slow.failure or "the server has ended the slow one's stream")
        slow.hurried.set()
        slow.join(PATIENCE_S)
        self.assertIsNone(slow.failure)
        self.assertLess(slow.bytes_while_slow, 1_000_000)  # of twelve
        self.assertEqual(slow.sequences(), written)

    def test_a_lens_watcher_sees_each_changed_resolution_once(self):
        def state(resolution):
            return [resolution[name] for name in ("winner", "value", "confidence", "status")]

        async def watch():
            stream = await Stream(self.server.addresses["api"]).open(concept_path="lens/a", predicate="p", lens="recency")
            await stream.event()
            seen = [(await asyncio.wait_for(stream.event(), PATIENCE_S))[2]["resolution"]]
            self.assertIsNone(seen[0]["winner"])
            for i, value in enumerate(["first", "second", "second", "third"]):
                sequence, = self.write([claim(concept_path="lens/a", predicate="p", value=value, confidence=0.5 + i / 10,
                                              timestamp=f"2026-02-11T10:00:0{i}.000Z")])
                self.assertEqual((await asyncio.wait_for(stream.event(), PATIENCE_S))[:2], (sequence, "assertion"))
                number, name, data = await asyncio.wait_for(stream.event(), PATIENCE_S)
                self.assertEqual((number, name), (sequence, "resolution"))
                self.assertEqual(data["resolution"]["value"], value)
                self.assertNotEqual(state(data["resolution"]), state(seen[-1]))
                seen.append(data["resolution"])
                asked = self.server.query(concept_path="lens/a", predicate="p", lens="recency", as_of=sequence)
                self.assertEqual(state(asked.json["resolutions"][0]), state(data["resolution"]))
                self.assertEqual(data["lens"], asked.json["lens"])
                self.write([claim(concept_path="lens/other", predicate="p", value=i)])
            stream.close()
        asyncio.run(watch())

    def test_refusals_are_problems(self):
        for status, code, headers, params in (
                (400, "invalid_request", {}, {}),
                (400, "invalid_request", {}, {"concept_path": "a", "as_of": 1}),
                (404, "unknown_lens", {}, {"concept_path": "a", "lens": "none"}),
                (400, "invalid_request", {"Last-Event-ID": "x"}, {"concept_path": "a"}),
                (400, "invalid_request", {"Last-Event-ID": str(1 << 50)}, {"concept_path": "a"})):
            connection = self.server.connect()
            connection.request("GET", "/v1/watch?" + urlencode(params), headers=headers)
            response = connection.getresponse()
            self.assertEqual((response.status, json.loads(response.read())["code"]), (status, code), params)
            connection.close()

    def test_a_stop_ends_streams_properly(self):
        server = Server()
        self.addCleanup(server.close)

        async def watch():
            stream = await Stream(server.addresses["api"]).open(concept_path="*")
            self.assertEqual((await stream.event())[1], "hello")
            stopping = asyncio.get_running_loop().run_in_executor(None, server.stop)
            self.assertIsNone(await asyncio.wait_for(stream.event(), PATIENCE_S))
            stream.close()
            return await stopping
        code, _ = asyncio.run(watch())
        self.assertEqual(code, 0)


if __name__ == "__main__":
    unittest.main()
