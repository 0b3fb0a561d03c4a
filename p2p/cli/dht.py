"""`starling dht`: a DHT node to look at, and questions to the DHT.

The rule: a question joins by `--bootstrap` or by the well-known routers, asks as a read-only node (BEP 43) that keeps
nothing, and ends with status 1 where nobody answers or nobody is found.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import random
import signal
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Final

import platformdirs
import typer

from p2p.cli import event_loop
from p2p.cli.console import say_fields, say_json
from p2p.cli.dht_answers import make_search_view, show_announced
from p2p.cli.dht_view import make_view
from p2p.cli.options import Bind, Bootstrap, parse_peer, resolve_peers
from p2p.cli.stop_signals import INTERRUPTED, TERMINATED, StoppedError, StopSignals
from p2p.dht.events import PeersFound, SearchDone
from p2p.disk.refusals import printable
from p2p.errors import DhtError
from p2p.metainfo.magnet import Magnet, wire_info_hashes
from p2p.metainfo.urls import Endpoint
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.session.dht_service import DhtService
from p2p.session.settings import WELL_KNOWN_ROUTERS, Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from p2p.dht.events import Pong, Traffic
    from p2p.ids import Address, InfoHash

DEFAULT_NODE_PORT: Final = 6_881
"""Where routers and their users expect a node; any other does as well."""

REFRESH: Final = 1.0
"""Seconds between looks at a node."""

HASH_DIGITS: Final = {40: 1, 64: 2}
"""Versions of info-hashes by their hex digits."""

_EXAMPLES: Final = """\b
Examples:
  starling dht node --help
  starling dht get-peers 2c6b6858d61da9543d4231a71db4b1c9264b0685
"""
_NODE_EXAMPLES: Final = """\b
Examples:
  starling dht node --port 6881
  starling dht node --bind 127.0.0.1 --bootstrap 127.0.0.1:6881 --json
"""
_PING_EXAMPLES: Final = """\b
Examples:
  starling dht ping router.bittorrent.com:6881
  starling dht ping '[::1]:6881' --json
"""
_GET_EXAMPLES: Final = """\b
Examples:
  starling dht get-peers 2c6b6858d61da9543d4231a71db4b1c9264b0685
  starling dht get-peers 'magnet:?xt=urn:btih:...' --json
  starling dht get-peers 2c6b6858d61da9543d4231a71db4b1c9264b0685 --nodes
"""
_ANNOUNCE_EXAMPLES: Final = """\b
Examples:
  starling dht announce 2c6b6858d61da9543d4231a71db4b1c9264b0685 --port 51413
"""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
NodePort = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65_535, help="UDP port; 0 takes any.")]


def parse_torrent(text: str) -> Magnet:
    """A torrent by its info-hash in hex or by a magnet link. A usage error for anything else."""
    version = HASH_DIGITS.get(len(text))
    try:
        if version is not None:
            digest = bytes.fromhex(text)
            return Magnet(info_hash_v1=digest) if version == 1 else Magnet(info_hash_v2=digest)
        if text[:7].lower() == "magnet:":
            return Magnet.parse(text)
    except ValueError as error:
        raise typer.BadParameter(f"{printable(text)!r} is no info-hash") from error
    raise typer.BadParameter(f"{printable(text)!r} is neither an info-hash in hex nor a magnet link")


What = Annotated[
    Magnet,
    typer.Argument(
        metavar="INFO_HASH|MAGNET", parser=parse_torrent, help="40 or 64 hex digits, or a link.", show_default=False
    ),
]
Where = Annotated[
    Endpoint, typer.Argument(metavar="HOST:PORT", parser=parse_peer, help="The node.", show_default=False)
]
AskPort = Annotated[
    int,
    typer.Option("--port", "--udp-port", metavar="N", min=0, max=65_535, help="UDP port to ask from; 0 takes any."),
]
AnnouncerPort = Annotated[
    int, typer.Option("--udp-port", metavar="N", min=0, max=65_535, help="UDP port to announce from; 0 takes any.")
]
AndNodes = Annotated[bool, typer.Option("--nodes", help="List the nodes asked even where stdout is no terminal.")]
AnnouncedPort = Annotated[
    int, typer.Option("--port", metavar="N", min=1, max=65_535, help="Where connections are taken.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Run a node of the DHT, or ask it for peers.", epilog=_EXAMPLES, rich_markup_mode=None)
    group.command("node", epilog=_NODE_EXAMPLES)(node_command)
    group.command("ping", epilog=_PING_EXAMPLES)(ping_command)
    group.command("get-peers", epilog=_GET_EXAMPLES)(get_peers_command)
    group.command("announce", epilog=_ANNOUNCE_EXAMPLES)(announce_command)
    app.add_typer(group, name="dht")


def node_command(
    *, port: NodePort = DEFAULT_NODE_PORT, bind: Bind = None, bootstrap: Bootstrap = None, as_json: AsJson = False
) -> int:
    """Run a node until stopped, and show its table, its traffic and what it stores.

    Its table is saved at the end, and the next start takes it up again. Ctrl-C stops in good order.
    """
    table = platformdirs.user_state_path("starling", appauthor=False) / "dht-node.table"

    async def serve() -> int:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        with StopSignals() as signals:
            signals.on_stop(stopped.set)
            async with _node(bind, await _routers(bootstrap, bind), port=port, table=table) as dht:
                view = make_view(dht.port, as_json=as_json)
                try:
                    while not stopped.is_set():
                        view.show(dht.snapshot(), loop.time())
                        try:
                            async with asyncio.timeout(REFRESH):
                                await stopped.wait()
                        except TimeoutError:
                            continue  # time for another look
                finally:
                    view.close()
            return INTERRUPTED if signals.received is signal.SIGINT else 0

    return event_loop.run(serve())


def ping_command(where: Where, *, port: AskPort = 0, bind: Bind = None, as_json: AsJson = False) -> int:
    """Ping a node: who it is, how long it takes, and what program it says it is."""

    async def ask() -> None:
        addresses = await resolve_peers((where,))
        async with _asker(bind, (), port=port) as dht:
            pong = await _first_answer(dht, addresses)
        version = None if pong.version is None else printable(pong.version.decode("latin-1"))
        if as_json:
            who = {"address": str(pong.address), "node_id": pong.node_id.hex()}
            say_json({**who, "rtt": pong.rtt, "version": version})
            return
        fields = [("node", str(pong.address)), ("id", pong.node_id.hex()), ("time", f"{1_000 * pong.rtt:.1f} ms")]
        say_fields(fields if version is None else [*fields, ("version", version)])

    return _ask(ask)


def get_peers_command(
    what: What,
    *,
    nodes: AndNodes = False,
    port: AskPort = 0,
    bind: Bind = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> int:
    """Find peers of a torrent, each printed as soon as a node tells of it.

    On a terminal the nodes asked follow: how near they are, how long they took, and what they told of.
    """

    async def ask() -> None:
        view = make_search_view(as_json=as_json, nodes=nodes)
        async with _asker(bind, await _routers(bootstrap, bind), port=port) as dht:
            for info_hash in _info_hashes(what):
                async with aclosing(dht.search(info_hash)) as search:
                    async for event in search:
                        match event:
                            case PeersFound():
                                view.show_peers(event)
                            case SearchDone():
                                view.show_end(event)
            traffic = _traffic(dht)
        view.close(traffic)
        if not view.peers:
            raise DhtError(f"no peer is known ({traffic.responses_received:,} answers)")

    return _ask(ask)


def announce_command(
    what: What,
    *,
    port: AnnouncedPort,
    udp_port: AnnouncerPort = 0,
    nodes: AndNodes = False,
    bind: Bind = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> int:
    """Tell the DHT that this host takes connections for a torrent. Nodes keep that for about half an hour.

    On a terminal the nodes told follow, and whether they have noted it.
    """

    async def ask() -> None:
        async with _asker(bind, await _routers(bootstrap, bind), port=udp_port) as dht:
            told = [(info_hash, await dht.announce(info_hash, port)) for info_hash in _info_hashes(what)]
            _traffic(dht)
        if not any(announced.stored for _, announced in told):
            raise DhtError(f"none of {sum(announced.asked for _, announced in told):,} nodes has taken the announce")
        show_announced(told, port, as_json=as_json, nodes=nodes)

    return _ask(ask)


def _node(bind: str | None, routers: Sequence[Endpoint], *, port: int, table: Path | None) -> DhtService:
    """A node that answers, its table kept in a file."""
    rng, secret = _chance()
    hosts = _hosts(bind)
    return DhtService(
        AsyncioNetwork(), rng=rng, secret=secret, port=port, bind=hosts, bootstrap=routers, state_path=table
    )


def _asker(bind: str | None, routers: Sequence[Endpoint], *, port: int) -> DhtService:
    """A node that asks and is gone."""
    rng, secret = _chance()
    hosts = _hosts(bind)
    return DhtService(
        AsyncioNetwork(), rng=rng, secret=secret, port=port, bind=hosts, bootstrap=routers, read_only=True
    )


def _chance() -> tuple[random.Random, bytes]:
    return random.Random(os.urandom(32)), os.urandom(16)  # noqa: TID251 - an entry point


def _hosts(bind: str | None) -> tuple[str, ...]:
    return Settings().bind if bind is None else (bind,)


async def _routers(named: list[Endpoint] | None, bind: str | None) -> Sequence[Endpoint]:
    """By whom to join. Raises NetworkError, naming it, for a name the user gave that has no address."""
    if named:
        return [(address.host, address.port) for address in await resolve_peers(tuple(named))]
    return () if bind is not None and ipaddress.ip_address(bind).is_loopback else WELL_KNOWN_ROUTERS


async def _first_answer(dht: DhtService, addresses: Sequence[Address]) -> Pong:
    """The answer of the first of a host's addresses that gives one. Raises DhtError as the last does."""
    for address in addresses[:-1]:
        try:
            return await dht.ping(address)
        except DhtError:
            continue  # the next address may do
    return await dht.ping(addresses[-1])


def _traffic(dht: DhtService) -> Traffic:
    """What was sent and received. Raises DhtError if nobody has answered anything."""
    traffic = dht.snapshot().traffic
    if not traffic.responses_received:
        raise DhtError("no DHT node has answered; name one that is there with --bootstrap HOST:PORT")
    return traffic


def _info_hashes(what: Magnet) -> tuple[InfoHash, ...]:
    return wire_info_hashes(what.info_hash_v1, what.info_hash_v2)


def _ask(question: Callable[[], Awaitable[None]]) -> int:
    """Run a question to its end, or until a signal."""

    async def run() -> int:
        with StopSignals() as signals:
            try:
                async with signals.interrupting():
                    await question()
            except StoppedError:
                return INTERRUPTED if signals.received is signal.SIGINT else TERMINATED
        return 0

    return event_loop.run(run())
