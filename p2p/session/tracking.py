"""What a torrent and its trackers tell each other (BEP 3, 12, 24, 27): our facts out, peers and our own address in.

The rule: a torrent that has nobody to download from asks again as early as its trackers allow, and one that has got
another name is announced under it as early. A private torrent that changes trackers leaves the peers of the old one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from p2p.session.announcer import AnnounceFacts, Announcer
from p2p.session.peer_task import EndKind
from p2p.swarm.announce import AnnounceSchedule
from p2p.swarm.peer_list import PeerSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.codec.announce import AnnounceReply
    from p2p.ids import Address
    from p2p.session.scope import Scope
    from p2p.session.services import Services
    from p2p.session.torrent import Torrent
    from p2p.swarm.announce import TrackerSnapshot

CALL_INTERVAL: Final = 30.0
"""Seconds between calls for peers while there are none."""

STOP_TIMEOUT: Final = 5.0
"""Seconds that trackers get to hear that we stop."""


class Tracking:
    """See the module's head. `tiers` are the trackers' URLs, in order of preference (BEP 12)."""

    def __init__(self, torrent: Torrent, tiers: Sequence[Sequence[str]], services: Services, now: float) -> None:
        self._torrent = torrent
        self._services = services
        self._schedule = AnnounceSchedule(
            tiers if services.settings.trackers else (), private=torrent.private, rng=services.environment.rng
        )
        self._announcer: Announcer | None = None
        self._next_call = now + CALL_INTERVAL

    @property
    def next_call(self) -> float:
        """When `on_tick` calls for peers, if there are none by then."""
        return self._next_call

    def start(self, scope: Scope) -> None:
        """Announce for as long as the scope is open or until `stop`."""
        services = self._services
        environment = services.environment
        self._announcer = Announcer(
            schedule=self._schedule,
            http=environment.http,
            udp=services.udp,
            gates=services.gates,
            facts=self._facts,
            on_reply=self._on_reply,
            on_switch=self._on_switch,
            clock=asyncio.get_running_loop().time,
            agenda=services.agenda,
            local=next((h for h in services.settings.bind if h not in ("0.0.0.0", "::")), None),  # noqa: S104
        )
        self._announcer.start(scope)

    async def stop(self) -> None:
        """Tell the trackers that we stop, as far as they listen in time."""
        if self._announcer is not None:
            await self._announcer.stop(STOP_TIMEOUT)

    def complaint(self) -> str | None:
        """See `AnnounceSchedule.complaint`."""
        return self._schedule.complaint()

    def counts(self) -> tuple[int | None, int | None]:
        """See `AnnounceSchedule.counts`."""
        return self._schedule.counts()

    def snapshot(self) -> tuple[TrackerSnapshot, ...]:
        """How it stands with each tracker."""
        return self._schedule.snapshot()

    def on_tick(self, now: float) -> None:
        """About once a second."""
        torrent = self._torrent
        seeding = torrent.exchange is not None and torrent.exchange.seeding
        if now >= self._next_call and not torrent.connected_peers and not seeding:
            self._next_call = now + CALL_INTERVAL
            self._announce_early(now)

    def on_names(self, now: float) -> None:
        """The torrent has other info-hashes than before."""
        self._announce_early(now)

    def on_private(self) -> None:
        """The torrent turned out to be private."""
        self._schedule.on_private()

    def on_completed(self, now: float) -> None:
        """Every piece is had."""
        self._schedule.on_completed(now)
        self._wake()

    def set_tiers(self, tiers: Sequence[Sequence[str]]) -> None:
        """Use these trackers from now on; those that go are told `stopped`."""
        if self._schedule.set_tiers(tiers if self._services.settings.trackers else ()):
            self._on_switch()
        self._wake()

    @property
    def tiers(self) -> tuple[tuple[str, ...], ...]:
        """The trackers as they are tried now."""
        return self._schedule.tiers

    def reannounce(self, now: float) -> None:
        """The user wants an announce."""
        self._schedule.reannounce(now)
        self._wake()

    def on_port(self, now: float) -> None:
        """Peers reach us at another port."""
        self._schedule.on_port(now)
        self._wake()

    def on_wanting(self, now: float) -> None:
        """Something is missing again, after nothing was."""
        self._announce_early(now)

    def _announce_early(self, now: float) -> None:
        if self._announcer is not None:
            self._schedule.on_more_peers_wanted(now)
            self._wake()

    def _wake(self) -> None:
        if self._announcer is not None:
            self._announcer.wake()

    def _on_reply(self, addresses: list[Address], reply: AnnounceReply) -> None:
        if reply.external_ip is not None:
            self._services.external[":" in reply.external_ip] = reply.external_ip
        self._torrent.add_peers(addresses, PeerSource.TRACKER)

    def _on_switch(self) -> None:
        """A private torrent has another tracker: the peers of the old one go (BEP 27)."""
        torrent = self._torrent
        torrent.peer_list.clear()
        for peer in torrent.connected_peers:
            peer.end(EndKind.OURS, "the tracker changed")

    def _facts(self) -> AnnounceFacts:
        torrent = self._torrent
        exchange = torrent.exchange
        return AnnounceFacts(
            uploaded=0 if exchange is None else exchange.uploaded,
            downloaded=0 if exchange is None else exchange.downloaded,
            left=torrent.left,
            port=self._services.announced_port,
            key=int.from_bytes(torrent.peer_id[-4:], "big"),
            peer_id=torrent.peer_id,
            info_hashes=torrent.info_hashes,
            partial_seed=exchange is not None and exchange.seeding and not torrent.store.have.complete,
        )
