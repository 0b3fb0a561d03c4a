"""The command `starling`: one module a command, and the one place where errors become exit statuses.

Status 0 is success, 1 an error, 2 wrong usage, 130 Ctrl-C, 141 a reader that went away. An error is one line on stderr;
a bug of ours is one too, and `STARLING_TRACEBACK=1` shows where it is. Only the command that runs is imported.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Annotated, Final

try:  # half of a command's start, in which Ctrl-C may come as well
    import typer
    from typer.exceptions import TyperException

    from p2p.cli.console import complain, say
    from p2p.errors import StarlingError
except KeyboardInterrupt:
    raise SystemExit(130) from None

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: Final = {
    "create": "p2p.cli.create",
    "show": "p2p.cli.show",
    "verify": "p2p.cli.verify",
    "download": "p2p.cli.download",
    "seed": "p2p.cli.seed",
    "daemon": "p2p.cli.daemon",
    "add": "p2p.cli.remote_add",
    "list": "p2p.cli.remote_list",
    "info": "p2p.cli.remote_info",
    "start": "p2p.cli.remote_start",
    "stop": "p2p.cli.remote_stop",
    "remove": "p2p.cli.remote_remove",
    "move": "p2p.cli.remote_move",
    "limit": "p2p.cli.remote_limit",
    "files": "p2p.cli.remote_files",
    "peers": "p2p.cli.remote_peers",
    "trackers": "p2p.cli.remote_trackers",
    "stats": "p2p.cli.remote_stats",
    "watch": "p2p.cli.remote_watch",
    "tui": "p2p.cli.tui",
    "dht": "p2p.cli.dht",
    "tracker": "p2p.cli.tracker",
    "simulate": "p2p.cli.simulate",
    "demo": "p2p.cli.demo",
}
"""Each command and its module, in the order of `--help`. A module has `register(app)`, which adds the command."""

_USAGE: Final = 2
_INTERRUPTED: Final = 130
_READER_GONE: Final = 141


def main() -> None:
    """The entry point of the `starling` script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name in letters that the terminal has not is no error
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit status."""
    try:
        status = _run(arguments) if arguments else max(_run(["--help"]), _USAGE)
        sys.stdout.flush()
    except KeyboardInterrupt:  # while the command is imported
        return _INTERRUPTED
    except BrokenPipeError:
        _silence()
        return _READER_GONE
    except OSError as error:  # of the output: all others are errors of a kind of ours
        _silence()
        complain(f"the output cannot be written: {error.strerror}")
        return 1
    return status


def build_app(arguments: Sequence[str]) -> typer.Typer:
    """The app with the command that `arguments` name, or with all of them where they name none."""
    app = typer.Typer(
        name="starling",
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_top)
    words = _completed() or arguments
    for name in [words[0]] if words and words[0] in COMMANDS else COMMANDS:
        importlib.import_module(COMMANDS[name]).register(app)
    return app


def _completed() -> list[str]:
    """The words that a shell wants to have completed, as far as they are whole; none where it asks for nothing."""
    if "_STARLING_COMPLETE" not in os.environ:
        return []
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    return line.split()[1:] if line[-1:].isspace() or len(line.split()) > 2 else []


def _say_version(asked: bool) -> None:  # noqa: FBT001 - how typer calls back
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - a tenth of a command's start, for this option alone

        say(f"starling {version('starling-bt')}")
        raise typer.Exit


def _top(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A BitTorrent client for the terminal."""


def _run(arguments: Sequence[str]) -> int:
    command = typer.main.get_command(build_app(arguments))
    try:
        outcome = command.main(list(arguments), prog_name="starling", standalone_mode=False)
    except TyperException as error:
        complain(_usage(error.format_message(), arguments))
        return error.exit_code
    except StarlingError as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # which typer has turned into an exit of its own
            raise BrokenPipeError from error
        raise
    except OSError:
        raise
    except Exception as error:
        if os.environ.get("STARLING_TRACEBACK"):
            raise
        complain(f"a bug in this program: {type(error).__name__}: {error} (STARLING_TRACEBACK=1 shows where)")
        return 1
    return outcome if isinstance(outcome, int) else 0


def _usage(message: str, arguments: Sequence[str]) -> str:
    """What is wrong with the usage, in the style of all errors, and where help is."""
    command = f"starling {arguments[0]}" if arguments and arguments[0] in COMMANDS else "starling"
    return f"{message[:1].lower()}{message[1:].rstrip('.')} ({command} --help tells more)"


def _silence() -> None:
    """Give the interpreter's last flush a place to go."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
