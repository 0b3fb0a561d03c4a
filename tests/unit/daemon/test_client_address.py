"""Where a daemon is, from what a person writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon.client_address import Server
from p2p.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "url", "user"),
    [
        ("box", "http://box:9091/transmission/rpc", None),
        ("box.example:80", "http://box.example:80/transmission/rpc", None),
        ("9092", "http://localhost:9092/transmission/rpc", None),
        ("me@box", "http://box:9091/transmission/rpc", "me"),
        ("127.0.0.1", "http://127.0.0.1:9091/transmission/rpc", None),
        ("::1", "http://[::1]:9091/transmission/rpc", None),
        ("0::0:1", "http://[::1]:9091/transmission/rpc", None),
        ("[::1]:7000", "http://[::1]:7000/transmission/rpc", None),
        ("http://box", "http://box:80/transmission/rpc", None),
        ("HTTPS://Box/", "https://box:443/transmission/rpc", None),
        ("https://me@box:1/x/transmission/rpc", "https://box:1/x/transmission/rpc", "me"),
        ("http://box:9091/transmission/", "http://box:9091/transmission/rpc", None),
        ("http://a%40b@box:1/x/rpc/", "http://box:1/x/rpc", "a@b"),
        (" box:9091 \n", "http://box:9091/transmission/rpc", None),
    ],
)
def test_what_is_written_is_understood(text, url, user):
    server = Server.parse(text)
    assert (server.url, server.user) == (url, user)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "box:port", "box:70000", "ftp://box", "http://", "http://box/?a", "http://box/#a", "a b", "[::1"),
        *("::g", "-box", "http://[zz]/", "box\n:1", "x" * 3000, "//box", "http:///rpc", 'http://b"x/'),
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ConfigError):
        Server.parse(text)


def test_a_password_is_refused_and_not_repeated():
    with pytest.raises(ConfigError) as refused:
        Server.parse("http://me:secret@box/")
    assert "secret" not in str(refused.value)


def test_pages_stand_beside_the_rpc():
    assert Server.parse("box").page("/events") == "http://box:9091/events"
    assert Server.parse("https://box/seed/transmission/rpc").page("/schema") == "https://box:443/seed/schema"


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text):
    try:
        server = Server.parse(text)
    except ConfigError:
        return
    assert server.url.startswith(("http://", "https://"))
    assert server.path.endswith("/rpc")
