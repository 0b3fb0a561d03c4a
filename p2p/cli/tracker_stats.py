"""`starling tracker stats`: how a running tracker does, asked of its `/stats`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from p2p.cli.console import say_fields, say_json
from p2p.cli.tracker_register import AsJson  # noqa: TC001 - typer reads the annotations
from p2p.disk.refusals import printable
from p2p.errors import TrackerError
from p2p.net.aiohttp_client import AiohttpClient
from p2p.quantities import format_duration
from tracker.config import DEFAULT_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES: Final = """\b
Examples:
  starling tracker stats
  starling tracker stats http://127.0.0.1:9100 --json
"""

DEFAULT_URL: Final = f"http://127.0.0.1:{DEFAULT_PORT}"
PATIENCE: Final = 10.0
MAX_STATS: Final = 65_536
"""Bytes. They are some 700."""


def stats_command(
    url: Annotated[
        str, typer.Argument(metavar="[URL]", help="The tracker, at its HTTP port or an admin address.")
    ] = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Ask a running tracker how it does.

    At its HTTP port it answers this machine alone unless its configuration says otherwise ([admin] allow).
    """
    told = asyncio.run(_fetch(_stats_url(url)))
    if as_json:
        say_json(told)
        return
    say_fields(_fields(told))


def _stats_url(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    return f"{parts.scheme}://{parts.netloc}/stats"


async def _fetch(url: str) -> dict[str, Any]:
    client = AiohttpClient()
    try:
        body = await client.get(url, timeout=PATIENCE, max_body=MAX_STATS)
    except TrackerError as error:
        raise TrackerError(f"{printable(url)}: {error}") from error
    finally:
        await client.close()
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not {"peers", "torrents", "uptime"} <= told.keys():
        raise TrackerError(f"{printable(url)}: no statistics of a tracker of this kind")
    return told


def _fields(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    traffic = told.get("traffic", {})
    fields = [
        ("tracker", f"{told.get('mode')}, version {told.get('version')}, up {format_duration(told['uptime'])}"),
        ("swarms", f"{told['torrents']:,}"),
        ("peers", f"{told['peers']:,}: {told.get('seeders', 0):,} seeders, {told.get('leechers', 0):,} leechers"),
        ("announces", f"{told.get('announces_per_second', 0):,.1f}/s, {_sum(traffic, 'announces'):,} since the start"),
        ("scrapes", f"{told.get('scrapes_per_second', 0):,.1f}/s, {_sum(traffic, 'scrapes'):,} since the start"),
        ("refusals", f"{_sum(traffic, 'refusals'):,}"),
        ("connections", f"{told.get('connections', 0):,} open"),
    ]
    accounts = told.get("accounts")
    if accounts is not None:
        fields += [
            ("members", f"{accounts['members']:,}"),
            ("torrents", f"{accounts['torrents']:,} on record"),
            ("clients", f"{accounts['places']:,}"),
            ("wrong passkeys", f"{accounts['wrong_passkeys']:,}"),
            ("database", str(accounts["outage"] or f"written, {accounts['unwritten_rows']:,} rows wait")),
        ]
    return fields


def _sum(traffic: Mapping[str, Any], kind: str) -> int:
    return int(traffic.get(f"http_{kind}", 0)) + int(traffic.get(f"udp_{kind}", 0))
