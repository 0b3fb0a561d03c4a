"""The mouse: rows, headings, tabs and the last line are clicked, a double click opens, the wheel scrolls."""

from __future__ import annotations

import pytest
from own_daemon import own_daemon
from stage import app_before, played, screen_of, until

pytestmark = pytest.mark.timeout(60)


async def test_rows_headings_tabs_and_the_last_line_are_clicked(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        for number in range(40):
            await daemon.client.add(f"magnet:?xt=urn:btih:{number:040x}&dn=name{number:02}", paused=True)
        app = app_before(daemon.url)
        async with played(app) as pilot:
            await until(pilot, lambda: len(app.rows) == 40)
            await pilot.click("#torrents", offset=(4, 3))
            assert app.rows.cursor.name == "name02"
            table = app.screen.query_one("#torrents")
            table.post_message(wheel(table))
            await until(pilot, lambda: table.scroll_y > 0)
            assert app.rows.cursor.name == "name02"
            await pilot.click("#torrents", offset=(4, 0))
            await until(pilot, lambda: app.rows.at(0).name == "name39")
            await pilot.click("#torrents", offset=(4, 2), times=2)
            await until(pilot, lambda: "[Overview]" in screen_of(app))
            line = screen_of(app).splitlines()[1]
            await pilot.click("#tabs", offset=(line.index("Trackers"), 0))
            await until(pilot, lambda: "[Trackers]" in screen_of(app))
            last = screen_of(app).splitlines()[-1]
            await pilot.click(offset=(last.index("back"), 23))
            await until(pilot, lambda: "40 torrents" in screen_of(app))


def wheel(widget):
    from textual.events import MouseScrollDown

    return MouseScrollDown(widget, 1, 1, 0, 1, 0, shift=False, meta=False, ctrl=False)
