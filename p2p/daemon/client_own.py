"""The methods of our own daemon beyond Transmission's, typed. Another's daemon refuses each with UnsupportedError."""

from __future__ import annotations

import base64
import binascii
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from p2p.daemon.client_errors import BadAnswerError
from p2p.daemon.own_facts import (
    ChokingFacts,
    Creation,
    CreationFacts,
    DhtFacts,
    DiskFacts,
    LogFacts,
    PieceMap,
    RateHistory,
    TrackerHealthFacts,
)
from p2p.daemon.removals import RemovalFacts, Restored
from p2p.daemon.shapes import Reader

if TYPE_CHECKING:
    from p2p.daemon.client_transport import Transport
    from p2p.daemon.names import Json
    from p2p.daemon.removals import Removal

T = TypeVar("T")


@cache
def _reader(kind: type[T]) -> Reader[T]:
    return Reader(kind)


class OwnCalls:
    """See the module's head. Torrents are named by number or info-hash. Every method raises a ClientError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _ask(self, method: str, kind: type[T], **arguments: Json) -> T:
        given = {name: value for name, value in arguments.items() if value is not None}
        answer: T = _reader(kind).one(  # type: ignore[arg-type]  # types are hashable
            await self._transport.call(method, given)
        )
        return answer

    async def choking(self, torrent: int | str) -> ChokingFacts:
        """The choking round of a torrent as it stands."""
        return await self._ask("starling_choking_get", ChokingFacts, ids=torrent)

    async def pieces(self, torrent: int | str) -> PieceMap:
        return await self._ask("starling_pieces_get", PieceMap, ids=torrent)

    async def dht(self) -> DhtFacts:
        return await self._ask("starling_dht_get", DhtFacts)

    async def disk(self) -> DiskFacts:
        return await self._ask("starling_disk_get", DiskFacts)

    async def trackers(self) -> TrackerHealthFacts:
        return await self._ask("starling_trackers_get", TrackerHealthFacts)

    async def rates(self, torrent: int | str | None = None) -> RateHistory:
        """Of the session without a torrent."""
        return await self._ask("starling_history_get", RateHistory, ids=torrent)

    async def log(self, *, since: int = 0, level: str | None = None, count: int | None = None) -> LogFacts:
        """The last `count` lines after the serial `since`, of that level or above."""
        return await self._ask("starling_log_get", LogFacts, since=since, level=level, count=count)

    async def set_log_level(self, level: str) -> None:
        """`debug`, `info`, `warning` or `error`."""
        await self._transport.call("starling_log_set", {"level": level})

    async def removals(self) -> tuple[Removal, ...]:
        """Torrents that were removed with their content, as far as that can be undone."""
        return (await self._ask("starling_removals_get", RemovalFacts)).removals

    async def undo_removal(self, *names: str) -> tuple[int, ...]:
        """Bring them back, the last one if none is named; their new numbers."""
        return (await self._ask("starling_removal_undo", Restored, names=list(names) or None)).ids

    async def purge_removal(self, *names: str) -> None:
        """Delete their content before its time, the last one's if none is named."""
        await self._ask("starling_removal_purge", RemovalFacts, names=list(names) or None)

    async def create(
        self,
        path: str,
        *,
        output: str | None = None,
        seed: bool = False,
        version: str = "1",
        piece_length: int | None = None,
        tiers: tuple[tuple[str, ...], ...] = (),
        web_seeds: tuple[str, ...] = (),
        private: bool = False,
        source: str | None = None,
        comment: str | None = None,
    ) -> Creation:
        """Begin to make a torrent of a file or folder of the daemon's machine; `creations` tells how far it is."""
        return await self._ask(
            "starling_create_start",
            Creation,
            path=path,
            output=output,
            seed=seed,
            version=version,
            piece_length=piece_length,
            tracker_list="\n\n".join("\n".join(tier) for tier in tiers) or None,
            web_seeds=list(web_seeds) or None,
            private=private,
            source=source,
            comment=comment,
        )

    async def creations(self, job: int | None = None) -> tuple[Creation, ...]:
        """All jobs, or one."""
        return (await self._ask("starling_create_get", CreationFacts, job=job)).creations

    async def cancel_creation(self, job: int) -> Creation:
        return await self._ask("starling_create_cancel", Creation, job=job)

    async def created_file(self, job: int) -> bytes:
        """The torrent file that a job has made."""
        told = (await self._transport.call("starling_create_file", {"job": job})).get("metainfo")
        try:
            return base64.b64decode(told if isinstance(told, str) else "", validate=True)
        except binascii.Error as error:
            raise BadAnswerError("the torrent file is not base64") from error
