"""A tracker's gate in a process of its own, for the test that kills it: one member uploads a byte with each announce.

Each line on stdout is what was announced so far, printed once a batch with it is in the file.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from p2p.codec.announce import AnnounceRequest
from p2p.ids import Address
from tracker.private.gate import PrivateGate
from tracker.private.rules import PrivateRules

SOURCE = Address("10.0.0.1", 50_000)


async def serve(path, key):
    gate = PrivateGate(path, PrivateRules(), secrets=os.urandom, wall=time.time, flush_rows=1)
    await gate.start()
    batches = 0
    uploaded = 0
    while True:
        uploaded += 1
        request = AnnounceRequest(
            info_hash=b"h" * 20, peer_id=b"-TR4000-aaaaaaaaaaaa", port=6_881, uploaded=uploaded, downloaded=0, left=0
        )
        gate.on_announced(gate.admit(request, key, SOURCE, None, time.time()), request, SOURCE, time.time())
        await asyncio.sleep(0.001)
        if gate.totals().batches != batches:
            batches = gate.totals().batches
            print(uploaded, flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
