"""What is said to and by a UPnP internet gateway: its search (SSDP), its description, and port mappings (SOAP).

The rule: a router is only ever asked at its own address. Whatever it says of other hosts is refused here, as is XML
that declares anything (a document type, and with it every entity), is deep, or is long.
"""

from __future__ import annotations

import xml.parsers.expat
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import escape

from p2p.errors import RemoteProtocolError
from p2p.ids import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

SSDP_PORT: Final = 1900
SSDP_GROUP: Final = Address("239.255.255.250", SSDP_PORT)

SEARCHED: Final = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
)
SERVICES: Final = (
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
)
"""Those that map ports, the best first."""

MAX_SSDP: Final = 4_096
"""Bytes of an answer to a search: a datagram of a few headers."""

MAX_XML: Final = 256 << 10
"""Bytes of a description; talkative routers have some forty thousand."""

MAX_DEPTH: Final = 32
MAX_URL: Final = 2_048
MAX_TEXT: Final = 2_048
"""Characters of one text in XML."""

MAX_SERVICES: Final = 64


CONFLICT: Final = 718
SAME_PORT_ONLY: Final = 724
PERMANENT_ONLY: Final = 725
"""Error codes of AddPortMapping (WANIPConnection:1, section 2.4.16)."""


class Control(NamedTuple):
    """Where a router takes requests for port mappings, and as which service."""

    url: str
    service: str


class Fault(NamedTuple):
    """Why a router did not do it."""

    code: int
    reason: str


def encode_search(target: Address, what: str) -> bytes:
    """A search for devices or services of the kind `what`, sent to the group or to one host."""
    lines = [
        "M-SEARCH * HTTP/1.1",
        f"HOST: {target}",
        'MAN: "ssdp:discover"',
        "MX: 2",
        f"ST: {what}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def decode_search(datagram: bytes, source: str) -> str:
    """The URL of the description of a gateway that answers from the host `source`.

    Raises RemoteProtocolError for what is no such answer, and for a URL of another host.
    """
    if len(datagram) > MAX_SSDP:
        raise RemoteProtocolError("an answer to a search that is too long")
    first, *lines = datagram.decode("utf-8", "replace").split("\r\n")
    words = first.split()
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or words[1] != "200":
        raise RemoteProtocolError("no answer to a search")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("st") not in SEARCHED:
        raise RemoteProtocolError("an answer to another search")
    return at_host(headers.get("location", ""), source)


def at_host(url: str, host: str) -> str:
    """`url`, if it is an HTTP URL of the host at this IP address. Raises RemoteProtocolError."""
    if len(url) > MAX_URL or any(character <= " " or character > "~" for character in url):
        raise RemoteProtocolError("no URL")
    try:
        parts = urlsplit(url)
        place = Address.parse(parts.hostname or "", parts.port or 80)
    except ValueError as error:
        raise RemoteProtocolError("no URL of an IP address") from error
    if parts.scheme != "http" or parts.username is not None or place.host != host:
        raise RemoteProtocolError("a URL of another host than the router's")
    return url


def decode_description(document: bytes, url: str) -> Control:
    """Where port mappings are asked for, of the device that is described at `url`.

    Raises RemoteProtocolError where it has no such service, or has it at another host.
    """
    host = urlsplit(url).hostname or ""
    reader = _Reader()
    reader.read(document)
    base = reader.base or url
    for wanted in SERVICES:
        for service, control in reader.services:
            if service == wanted and control:
                return Control(at_host(urljoin(at_host(base, host), control), host), service)
    raise RemoteProtocolError("the router maps no ports")


def encode_call(service: str, action: str, arguments: Mapping[str, object]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a SOAP request."""
    inner = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in arguments.items())
    body = (
        '<?xml version="1.0"?>\r\n'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
        f'<u:{action} xmlns:u="{escape(service)}">{inner}</u:{action}>'
        "</s:Body></s:Envelope>\r\n"
    )
    return {"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": f'"{service}#{action}"'}, body.encode()


def decode_answer(status: int, document: bytes) -> dict[str, str] | Fault:
    """The texts of an answer by the names of their elements, or its fault. Raises RemoteProtocolError."""
    reader = _Reader()
    try:
        reader.read(document)
    except RemoteProtocolError:
        if status == 200:
            raise
        return Fault(status, f"HTTP {status}")
    if status == 200:
        return reader.texts
    code = reader.texts.get("errorCode", "")
    number = int(code) if code.isascii() and code.isdecimal() and len(code) < 6 else status
    said = "".join(each for each in reader.texts.get("errorDescription", "") if each.isprintable())[:100]
    return Fault(number, f"{number} {said}".strip())


class _Reader:
    """Reads a document's texts by the local names of elements, and the services that it lists."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.services: list[tuple[str, str]] = []
        self.base = ""
        self._depth = 0
        self._text = ""
        self._service = ["", ""]

    def read(self, document: bytes) -> None:
        """Raises RemoteProtocolError."""
        if len(document) > MAX_XML:
            raise RemoteProtocolError("a document that is too long")
        parser = xml.parsers.expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._on_doctype
        parser.StartElementHandler = self._on_start
        parser.EndElementHandler = self._on_end
        parser.CharacterDataHandler = self._on_text
        try:
            parser.Parse(document, True)
        except (xml.parsers.expat.ExpatError, ValueError, LookupError) as error:
            raise RemoteProtocolError("a document that is no XML") from error

    def _on_doctype(self, *_: object) -> None:
        raise RemoteProtocolError("a document with a document type")

    def _on_start(self, name: str, attributes: object) -> None:  # noqa: ARG002 - expat's shape
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RemoteProtocolError("a document that is too deep")
        self._text = ""
        if name.rpartition(":")[2] == "service":
            self._service = ["", ""]

    def _on_text(self, text: str) -> None:
        self._text = (self._text + text)[:MAX_TEXT]

    def _on_end(self, name: str) -> None:
        self._depth -= 1
        local, text = name.rpartition(":")[2], self._text.strip()
        self._text = ""
        match local:
            case "serviceType":
                self._service[0] = text
            case "controlURL":
                self._service[1] = text
            case "service" if len(self.services) < MAX_SERVICES:
                self.services.append((self._service[0], self._service[1]))
            case "URLBase":
                self.base = text
        if len(self.texts) < MAX_SERVICES or local in self.texts:
            self.texts[local] = text
