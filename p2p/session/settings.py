"""What a user may set, with the defaults and their reasons: plain data, in bytes and seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from p2p.session.encryption import Encryption
from p2p.swarm.choking import DEFAULT

if TYPE_CHECKING:
    from pathlib import Path

    from p2p.ids import Address
    from p2p.net.gateway import Gateway

WELL_KNOWN_ROUTERS: Final = (
    ("router.bittorrent.com", 6881),
    ("dht.transmissionbt.com", 6881),
    ("router.utorrent.com", 6881),
    ("dht.libtorrent.org", 25401),
)
"""Nodes of others that many clients join the DHT by: a first start knows nobody else, and any of them may be away."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a session. Rates are bytes a second, None for unlimited."""

    download_dir: str | Path = "."
    """The folder that content goes in, at `download_dir/NAME`."""

    state_dir: str | Path | None = None
    """Where resume state lives; None keeps none."""

    port: int = 0
    """Where peers reach us, over IPv4 and IPv6; 0 takes any free port."""

    bind: tuple[str, ...] = ("0.0.0.0", "::")  # noqa: S104 - a peer that nobody can reach is no peer
    """IP addresses to listen on and to connect from. Unspecified ones leave the choice to the system."""

    limit_down: float | None = None
    limit_up: float | None = None

    encryption: Encryption = Encryption.PREFER
    """Whether connections are encrypted: by default those whose peer knows how, since many peers take no others."""

    max_connections: int = 500
    """Peers of the session in all: more cost memory and give little."""

    max_connections_per_torrent: int = 100

    max_connecting: int = 30
    """Connections under way at once: home routers lose track beyond some tens."""

    upload_slots: int | None = None
    """Unchoke slots a torrent; None lets them follow the upload capacity."""

    choking: str = DEFAULT
    """Who gets those slots, by a name in `p2p.swarm.choking`."""

    trackers: bool = True
    """Whether to announce at all."""

    dht: bool = True
    """Whether to run a DHT node, at the port where peers reach us, and to look for peers there (BEP 5)."""

    bootstrap: tuple[tuple[str, int], ...] = WELL_KNOWN_ROUTERS
    """Hosts to join the DHT by, beside the nodes of the last run. A session on loopback alone leaves out those of the
    default, which it could not reach."""

    peer_exchange: bool = True
    """Whether peers tell each other of peers (BEP 11)."""

    local_discovery: bool = True
    """Whether to announce torrents on the local network, and to find peers there (BEP 14): on every interface that
    `bind` covers and that carries multicast, which the loopback interface usually does not."""

    interface: str | None = None
    """The network interface that everything goes by, whatever the system's routes say: nothing is sent or taken while
    it has no address. None leaves the way to the system. `bind` is then unspecified."""

    name_servers: tuple[str, ...] = ()
    """IP addresses to ask for names when there is an `interface`: over it, or on this machine where one is of loopback.
    None given takes those of the system that are not of loopback."""

    port_mapping: bool = False
    """Whether to ask the router, by PCP, NAT-PMP or UPnP, to let peers in. A session on loopback alone asks nobody but
    a `gateway` that is named."""

    gateway: Gateway | None = None
    """The router to ask; None for the one of the default route."""

    incomplete_dir: str | Path | None = None
    """The folder for files of torrents that are not done; None keeps them where they will stay."""

    partial_suffix: bool = False
    """Whether the names of files that are not whole end in `.part`."""

    allocate: bool = False
    """Reserve the room of the content on disk before the first byte (sparse files otherwise)."""

    hash_workers: int | None = None
    """Threads for hashing and disk work; None takes one a core, at least two."""

    read_cache: int = 64 * 2**20
    """Bytes of content kept for uploads; two mebibytes at least are."""

    receive_memory: int = 64 * 2**20
    """Bytes of unverified blocks that may stay where the network put them; beyond it they are copied together."""

    open_files: int = 256
    """Files held open at once."""

    history_elsewhere: bool = False
    """Whether somebody else keeps how long torrents have been at work: then a seed that moved nothing is not put on
    record for that alone."""

    checkpoint_interval: float = 30.0
    """Seconds between syncs of what was downloaded; what lies between is re-checked after a crash."""


@dataclass(frozen=True, slots=True)
class TorrentOptions:
    """How one torrent is to be handled."""

    download_dir: str | Path | None = None
    """Overrides `Settings.download_dir`."""

    select: tuple[str, ...] = ()
    """Patterns of files to download (`fnmatch` on a path, with or without the top folder); none means all."""

    select_indices: tuple[int, ...] = ()
    """Files to download by index (BEP 53); none means all."""

    sequential: bool = False
    first_and_last: bool = False
    limit_down: float | None = None
    limit_up: float | None = None
    peers: tuple[Address, ...] = ()
    """Peers to try beside those that are found."""

    trackers: tuple[tuple[str, ...], ...] | None = None
    """Tiers that replace the torrent's own."""

    max_connections: int | None = None
    """Peers of this torrent; None takes what the session says."""

    seed_ratio: float | None = None
    """Stop once uploaded / size reaches this."""

    seed_time: float | None = None
    """Stop after so many seconds of seeding."""

    recheck: bool = False
    """Trust nothing on record; hash what is there."""

    overwrite: bool = False
    """Write over files of the right names that hold other content."""

    trust: bool = False
    """The torrent was made from this very content a moment ago: nothing has to be hashed again."""

    expect_complete: bool = False
    """The content is said to be there already: what fails the check is an error, and nothing is downloaded over it."""

    accept_losses: bool = False
    """What is gone, or was whole and is not any more, is downloaded anew instead of being an error."""

    names: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """File index to path below the download folder, of files that are not called as in the torrent. What is on record
    of an earlier run comes first."""

    priorities: dict[int, int] = field(default_factory=dict)
    """File index to priority: 0 unwanted, 1 to 7, 4 normal."""
