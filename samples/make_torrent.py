"""Make a torrent of a file or folder, and print its magnet link.

python samples/make_torrent.py PATH [TRACKER-URL]...
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from p2p import Magnet, Metainfo, create


def main(path: Path, trackers: list[str]) -> None:
    data = asyncio.run(create(path, trackers=trackers))
    metainfo = Metainfo.from_bytes(data)
    torrent = Path(f"{metainfo.name}.torrent")
    torrent.write_bytes(data)
    print(f"{torrent}: {metainfo.total_size:,} bytes in {metainfo.piece_count} pieces")
    print(Magnet.from_metainfo(metainfo).uri())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
