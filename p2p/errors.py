"""The error tree. Every refusal of this library is a `StarlingError`; their fault and our bug are different types.

A remote error counts toward a ban of whoever sent the bytes; a local one means this program is wrong and must be seen.
"""


class StarlingError(Exception):
    """Base of everything this library raises on purpose. Its text is one line, fit for a user."""


class BencodeError(StarlingError):
    """Bytes that are not canonical bencode (BEP 3), or pass a bound of ours."""


class MetainfoError(StarlingError):
    """A torrent file that contradicts itself, its BEPs, or a bound of ours."""


class MagnetError(StarlingError):
    """A magnet link that names no torrent, or names it wrongly (BEP 9, 53)."""


class ProtocolError(StarlingError):
    """The peer wire protocol was broken; see the two subclasses for by whom."""


class LocalProtocolError(ProtocolError):
    """We were about to send what the protocol forbids: our bug."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol forbids: its fault, and evidence against it."""


class TrackerError(StarlingError):
    """A tracker refused, answered garbage, or did not answer.

    `retry_in` is the tracker's own word in seconds (BEP 31), None where it gave none.
    """

    def __init__(self, message: str, *, retry_in: float | None = None) -> None:
        super().__init__(message)
        self.retry_in = retry_in


class DhtError(StarlingError):
    """A DHT node answered with an error, garbage, or not at all."""


class BlocklistError(StarlingError):
    """A list of addresses to have nothing to do with that cannot be read."""


class NetworkError(StarlingError):
    """A connection could not be made, or ended."""


class StorageError(StarlingError):
    """The content on disk cannot be read or written as asked."""


class DiskFullError(StorageError):
    """No room left on the target's filesystem; the torrent waits and goes on when there is room."""


class MissingContentError(StorageError):
    """Content that was there before is gone (folder, drive or file); never treated as an empty start."""


class ChangedContentError(StorageError):
    """Content that was whole is not any more (changed, cut, damaged); never repaired by writing over it unasked."""


class StateLockedError(StorageError):
    """Another process works on this torrent at this target."""


class StateVersionError(StorageError):
    """State that a later version of this program has written: it is not read, and never overwritten."""


class ConfigError(StarlingError):
    """A configuration file, or an option that stands for one of its keys, that says what is not allowed."""
