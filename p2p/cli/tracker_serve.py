"""`starling tracker serve`: a tracker that runs until it is stopped.

The rule: its log is all it says, on stdout; SIGHUP reads the configuration again where it has one; SIGTERM and Ctrl-C
stop it in good order, with status 0 and 130.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli import event_loop
from p2p.cli.console import say
from p2p.cli.stop_signals import INTERRUPTED, StopSignals, hangups
from p2p.cli.tracker_register import secrets, wall
from p2p.cli.tracker_workers import serve_by_workers
from p2p.net.asyncio_network import AsyncioNetwork
from tracker.accounts_link import KEEPER
from tracker.config import ConfigSource, LogFormat, TrackerConfig
from tracker.event_log import logging_to, tell
from tracker.members_front import MembersFront
from tracker.service import Outside, TrackerService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracker.siblings import WorkerPlace

EXAMPLES: Final = """\b
Examples:
  starling tracker serve
  starling tracker serve --http-port 8080 --no-udp --bind 192.0.2.7
  starling tracker serve --private tracker.db
  starling tracker serve --config tracker.toml
  starling tracker serve --config tracker.toml --print-config

With --config, SIGHUP reads the file again: most settings change at once, the
log names those that wait for the next start.
"""


def serve_command(
    *,
    http_port: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=65_535, help="TCP port (default: 6969; 0 takes any).")
    ] = None,
    udp_port: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=65_535, help="UDP port (default: 6969; 0 takes any).")
    ] = None,
    no_http: Annotated[bool, typer.Option("--no-http", help="Take no announces over HTTP.")] = False,
    no_udp: Annotated[bool, typer.Option("--no-udp", help="Take no announces over UDP.")] = False,
    bind: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Listen on this IP address (default: all); may be given again."),
    ] = None,
    private: Annotated[
        Path | None,
        typer.Option(metavar="DATABASE", help="For the members in this database, made if it is not there."),
    ] = None,
    snapshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save swarms here and restore them at the start.")
    ] = None,
    redis: Annotated[
        str | None, typer.Option(metavar="URL", help="Share swarms with other trackers by this Redis or Valkey.")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Processes that serve (default: 1).")] = None,
    admin: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="The status page, /metrics and /stats here too; may be given again."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Everything else, in TOML; options go before it.")
    ] = None,
    log_format: Annotated[
        LogFormat | None, typer.Option("--log-format", help="How the log is written (default: plain).")
    ] = None,
    log_announces: Annotated[bool, typer.Option("--log-announces", help="Log every announce; slow.")] = False,
    stop_with_stdin: Annotated[
        bool,
        typer.Option("--stop-with-stdin", help="Stop when stdin ends: for programs that must not leave it behind."),
    ] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the effective settings and exit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --log-format json.")] = False,
) -> int:
    """Run a tracker, over HTTP and UDP, IPv4 and IPv6, until stopped.

    Its status page is at the HTTP port, with /metrics and /stats for this machine. Ctrl-C stops in good order.
    """
    given: dict[tuple[str, str], tuple[str, object]] = {
        ("listen", "http_port"): ("--http-port", http_port),
        ("listen", "udp_port"): ("--udp-port", udp_port),
        ("listen", "http"): ("--no-http", False if no_http else None),
        ("listen", "udp"): ("--no-udp", False if no_udp else None),
        ("listen", "bind"): ("--bind", bind),
        ("listen", "workers"): ("--workers", workers),
        ("private", "database"): ("--private", private and str(private)),
        ("swarms", "snapshot"): ("--snapshot", snapshot and str(snapshot)),
        ("swarms", "redis"): ("--redis", redis),
        ("admin", "bind"): ("--admin", admin),
        ("log", "format"): ("--log-format", "json" if as_json else log_format and log_format.value),
        ("log", "announces"): ("--log-announces", log_announces or None),
    }
    source = ConfigSource(config, {key: each for key, each in given.items() if each[1] is not None})
    loaded = source.load()
    if print_config:
        say(loaded.to_toml().rstrip("\n"))
        return 0
    secret = secrets(32)
    if loaded.listen.workers == 1:
        watched = sys.stdin.fileno() if stop_with_stdin else None
        return event_loop.run_with_own_log(_serve(source, loaded, AsyncioNetwork(), secret, None, watched))
    if stop_with_stdin:
        raise typer.BadParameter("--stop-with-stdin and several --workers exclude one another")

    def serve(network: AsyncioNetwork, place: WorkerPlace) -> int:
        return event_loop.run_with_own_log(_serve(source, loaded, network, secret, place))

    return serve_by_workers(source, loaded, serve, time.monotonic)  # noqa: TID251 - an entry point


async def _serve(
    source: ConfigSource,
    config: TrackerConfig,
    network: AsyncioNetwork,
    secret: bytes,
    place: WorkerPlace | None,
    watched: int | None = None,
) -> int:
    stopped = asyncio.Event()
    with StopSignals() as signals, logging_to(sys.stdout, config.log) as log:
        signals.on_stop(stopped.set)
        outside = Outside(
            network=network,
            rng=random.Random(secrets(32)),
            secret=secret,
            secrets=secrets,
            wall=wall,
            place=place,
        )
        service: TrackerService | MembersFront
        if config.private.database and place is not None and place.number != KEEPER:
            service = MembersFront(source, config, network, place, log)
        else:
            service = TrackerService(source, config, outside, log)
        await service.start()
        try:
            again = stopped.set if source.file is None else service.reload  # where there is nothing to read, a stop
            with hangups(again), _end_of(watched, stopped.set):
                if place is None or (place.number == 0 and place.is_first_start):
                    tell("listening", urls=service.announce_urls, admin=service.admin_urls)
                await stopped.wait()
            if place is None or place.number == 0:
                tell("stopping")
        finally:
            await service.close()
        if place is None or place.number == 0:
            tell("stopped")
    return INTERRUPTED if signals.received is signal.SIGINT else 0


@contextmanager
def _end_of(descriptor: int | None, callback: Callable[[], None]) -> Iterator[None]:
    """While inside, calls back when there is nothing more to read there; what can be read is thrown away."""
    if descriptor is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def on_readable() -> None:
        if not os.read(descriptor, 4_096):
            loop.remove_reader(descriptor)
            callback()

    loop.add_reader(descriptor, on_readable)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
