"""`starling tracker serve --workers N`: the first process, which binds the ports and looks after the others.

The rule: it runs no loop and answers nobody. A worker that cannot even start, as one alone could not, is an error and
ends all; one that dies later is replaced.
"""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING

from p2p.cli.stop_signals import INTERRUPTED
from p2p.errors import NetworkError, StarlingError
from p2p.ids import Address
from p2p.net.shared_ports import SharedPorts
from tracker.event_log import logging_to, tell
from tracker.service import EVERYWHERE, EVERYWHERE6
from tracker.siblings import Mailboxes, WorkerPlace
from tracker.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.net.asyncio_network import AsyncioNetwork
    from tracker.config import ConfigSource, TrackerConfig


def serve_by_workers(
    source: ConfigSource,
    config: TrackerConfig,
    serve: Callable[[AsyncioNetwork, WorkerPlace], int],
    clock: Callable[[], float],
) -> int:
    """Serve by as many processes as `config` says until told to stop; the exit status. `serve` runs in each of them."""
    count = config.listen.workers
    mailboxes = Mailboxes(count)
    ports = SharedPorts(count, 1 if config.private.database else None)  # by UDP members ask who keeps the accounts
    started: set[int] = set()

    def work(number: int) -> int:
        try:
            return serve(ports.network(number), WorkerPlace(number, mailboxes, number not in started))
        except StarlingError as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201 - as the command line says it
            return 1

    def on_death(number: int, status: int) -> None:
        if number not in started and status == 1:
            raise StarlingError("a worker could not start")
        started.add(number)
        mailboxes.empty(number)
        with logging_to(sys.stdout, config.log):
            tell("worker died, another takes its place", level=logging.ERROR, worker=number, status=status)

    try:
        _bind(ports, config)
        stopping = () if source.file is not None else (signal.SIGHUP,)
        received = Workers(count, work, on_death=on_death, clock=clock, stopping=stopping).run()
    finally:
        ports.close()
        mailboxes.close()
    return INTERRUPTED if received is signal.SIGINT else 0


def _bind(ports: SharedPorts, config: TrackerConfig) -> None:
    """Bind what the configuration names. All of the host's means IPv4, and IPv6 where the host has it."""
    listen = config.listen

    def bind(*hosts: str) -> None:
        ports.bind(
            tcp=[Address(host, listen.http_port) for host in hosts if listen.http],
            udp=[Address(host, listen.udp_port) for host in hosts if listen.udp],
        )

    if listen.bind:
        bind(*listen.bind)
        return
    bind(EVERYWHERE)
    try:
        bind(EVERYWHERE6)
    except NetworkError as error:
        with logging_to(sys.stdout, config.log):
            tell("no IPv6 here", reason=str(error))
