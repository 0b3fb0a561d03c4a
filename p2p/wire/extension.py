"""The extension handshake (BEP 10), with `upload_only` (BEP 21) and `metadata_size` (BEP 9).

A value of the wrong type or out of bounds is as good as absent: no peer is dropped for boasting. Only bytes that are no
bencoded dictionary at all break the protocol. A later handshake adds to the earlier one; id 0 takes a name away.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final

from p2p.codec import bencode
from p2p.codec.text import clean_line
from p2p.errors import BencodeError, RemoteProtocolError

MAX_HANDSHAKE: Final = 16_384
"""Bytes. Those seen in the wild stay under one KiB."""

MAX_NAMES: Final = 64
"""Extensions remembered a peer; clients in use offer about ten."""

MAX_NAME: Final = 32
"""Bytes in an extension's name; the longest in use has 13."""

MAX_CLIENT: Final = 64
"""Characters of client name kept for display."""

MAX_REQUEST_QUEUE: Final = 10_000
"""Requests believed a peer will hold: 160 MiB under way, more than any link needs."""

MAX_METADATA_SIZE: Final = bencode.MAX_SIZE
"""An info dictionary we could not decode is not worth fetching."""


@dataclass(frozen=True, slots=True)
class ExtensionHandshake:
    """What one side offers. `messages` maps an extension's name to the id under which that side wants its messages."""

    messages: dict[str, int] = field(default_factory=dict)
    client: str | None = None
    """Name and version for display: one line of printable characters."""
    request_queue: int | None = None
    """Requests it holds without dropping any (`reqq`)."""
    upload_only: bool = False
    """It downloads nothing, now or later: a seeder, or a partial one (BEP 21)."""
    metadata_size: int | None = None
    """Bytes of the info dictionary (BEP 9)."""
    port: int | None = None
    """The TCP port it listens on (`p`)."""
    your_ip: str | None = None
    """The receiver's address as the sender sees it (`yourip`)."""
    ipv4: str | None = None
    ipv6: str | None = None

    def encode(self) -> bytes:
        """The bencoded dictionary, absent values left out."""
        fields: dict[bytes, bencode.Encodable] = {
            b"m": {name.encode(): extended_id for name, extended_id in self.messages.items()}
        }
        if self.client is not None:
            fields[b"v"] = self.client.encode()
        if self.request_queue is not None:
            fields[b"reqq"] = self.request_queue
        if self.upload_only:
            fields[b"upload_only"] = 1
        if self.metadata_size is not None:
            fields[b"metadata_size"] = self.metadata_size
        if self.port is not None:
            fields[b"p"] = self.port
        for key, address in ((b"yourip", self.your_ip), (b"ipv4", self.ipv4), (b"ipv6", self.ipv6)):
            if address is not None:
                fields[key] = ipaddress.ip_address(address).packed
        return bencode.encode(fields)

    @classmethod
    def decode(cls, data: bytes, earlier: ExtensionHandshake | None = None) -> ExtensionHandshake:
        """Read a peer's handshake; what it leaves out stands as in `earlier`.

        Raises RemoteProtocolError for bytes that are no bencoded dictionary, or more than MAX_HANDSHAKE of them.
        """
        if len(data) > MAX_HANDSHAKE:
            raise RemoteProtocolError(f"an extension handshake of {len(data)} bytes is too long")
        try:
            fields = bencode.decode_lenient(data)
        except BencodeError as error:
            raise RemoteProtocolError(f"the extension handshake is not bencoded: {error}") from error
        if not isinstance(fields, dict):
            raise RemoteProtocolError("the extension handshake is not a dictionary")
        before = earlier or cls()
        client = fields.get(b"v")
        upload_only = fields.get(b"upload_only")
        return cls(
            messages=_merge(before.messages, fields.get(b"m")),
            client=(clean_line(client, MAX_CLIENT) or None) if isinstance(client, bytes) else before.client,
            request_queue=_request_queue(fields.get(b"reqq")) or before.request_queue,
            upload_only=bool(upload_only) if isinstance(upload_only, int) else before.upload_only,
            metadata_size=_within(fields.get(b"metadata_size"), MAX_METADATA_SIZE) or before.metadata_size,
            port=_within(fields.get(b"p"), 65_535) or before.port,
            your_ip=_address(fields.get(b"yourip"), (4, 16)) or before.your_ip,
            ipv4=_address(fields.get(b"ipv4"), (4,)) or before.ipv4,
            ipv6=_address(fields.get(b"ipv6"), (16,)) or before.ipv6,
        )


def _merge(before: dict[str, int], offered: bencode.Value | None) -> dict[str, int]:
    messages = dict(before)
    if not isinstance(offered, dict):
        return messages
    for raw, extended_id in offered.items():
        if len(raw) > MAX_NAME or not raw.isascii() or not isinstance(extended_id, int):
            continue
        name = raw.decode("ascii")
        if extended_id == 0:
            messages.pop(name, None)
        elif 0 < extended_id < 256 and (name in messages or len(messages) < MAX_NAMES):
            messages[name] = extended_id
    return messages


def _within(value: bencode.Value | None, most: int) -> int | None:
    return value if isinstance(value, int) and 0 < value <= most else None


def _request_queue(value: bencode.Value | None) -> int | None:
    return min(value, MAX_REQUEST_QUEUE) if isinstance(value, int) and value > 0 else None


def _address(value: bencode.Value | None, sizes: tuple[int, ...]) -> str | None:
    if not isinstance(value, bytes) or len(value) not in sizes:
        return None
    address = ipaddress.ip_address(value)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
