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

    def _run(self, *argv):
        done = subprocess.run([*self._argv, *argv], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return done.stdout.decode(errors="replace")

    def press(self, *keys):
        self._run("send-keys", *keys)

    def screen(self):
        return self._run("capture-pane", "-p")

    def close(self):
        self._run("kill-server")
