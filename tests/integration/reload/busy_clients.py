# SPDX-License-Identifier: Apache-2.0
"""Connections that ask the same question without pause, and remember which version of the lens answered when."""

import json
import selectors
import socket
import threading
import time
from array import array


class BusyClients:
    """`count` keep-alive connections on one thread. `faults` holds what must not be, in words."""

    def __init__(self, address, count, question, check):
        body = json.dumps(question).encode()
        self.request = (f"POST /v1/query HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
        self.check = check  # (status, answer as JSON) -> number of the version, or raises AssertionError
        self.sent, self.received, self.versions = array("d"), array("d"), array("l")
        self.faults = []
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        for _ in range(count):
            connection = socket.create_connection(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(connection, selectors.EVENT_READ, {"buffer": b"", "sent": 0.0, "generation": 0})
        self.thread = threading.Thread(target=self._run)

    def start(self):
        for key in list(self.selector.get_map().values()):
            self._send(key)
        self.thread.start()

    def stop(self):
        self.stopping = True
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()

    def _send(self, key):
        key.data["sent"] = time.monotonic()
        key.fileobj.sendall(self.request)

    def _run(self):
        while not self.stopping and not self.faults:
            for key, _ in self.selector.select(timeout=5):
                try:
                    self._read(key)
                except (OSError, AssertionError, ValueError, KeyError) as fault:
                    self.faults.append(f"{type(fault).__name__}: {fault}")
                    return

    def _read(self, key):
        part = key.fileobj.recv(65536)
        assert part, "the server closed a connection"
        buffer = key.data["buffer"] + part
        head, separator, body = buffer.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) if separator else 0
        if not separator or len(body) < length:
            key.data["buffer"] = buffer
            return
        key.data["buffer"] = b""
        received = time.monotonic()
        assert head.startswith(b"HTTP/1.1 "), buffer[:600]
        status, answer = int(head[9:12]), json.loads(body)
        self.versions.append(self.check(status, answer))
        if status == 200:
            # Of the lens that was asked, even when another one answered.
            generation = answer.get("fallback_from", answer)["lens"]["generation"]
            assert generation >= key.data["generation"], f"generation {generation} after {key.data['generation']}"
            key.data["generation"] = generation
        self.sent.append(key.data["sent"])
        self.received.append(received)
        self._send(key)

    def milliseconds(self, share):
        """The time that this share of the answers stayed below."""
        times = sorted(end - begin for begin, end in zip(self.sent, self.received))
        return times[int(share * (len(times) - 1))] * 1000
