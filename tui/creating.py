"""How a torrent is made by our own daemon: what is asked, and how far it is until it is done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from p2p.errors import ConfigError, StarlingError
from tui.form import YES, Field, Form, folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.client import Client, Creation

ASK_EVERY: Final = 0.25
"""Seconds between questions how far it is."""

_VERSIONS: Final = ("1", "2", "hybrid")
_UNDER_WAY: Final = ("waiting", "hashing")


class Watcher(Protocol):
    """Who looks at it: the dialog."""

    @property
    def given_up(self) -> bool: ...
    def take(self, creation: Creation) -> None: ...
    def close_by(self) -> None:
        """Nothing comes any more."""


def version(text: str) -> str:
    """Raises ConfigError."""
    if text.strip() not in _VERSIONS:
        raise ConfigError(f"one of {', '.join(_VERSIONS)}")
    return text.strip()


def trackers(text: str) -> tuple[tuple[str, ...], ...]:
    """A tier for each that is between blanks. Raises ConfigError."""
    found = text.split()
    for each in found:
        if not each.lower().startswith(("http://", "https://", "udp://", "ws://", "wss://")):
            raise ConfigError("URLs that begin with http://, https:// or udp://, with blanks between")
    return tuple((each,) for each in found)


def creation_form(path: str) -> Form:
    return Form(
        "Make a torrent",
        (
            Field("path", "File or folder on the daemon's machine", path, check=folder),
            Field("trackers", "Trackers, with blanks between", "", "none", trackers),
            Field("comment", "Comment"),
            Field("version", "Version: 1, 2 or hybrid", "1", check=version),
            Field("private", "Private: peers from its trackers alone", switch=True),
            Field("seed", "Seed it", YES, switch=True),
        ),
    )


async def make(client: Client, answers: Mapping[str, str], watcher: Watcher) -> None:
    """From the first question to the end of the job. Raises StarlingError."""
    try:
        job = await _made(client, answers, watcher)
    except BaseException:
        watcher.close_by()
        raise
    if job.state.value != "done":
        watcher.close_by()
        raise StarlingError(job.error or f"the job was {job.state.value}")


async def _made(client: Client, answers: Mapping[str, str], watcher: Watcher) -> Creation:
    """The job as it ended."""
    job = await client.own.create(
        answers["path"].strip(),
        seed=answers["seed"] == YES,
        version=version(answers["version"]),
        tiers=trackers(answers["trackers"]),
        private=answers["private"] == YES,
        comment=answers["comment"].strip() or None,
    )
    watcher.take(job)
    while job.state.value in _UNDER_WAY:
        if watcher.given_up:
            return await client.own.cancel_creation(job.job)
        await asyncio.sleep(ASK_EVERY)
        (job,) = await client.own.creations(job.job)
        watcher.take(job)
    return job
