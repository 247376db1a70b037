# SPDX-License-Identifier: Apache-2.0
"""The real server as a child process: started on a port that the system chooses, killed, stopped, asked for its log."""

import os
import signal
import subprocess
import time


class StartFailed(Exception):
    """The server ended instead of serving. `log` is what this start wrote; `cpu_s` is what it cost."""

    def __init__(self, code, log, wall_s, cpu_s):
        super().__init__(f"the server ended with exit code {code} instead of serving:\n{log}")
        self.code, self.log, self.wall_s, self.cpu_s = code, log, wall_s, cpu_s


class ServerProgram:
    """One data directory and the processes that serve it, one after the other.

    `flags` go to every start. The log of all starts is <root>/server.log.
    """

    def __init__(self, program, lenses, root, flags=(), **popen):
        self.program, self.lenses, self.root = program, lenses, root
        self.flags, self.popen = list(flags), popen
        self.environment = {}  # further variables of every start
        self.wal_dir, self.db_dir = os.path.join(root, "data/wal"), os.path.join(root, "data/db")
        self.log_path = os.path.join(root, "server.log")
        self.process, self.port = None, None
        self.log_start = 0
        self.spawned_at = 0.0
        os.makedirs(root, exist_ok=True)

    def spawn(self, *more, bind="127.0.0.1:0"):
        """Starts the process and doesn't wait for it to serve."""
        self.port_file = os.path.join(self.root, "ports")
        if os.path.exists(self.port_file):
            os.remove(self.port_file)
        command = [self.program, "--bind-addr", bind, "--dashboard-addr", "off", "--lenses-dir", self.lenses,
                   "--wal-dir", self.wal_dir, "--db-dir", self.db_dir, "--port-file", self.port_file,
                   *self.flags, *more]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("STEMEDB_")} | self.environment
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.spawned_at = time.monotonic()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.root,
                                            env=environment, **self.popen)

    def start(self, *more, timeout_s=60, **spawn):
        """Starts the process and returns when it serves, with the seconds that it took."""
        self.spawn(*more, **spawn)
        while not os.path.exists(self.port_file):
            code = self._poll()
            if code is not None:
                raise StartFailed(code, self.log(), time.monotonic() - self.spawned_at, self.cpu_s)
            if time.monotonic() - self.spawned_at > timeout_s:
                self.kill()
                raise AssertionError(f"the server didn't serve within {timeout_s} s:\n{self.log()}")
            time.sleep(0.003)
        with open(self.port_file, encoding="ascii") as lines:
            self.port = int(lines.readline().rsplit(":", 1)[1])
        return time.monotonic() - self.spawned_at

    def fail_to_start(self, *more, timeout_s=30, **spawn):
        """A start that is meant to be refused: returns the StartFailed, or raises when the server serves."""
        try:
            self.start(*more, timeout_s=timeout_s, **spawn)
        except StartFailed as failure:
            return failure
        self.kill()
        raise AssertionError(f"the server started, and should have refused to:\n{self.log()}")

    def _poll(self):
        """The exit code, or None. wait4 instead of Popen.poll, because it tells the CPU time."""
        if self.process.returncode is None:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid == 0:
                return None
            self.cpu_s = usage.ru_utime + usage.ru_stime
            self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.process.returncode

    def _wait(self, timeout_s):
        deadline = time.monotonic() + timeout_s
        while self._poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        return self.process.returncode

    def running(self):
        return self.process is not None and self._poll() is None

    def kill(self):
        """SIGKILL. Returns the exit code: -9, or the server's own when it had ended before."""
        if self.running():
            self.process.send_signal(signal.SIGKILL)
        return self._wait(30)

    def stop(self, timeout_s=30):
        """SIGTERM. Returns (exit code, seconds)."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self._wait(timeout_s)
        if code is None:
            self.kill()
            raise AssertionError(f"the server didn't stop within {timeout_s} s of SIGTERM:\n{self.log()}")
        return code, time.monotonic() - began

    def log(self):
        """What the newest process has logged."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode("utf-8", "replace")
