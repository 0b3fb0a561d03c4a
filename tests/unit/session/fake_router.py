"""A router that maps ports as it is told to: by PCP, NAT-PMP or UPnP, on any form of the network port."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from p2p.codec import igd, port_control
from p2p.codec.port_control import Transport
from p2p.ids import Address

OUTER = "203.0.113.9"
PROTOCOLS = {1: Transport.UDP, 2: Transport.TCP}
DESCRIPTION = """<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>{base}
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType>
<controlURL>/l3f</controlURL></service>
<service><serviceType>{service}</serviceType><controlURL>{control}</controlURL></service></serviceList>
</device></deviceList></device></root>"""


@dataclass
class FakeRouter:
    """See the module's head. What it does can be changed at any time; what it was asked is in `asked`."""

    network: object
    host: str
    ways: tuple[str, ...] = ("PCP",)
    lifetime: int | None = None
    """Granted whatever was asked; None grants what was asked."""
    outer_ports: dict[tuple[Transport, int], int] = field(default_factory=dict)
    """Outer port by transport and inner port, where it is another."""
    refusal: int = 0
    lost: int = 0
    """Datagrams that are lost before one is heard."""
    service: str = igd.SERVICES[1]
    control: str = "/control"
    base: str = ""
    location: str | None = None
    document: bytes | None = None
    fault: int | None = None
    fault_once: bool = False
    asked: list[tuple[object, ...]] = field(default_factory=list)
    open: dict[tuple[Transport, int], int] = field(default_factory=dict)
    """Inner port by transport and outer port."""
    leases: list[int] = field(default_factory=list)
    _closers: list[object] = field(default_factory=list)
    _tasks: list[object] = field(default_factory=list)

    async def __aenter__(self):
        open_datagrams = self.network.open_datagrams
        self._control_port = await open_datagrams(Address(self.host, port_control.PORT), self._on_control)
        self._search_port = await open_datagrams(Address(self.host, igd.SSDP_PORT), self._on_search)
        self._web = await self.network.listen(Address(self.host, 0), self._on_stream)
        return self

    async def __aexit__(self, *_):
        for each in (self._control_port, self._search_port, self._web):
            each.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- PCP and NAT-PMP

    def _on_control(self, datagram, source):
        if self.lost:
            self.lost -= 1
            return
        way = "PCP" if datagram[0] == 2 else "NAT-PMP"
        if way not in self.ways:
            if self.ways == ("NAT-PMP",):  # says that it does not speak the newer one (RFC 6886, section 3.5)
                self._control_port.send(struct.pack("!BBHI", 0, 128 | datagram[1], 1, 7), source)
            return
        answer = self._on_pcp(datagram, source) if way == "PCP" else self._on_nat_pmp(datagram)
        self._control_port.send(answer, source)

    def _on_nat_pmp(self, datagram):
        opcode = datagram[1]
        head = struct.pack("!BBHI", 0, 128 | opcode, self.refusal, 7)
        if opcode == 0:
            return head + ip_address(OUTER).packed
        inner, wanted, lifetime = struct.unpack("!HHI", datagram[4:])
        outer, granted = self._map(PROTOCOLS[opcode], inner, wanted, lifetime, "NAT-PMP")
        return head + struct.pack("!HHI", inner, outer, granted)

    def _on_pcp(self, datagram, source):
        _, opcode, lifetime, client = struct.unpack_from("!BBxxI16s", datagram)
        nonce, protocol, inner, wanted, _ = struct.unpack_from("!12sB3xHH16s", datagram, 24)
        assert str(IPv6Address(client).ipv4_mapped) == source.host
        outer, granted = self._map(Transport(protocol), inner, wanted, lifetime, "PCP")
        outer_host = IPv6Address(f"::ffff:{OUTER}").packed
        head = struct.pack("!BBxBII12x", 2, 128 | opcode, self.refusal, granted, 7)
        return head + struct.pack("!12sB3xHH16s", nonce, protocol, inner, outer, outer_host)

    def _map(self, transport, inner, wanted, lifetime, way):
        self.asked.append((way, transport.name, inner, wanted, lifetime))
        outer = self.outer_ports.get((transport, inner), wanted)
        if not lifetime:
            self.open = {key: port for key, port in self.open.items() if (key[0], port) != (transport, inner)}
            return 0, 0
        if not self.refusal:
            self.open[transport, outer] = inner
        return outer, lifetime if self.lifetime is None else self.lifetime

    # -- UPnP

    def _on_search(self, datagram, source):
        if "UPnP" not in self.ways:
            return
        what = next(line[4:] for line in datagram.decode().split("\r\n") if line.startswith("ST: "))
        location = self.location or f"http://{self._web.local}/description.xml"
        self._search_port.send(
            f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {what}\r\nLocation: {location}\r\n\r\n".encode(),
            source,
        )

    def _on_stream(self, stream):
        self._tasks.append(asyncio.ensure_future(self._serve(stream)))

    async def _serve(self, stream):
        try:
            request = b""
            view = memoryview(bytearray(65_536))
            while not _whole(request):
                count = stream.receive_into([view])
                if count == 0:
                    return
                if count is None:
                    await asyncio.sleep(0.005)
                    continue
                request += view[:count]
            status, body = self._answer(request)
            rest = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            while rest:
                rest = rest[stream.send([rest]) :]
                await asyncio.sleep(0.005 if rest else 0)
        finally:
            stream.close()

    def _answer(self, request):
        head, _, body = request.partition(b"\r\n\r\n")
        if head.startswith(b"GET"):
            if self.document is not None:
                return 200, self.document
            return 200, DESCRIPTION.format(service=self.service, control=self.control, base=self.base).encode()
        action = next(line for line in head.decode().split("\r\n") if line.startswith("SOAPAction"))
        action = action.rpartition("#")[2].strip('"')
        texts = igd.decode_answer(200, body)
        if action == "GetExternalIPAddress":
            return 200, f"<r><NewExternalIPAddress>{OUTER}</NewExternalIPAddress></r>".encode()
        transport = Transport[texts["NewProtocol"]]
        outer = int(texts["NewExternalPort"])
        if action == "DeletePortMapping":
            self.asked.append(("UPnP", "delete", transport.name, outer))
            self.open.pop((transport, outer), None)
            return 200, b"<r/>"
        inner, lease = int(texts["NewInternalPort"]), int(texts["NewLeaseDuration"])
        self.asked.append(("UPnP", transport.name, inner, outer, lease))
        if self.fault is not None and not (self.fault == igd.PERMANENT_ONLY and not lease):
            fault = self.fault
            if self.fault_once:
                self.fault = None
            return 500, (
                f"<s:Envelope xmlns:s='x'><s:Body><s:Fault><detail><UPnPError><errorCode>{fault}</errorCode>"
                "<errorDescription>No &amp; never</errorDescription></UPnPError></detail></s:Fault>"
                "</s:Body></s:Envelope>"
            ).encode()
        self.open[transport, outer] = inner
        return 200, b"<r/>"


def _whole(request):
    head, mark, body = request.partition(b"\r\n\r\n")
    for line in head.decode().split("\r\n"):
        if line.lower().startswith("content-length:"):
            return bool(mark) and len(body) >= int(line.partition(":")[2])
    return bool(mark)
