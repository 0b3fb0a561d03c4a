"""What is changed where the session is seen: limits, the schedule; and the port, tested from there."""

from __future__ import annotations

import pytest
from driven import drives
from own_daemon import own_daemon
from own_daemon import until as told
from stage import app_before, played, screen_of, until

pytestmark = pytest.mark.timeout(60)


async def shows(pilot, app, *texts):
    await until(pilot, lambda: all(text in screen_of(app) for text in texts))


@drives("schedule")
async def test_limits_and_schedule_are_changed_where_they_are_seen(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        app = app_before(daemon.url)
        async with played(app) as pilot:
            await until(pilot, lambda: app.feed._client is not None)
            await pilot.press("I", "6")
            await shows(pilot, app, "Schedule     off", "enter: change the limits   T: the schedule")
            await pilot.press("T")
            await until(pilot, lambda: bool(app.screen.query("#begin")))
            app.screen.query_one("#enabled").value = True
            app.screen.query_one("#begin").value = "25:00"
            app.screen.query_one("#days").value = "sat sun"
            await pilot.press("enter")
            await shows(pilot, app, "a time from 0:00 to 23:59")
            app.screen.query_one("#begin").value = "22:30"
            await pilot.press("enter")
            await shows(pilot, app, "22:30 to 17:00, Sun, Sat")
            await pilot.press("enter")
            await until(pilot, lambda: bool(app.screen.query("#speed_limit_down")))
            app.screen.query_one("#speed_limit_down").value = "100"
            await pilot.press("enter")
            settings = await told(daemon.client.settings, lambda found: found["speed_limit_down_enabled"] is True)
            assert (settings["speed_limit_down"], settings["alt_speed_time_day"]) == (100, 0b1000001)


@drives("test-port")
async def test_a_port_that_nobody_can_test_is_told(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        app = app_before(daemon.url)
        async with played(app) as pilot:
            await until(pilot, lambda: app.feed._client is not None)
            await pilot.press("P")
            await shows(pilot, app, "nobody is named who could test")
