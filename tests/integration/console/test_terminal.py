#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The console at a terminal: real sessions in tmux, by keys and screens."""

import os
import shlex
import stat
import subprocess
import tempfile
import time
import unittest

from tool import TOOL, Server, claims, environment, url_of

SECONDS_MAX = 30
PROMPT = "stemedb>"


class Terminal:
    """A tmux server of its own with one window that runs a shell line."""

    def __init__(self, directory, line, width, height=50, **env):
        self.socket = os.path.join(directory, f"tmux-{width}-{time.monotonic_ns()}")
        # So the shell's own output, and the exit code behind it, are on the screen as well.
        command = f"{line}; echo \"exit code $?\"; sleep 1000"
        self.env = environment(TERM="xterm-256color", XDG_STATE_HOME=directory, HOME=directory, **env)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "sh", "-c", command)

    def tmux(self, *arguments):
        return subprocess.run(["tmux", "-S", self.socket, *arguments], env=self.env, check=True, text=True,
                              capture_output=True, timeout=SECONDS_MAX).stdout

    def screen(self, *arguments):
        return self.tmux("capture-pane", "-p", "-J", *arguments).rstrip("\n")

    def lines(self):
        return [line for line in self.tmux("capture-pane", "-p").splitlines() if line]

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def enter(self, text):
        self.type(text)
        self.keys("Enter")

    def wait(self, wanted, what=""):
        """Waits until `wanted(screen)` holds, and gives the screen."""
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline:
            screen = self.screen()
            if wanted(screen):
                return screen
            time.sleep(0.02)
        raise AssertionError(f"not seen{what}; the screen is:\n{self.screen()}")

    def see(self, text):
        return self.wait(lambda screen: text in screen, f": {text}")

    def prompt(self):
        """Waits for a prompt with nothing behind it."""
        return self.wait(lambda screen: screen.splitlines()[-1:] == [PROMPT], ": a prompt")

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], env=self.env, check=False, capture_output=True)


class Console(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        claims(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="stemedb-tmux-")
        self.addCleanup(self.directory.cleanup)

    def open(self, width=100, url=None, **env):
        line = shlex.join([TOOL, "console", "--url", url or url_of(self.server)])
        terminal = Terminal(self.directory.name, line, width, **env)
        self.addCleanup(terminal.close)
        terminal.prompt()
        return terminal

    def history(self):
        return os.path.join(self.directory.name, "stemedb", "history")

    def test_it_says_where_it_is_and_answers(self):
        terminal = self.open()
        self.assertRegex(terminal.screen(), r"http://127\.0\.0\.1:\d+, version \S+, 7 assertions, up to sequence 7")
        terminal.enter('query{"weather/zagreb", "sky", lens = "recency"}')
        terminal.see("-- lens recency")
        self.assertIn("weather/zagreb", terminal.prompt())

    def test_input_goes_on_in_the_next_line(self):
        terminal = self.open()
        terminal.enter("function thrice(n)")
        terminal.see("...>")
        terminal.enter("return 3 * n")
        terminal.enter("end")
        terminal.prompt()
        terminal.enter("thrice(14)")
        terminal.see("\n42\n")

    def test_tab_completes_functions_lenses_paths_and_fields(self):
        terminal = self.open()
        terminal.type("que")
        terminal.keys("Tab")
        terminal.see(f"{PROMPT} query")
        terminal.type('{"wea')
        terminal.keys("Tab")
        terminal.see('query{"weather/')
        terminal.type("zag")
        terminal.keys("Tab")
        terminal.see('query{"weather/zagreb')
        terminal.type('", "sky", le')
        terminal.keys("Tab")
        terminal.see('"sky", lens')
        terminal.type(' = "tier')
        terminal.keys("Tab")
        terminal.see('lens = "tier_authority')
        terminal.enter('"}')
        terminal.see("-- lens tier_authority")
        terminal.enter('a = query("weather/zagreb")')
        terminal.prompt()
        terminal.type("a.ass")
        terminal.keys("Tab")
        terminal.see("a.assertions")

    def test_tab_lists_what_is_possible(self):
        terminal = self.open()
        terminal.type('query{"weather/za')
        terminal.keys("Tab")
        screen = terminal.see("weather/zadar  weather/zagreb")
        self.assertTrue(screen.splitlines()[-1].endswith('query{"weather/za'), screen)

    def test_ctrl_c_ends_what_is_running_and_not_the_console(self):
        terminal = self.open()
        for endless in ("while true do end", "while true do pcall(error) end", 'for i = 1, 1e18 do s = "x" .. i end'):
            terminal.enter(endless)
            terminal.wait(lambda screen, text=endless: screen.endswith(text))
            terminal.keys("C-c")
            terminal.see("error: interrupted")
            terminal.prompt()
            terminal.enter("'still ' .. 'here'")
            terminal.see("still here")
            terminal.prompt()
            terminal.keys("C-l")

    def test_ctrl_c_drops_a_line_and_ctrl_d_leaves(self):
        terminal = self.open()
        terminal.type("this is no")
        terminal.see("this is no")
        terminal.keys("C-c")
        terminal.see("^C")
        terminal.prompt()
        terminal.enter("function f(")
        terminal.see("...>")
        terminal.keys("C-c")
        terminal.prompt()
        terminal.keys("C-d")
        terminal.see("exit code 0")

    def test_a_call_that_hangs_ends_with_ctrl_c(self):
        import socket
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        line = shlex.join([TOOL, "console", "--url", f"http://127.0.0.1:{listener.getsockname()[1]}"])
        terminal = Terminal(self.directory.name, line, 100)
        self.addCleanup(terminal.close)
        terminal.see(" s, 0.0 MB")  # the banner's call hangs already
        terminal.keys("C-c")
        terminal.prompt()
        terminal.enter("health()")
        terminal.see(" s, 0.0 MB")
        terminal.keys("C-c")
        terminal.see("error: interrupted")
        terminal.prompt()

    def test_the_history_is_kept_for_its_owner_alone(self):
        terminal = self.open()
        terminal.enter("'first ' .. 'line'")
        terminal.see("first line")
        terminal.enter("x = {")
        terminal.enter("  7 }")
        terminal.prompt()
        terminal.keys("C-d")
        terminal.see("exit code 0")
        self.assertEqual(stat.S_IMODE(os.stat(self.history()).st_mode), 0o600)
        again = self.open()
        again.keys("Up")
        again.see(f"{PROMPT} x = {{   7 }}")
        again.keys("Up")
        again.see(f"{PROMPT} 'first ' .. 'line'")
        again.keys("Enter")
        again.see("\nfirst line\n")

    def test_tables_fit_the_window(self):
        for width in (80, 200):
            with self.subTest(width=width):
                terminal = self.open(width=width)
                terminal.enter('explain{"weather/zagreb", "sky", lens = "recency"}')
                terminal.see("-- lens recency")
                terminal.enter("lenses()")
                terminal.see("tier_authority")
                # Wrapped lines would be longer here, where they are joined, than the window.
                for line in terminal.screen().splitlines():
                    self.assertLessEqual(len(line), width, line)
                self.assertEqual("…" in terminal.screen(), width == 80)

    def test_errors_are_red_unless_colour_is_not_wanted(self):
        terminal = self.open()
        terminal.enter("error('oh')")
        terminal.see("error: oh")
        self.assertIn("\x1b[31merror: oh", terminal.screen("-e"))
        plain = self.open(NO_COLOR="1")
        plain.enter("error('oh')")
        plain.see("error: oh")
        self.assertNotIn("\x1b[31m", plain.screen("-e"))

    def test_a_server_that_goes_away_is_one_line_and_the_console_stays(self):
        server = Server()
        self.addCleanup(server.close)
        terminal = self.open(width=200, url=url_of(server))
        server.stop()
        terminal.enter("health()")
        terminal.see("error: no answer from")
        terminal.prompt()
        terminal.enter("6 * 7")
        terminal.see("\n42\n")

    def test_wide_and_combining_characters_keep_the_columns(self):
        self.server.post("/v1/assert", {"concept_path": "wide", "predicate": "p", "value": "日本語 e\u0301", "confidence": 1,
                                        "source": {"id": "s", "class": "expert"}})
        self.server.post("/v1/assert", {"concept_path": "wide", "predicate": "p", "value": "plain", "confidence": 1,
                                        "source": {"id": "s", "class": "expert"}})
        terminal = self.open(width=120)
        terminal.enter('for _, a in ipairs(query("wide").assertions) do print({ { v = a.value, w = "|" } }) end')
        screen = terminal.wait(lambda text: text.count("|\n") == 2)
        self.assertIn("日本語", screen)


if __name__ == "__main__":
    unittest.main()
