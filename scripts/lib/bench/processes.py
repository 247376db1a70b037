# SPDX-License-Identifier: Apache-2.0
"""The programs that are measured and that measure: our server, the bare loop, wrk, the yardsticks. Each is pinned to
a processor, and whatever is started here is ended here."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
LUA = ROOT / "tests" / "bench"
START_SECONDS_MAX = 600


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(cpu, command):
    return ["taskset", "-c", str(cpu), *map(str, command)]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


class Running:
    """A pinned program that listens on `port`; ready when GET `ready` says 200."""

    def __init__(self, command, cpu, port, ready, log, environment=None):
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        started = time.monotonic()
        with open(log, "ab") as output:
            self.process = subprocess.Popen(pinned(cpu, command), stdout=output, stderr=output,
                                            env={**os.environ, **(environment or {})})
        while not answers(self.url + ready):
            if self.process.poll() is not None or time.monotonic() - started > START_SECONDS_MAX:
                self.stop()
                raise RuntimeError(f"{command[0]} did not start; it said:\n{log.read_text()[-2000:]}")
            time.sleep(0.005)
        self.start_seconds = time.monotonic() - started
        self.start_cpu_seconds = self.cpu_seconds()

    def must_run(self):
        """A server that died while it was measured has no figures."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended by itself ({self.process.returncode}): {self.log.read_text()[-1000:]}")

    def memory_bytes(self):
        """Anonymous resident memory: what the program itself holds, without the mapped files."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) * 1024

    def cpu_seconds(self):
        """User and system time of all threads so far."""
        words = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Resident bytes: what the program holds itself, and the pages of mapped files, which the kernel may take back."""
        fields = {}
        for line in pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, kilobytes = line.split()[:2]
            fields[name] = int(kilobytes) * 1024
        return {"anonymous": fields["Anonymous:"], "file": fields["Rss:"] - fields["Anonymous:"]}

    def kill(self):
        """As if the power failed for the process: no chance to say good-bye."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"{self.url} did not stop within a minute of SIGTERM") from None


@contextlib.contextmanager
def our_server(options, directory, ended_by="stop"):
    """The server on the data in `directory`, ended by "stop" (SIGTERM) or "kill" (SIGKILL)."""
    port, dashboard = free_port(), free_port()
    server = Running([options.build / "stemedb-api"], options.server_cpu, port, "/readyz", directory / "server.log", {
        "STEMEDB_BIND_ADDR": f"127.0.0.1:{port}", "STEMEDB_DASHBOARD_ADDR": f"127.0.0.1:{dashboard}",
        "STEMEDB_WAL_DIR": str(directory / "wal"), "STEMEDB_DB_DIR": str(directory / "db"),
        "STEMEDB_LENSES_DIR": str(ROOT / "lenses"), "STEMEDB_POLICIES_DIR": str(ROOT / "policies"),
        "STEMEDB_LOOPS": "1", "STEMEDB_LOG_LEVEL": "warn",
        "STEMEDB_ANSWER_CACHE_BYTES": "0"})  # the same question again and again is to be answered anew each time
    try:
        yield server
    finally:
        try:
            server.must_run()
        finally:
            getattr(server, ended_by)()


@contextlib.contextmanager
def bare_loop(options, directory):
    port = free_port()
    server = Running([options.build / "tests" / "bench" / "bench_bare_loop", port], options.server_cpu, port, "/",
                     directory / "bare_loop.log")
    try:
        yield server
    finally:
        server.stop()


def wrk(options, url, script, arguments=()):
    """One run of wrk; the dictionary that report.lua prints."""
    command = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-s", LUA / script, url, "--",
               *arguments]
    done = subprocess.run(pinned(options.client_cpu, command), capture_output=True, text=True, check=False,
                          env={**os.environ, "STEMEDB_BENCH_LUA": str(LUA)})
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line[len("RESULT "):])
    raise RuntimeError(f"wrk {script} gave no result: {done.stdout}{done.stderr}")


def fill_server(options, server, arguments, meanwhile=lambda: None):
    """One run of the load generator, and what it says of itself; `meanwhile` is called several times a second."""
    command = [options.build / "tests" / "bench" / "bench_load_generator", "--address",
               server.url.removeprefix("http://"), *arguments]
    with subprocess.Popen(pinned(options.client_cpu, command), stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            meanwhile()
            time.sleep(0.1)
        output = process.stdout.read()
    if process.returncode != 0 or not output.startswith("RESULT "):
        raise RuntimeError(f"the load generator failed ({process.returncode}); it said why above. {output}")
    return json.loads(output[len("RESULT "):])


def yardstick(options, name):
    """{figure: per second} of the yardstick script, which prints lines `NAME VALUE per second`."""
    command = [options.yardsticks / "yardstick", name, "--server-cpu", options.server_cpu, "--client-cpu",
               options.client_cpu]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=600)
    figures = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[2:] == ["per", "second"]:
            figures[words[0]] = float(words[1])
    if not figures:
        raise RuntimeError(f"the yardstick {name} printed no figure: {done.stdout}{done.stderr}")
    return figures
