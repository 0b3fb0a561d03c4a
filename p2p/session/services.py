"""What the torrents of a session share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p2p.ids import Address
from p2p.session.agenda import Agenda
from p2p.session.blocklist import Blocklist
from p2p.session.checks import CheckTurns
from p2p.session.event_bus import Event, EventBus, EventKind
from p2p.session.notices import Notices
from p2p.session.start_turns import StartTurns
from p2p.session.throttle import Turns
from p2p.session.volumes import Volumes
from p2p.swarm.rate import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from p2p.disk.piece_cache import PieceCache
    from p2p.disk.resume import ResumeStore
    from p2p.net.local_discovery import LocalDiscovery
    from p2p.session.dht_service import DhtService
    from p2p.session.environment import Environment
    from p2p.session.host_gates import HostGates
    from p2p.session.kept_metadata import KeptMetadata
    from p2p.session.settings import Settings
    from p2p.session.slots import Slots
    from p2p.session.torrent import Torrent
    from p2p.session.udp_trackers import UdpTrackers
    from p2p.wire.arena import ArenaPool


@dataclass(slots=True)
class Services:
    """Made by the session; torrents use it and own none of it."""

    settings: Settings
    environment: Environment
    turns_down: Turns
    turns_up: Turns
    arenas: ArenaPool
    cache: PieceCache
    slots: Slots
    udp: UdpTrackers
    gates: HostGates
    searches: HostGates
    resume: ResumeStore | None
    kept_metadata: KeptMetadata | None
    dht: DhtService | None = None
    """The session's DHT node, while it runs one."""

    local: LocalDiscovery | None = None
    """The session's local discovery, if it has one."""

    events: EventBus = field(default_factory=EventBus)
    agenda: Agenda = field(default_factory=Agenda)
    notices: Notices = field(default_factory=Notices)
    starts: StartTurns = field(default_factory=StartTurns)
    on_placed: Callable[[Torrent], Awaitable[None]] | None = None
    """Told that a torrent's content is in another folder, before the record of its move goes; may raise StorageError,
    and then that stays."""
    port: int = 0
    """Where we listen, once the session does."""

    outer_port: int | None = None
    """The port of a router of ours that leads here, if one was opened."""

    obstacle: str | None = None
    """Why the session reaches nobody, in one line; None where it can."""

    blocklist: Blocklist = field(default_factory=Blocklist)
    """Whom the user wants nothing to do with."""

    checks: CheckTurns = field(default_factory=CheckTurns)
    volumes: Volumes = field(init=False)

    free_turns_down: Turns = field(default_factory=lambda: Turns(RateLimiter(None, 0.0)))
    free_turns_up: Turns = field(default_factory=lambda: Turns(RateLimiter(None, 0.0)))
    """Of torrents that the session's limits do not hold for."""

    external: dict[bool, str] = field(default_factory=dict)
    """Our address as trackers see it (BEP 24), by whether it is IPv6."""

    def __post_init__(self) -> None:
        self.volumes = Volumes(self.environment.room, self.environment.hasher)

    def publish(self, kind: EventKind, info_hash: str, message: str | None = None) -> None:
        self.events.publish(Event(kind, self.environment.wall(), info_hash, message))

    @property
    def announced_port(self) -> int:
        """Where peers reach us, which others are told."""
        return self.port if self.outer_port is None else self.outer_port

    def refuses(self, host: str) -> bool:
        """Whether the user wants nothing to do with `host`, an IP address."""
        return self.blocklist.refuses(host)

    def bind(self, remote: Address) -> Address | None:
        """The local address to connect to `remote` from; None leaves it to the system."""
        for host in self.settings.bind:
            if (":" in host) == remote.is_ipv6 and host not in ("0.0.0.0", "::"):  # noqa: S104 - a comparison
                return Address(host, 0)
        return None

    def own_address(self, *, ipv6: bool) -> Address | None:
        host = self.external.get(ipv6)
        return None if host is None else Address(host, self.announced_port)
