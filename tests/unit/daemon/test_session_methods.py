"""What the methods about the session tell, set and refuse."""

from __future__ import annotations

import pytest

from p2p.daemon import session_fields

LEGACY = [
    "alt-speed-down",
    "alt-speed-enabled",
    "alt-speed-time-begin",
    "alt-speed-time-day",
    "alt-speed-time-enabled",
    "alt-speed-time-end",
    "alt-speed-up",
    "blocklist-enabled",
    "blocklist-size",
    "blocklist-url",
    "cache-size-mb",
    "config-dir",
    "default-trackers",
    "dht-enabled",
    "download-dir",
    "download-dir-free-space",
    "download-queue-enabled",
    "download-queue-size",
    "encryption",
    "idle-seeding-limit",
    "idle-seeding-limit-enabled",
    "incomplete-dir",
    "incomplete-dir-enabled",
    "lpd-enabled",
    "peer-limit-global",
    "peer-limit-per-torrent",
    "peer-port",
    "peer-port-random-on-start",
    "pex-enabled",
    "port-forwarding-enabled",
    "queue-stalled-enabled",
    "queue-stalled-minutes",
    "rename-partial-files",
    "rpc-version",
    "rpc-version-minimum",
    "rpc-version-semver",
    "script-torrent-added-enabled",
    "script-torrent-added-filename",
    "script-torrent-done-enabled",
    "script-torrent-done-filename",
    "script-torrent-done-seeding-enabled",
    "script-torrent-done-seeding-filename",
    "seed-queue-enabled",
    "seed-queue-size",
    "seedRatioLimit",
    "seedRatioLimited",
    "session-id",
    "speed-limit-down",
    "speed-limit-down-enabled",
    "speed-limit-up",
    "speed-limit-up-enabled",
    "start-added-torrents",
    "trash-original-torrent-files",
    "units",
    "utp-enabled",
    "version",
]


async def test_every_key_of_the_session_is_told(client):
    told = (await client.legacy("session-get"))["arguments"]
    assert set(LEGACY) <= set(told)
    assert told["version"].split()[0] == "4.1.0"
    assert told["session-id"] == "token"
    assert 14 <= told["rpc-version"] <= 19
    assert told["units"]["speed-bytes"] == 1000
    assert told["encryption"] == "tolerated"
    assert told["utp-enabled"] is False
    assert (await client.new("session_get", fields=["encryption", "nonsense"]))["result"] == {"encryption": "allowed"}
    assert set((await client.new("session_get"))["result"]) == set(session_fields.BY_NAME)


async def test_settings_arrive_checked_under_one_name(client, library):
    await client.send(
        {
            "method": "session-set",
            "arguments": {
                "seedRatioLimit": 2,
                "cache-size-mb": 8,
                "encryption": "tolerated",
                "utp-enabled": False,
                "dht-enabled": 1,
                "nonsense": {},
                "default-trackers": "udp://a:1\n\n\nudp://b:1",
            },
        }
    )
    assert library.verbs == [
        (
            "set_settings",
            [],
            {
                "seed_ratio_limit": 2.0,
                "cache_size_mib": 8,
                "encryption": "allowed",
                "utp_enabled": False,
                "dht_enabled": True,
                "default_trackers": "udp://a:1\n\nudp://b:1",
            },
        )
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("utp_enabled", True),
        ("tcp_enabled", False),
        ("preferred_transports", ["utp", "tcp"]),
        ("version", "5"),
        ("blocklist_size", 1),
        ("session_id", "x"),
        ("speed_limit_down", -1),
        ("speed_limit_down", 1.5),
        ("speed_limit_down", "fast"),
        ("peer_port", 65_536),
        ("alt_speed_time_begin", 1440),
        ("encryption", "none"),
        ("download_dir", "relative"),
        ("download_dir", "/a/../b"),
        ("incomplete_dir", "x"),
        ("blocklist_url", "file:///etc/passwd"),
        ("dht_enabled", "yes"),
        ("seed_ratio_limit", True),
        ("default_trackers", "gopher://x"),
    ],
)
async def test_what_cannot_be_set_is_refused_by_name(client, library, key, value):
    answer = await client.new("session_set", **{key: value})
    assert key in answer["error"]["data"]["error_string"]
    assert library.verbs == []


async def test_one_wrong_setting_keeps_the_right_ones_out(client, library):
    await client.new("session_set", dht_enabled=True, peer_port=-1)
    assert library.verbs == []


async def test_groups_are_made_and_told(client):
    await client.send(
        {"method": "group-set", "arguments": {"name": "a", "speed-limit-up": 5, "honorsSessionLimits": 0}}
    )
    await client.legacy("group-set", name="b")
    (group,) = (await client.legacy("group-get", group="a"))["arguments"]["group"]
    assert group == {
        "name": "a",
        "honorsSessionLimits": False,
        "speed-limit-up": 5,
        "speed-limit-up-enabled": False,
        "speed-limit-down": 0,
        "speed-limit-down-enabled": False,
    }
    assert len((await client.new("group_get"))["result"]["group"]) == 2
    assert (await client.legacy("group-get", group=["b", 5]))["result"] != "success"
    assert (await client.legacy("group-set", name=""))["result"] != "success"


async def test_questions_about_the_machine(client, library):
    assert (await client.legacy("port-test"))["arguments"] == {"port-is-open": True}
    assert (await client.new("port_test", ip_protocol="ipv6"))["result"] == {
        "port_is_open": True,
        "ip_protocol": "ipv6",
    }
    assert (await client.new("port_test", ip_protocol="ipx"))["error"]["code"] == -32602
    assert (await client.legacy("blocklist-update"))["arguments"] == {"blocklist-size": 5}
    assert (await client.legacy("free-space", path="/x"))["arguments"] == {
        "path": "/x",
        "size-bytes": 10,
        "total_size": 20,
    }
    await client.legacy("session-close")
    assert library.verbs[-1] == ("close", [])
