"""The first bytes of a connection, encrypted or plain: streams in, streams out that stand at the BitTorrent handshake.

Nothing of what comes after is read. The caller bounds the time, and aborts the stream it gave when a call raises or is
cancelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from p2p.errors import NetworkError, RemoteProtocolError
from p2p.net.encrypted_stream import EncryptedStream
from p2p.net.prefixed_stream import PrefixedStream
from p2p.session.stream_io import read_exactly, write_all
from p2p.wire.mse import MAX_PAD, PLAIN_START, PRIVATE_KEY_SIZE, Method, MseHandshake, Secrets, initiate, respond

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.ids import InfoHash
    from p2p.net.network import Stream
    from p2p.session.encryption import Acceptable, Attempt
    from p2p.wire.mse import Outcome


class Opened(NamedTuple):
    """A stream at the BitTorrent handshake. `method` and `skey` (the torrent asked for) are None without MSE."""

    stream: Stream
    method: Method | None
    skey: InfoHash | None

    @property
    def encrypted(self) -> bool:
        """Whether all that follows is, and not the handshake alone."""
        return self.method is Method.RC4


async def open_outgoing(
    stream: Stream, attempt: Attempt, skey: InfoHash, hello: bytes, draw: Callable[[int], bytes]
) -> Opened:
    """Begin a connection we made, and send `hello`, our BitTorrent handshake; the peer's is the next to be read.

    `draw(n)` gives n bytes nobody can guess. Raises NetworkError, and RemoteProtocolError where the peer does not speak
    MSE or breaks it.
    """
    opened = Opened(stream, None, None)
    if attempt.methods:
        # With the encrypted handshake it saves a round trip; but where plaintext is selected, Transmission before 4.0
        # forgets that these bytes are encrypted still.
        initial = hello if Method.PLAINTEXT not in attempt.methods else b""
        opened = _opened(stream, await _shake(stream, initiate(skey, attempt.methods, draw_secrets(draw), initial)))
        if initial:
            return opened
    await write_all(opened.stream, hello)
    return opened


async def open_incoming(
    stream: Stream,
    accept: Acceptable,
    lookup: Callable[[bytes], InfoHash | None],
    draw: Callable[[int], bytes],
) -> Opened:
    """Take a connection that reached us; the peer's BitTorrent handshake is the next to be read.

    `lookup` gives the info-hash to its `p2p.wire.mse.skey_digest`, None for a torrent that is not here. Raises
    NetworkError, and RemoteProtocolError for a peer that speaks neither protocol, breaks MSE, or asks for no torrent
    of ours.
    """
    first = await read_exactly(stream, len(PLAIN_START))
    if first == PLAIN_START:
        if not accept.plain:
            raise NetworkError("the peer does not encrypt, and encryption is required")
        return Opened(PrefixedStream(stream, first), None, None)
    if not accept.methods:
        raise RemoteProtocolError("the peer speaks another protocol")
    handshake = respond(lookup, accept.methods, draw_secrets(draw))
    handshake.receive_data(first)
    return _opened(stream, await _shake(stream, handshake))


def draw_secrets(draw: Callable[[int], bytes]) -> Secrets:
    """What one handshake needs: pads of every length are equally likely, so that lengths tell nothing."""
    pad, quiet_pad = (int.from_bytes(draw(4), "big") % (MAX_PAD + 1) for _ in range(2))
    return Secrets(draw(PRIVATE_KEY_SIZE), draw(pad), quiet_pad)


async def _shake(stream: Stream, handshake: MseHandshake) -> Outcome:
    while True:
        await write_all(stream, handshake.data_to_send())
        if handshake.outcome is not None:
            return handshake.outcome
        handshake.receive_data(await read_exactly(stream, handshake.wanted))


def _opened(stream: Stream, outcome: Outcome) -> Opened:
    if outcome.encrypt is not None and outcome.decrypt is not None:
        stream = EncryptedStream(stream, encrypt=outcome.encrypt, decrypt=outcome.decrypt)
    if outcome.initial:
        stream = PrefixedStream(stream, outcome.initial)
    return Opened(stream, outcome.method, outcome.skey)
