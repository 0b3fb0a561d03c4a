"""The options that several commands share, and what they mean to the engine.

The rule: an option that several commands have is declared here, once, with its default. A command that is decorated
with `takes_network_options` has all of the network, and gets what they say as its parameter `network`.
"""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from secrets import token_bytes
from typing import TYPE_CHECKING, Annotated

import platformdirs
import typer

from p2p.cli.option_groups import in_place_of
from p2p.cli.quantities import parse_rate
from p2p.disk.refusals import printable
from p2p.errors import NetworkError
from p2p.metainfo.urls import Endpoint, parse_endpoint
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.gateway import Gateway
from p2p.net.interface_binding import is_interface_name
from p2p.session.encryption import Encryption
from p2p.session.held_network import hold_to_interface
from p2p.session.settings import WELL_KNOWN_ROUTERS, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from p2p.ids import Address
    from p2p.net.network import Network


def parse_limit(text: str) -> int:
    """Bytes a second that a limit means. A usage error for anything but a rate above 0."""
    rate = parse_rate(text)
    if rate == 0:
        raise typer.BadParameter("a limit of 0 would let nothing through; leave the option out for no limit")
    return rate


def parse_bind(text: str) -> str:
    """An IP address in canonical form. A usage error for anything else."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise typer.BadParameter(f"{printable(text)!r} is no IP address") from error


def parse_place(text: str) -> str:
    """An IP address in canonical form, or the name of a network interface. A usage error for anything else."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        if not is_interface_name(text) or ":" in text:
            raise typer.BadParameter(f"{printable(text)!r} is no IP address and no network interface") from error
        return text


def parse_peer(text: str) -> Endpoint:
    """Host and port. A usage error for anything else."""
    place = parse_endpoint(text)
    if place is None:
        raise typer.BadParameter(f"{printable(text)!r} is no HOST:PORT")
    return place


def parse_goal(text: str) -> float:
    """A ratio or a time. A usage error for anything but a number from 0 on."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise typer.BadParameter(f"{printable(text)!r} is no number from 0 on")
    return value


Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65_535, help="Listen on this port; 0 takes any.")]
Bind = Annotated[
    str | None,
    typer.Option("--bind", metavar="ADDRESS", parser=parse_bind, help="Listen on and connect from this IP address."),
]
Place = Annotated[
    str | None,
    typer.Option(
        "--bind",
        metavar="ADDRESS|INTERFACE",
        parser=parse_place,
        help="Listen on and connect from this IP address; or let nothing go but by this network interface.",
    ),
]
NameServers = Annotated[
    list[str] | None,
    typer.Option(
        "--name-server",
        metavar="ADDRESS",
        parser=parse_bind,
        help="With --bind INTERFACE: ask this for names; may be given again.",
    ),
]
NoNat = Annotated[bool, typer.Option("--no-nat", help="Do not ask the router to let peers in.")]
Router = Annotated[
    str | None,
    typer.Option(
        "--gateway",
        metavar="ADDRESS",
        parser=parse_bind,
        help="The router to ask for a port, instead of that of the default route.",
    ),
]
Peers = Annotated[
    list[Endpoint] | None,
    typer.Option("--peer", metavar="HOST:PORT", parser=parse_peer, help="Connect to this peer; may be given again."),
]
EncryptionPolicy = Annotated[
    Encryption,
    typer.Option(
        "--encryption",
        help="Encrypt with peers that can (prefer), that ask for it (allow), always (require) or never (off).",
    ),
]
NoDht = Annotated[bool, typer.Option("--no-dht", help="Look for no peers in the DHT.")]
Bootstrap = Annotated[
    list[Endpoint] | None,
    typer.Option(
        "--bootstrap",
        metavar="HOST:PORT",
        parser=parse_peer,
        help="Join the DHT by this node instead of the well-known ones; may be given again.",
    ),
]
NoLsd = Annotated[bool, typer.Option("--no-lsd", help="Neither look for peers on the local network nor tell of us.")]
NoPex = Annotated[bool, typer.Option("--no-pex", help="Exchange no peers with peers.")]
NoTrackers = Annotated[bool, typer.Option("--no-trackers", help="Announce to no tracker.")]
LimitDown = Annotated[
    int | None,
    typer.Option("--limit-down", metavar="RATE", parser=parse_limit, help="Download no faster: 500KiB/s, 2MiB."),
]
LimitUp = Annotated[
    int | None,
    typer.Option("--limit-up", metavar="RATE", parser=parse_limit, help="Upload no faster."),
]
SeedRatio = Annotated[
    float | None,
    typer.Option("--seed-ratio", metavar="R", parser=parse_goal, help="Seed until R times the size is uploaded."),
]
SeedTime = Annotated[
    float | None,
    typer.Option("--seed-time", metavar="MIN", parser=parse_goal, help="Seed for this many minutes."),
]
Recheck = Annotated[bool, typer.Option("--recheck", help="Hash what is there, whatever is on record.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line: events, and progress every second.")]


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """What the options of the network say, as given. Rates are bytes a second."""

    port: int = 0
    bind: str | None = None
    """An IP address, or the name of a network interface."""

    name_servers: tuple[str, ...] = ()
    nat: bool = True
    gateway: str | None = None
    peers: tuple[Endpoint, ...] = ()
    bootstrap: tuple[Endpoint, ...] = ()
    """Empty for the well-known ones."""

    dht: bool = True
    local_discovery: bool = True
    peer_exchange: bool = True
    trackers: bool = True
    limit_down: int | None = None
    limit_up: int | None = None
    encryption: Encryption = Encryption.PREFER

    @property
    def interface(self) -> str | None:
        """The network interface that all is held to, if `bind` names one."""
        return None if self.bind is None or _is_address(self.bind) else self.bind

    def network(self) -> Network:
        """The network that names of peers are looked up on: the one that the session will have."""
        if self.interface is None:
            return AsyncioNetwork()
        network, _, binding = hold_to_interface(self.interface, self.name_servers, token_bytes)
        binding.refresh()
        return network

    def settings(self, *, download_dir: Path) -> Settings:
        """Settings of a session whose record is kept where this user's state belongs."""
        return Settings(
            download_dir=download_dir,
            state_dir=platformdirs.user_state_dir("starling", appauthor=False),
            port=self.port,
            bind=Settings().bind if self.bind is None or self.interface is not None else (self.bind,),
            interface=self.interface,
            name_servers=self.name_servers,
            port_mapping=self.nat,
            gateway=None if self.gateway is None else Gateway(self.gateway),
            limit_down=self.limit_down,
            limit_up=self.limit_up,
            trackers=self.trackers,
            encryption=self.encryption,
            dht=self.dht,
            bootstrap=self.bootstrap or WELL_KNOWN_ROUTERS,
            local_discovery=self.local_discovery,
            peer_exchange=self.peer_exchange,
        )


def _network_options(
    *,
    port: Port = 0,
    bind: Place = None,
    name_server: NameServers = None,
    no_nat: NoNat = False,
    gateway: Router = None,
    peer: Peers = None,
    bootstrap: Bootstrap = None,
    no_dht: NoDht = False,
    no_lsd: NoLsd = False,
    no_pex: NoPex = False,
    no_trackers: NoTrackers = False,
    limit_down: LimitDown = None,
    limit_up: LimitUp = None,
    encryption: EncryptionPolicy = Encryption.PREFER,
) -> NetworkOptions:
    """The options that every command with a session has."""
    return NetworkOptions(
        port=port,
        bind=bind,
        name_servers=tuple(name_server or ()),
        nat=not no_nat,
        gateway=gateway,
        peers=tuple(peer or ()),
        bootstrap=tuple(bootstrap or ()),
        dht=not no_dht,
        local_discovery=not no_lsd,
        peer_exchange=not no_pex,
        trackers=not no_trackers,
        limit_down=limit_down,
        limit_up=limit_up,
        encryption=encryption,
    )


def takes_network_options(command: Callable[..., int], *, port: int = 0) -> Callable[..., int]:
    """Give a command the options of the network in the place of its parameter `network: NetworkOptions`.

    `port` is where peers reach it where nobody says otherwise.
    """
    return in_place_of("network", command, _network_options, port=port)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


async def resolve_peers(places: tuple[Endpoint, ...], network: Network | None = None) -> tuple[Address, ...]:
    """All addresses of all of them, each once. Raises NetworkError, naming it, for a name that has none."""
    network = network or AsyncioNetwork()
    found: dict[Address, None] = {}
    for host, port in places:
        try:
            found.update(dict.fromkeys(await network.resolve(host, port)))
        except NetworkError as error:
            raise NetworkError(f"no address of {host}: {error}") from error
    return tuple(found)
