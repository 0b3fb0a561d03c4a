"""Who is proven to have sent bad data: bans on evidence, never on suspicion.

A piece that fails its hash has at least one bad block. If one peer sent all of it, that is proof. If several did, the
digest of each block is kept with its sender; when the piece verifies later, whoever had sent something else than what
stands there now is proven, and a peer that only shared the failed piece with it stays. Digests are keyed, so that
nobody can send two blocks that look alike to us.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.ids import Block, PieceIndex

Evidence: TypeAlias = "Sequence[tuple[Block, bytes | memoryview, str]]"
"""Blocks of one piece, the content each arrived with, and the host that sent it."""

MAX_BLOCKS: Final = 32_768
"""Blocks remembered: half a gibibyte of failed pieces in some megabytes of memory. The piece that failed longest ago
goes first; a swarm that makes this overflow is bad beyond the reach of proof."""

_DIGEST_SIZE: Final = 16


class SmartBan:
    """Evidence of one torrent."""

    __slots__ = ("_blocks", "_failed", "_secret")

    def __init__(self, secret: bytes) -> None:
        """`secret` keys the digests, at most 64 bytes."""
        self._secret = secret
        self._failed: dict[PieceIndex, list[tuple[Block, bytes, str]]] = {}
        self._blocks = 0

    def on_piece_failed(self, piece: PieceIndex, evidence: Evidence) -> list[str]:
        """The piece failed its hash with these blocks. Returns the hosts that this proves bad."""
        senders = list(dict.fromkeys(host for _, _, host in evidence))
        if len(senders) <= 1:
            return senders
        suspects = self._failed.pop(piece, [])
        suspects.extend((block, self._digest(content), host) for block, content, host in evidence)
        self._failed[piece] = suspects
        self._blocks += len(evidence)
        while self._blocks > MAX_BLOCKS and len(self._failed) > 1:
            self.forget(next(iter(self._failed)))
        if self._blocks > MAX_BLOCKS:
            excess = self._blocks - MAX_BLOCKS
            del suspects[:excess]
            self._blocks -= excess
        return []

    def on_piece_verified(self, piece: PieceIndex, evidence: Callable[[], Evidence]) -> list[str]:
        """The piece verified. Returns the hosts whose blocks of earlier failures differ from what verified.

        `evidence` is called only if the piece has failed before.
        """
        suspects = self._failed.get(piece)
        if suspects is None:
            return []
        self.forget(piece)
        good = {block: self._digest(content) for block, content, _ in evidence()}
        return list(dict.fromkeys(host for block, digest, host in suspects if block in good and good[block] != digest))

    def forget(self, piece: PieceIndex) -> None:
        """The piece came from elsewhere (a re-check, a copy): what was remembered of it proves nothing any more."""
        self._blocks -= len(self._failed.pop(piece, ()))

    def _digest(self, content: bytes | memoryview) -> bytes:
        return blake2b(content, digest_size=_DIGEST_SIZE, key=self._secret).digest()
