"""Who is answered: names against DNS rebinding, origins against pages of strangers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.web.origin import Asked, Reach, Refusal, is_encrypted, is_own

OURS = "127.0.0.1:9180"
REACH = Reach(["nas.example", "*.home.example"])
HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,6}){0,2}(:[0-9]{1,5})?", fullmatch=True)


@pytest.mark.parametrize("asked", list(Asked))
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9180", "", "localhost.evil.example", "[::1].evil.example", "a@localhost"]
)
def test_names_that_are_not_ours_are_answered_nothing(asked, host):
    assert REACH.refusal(asked, {"Host": host, "Origin": f"http://{host}"}) is Refusal.NAME


def test_no_name_is_answered_nothing():
    assert REACH.refusal(Asked.PAGE, {}) is Refusal.NAME


@pytest.mark.parametrize("asked", list(Asked))
@pytest.mark.parametrize(
    "host", [OURS, "localhost:1", "LocalHost", "[::1]:9180", "nas.example", "box.home.example:443", "192.168.1.7:80"]
)
def test_our_names_and_addresses_are_answered_to_our_own_pages(asked, host):
    for scheme in ("http", "https"):
        assert REACH.refusal(asked, {"Host": host, "Origin": f"{scheme}://{host.lower()}"}) is None


@pytest.mark.parametrize("asked", list(Asked))
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://127.0.0.1:9181", "http://127.0.0.1", "ftp://127.0.0.1:9180"]
)
def test_pages_of_others_are_refused(asked, origin):
    assert REACH.refusal(asked, {"Host": OURS, "Origin": origin}) is Refusal.ORIGIN


def test_what_changes_something_and_sockets_must_say_where_they_come_from():
    assert REACH.refusal(Asked.PAGE, {"Host": OURS}) is None
    assert REACH.refusal(Asked.CHANGE, {"Host": OURS}) is Refusal.ORIGIN
    assert REACH.refusal(Asked.SOCKET, {"Host": OURS}) is Refusal.ORIGIN


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_from_elsewhere_is_followed_but_our_answers_are_no_part_of_another_page(site):
    headers = {"Host": OURS, "Sec-Fetch-Site": site}
    assert REACH.refusal(Asked.PAGE, headers | {"Sec-Fetch-Mode": "navigate"}) is None
    assert REACH.refusal(Asked.PAGE, headers | {"Sec-Fetch-Mode": "no-cors"}) is Refusal.ORIGIN


@given(HOSTS, HOSTS, st.sampled_from(["http", "https"]))
def test_an_origin_is_our_own_exactly_when_host_and_port_are(host, other, scheme):
    assert is_own(f"{scheme}://{host}", host)
    assert is_own(f"{scheme}://{other}", host) == (other == host)


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(Asked))
def test_any_text_gets_a_verdict_and_none_is_let_in_by_a_foreign_origin(host, origin, asked):
    verdict = REACH.refusal(asked, {"Host": host, "Origin": origin})
    assert verdict is not None or origin.lower().endswith(f"://{host.lower()}")


def test_a_page_that_came_over_https_is_known_by_its_origin():
    assert is_encrypted({"Origin": "https://nas.example"})
    assert not is_encrypted({"Origin": "http://nas.example"})
    assert not is_encrypted({})
