"""Who asks, behind proxies: the configuration's are believed, everybody else is who its connection says."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import TrackerError
from tracker.proxies import Proxies

OURS = Proxies([ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")])
PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("forwarded_for", "forwarded", "asker"),
    [
        (None, None, PROXY),
        ("192.0.2.1", None, "192.0.2.1"),
        ("198.51.100.9, 192.0.2.1", None, "192.0.2.1"),
        ("nonsense, 192.0.2.1,10.2.3.4 , fd00::5", None, "192.0.2.1"),
        ("10.9.9.9, 10.2.3.4", None, "10.9.9.9"),
        ("2001:DB8:0::1", None, "2001:db8::1"),
        ("[2001:db8::1]:4711", None, "2001:db8::1"),
        ("192.0.2.1:80", None, "192.0.2.1"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        (None, "for=192.0.2.1", "192.0.2.1"),
        (None, "For=192.0.2.1; proto=http;by=10.0.0.1", "192.0.2.1"),
        (None, 'for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        (None, "for=unknown, for=192.0.2.1, for=10.0.0.2", "192.0.2.1"),
        (None, 'for=192.0.2.1;host="x,for=198.51.100.7"', "192.0.2.1"),
        ("192.0.2.1", "for=192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_proxy_of_ours_is_believed(forwarded_for, forwarded, asker):
    assert OURS.asker(PROXY, forwarded_for, forwarded) == asker


@pytest.mark.parametrize(
    ("forwarded_for", "forwarded"),
    [
        ("", None),
        ("unknown", None),
        ("192.0.2.1, localhost", None),
        ("192.0.2.256", None),
        ("fe80::1%eth0", None),
        ("1'; DROP TABLE peers; --", None),
        (None, ""),
        (None, "for=unknown"),
        (None, "for=_hidden"),
        (None, "by=192.0.2.1"),
        (None, "for=192.0.2.1, x"),
        (None, 'for="192.0.2.1'),
        ("192.0.2.1", "for=198.51.100.9"),
        ("192.0.2.1", "for=unknown"),
    ],
)
def test_a_proxy_of_ours_that_does_not_tell_is_refused(forwarded_for, forwarded):
    with pytest.raises(TrackerError, match="does not tell who asks"):
        OURS.asker(PROXY, forwarded_for, forwarded)


@given(st.none() | st.text(), st.none() | st.text())
def test_nobody_else_is_believed(forwarded_for, forwarded):
    assert OURS.asker("192.0.2.77", forwarded_for, forwarded) == "192.0.2.77"
    assert Proxies().asker(PROXY, forwarded_for, forwarded) == PROXY


@given(st.text(), st.text('for="[],;:=. 0123456789abcdef\\'))
def test_any_text_names_an_address_or_is_refused(forwarded_for, forwarded):
    for fields in ((forwarded_for, None), (None, forwarded)):
        try:
            host = OURS.asker(PROXY, *fields)
        except TrackerError:
            continue
        assert str(ipaddress.ip_address(host)) == host
