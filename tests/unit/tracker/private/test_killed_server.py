"""kill -9 in mid-load: the file is whole, at most one batch is missing, and the client that goes on gets that too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from p2p.codec.announce import AnnounceRequest
from p2p.ids import Address
from tracker.private import members, torrents
from tracker.private.database import opened
from tracker.private.gate import PrivateGate
from tracker.private.rules import PrivateRules

SERVER = Path(__file__).with_name("killed_server.py")
SOURCE = Address("10.0.0.1", 50_000)
NOW = 1_700_000_000.0
BATCHES = 5


async def test_a_killed_server_loses_one_batch_at_most_and_a_client_that_goes_on_nothing(tmp_path):
    path = tmp_path / "tracker.db"
    with opened(path) as connection:
        torrents.add(connection, [b"h" * 20], "a torrent", size=1, now=NOW)
        _, key = members.add(connection, "ann", now=NOW, secrets=os.urandom)
    command = [sys.executable, str(SERVER), str(path), key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        reported = [int(server.stdout.readline()) for _ in range(BATCHES)]
        server.kill()
    with opened(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        written = members.show(connection, "ann").uploaded
        (base,) = connection.execute("SELECT uploaded FROM places").fetchone()
    # A batch was told of when the next one was out already, so the one before the last is in the file for certain.
    assert written >= reported[-2] - 1
    assert base == written + 1  # the total and the counter it came from are of one batch
    last = reported[-1] + 1_000
    gate = PrivateGate(path, PrivateRules(), secrets=os.urandom, wall=lambda: NOW)
    await gate.start()
    request = AnnounceRequest(
        info_hash=b"h" * 20, peer_id=b"-TR4000-aaaaaaaaaaaa", port=6_881, uploaded=last, downloaded=0, left=0
    )
    gate.on_announced(gate.admit(request, key, SOURCE, None, NOW), request, SOURCE, NOW)
    assert await gate.close() == 0
    with opened(path) as connection:
        assert members.show(connection, "ann").uploaded == last - 1  # all but its first report, which is the base
