# SPDX-License-Identifier: Apache-2.0
"""Runs the real stemedb-api for a test: port 0, a directory of its own, and every answer held against docs/openapi.yaml."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from openapi_contract import Contract

SOURCE_DIR = os.environ["STEMEDB_SOURCE_DIR"]
PROGRAM = os.environ["STEMEDB_API"]
START_SECONDS_MAX = 60  # sanitizers and busy machines are slow; a healthy start takes milliseconds

CONTRACT = Contract(os.path.join(SOURCE_DIR, "docs", "openapi.yaml"))


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["code"]

    @property
    def pointers(self):
        return [error["pointer"] for error in self.json.get("errors", [])]


class Server:
    """One stemedb-api. `root` is kept by the caller when it wants to start another one on the same data; `prefix` is a
    command that runs the program in its own place; `popen` are further arguments of subprocess.Popen.
    """

    def __init__(self, root=None, env=None, args=(), lenses_dir=None, prefix=(), **popen):
        self.owns_root = root is None
        self.root = root or tempfile.mkdtemp(prefix="stemedb-test-")
        self.log_path = os.path.join(self.root, "server.log")
        self.port_file = os.path.join(self.root, "ports")
        if os.path.exists(self.port_file):
            os.remove(self.port_file)
        self.env = environment(self.root, lenses_dir) | (env or {})
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen([*prefix, PROGRAM, "--port-file", self.port_file, *args], env=self.env,
                                        cwd=self.root, stdout=self.log, stderr=self.log, **popen)
        self.addresses = self._wait_for_addresses()

    def _wait_for_addresses(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while not os.path.exists(self.port_file):
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log_text()}")
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"the server didn't start:\n{self.log_text()}")
            time.sleep(0.005)
        with open(self.port_file, encoding="ascii") as file:
            pairs = (line.split() for line in file)
            return {name: (address.rsplit(":", 1)[0], int(address.rsplit(":", 1)[1])) for name, address in pairs}

    def log_text(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def stop(self, number=signal.SIGTERM):
        """Returns the exit code and the seconds that the stop took."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=60)
        self.log.close()
        return self.process.returncode, time.monotonic() - started

    def close(self):
        self.stop()
        if self.owns_root:
            shutil.rmtree(self.root, ignore_errors=True)

    def connect(self, listener="api"):
        return http.client.HTTPConnection(*self.addresses[listener], timeout=60)

    def request(self, method, target, body=None, headers=None, listener="api"):
        """One request on a connection of its own. The answer is held against the document."""
        connection = self.connect(listener)
        try:
            connection.request(method, target, body=encode(body), headers=headers or {})
            response = connection.getresponse()
            # Whoever asks for a stream sees what comes first.
            streams = response.headers.get("Content-Type") == "text/event-stream"
            answer = Answer(response.status, response.headers, response.read1() if streams else response.read())
        finally:
            connection.close()
        CONTRACT.check(method, target, answer)
        return answer

    def get(self, path, headers=None, **params):
        return self.request("GET", path + ("?" + urlencode(params) if params else ""), headers=headers)

    def post(self, path, body=None, headers=None):
        return self.request("POST", path, body, headers)

    def query(self, **question):
        return self.post("/v1/query", question)


def environment(root, lenses_dir=None):
    """Nothing of the caller's own settings, and nothing outside `root`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STEMEDB_")}
    return kept | {
        "STEMEDB_BIND_ADDR": "127.0.0.1:0",
        "STEMEDB_DASHBOARD_ADDR": "127.0.0.1:0",
        "STEMEDB_WAL_DIR": os.path.join(root, "data", "wal"),
        "STEMEDB_DB_DIR": os.path.join(root, "data", "db"),
        "STEMEDB_LENSES_DIR": lenses_dir or os.path.join(SOURCE_DIR, "lenses"),
        "STEMEDB_LOOPS": "2",
    }


def encode(body):
    if body is None or isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def claim(**fields):
    """A good claim, with `fields` over it; None takes a field out."""
    base = {"concept_path": "drugs/aspirin", "predicate": "thins_blood", "value": True, "confidence": 0.9} | fields
    return {name: value for name, value in base.items() if value is not None}
