"""A real terminal: tmux, in a server of its own."""

from __future__ import annotations

import shlex
import subprocess


class Terminal:
    """A program in a terminal of tmux, in a server of its own."""

    def __init__(self, tmux, folder, command, columns=120, rows=40, **environ):
        self._argv = [tmux, "-S", str(folder / "tmux"), "-f", "/dev/null"]
        own = {"HOME": folder, "LC_ALL": "C.UTF-8", "TERM": "tmux-256color", **environ}
        environment = [f"{name}={text}" for name, text in own.items()]
        line = shlex.join(["env", *environment, *command])
        self._run("new-session", "-d", "-x", str(columns), "-y", str(rows), line)

    def _run(self, *argv, given=b""):
        done = subprocess.run(
            [*self._argv, *argv], input=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
        return done.stdout.decode(errors="replace")

    def press(self, *keys):
        self._run("send-keys", *keys)

    def paste(self, text):
        """As from a clipboard: told as a paste, where the program asked for that."""
        self._run("load-buffer", "-", given=text.encode())
        self._run("paste-buffer", "-p")

    def resize(self, columns, rows):
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self):
        return self._run("capture-pane", "-p")

    def modes(self):
        """Of the terminal: alternate screen, cursor, mouse; each 1 where it is on."""
        return self._run("display-message", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}").split()

    def close(self):
        """As by the window's own button: what runs there is told that its terminal is gone."""
        self._run("kill-server")
