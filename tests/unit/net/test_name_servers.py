"""Names looked up by asking name servers over the session's own network."""

from __future__ import annotations

import random

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net import name_servers
from p2p.net.name_servers import NameServers, servers_of
from p2p.simulation import SimInternet
from p2p.simulation import run as run_virtual

ANSWERS = {"A": ["192.0.2.7", "192.0.2.8"], "AAAA": ["2001:db8::7"]}


def truthful(query):
    question = query.question[0]
    kind = dns.rdatatype.to_text(question.rdtype)
    reply = dns.message.make_response(query)
    reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "CNAME", "elsewhere.example."))
    reply.answer.append(dns.rrset.from_text("elsewhere.example.", 60, "IN", kind, *ANSWERS[kind]))
    return [reply.to_wire()]


def nameless(query):
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.NXDOMAIN)
    return [reply.to_wire()]


def refusing(query):
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.REFUSED)
    return [reply.to_wire()]


def forged(query):
    """Answers to a question, or under a number, that was not asked, then the truth."""
    other = dns.message.make_response(dns.message.make_query("bank.example", query.question[0].rdtype))
    other.id = query.id
    wrong = dns.message.make_response(query)
    wrong.id = query.id ^ 1
    return [other.to_wire(), wrong.to_wire(), b"\x00", b"", *truthful(query)]


def only_ipv4(query):
    return truthful(query) if dns.rdatatype.to_text(query.question[0].rdtype) == "A" else []


def run(scenario, **servers):
    """Run `scenario(look_up, asked)` where name servers at 10.0.0.N behave so; what it returns."""
    internet = SimInternet(random.Random(1))
    asked: list[str] = []

    async def main():
        home = internet.host("10.0.0.100").network
        places = []
        sockets = []
        for number, (name, behave) in enumerate(servers.items(), 1):
            place = Address(f"10.0.0.{number}", 53)
            places.append(place)

            def on_datagram(datagram, source, behave=behave, name=name, number=number):
                asked.append(name)
                for answer in behave(dns.message.from_wire(datagram)):
                    sockets[number - 1].send(answer, source)

            sockets.append(await internet.host(place.host).network.open_datagrams(place, on_datagram))
        names = NameServers(home, lambda: places, secrets=random.Random(2).randbytes)
        try:
            return await scenario(names.look_up, asked)
        finally:
            for each in sockets:
                each.close()

    return run_virtual(main())


def test_a_name_has_the_addresses_of_both_families():
    async def scenario(look_up, asked):
        return sorted(await look_up("tracker.example", 6969))  # dnspython answers in any order

    expected = [Address("192.0.2.7", 6969), Address("192.0.2.8", 6969), Address("2001:db8::7", 6969)]
    assert run(scenario, first=truthful) == expected
    assert run(scenario, first=forged) == expected
    assert run(scenario, first=only_ipv4) == expected[:2]


def test_a_silent_server_is_asked_again_and_then_the_next():
    async def scenario(look_up, asked):
        await look_up("tracker.example", 80)
        return asked

    assert run(scenario, silent=lambda _: [], second=truthful) == ["silent"] * 4 + ["second"] * 2


def test_a_name_that_is_not_there_is_asked_of_one_server():
    async def scenario(look_up, asked):
        with pytest.raises(NetworkError, match="no address for the name"):
            await look_up("nowhere.example", 80)
        return asked

    assert run(scenario, first=nameless, second=truthful) == ["first"] * 2


@pytest.mark.parametrize(
    ("behave", "reason"),
    [(refusing, "the name server 10.0.0.1 refuses"), (lambda _: [], "the name server 10.0.0.1 does not answer")],
    ids=["refusing", "silent"],
)
def test_failures_are_told(behave, reason):
    async def scenario(look_up, asked):
        with pytest.raises(NetworkError, match=reason):
            await look_up("tracker.example", 80)

    run(scenario, first=behave)


@pytest.mark.parametrize("host", ["", "a..b", "x" * 64 + ".example", "a." * 130], ids=["none", "gap", "label", "long"])
def test_what_is_no_name_is_not_asked_for(host):
    async def scenario(look_up, asked):
        with pytest.raises(NetworkError):
            await look_up(host, 80)
        return asked

    if host:
        assert run(scenario, first=truthful) == []


@given(datagrams=st.lists(st.binary(max_size=64), max_size=3), flip=st.integers(0, 400), mask=st.integers(1, 255))
def test_no_answer_of_a_server_breaks_a_lookup(datagrams, flip, mask):
    def damaged(query):
        [wire] = truthful(query)
        at = flip % len(wire)
        return [
            *datagrams,
            query.to_wire()[:2] + b"\x81\x80" + b"\xff" * 8,
            wire[:at] + bytes([wire[at] ^ mask]) + wire[at + 1 :],
        ]

    async def scenario(look_up, asked):
        try:
            return await look_up("tracker.example", 80)
        except NetworkError:
            return []

    for address in run(scenario, first=damaged):
        assert Address.parse(address.host, 80) == address


def test_a_resolv_conf_names_servers():
    text = (
        "# x\nsearch home\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver name\nnameserver\nnameserver ::1\n"
    )
    assert servers_of(text) == [Address("10.0.0.1", 53), Address("fe80::1", 53), Address("::1", 53)]
    assert len(servers_of("nameserver 10.0.0.1\n" * 50)) == name_servers.MAX_SERVERS
