"""Message Stream Encryption, version 1.0 (MSE/PE): the handshake that hides what is spoken, as a machine for each side.

A began the connection, B took it; SKEY is the torrent's info-hash, S the shared secret, VC eight zero bytes:

    1  A: Ya, PadA
    2  B: Yb, PadB
    3  A: HASH('req1', S), HASH('req2', SKEY) xor HASH('req3', S),
          ENCRYPT(VC, crypto_provide, len(PadC), PadC, len(IA)), ENCRYPT(IA)
    4  B: ENCRYPT(VC, crypto_select, len(PadD), PadD), then both go on with the selected method

HASH is SHA-1, ENCRYPT is RC4 under HASH('keyA', S, SKEY) from A and HASH('keyB', S, SKEY) from B, each with its first
1,024 bytes thrown away. A machine says how many bytes it wants next, which are always its own: what follows the
handshake stays in the stream. It hides the protocol from who looks at the wire; it proves nothing about the peer.

The only module that knows the `cryptography` package.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha1
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.errors import LocalProtocolError, NetworkError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Sequence

    from p2p.ids import InfoHash

PLAIN_START: Final = b"\x13BitTorrent protocol"
"""How a connection without MSE begins (BEP 3). A public key begins so with a chance of 2 to the -160."""

KEY_SIZE: Final = 96
"""Bytes of P, S, Ya and Yb."""

PRIVATE_KEY_SIZE: Final = 20
"""Bytes of the private exponent: more than 180 bits add no security against a 768-bit prime."""

MAX_PAD: Final = 512
"""Bytes of each of the four pads."""

MAX_INITIAL: Final = 68
"""Bytes of IA: the handshake of BEP 3. The clients in use refuse more, so none sends more."""

PRIME: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22"
    "514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6"
    "F44C42E9A63A36210000000000090563",
    16,
)
GENERATOR: Final = 2

_VC: Final = bytes(8)
_DISCARDED: Final = 1_024
_DIGEST: Final = 20
_OFFER: Final = struct.Struct(">8sIH")
"""VC, crypto_provide, len(PadC)."""
_ANSWER: Final = struct.Struct(">IH")
"""crypto_select, len(PadD): what follows VC."""
_LENGTH: Final = struct.Struct(">H")


class Method(IntEnum):
    """How the payload goes after the handshake, with its bit in crypto_provide and crypto_select."""

    PLAINTEXT = 1
    RC4 = 2


class Secrets(NamedTuple):
    """What one handshake draws by chance.

    `private_key` is PRIVATE_KEY_SIZE bytes, `pad` (PadA or PadB) at most MAX_PAD. `quiet_pad` (PadC or PadD) is a
    length of at most MAX_PAD; its bytes are zeros, because extensions of the handshake may claim others.
    """

    private_key: bytes
    pad: bytes
    quiet_pad: int


class Rc4:
    """One direction of an encrypted stream; encrypts as it decrypts. NetworkError where the system has no RC4."""

    __slots__ = ("_update", "_update_into")

    def __init__(self, key: bytes) -> None:
        # Imported here: who never meets an encrypted peer does not pay for loading the package.
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415

        try:
            cipher = Cipher(ARC4(key), mode=None).encryptor()
        except UnsupportedAlgorithm as error:  # an OpenSSL built or configured without its legacy provider
            raise NetworkError("this system's OpenSSL offers no RC4") from error
        cipher.update(bytes(_DISCARDED))
        self._update = cipher.update
        self._update_into = cipher.update_into

    def apply(self, content: bytes) -> bytes:
        return self._update(content)

    def apply_into(self, content: bytes | memoryview, target: memoryview) -> None:
        """Write the result over the beginning of `target`, which may be `content` itself."""
        self._update_into(content, target)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a handshake came to. `initial` is IA, which stands before all else that B receives; A has none.

    `encrypt` and `decrypt` carry the payload, both None for PLAINTEXT.
    """

    skey: InfoHash
    method: Method
    initial: bytes
    encrypt: Rc4 | None
    decrypt: Rc4 | None


class MseHandshake:
    """One side's handshake, made by `initiate` or `respond`.

    Send all of `data_to_send`, then read at most `wanted` bytes and give them to `receive_data`, until there is an
    `outcome` (and the last of `data_to_send` has gone).
    """

    __slots__ = ("_arrived", "_steps", "_to_send", "_wanted", "outcome")

    def __init__(self, steps: Generator[int, bytes, Outcome], to_send: bytearray) -> None:
        self._steps = steps
        self._to_send = to_send
        self._arrived = bytearray()
        self._wanted = next(steps)
        self.outcome: Outcome | None = None

    @property
    def wanted(self) -> int:
        """Bytes that the other side is bound to send still; 0 once the handshake is over."""
        return self._wanted - len(self._arrived)

    def data_to_send(self) -> bytes:
        """What is to be sent now; empty after that."""
        data = bytes(self._to_send)
        self._to_send.clear()
        return data

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take in no more than `wanted` bytes. RemoteProtocolError ends the handshake."""
        if len(data) > self.wanted:
            raise LocalProtocolError(f"the handshake wants {self.wanted} bytes and got {len(data)}")
        self._arrived += data
        if not self._wanted or len(self._arrived) < self._wanted:
            return
        arrived = bytes(self._arrived)
        self._arrived.clear()
        self._wanted = 0
        try:
            self._wanted = self._steps.send(arrived)
        except StopIteration as stop:
            self.outcome = stop.value


def initiate(skey: InfoHash, offers: Collection[Method], secrets: Secrets, initial: bytes = b"") -> MseHandshake:
    """A's side. `initial` is IA, at most MAX_INITIAL bytes that save a round trip. LocalProtocolError for misuse."""
    _check(secrets, offers)
    if len(skey) != _DIGEST:
        raise LocalProtocolError(f"an info-hash has {_DIGEST} bytes, not {len(skey)}")
    if len(initial) > MAX_INITIAL:
        raise LocalProtocolError(f"{len(initial)} bytes are too many to go with the handshake")
    to_send = bytearray()
    return MseHandshake(_initiating(to_send, skey, offers, secrets, initial), to_send)


def respond(lookup: Callable[[bytes], InfoHash | None], accepts: Sequence[Method], secrets: Secrets) -> MseHandshake:
    """B's side. `lookup` gives the info-hash to its `skey_digest`; `accepts` is in order of preference."""
    _check(secrets, accepts)
    to_send = bytearray()
    return MseHandshake(_responding(to_send, lookup, accepts, secrets), to_send)


def skey_digest(info_hash: InfoHash) -> bytes:
    """HASH('req2', SKEY), by which a peer asks for a torrent without naming it."""
    return sha1(b"req2" + info_hash).digest()


def _check(secrets: Secrets, methods: Collection[Method]) -> None:
    if len(secrets.private_key) != PRIVATE_KEY_SIZE:
        raise LocalProtocolError(f"a private key has {PRIVATE_KEY_SIZE} bytes, not {len(secrets.private_key)}")
    if len(secrets.pad) > MAX_PAD or not 0 <= secrets.quiet_pad <= MAX_PAD:
        raise LocalProtocolError(f"a pad is longer than {MAX_PAD} bytes")
    if not methods:
        raise LocalProtocolError("an encrypted handshake needs a method")


def _initiating(
    to_send: bytearray, skey: InfoHash, offers: Collection[Method], secrets: Secrets, initial: bytes
) -> Generator[int, bytes, Outcome]:
    private, public = _key_pair(secrets)
    to_send += public + secrets.pad
    start = yield len(PLAIN_START)
    if start == PLAIN_START:
        raise RemoteProtocolError("the peer answers an encrypted handshake with a plain one")
    shared = _shared_secret(start + (yield KEY_SIZE - len(PLAIN_START)), private)
    encrypt, decrypt = Rc4(_key(b"keyA", shared, skey)), Rc4(_key(b"keyB", shared, skey))
    provide = 0
    for method in offers:
        provide |= method
    to_send += _hash(b"req1", shared)
    to_send += _xor(skey_digest(skey), _hash(b"req3", shared))
    to_send += encrypt.apply(
        _OFFER.pack(_VC, provide, secrets.quiet_pad) + bytes(secrets.quiet_pad) + _LENGTH.pack(len(initial)) + initial
    )
    rest = yield from _synchronise(decrypt.apply(_VC), _ANSWER.size)
    select, pad = _ANSWER.unpack(decrypt.apply((yield from _exactly(_ANSWER.size, rest))))
    _check_pad(pad)
    chosen = [method for method in Method if select & method]  # bits of later versions mean nothing here
    if len(chosen) != 1 or chosen[0] not in offers:
        raise RemoteProtocolError(f"the peer selects encryption {select:#x} of {provide:#x}")
    decrypt.apply((yield from _exactly(pad)))
    return _outcome(skey, chosen[0], b"", encrypt, decrypt)


def _responding(
    to_send: bytearray, lookup: Callable[[bytes], InfoHash | None], accepts: Sequence[Method], secrets: Secrets
) -> Generator[int, bytes, Outcome]:
    private, public = _key_pair(secrets)
    shared = _shared_secret((yield KEY_SIZE), private)
    to_send += public + secrets.pad
    rest = yield from _synchronise(_hash(b"req1", shared), _DIGEST + _OFFER.size)
    asked = yield from _exactly(_DIGEST + _OFFER.size, rest)
    skey = lookup(_xor(asked[:_DIGEST], _hash(b"req3", shared)))
    if skey is None:
        raise RemoteProtocolError("the peer asks for a torrent that is not here")
    encrypt, decrypt = Rc4(_key(b"keyB", shared, skey)), Rc4(_key(b"keyA", shared, skey))
    constant, provide, pad = _OFFER.unpack(decrypt.apply(asked[_DIGEST:]))
    if constant != _VC:
        raise RemoteProtocolError("the peer's encrypted handshake does not decrypt")
    _check_pad(pad)
    method = next((method for method in accepts if provide & method), None)
    if method is None:
        raise RemoteProtocolError(f"the peer offers encryption {provide:#x}, none of which is acceptable")
    decrypt.apply((yield from _exactly(pad)))
    (size,) = _LENGTH.unpack(decrypt.apply((yield _LENGTH.size)))
    if size > MAX_INITIAL:
        raise RemoteProtocolError(f"{size} bytes are too many to come with an encrypted handshake")
    initial = decrypt.apply((yield from _exactly(size)))
    to_send += encrypt.apply(_VC + _ANSWER.pack(method, secrets.quiet_pad) + bytes(secrets.quiet_pad))
    return _outcome(skey, method, initial, encrypt, decrypt)


def _exactly(size: int, arrived: bytes = b"") -> Generator[int, bytes, bytes]:
    """`size` bytes, of which `arrived` came already."""
    return arrived + (yield size - len(arrived)) if len(arrived) < size else arrived


def _synchronise(mark: bytes, follows: int) -> Generator[int, bytes, bytes]:
    """Skip a pad of unknown length up to and over `mark`; what came of the `follows` bytes that stand behind it.

    The mark and what follows are still to come, so it can ask for as many bytes without reaching beyond them.
    """
    arrived = b""
    while True:
        begun = next((n for n in range(len(mark) - 1, 0, -1) if arrived.endswith(mark[:n])), 0)
        if len(arrived) - begun > MAX_PAD:
            raise RemoteProtocolError(f"an encrypted handshake without its mark in {MAX_PAD} bytes")
        arrived += yield len(mark) - begun + follows
        at = arrived.find(mark)
        if 0 <= at <= MAX_PAD:
            return arrived[at + len(mark) :]


def _check_pad(size: int) -> None:
    if size > MAX_PAD:
        raise RemoteProtocolError(f"a pad of {size} bytes in an encrypted handshake")


def _key_pair(secrets: Secrets) -> tuple[int, bytes]:
    """The private exponent, whose highest bit is set so that it is never short, and the public key."""
    private = int.from_bytes(secrets.private_key, "big") | 1 << (8 * PRIVATE_KEY_SIZE - 1)
    return private, pow(GENERATOR, private, PRIME).to_bytes(KEY_SIZE, "big")


def _shared_secret(public_key: bytes, private: int) -> bytes:
    theirs = int.from_bytes(public_key, "big")
    if not 1 < theirs < PRIME - 1:  # with these everybody knows the secret
        raise RemoteProtocolError("the peer's public key is none")
    return pow(theirs, private, PRIME).to_bytes(KEY_SIZE, "big")


def _hash(name: bytes, shared: bytes) -> bytes:
    return sha1(name + shared).digest()


def _key(name: bytes, shared: bytes, skey: InfoHash) -> bytes:
    return sha1(name + shared + skey).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _outcome(skey: InfoHash, method: Method, initial: bytes, encrypt: Rc4, decrypt: Rc4) -> Outcome:
    if method is Method.RC4:
        return Outcome(skey, method, initial, encrypt, decrypt)
    return Outcome(skey, method, initial, None, None)
