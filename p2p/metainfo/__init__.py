"""What a torrent is: torrent files, magnet links, hashes and the map of pieces onto files (BEP 3, 9, 47, 52, 53)."""

from p2p.metainfo.layout import Layout
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import File, Metainfo, PieceCheck

__all__ = ["File", "Layout", "Magnet", "Metainfo", "PieceCheck"]
