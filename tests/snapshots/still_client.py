"""A client whose daemon is made up: it answers at once, always alike, and tells of nothing by itself."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import made_up

from p2p.daemon.client import Changes, LogFacts, Mark, ServerInfo, Status
from p2p.daemon.client_errors import UnreachableError
from p2p.daemon.own_facts import Creation, CreationState
from p2p.daemon.removals import Removal

REVISION = 7


class OwnStill:
    """What our daemon has beyond Transmission's RPC."""

    def __init__(self, still):
        self._still = still

    async def choking(self, torrent):
        self._still.looks += 1
        late = self._still.looks > 1
        return made_up.choking(made_up.LEECHING, next_round=9.0 if late else 1.0, without=0 if late else 2)

    async def pieces(self, torrent):
        return made_up.pieces(made_up.LEECHING)

    async def rates(self, torrent=None):
        return made_up.rates(None if torrent is None else made_up.LEECHING.id)

    async def log(self, *, since=0, level=None, count=None):
        return LogFacts("debug", made_up.LOG.serial, tuple(line for line in made_up.LOG.lines if line.serial > since))

    async def trackers(self):
        return made_up.TRACKER_HEALTH

    async def dht(self):
        return made_up.DHT

    async def disk(self):
        return made_up.DISK

    async def removals(self):
        until = int(made_up.NOW) + 3_000
        names = ("last-years-backup", made_up.WIDE)
        return tuple(
            Removal(f"r{number}", name, f"{number:040x}", "/srv/downloads", until + 600 * number)
            for number, name in enumerate(names)
        )

    async def create(self, path, **_):
        return _creation(CreationState.HASHING)

    async def creations(self, job=None):
        return (_creation(self._still.creation),)

    async def cancel_creation(self, job):
        return _creation(CreationState.CANCELLED)


def _creation(state):
    done = state is CreationState.DONE
    return Creation(
        job=1,
        state=state,
        path="/srv/recordings",
        name="recordings",
        bytes_done=700 * made_up.M if done else 280 * made_up.M,
        bytes_total=700 * made_up.M,
        started=made_up.NOW - 9,
        ended=made_up.NOW if done else None,
        torrent_file="/srv/torrents/recordings.torrent" if done else "",
        hash_string="ab" * 20 if done else "",
        magnet_link=f"magnet:?xt=urn:btih:{'ab' * 20}&dn=recordings&tr=https%3A%2F%2Ftracker.example.org"
        if done
        else "",
        torrent=16 if done else None,
        notices=("a link that leads out of the folder was left out",) if done else (),
        error="",
    )


class StillClient:
    """Stands in for `p2p.daemon.client.Client`, as much of it as the interface awaits.

    `rows` are what it lists; `fails` is why it cannot be reached, empty where it can.
    """

    rows = made_up.ROWS
    fails = ""
    creation = CreationState.HASHING

    def __init__(self, server, *, password=None, timeout=30.0):
        self.own = OwnStill(self)
        self.looks = 0
        self.gone = asyncio.Event()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def info(self):
        if self.fails:
            raise UnreachableError(self.fails)
        return ServerInfo("0.1.0 (starling)", 18, "6.0.0", "0.1.0", frozenset())

    async def changes(self, since=None, **_):
        mark = Mark(REVISION, 1, made_up.NOW, made_up.NOW)
        return Changes(self.rows if since is None else (), (), since is None, mark)

    @asynccontextmanager
    async def events(self, **_):
        async def silence():
            await self.gone.wait()
            for nothing in ():
                yield nothing

        yield silence()

    async def settings(self):
        return dict(made_up.SETTINGS)

    async def statistics(self):
        return made_up.STATISTICS

    async def free_space(self, path):
        return made_up.SPACE

    async def test_port(self):
        return True

    async def details(self, torrent, *parts):
        known = (torrent in (row.id, row.hash_string) for row in self.rows)
        return made_up.details(made_up.LEECHING) if any(known) else None

    def __getattr__(self, name):
        """Every verb is done, and changes nothing."""

        async def done(*_, **__):
            return None

        if name.startswith("_"):
            raise AttributeError(name)
        return done


__all__ = ["Status", "StillClient"]
