"""One libtorrent session with one torrent or some, driven from outside: arguments in, one JSON event a line out.

Events carry `time` (seconds since the epoch): `listening`, `complete` (every piece of a torrent held and hash-checked),
and for a download `first_payload`, whose time is the last look that still showed no payload byte of the first torrent,
so a rate from there is never flattered. A download ends by itself; the others end on SIGTERM. `stopped` tells the
payload bytes that were moved. One that introduces takes and gives no piece, and says `connected` of each peer that it
can tell others of. Everything that would reach beyond the given peers, nodes and trackers is off. The interop tests and
`benchmarks/transfer.py` run this as a program.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path

import libtorrent as lt

ENCRYPTION_POLICIES = {"forced": 0, "enabled": 1, "off": 2}


def emit(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, "time": facts.pop("time", time.time()), **facts}), flush=True)


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def settings_for(args: argparse.Namespace) -> dict[str, object]:
    settings = lt.high_performance_seed() if args.profile == "high-performance-seed" else {}
    return settings | {
        "listen_interfaces": args.listen,
        "enable_dht": bool(args.dht_node),
        "dht_bootstrap_nodes": args.dht_node,
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "dht_ignore_dark_internet": False,
        "enable_lsd": args.lsd,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_outgoing_utp": args.utp,
        "enable_incoming_utp": args.utp,
        "enable_outgoing_tcp": not args.utp,
        "enable_incoming_tcp": not args.utp,
        "allow_multiple_connections_per_ip": True,
        "close_redundant_connections": args.verb == "download",
        "out_enc_policy": ENCRYPTION_POLICIES[args.encryption],
        "in_enc_policy": ENCRYPTION_POLICIES[args.encryption],
        "alert_mask": lt.alert.category_t.status_notification
        | lt.alert.category_t.error_notification
        | lt.alert.category_t.dht_notification,
    }


def add_params(args: argparse.Namespace, source: str) -> lt.add_torrent_params:
    params = lt.parse_magnet_uri(source) if source.startswith("magnet:") else lt.load_torrent_file(source)
    params.save_path = str(args.folder)
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    if args.verb == "introduce":
        params.flags |= lt.torrent_flags.upload_mode
    if args.no_trackers:
        params.trackers = []
    return params


def ways_to_peers(handle: lt.torrent_handle) -> set[str]:
    """Where the peers listen that have shaken hands with us after we had dialled them."""
    unfinished = lt.peer_info.connecting | lt.peer_info.handshake
    ready = (peer for peer in handle.get_peer_info() if peer.flags & lt.peer_info.local_connection)
    return {"{}:{}".format(*peer.ip) for peer in ready if not peer.flags & unfinished}


def run(args: argparse.Namespace, stopped: list[int]) -> int:
    session = lt.session(settings_for(args))
    handles = [session.add_torrent(add_params(args, source)) for source in (args.torrent, *args.also)]
    first = handles[0]
    download = args.verb == "download"
    awaiting_payload = False
    last_empty = 0.0
    left = len(handles)
    connected: set[str] = set()
    while not stopped:
        session.wait_for_alert(1 if awaiting_payload else 100)
        for alert in session.pop_alerts():
            match alert:
                case lt.listen_succeeded_alert():
                    emit("listening", address=str(alert.address), port=alert.port)
                case lt.listen_failed_alert() | lt.file_error_alert() | lt.torrent_error_alert():
                    emit("error", message=alert.message())
                    return 1
                case lt.torrent_checked_alert():
                    emit("checked", seeding=alert.handle.status().is_seeding)
                    awaiting_payload |= download and alert.handle == first
                    for peer in args.peer:
                        alert.handle.connect_peer(address(peer))
                case lt.dht_bootstrap_alert():
                    for handle in handles:
                        handle.force_dht_announce()  # what it looked for before it had joined is not looked for again
                case lt.torrent_finished_alert() if args.verb != "introduce":
                    emit("complete", size=alert.handle.status().total_wanted_done)
                    left -= 1
                    if download and not left:
                        return 0
                case _ if alert.category() & lt.alert.category_t.error_notification:
                    print(alert.message(), file=sys.stderr, flush=True)
        if awaiting_payload:
            now = time.time()
            if first.status().total_payload_download:
                emit("first_payload", time=last_empty or now)
                awaiting_payload = False
            else:
                last_empty = now
        if args.verb == "introduce":
            for peer in sorted(ways_to_peers(first) - connected):
                connected.add(peer)
                emit("connected", peer=peer)
    moved = [handle.status() for handle in handles]
    emit(
        "stopped",
        uploaded=sum(each.total_payload_upload for each in moved),
        downloaded=sum(each.total_payload_download for each in moved),
    )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["seed", "download", "introduce"])
    parser.add_argument("torrent", help="torrent file or magnet link")
    parser.add_argument("folder", type=Path, help="the folder that holds, or is to hold, the content")
    parser.add_argument("--also", action="append", default=[], help="a further torrent file or magnet link")
    parser.add_argument("--listen", required=True, help="HOST:PORT")
    parser.add_argument("--peer", action="append", default=[], help="HOST:PORT to dial once checked")
    parser.add_argument("--no-trackers", action="store_true")
    parser.add_argument("--dht-node", default="", help="HOST:PORT to join the DHT by; none for no DHT")
    parser.add_argument("--lsd", action="store_true", help="local discovery")
    parser.add_argument("--utp", action="store_true", help="uTP instead of TCP")
    parser.add_argument("--encryption", choices=ENCRYPTION_POLICIES, default="off")
    parser.add_argument("--profile", choices=["default", "high-performance-seed"], default="default")
    args = parser.parse_args()
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    return run(args, stopped)


if __name__ == "__main__":
    sys.exit(main())
