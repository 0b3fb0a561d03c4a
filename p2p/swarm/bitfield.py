"""Which pieces somebody has: one bit a piece in the order of BEP 3 (piece 0 is the high bit of the first byte).

The bytes answer for a single piece; whole-field questions go through one big integer, because Python's integer
operations touch 100,000 pieces in microseconds. In that integer piece `i` is bit `size - 1 - i`, so the lowest piece is
the highest bit and `bit_length` finds it without a scan.
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Final

from p2p.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGITS_TO_FLAGS: Final = bytes.maketrans(b"01", b"\x00\x01")

# Peeling a piece off costs a pass or two over the integer; reading its digits costs some hundred passes, once.
_FEW: Final = 32


class Bitfield:
    """A set of piece indices below `size`. Indices outside 0..size-1 raise IndexError."""

    __slots__ = ("_count", "_size", "bits")

    def __init__(self, count: int, bits: bytearray | None = None) -> None:
        """An empty field over `count` pieces, or one that takes over `bits`, known to be well formed."""
        if count < 0:
            raise ValueError("a bitfield cannot have a negative size")
        self._size = count
        self.bits = bytearray((count + 7) >> 3) if bits is None else bits
        """The bytes of the `bitfield` message, for loops that cannot pay a call a piece. Not to be changed."""
        self._count = 0 if bits is None else int.from_bytes(bits, "big").bit_count()

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, count: int) -> Bitfield:
        """The field a `bitfield` message carries.

        Raises RemoteProtocolError unless the length is exact and the spare bits are zero (BEP 3: such a connection is
        closed).
        """
        expected = (count + 7) >> 3
        if len(data) != expected:
            raise RemoteProtocolError(f"a bitfield of {len(data)} bytes where {expected} stand for {count} pieces")
        spare = expected * 8 - count
        if spare and data[-1] & ((1 << spare) - 1):
            raise RemoteProtocolError("a bitfield with spare bits set")
        return cls(count, bytearray(data))

    @classmethod
    def from_mask(cls, mask: int, count: int) -> Bitfield:
        """The field whose integer (see the module head) is `mask`. OverflowError if it names pieces past `count`."""
        if mask < 0 or mask.bit_length() > count:
            raise OverflowError(f"the mask does not fit {count} pieces")
        length = (count + 7) >> 3
        return cls(count, bytearray((mask << (length * 8 - count)).to_bytes(length, "big")))

    @property
    def size(self) -> int:
        """How many pieces there are."""
        return self._size

    @property
    def count(self) -> int:
        """How many of them are set; O(1)."""
        return self._count

    @property
    def complete(self) -> bool:
        return self._count == self._size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> bool:
        if not 0 <= index < self._size:
            raise IndexError(f"piece {index} is outside 0..{self._size - 1}")
        return bool(self.bits[index >> 3] & (0x80 >> (index & 7)))

    def __contains__(self, index: object) -> bool:
        return isinstance(index, int) and 0 <= index < self._size and self[index]

    def __iter__(self) -> Iterator[int]:
        """The set indices in rising order, as they stood when the iteration began."""
        return iter(pieces_of(self.mask(), self._size))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bitfield):
            return NotImplemented
        return self._size == other._size and self.bits == other.bits

    __hash__ = None  # type: ignore[assignment]  # mutable, as a list is

    def __repr__(self) -> str:
        return f"<Bitfield {self._count}/{self._size}>"

    def add(self, index: int) -> None:
        if not self[index]:
            self.bits[index >> 3] |= 0x80 >> (index & 7)
            self._count += 1

    def discard(self, index: int) -> None:
        if self[index]:
            self.bits[index >> 3] ^= 0x80 >> (index & 7)
            self._count -= 1

    def set_all(self) -> None:
        self.bits = bytearray(Bitfield.from_mask((1 << self._size) - 1, self._size).to_bytes())
        self._count = self._size

    def copy(self) -> Bitfield:
        return Bitfield(self._size, self.bits[:])

    def to_bytes(self) -> bytes:
        """The payload of a `bitfield` message."""
        return bytes(self.bits)

    def mask(self) -> int:
        """The field as one integer, piece `i` at bit `size - 1 - i`."""
        return int.from_bytes(self.bits, "big") >> (-self._size & 7)

    def missing_from(self, other: Bitfield) -> Bitfield:
        """The pieces set here and not in `other`, which must be of the same size."""
        own = self.mask()
        return Bitfield.from_mask(own ^ (own & other._mask_like(self)), self._size)

    def shared_with(self, other: Bitfield) -> Bitfield:
        """The pieces set in both, which must be of the same size."""
        return Bitfield.from_mask(self.mask() & other._mask_like(self), self._size)

    def offers_to(self, other: Bitfield) -> bool:
        """Whether a piece is set here and not in `other`, which must be of the same size."""
        own = self.mask()
        return own & other._mask_like(self) != own

    def _mask_like(self, other: Bitfield) -> int:
        if self._size != other._size:
            raise ValueError(f"bitfields of {self._size} and {other._size} pieces cannot be compared")
        return self.mask()


def pieces_of(mask: int, size: int) -> list[int]:
    """The pieces that a mask over `size` pieces names, rising.

    Few pieces are peeled off the top of the integer; many are cheaper to read off its binary digits at once.
    """
    found: list[int] = []
    if mask.bit_count() <= _FEW:
        while mask:
            top = mask.bit_length() - 1
            found.append(size - 1 - top)
            mask ^= 1 << top
        return found
    digits = format(mask, f"0{size}b").encode("ascii").translate(_DIGITS_TO_FLAGS)
    found.extend(compress(range(size), digits))
    return found
