"""Looks names up by asking name servers ourselves, over the network that everything else goes by (RFC 1035).

The system's own lookup goes by whatever route the system likes, which tells a stranger what is looked for; so a session
that is held to an interface asks here. The rule: an answer is believed from the server that was asked, to the question
that was asked, under a number nobody can guess; both families are asked for at once, and a server that is silent is
asked once more before the next.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from p2p.errors import NetworkError
from p2p.ids import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.net.network import Network

PORT: Final = 53
MAX_SERVERS: Final = 3
"""As many as the system's resolver reads of its file (resolv.conf(5))."""

TRIES: Final = 2
PATIENCE: Final = 2.0
"""Seconds for an answer: resolvers answer within one, and trackers wait ten for a name."""

PAYLOAD: Final = 1_232
"""Bytes of an answer that no network has to fragment (the DNS flag day of 2020)."""

MAX_ADDRESSES: Final = 32
"""Addresses taken of an answer: names with more are made to hit somebody."""

_TYPES: Final = (dns.rdatatype.A, dns.rdatatype.AAAA)


class NameServers:
    """See the module's head.

    `servers` gives those to ask, in order, at the time; it raises NetworkError with why there are none. `secrets(n)`
    are n bytes nobody can guess.
    """

    def __init__(
        self, network: Network, servers: Callable[[], Sequence[Address]], *, secrets: Callable[[int], bytes]
    ) -> None:
        self._network = network
        self._servers = servers
        self._secrets = secrets

    async def look_up(self, host: str, port: int) -> list[Address]:
        """Addresses of a host name, IPv6 ones last. Raises NetworkError."""
        try:
            questions = [
                dns.message.make_query(
                    host, kind, use_edns=0, payload=PAYLOAD, id=int.from_bytes(self._secrets(2), "big")
                )
                for kind in _TYPES
            ]
        except (dns.exception.DNSException, ValueError) as error:
            raise NetworkError("not a host name") from error
        failure = NetworkError("no name server is known")
        for server in list(self._servers())[:MAX_SERVERS]:
            for _ in range(TRIES):
                try:
                    hosts = await self._ask(server, questions)
                except NetworkError as error:
                    failure = error
                    continue
                if not hosts:
                    raise NetworkError("no address for the name")
                return [Address(each, port) for each in hosts]
        raise failure

    async def _ask(self, server: Address, questions: Sequence[dns.message.QueryMessage]) -> list[str]:
        """Hosts that a server names, in canonical form. Raises NetworkError if it answers nothing that can be used."""
        answers: list[dns.message.Message | None] = [None] * len(questions)
        complete = asyncio.Event()

        def on_datagram(datagram: bytes, source: Address) -> None:
            if source != server:
                return
            try:
                answer = dns.message.from_wire(datagram, ignore_trailing=True)
            except (dns.exception.DNSException, ValueError):
                return
            for index, question in enumerate(questions):
                if answers[index] is None and question.is_response(answer):
                    answers[index] = answer
            if None not in answers:
                complete.set()

        near = Address("::" if server.is_ipv6 else "0.0.0.0", 0)  # noqa: S104 - any of ours
        datagrams = await self._network.open_datagrams(near, on_datagram)
        try:
            for question in questions:
                datagrams.send(question.to_wire(), server)
            async with asyncio.timeout(PATIENCE):
                await complete.wait()
        except TimeoutError:
            if answers == [None] * len(questions):
                raise NetworkError(f"the name server {server.host} does not answer") from None
        finally:
            datagrams.close()
        said = [answer for answer in answers if answer is not None]
        if all(answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) for answer in said):
            raise NetworkError(f"the name server {server.host} refuses")
        return _hosts(said)


def _hosts(answers: Sequence[dns.message.Message]) -> list[str]:
    found: dict[str, None] = {}
    for answer in answers:
        for record in answer.answer:
            if record.rdclass == dns.rdataclass.IN and record.rdtype in _TYPES:
                found.update((Address.parse(each.address, 0).host, None) for each in record)
    return list(found)[:MAX_ADDRESSES]


def servers_of(text: str) -> list[Address]:
    """The name servers that a resolv.conf(5) names, in order; what is no IP address is passed over."""
    found: list[Address] = []
    for line in text.splitlines()[:1_000]:  # a file of a few lines, whatever wrote it
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            try:
                found.append(Address.parse(words[1].partition("%")[0], PORT))
            except ValueError:
                continue
    return found[:MAX_SERVERS]
