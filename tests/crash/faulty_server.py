# SPDX-License-Identifier: Apache-2.0
"""The server with the fault layer below it: what is to go wrong is said before a start, what did is read afterwards."""

import ctypes
import os
import select
import threading

from server_program import ServerProgram

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """The loss is made by a child of the dead server: it becomes ours, so that nobody leaves a zombie."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Report:
    """What the layer wrote about one process: lines, complete when `closed`."""

    def __init__(self, text, closed):
        self.lines = text.decode("utf-8", "replace").splitlines()
        self.closed = closed

    def first(self, word):
        return next((line[len(word) + 1:] for line in self.lines if line.startswith(word + " ")), None)

    def fired(self):
        return [line[6:] for line in self.lines if line.startswith("fired ")]

    def counts(self):
        """(kind, class) -> number of operations"""
        words = (line.split() for line in self.lines if line.startswith("count "))
        return {(kind, cls): int(number) for _, kind, cls, number in words}

    def operations(self):
        return int(self.first("operations") or 0)


class FaultyServer(ServerProgram):
    """As ServerProgram. `arm` is for the next start alone."""

    def __init__(self, program, lenses, root, layer, flags=()):
        super().__init__(program, lenses, root, flags)
        self.layer = layer
        self.data_dir = os.path.dirname(self.wal_dir)
        self.state_path = os.path.join(root, "unsynced")
        self.report_fd = self.control_fd = None
        self.text = b""
        self.settings = {}
        self.reading = threading.Lock()

    def arm(self, *rules, loss="none", seed=1, map_bytes=0):
        self.settings = {"RULES": ",".join(rules), "LOSS": loss, "SEED": str(seed), "STATE": self.state_path}
        if map_bytes:
            self.settings["MAP_BYTES"] = str(map_bytes)

    def spawn(self, *more, **how):
        if not self.settings:
            self.arm()
        self.finish()
        self.report_fd, theirs = os.pipe()
        their_control, self.control_fd = os.pipe()
        os.set_blocking(self.report_fd, False)
        self.text = b""
        settings = {**self.settings, "DIR": self.data_dir, "REPORT_FD": str(theirs), "CONTROL_FD": str(their_control)}
        self.environment = {f"STEMEDB_TEST_FAULT_{name}": value for name, value in settings.items()}
        self.environment["LD_PRELOAD"] = self.layer
        self.popen = {"pass_fds": (theirs, their_control)}
        try:
            super().spawn(*more, **how)
        finally:
            os.close(theirs)
            os.close(their_control)
            self.settings = {}

    def die_now(self):
        """Kills with the loss that was armed, as soon as no operation is under way."""
        try:
            os.write(self.control_fd, b"!")
        except BrokenPipeError:
            pass  # it has died by itself

    def report(self, timeout_s=0.0):
        """What there is of the report; with a time limit, the whole of it."""
        with self.reading:
            closed = False
            while self.report_fd is not None and select.select([self.report_fd], [], [], timeout_s)[0]:
                part = os.read(self.report_fd, 1 << 16)
                self.text += part
                if not part:
                    closed = True
                    break
            return Report(self.text, closed)

    def ended(self, timeout_s=30):
        """Waits until the process is dead and the loss is made. (exit code, Report)"""
        code = self._wait(timeout_s)
        if code is None:
            self.kill()
            raise AssertionError(f"the server lives on after {timeout_s} s:\n{self.log()}")
        report = self.report(timeout_s)
        if not report.closed:
            raise AssertionError("the fault layer didn't finish its work")
        child = report.first("child")
        if child:
            os.waitpid(int(child), 0)
        if report.first("error"):
            raise AssertionError(f"the fault layer failed: {report.lines}")
        self.finish()
        return code, report

    def finish(self):
        for fd in (self.report_fd, self.control_fd):
            if fd is not None:
                os.close(fd)
        self.report_fd = self.control_fd = None
