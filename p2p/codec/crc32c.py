"""CRC32-C, the Castagnoli polynomial (RFC 3720, appendix B.4), for peer priority (BEP 40) and node ids (BEP 42)."""

from __future__ import annotations

from typing import Final


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_TABLE: Final = _table()


def crc32c(octets: bytes) -> int:
    """The checksum of `octets`, 32 bits."""
    crc = 0xFFFFFFFF
    for byte in octets:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF
