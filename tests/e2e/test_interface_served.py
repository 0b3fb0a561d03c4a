"""`starling tui --web` with no daemon beside it: one engine for all pages, and an end to all of it."""

from __future__ import annotations

import asyncio
import signal

import aiohttp
import psutil
from programs import STARLING

DEADLINE = 60.0

QUIET = """\
[rpc]
port = 1
[session]
dht_enabled = false
lpd_enabled = false
pex_enabled = false
port_forwarding_enabled = false
peer_port = 0
[network]
bind = ["127.0.0.1"]
"""
"""Nobody listens at port 1, so that a daemon of whoever runs the tests is not met."""


async def until_seen(socket, text):
    """Reads what is drawn until the text is among it."""
    seen = b""
    while text not in seen:
        message = await socket.receive()
        assert message.type is aiohttp.WSMsgType.BINARY, (message, seen[-500:])
        seen += message.data


async def test_all_pages_are_of_one_engine_and_end_with_it(programs, tmp_path):
    config = tmp_path / "config"
    config.mkdir()
    (config / "daemon.toml").write_text(QUIET, encoding="utf-8")
    own = ("env", f"STARLING_CONFIG_DIR={config}", STARLING)
    async with asyncio.timeout(DEADLINE), aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        served = await programs.start("tui", *own, "tui", "--web", "--web-port", 0, "--json", state="web")
        link = (await served.event("listening"))["url"]
        place = link.partition("?")[0].rstrip("/")
        async with http.get(link) as page:
            assert (page.status, str(page.url)) == (200, f"{place}/")
        opening = http.ws_connect(f"{place}/ws?width=80&height=24", headers={"Origin": place})
        async with opening as one, http.ws_connect(f"{place}/ws", headers={"Origin": place}) as other:
            await asyncio.gather(until_seen(one, b"0 torrents"), until_seen(other, b"0 torrents"))
            pages = psutil.Process(served.pid).children(recursive=True)
            lines = [" ".join(page.cmdline()) for page in pages]
            assert ["p2p.cli.web_session" in line for line in lines] == [True, True]
            assert link.partition("=")[2] not in " ".join(lines)
            await one.send_json(["stdin", "a"])
            await until_seen(one, b"Magnet link")
            await one.send_json(["stdin", "f" * 40])
            await one.send_json(["stdin", "\r"])
            await until_seen(other, b"1 torrent")
            ending = asyncio.ensure_future(served.end(signal.SIGTERM))
            while (await one.receive()).type is not aiohttp.WSMsgType.CLOSED:
                pass
        assert await ending == 0
        assert not any(page.is_running() for page in pages)
        assert not any("Traceback" in line for line in served.complaints), served.complaints
