# SPDX-License-Identifier: Apache-2.0
"""A keep-alive HTTP/1.1 connection on a bare socket: what was received before a crash can be told from what was not."""

import json
import socket


class Disconnected(Exception):
    """The peer is gone. `partial` is true when it left in the middle of an answer."""

    def __init__(self, why, partial=False):
        super().__init__(why)
        self.partial = partial


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Connection:
    """Not for several threads at once. Every call may raise Disconnected; a silent server is an AssertionError."""

    def __init__(self, port, timeout_s=60, host="127.0.0.1"):
        try:
            self.socket = socket.create_connection((host, port), timeout=timeout_s)
        except OSError as error:
            raise Disconnected(f"connect: {error}") from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()

    def close(self):
        self.socket.close()

    def send(self, method, target, body=b""):
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n"
        if body or method == "POST":
            head += f"Content-Length: {len(body)}\r\n"
        self._send_bytes(head.encode("ascii") + b"\r\n" + body)

    def request(self, method, target, body=b""):
        self.send(method, target, body)
        return self.receive()

    def get(self, target):
        return self.request("GET", target)

    def post(self, target, value):
        return self.request("POST", target, value if isinstance(value, bytes) else json.dumps(value).encode())

    def get_many(self, targets, at_once=64):
        """Pipelined, in the order of `targets`."""
        for start in range(0, len(targets), at_once):
            part = targets[start:start + at_once]
            heads = "".join(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n" for target in part)
            self._send_bytes(heads.encode("ascii"))
            for _ in part:
                yield self.receive()

    def receive(self):
        end = self._fill_until(b"\r\n\r\n")
        lines = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        status = int(lines[0].split(" ", 2)[1])
        size = end + 4 + int(headers.get("content-length", "0"))
        while len(self.buffer) < size:
            self._fill()
        body = bytes(self.buffer[end + 4:size])
        del self.buffer[:size]
        return Answer(status, headers, body)

    def _send_bytes(self, data):
        try:
            self.socket.sendall(data)
        except socket.timeout as error:
            raise AssertionError("the server took no input within the time limit") from error
        except OSError as error:
            raise Disconnected(f"send: {error}") from error

    def _fill_until(self, mark):
        searched = 0
        while True:
            at = self.buffer.find(mark, searched)
            if at >= 0:
                return at
            searched = max(0, len(self.buffer) - len(mark))
            self._fill()

    def _fill(self):
        try:
            data = self.socket.recv(1 << 18)
        except socket.timeout as error:
            raise AssertionError("the server gave no answer within the time limit") from error
        except OSError as error:
            raise Disconnected(f"receive: {error}", partial=bool(self.buffer)) from error
        if not data:
            raise Disconnected("receive: end", partial=bool(self.buffer))
        self.buffer += data
