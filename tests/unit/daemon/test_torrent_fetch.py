"""Torrents by URL: how far redirects lead, who gets cookies, and what a refusal tells."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from p2p.daemon.rpc_errors import Code, RpcError
from p2p.daemon.torrent_fetch import AT_ONCE, TorrentFetch
from p2p.errors import NetworkError, TrackerError
from p2p.ids import Address
from p2p.net.http import RedirectedError

HOSTS = {
    "out.example": ["93.184.215.14"],
    "other.example": ["2606:2800:21f:cb07::1"],
    "nas.lan": ["192.168.1.5"],
    "both.example": ["93.184.215.14", "10.0.0.1"],
    "127.0.0.1": ["127.0.0.1"],
    "localhost": ["::1", "127.0.0.1"],
}


class Web:
    """Places and what each answers: a body, where it leads, or an error. Is an HTTP client and a network."""

    def __init__(self, **places):
        self.places = {name.replace("__", "/"): answer for name, answer in places.items()}
        self.asked = []

    async def get(self, url, *, timeout, max_body, headers=None, local=None, redirects=5):
        assert redirects == 0
        self.asked.append((url, headers))
        answer = self.places[url]
        if isinstance(answer, bytes):
            return answer
        raise answer if isinstance(answer, Exception) else RedirectedError("moved", answer)

    async def resolve(self, host, port):
        if host not in HOSTS:
            raise NetworkError("unknown")
        return [Address.parse(each, port) for each in HOSTS[host]]


def fetch(web):
    return TorrentFetch(web, web)


def led(*places, end=b"torrent"):
    """A web where each place leads to the next."""
    web = Web()
    web.places = {**dict(itertools.pairwise(places)), places[-1]: end}
    return web


@pytest.mark.parametrize("place", ["http://127.0.0.1:9696/1/dl", "http://nas.lan/x", "https://out.example/a.torrent"])
async def test_a_client_may_name_any_place(place):
    assert await fetch(led(place)).get(place) == b"torrent"


@pytest.mark.parametrize(
    "places",
    [
        ("http://127.0.0.1/dl", "https://out.example/a", "https://other.example/b"),
        ("http://nas.lan/dl", "http://localhost/a"),
        ("https://out.example/a", "https://other.example/b"),
    ],
)
async def test_redirects_lead_out_and_on(places):
    assert await fetch(led(*places)).get(places[0]) == b"torrent"


@pytest.mark.parametrize(
    "places",
    [
        ("https://out.example/a", "http://127.0.0.1:9091/x"),
        ("https://out.example/a", "http://nas.lan/x"),
        ("https://out.example/a", "http://both.example/x"),
        ("http://nas.lan/dl", "https://out.example/a", "http://localhost/x"),
    ],
)
async def test_no_redirect_leads_from_outside_into_this_network(places):
    web = led(*places)
    with pytest.raises(RpcError, match="a redirect leads from outside into this network"):
        await fetch(web).get(places[0])
    assert [url for url, _ in web.asked] == list(places[:-1])


async def test_a_redirect_may_end_at_a_magnet_link():
    link = "magnet:?xt=urn:btih:" + "a" * 40
    assert await fetch(led("http://127.0.0.1/dl", link)).get("http://127.0.0.1/dl") == link


async def test_cookies_go_where_they_were_given_for():
    places = ("https://out.example/a", "https://out.example/b", "https://other.example/c", "http://out.example/d")
    web = led(*places)
    await fetch(web).get(places[0], "uid=1; pass=2")
    assert [headers for _, headers in web.asked] == [{"Cookie": "uid=1; pass=2"}] * 2 + [None, None]


@pytest.mark.parametrize(
    ("web", "place", "reason"),
    [
        (led("http://nas.lan/k3y", end=TrackerError("HTTP 404")), "http://nas.lan/k3y", "nas.lan: HTTP 404"),
        (led("http://a.example/k3y"), "http://a.example/k3y", "a.example: no address for a.example"),
        (led("http://nas.lan/k3y", "file:///etc/passwd"), "http://nas.lan/k3y", "nas.lan: only http and https"),
        (led(*["http://nas.lan/k3y"] * 2), "http://nas.lan/k3y", "nas.lan: more than 5 redirects"),
        (led("http://[k3y"), "http://[k3y", "not a URL"),
    ],
    ids=["status", "name", "scheme", "loop", "no URL"],
)
async def test_a_refusal_names_the_host_and_not_the_key_behind_it(web, place, reason):
    if reason.endswith("redirects"):
        web.places = {place: place}
    with pytest.raises(RpcError, match=reason) as caught:
        await fetch(web).get(place)
    assert caught.value.code is Code.HTTP
    assert "k3y" not in str(caught.value)


async def test_so_many_are_fetched_at_once_and_no_more():
    class Slow(Web):
        under_way = most = 0

        async def get(self, url, **_):
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0)
            self.under_way -= 1
            return b"torrent"

    web = Slow()
    fetching = fetch(web)
    assert await asyncio.gather(*(fetching.get("http://nas.lan/x") for _ in range(30))) == [b"torrent"] * 30
    assert web.most == AT_ONCE
