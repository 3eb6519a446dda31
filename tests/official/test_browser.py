"""A React page with Convex's hooks, in Chromium, against a server in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import wait_until
from tests.official.driver import HERE, Program
from tests.official.proxy import Proxy
from tests.official.test_clients import port_of
from tests.server.process import Dev
from tests.server.support import message, thread

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str:
    """The browser: the one that CHROMIUM names, or one in PATH."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "no Chromium: scripts/install installs it, or says how; or name it in CHROMIUM"
    return found


class Browser(Program):
    """The page, as its user sees it."""

    def __init__(self) -> None:
        super().__init__("node", HERE / "browser.mjs", chromium())
        self.origin: str = self.answer(0)

    def open(self, url: str, token: str | None) -> None:
        """Open the page."""
        self.do("open", url=url, token=token)

    def texts(self, selector: str) -> list[str]:
        """What stands in the elements that a selector finds."""
        found: list[str] = self.do("texts", selector=selector)
        return found

    def shows(self, selector: str, *texts: str) -> None:
        """Wait until just these texts are there."""
        wait_until(lambda: self.texts(selector) == list(texts), f"{selector} showing {texts}")

    def added(self) -> list[dict[str, Any]]:
        """The queries that the page has asked for over its socket, in the order of their adding."""
        sent = [json.loads(text) for text in self.do("sent")]
        changes = [change for each in sent for change in each.get("modifications", [])]
        return [change for change in changes if change["type"] == "Add"]

    def more(self) -> None:
        """Load more messages, as soon as that is possible."""
        self.shows("#more", "CanLoadMore")
        self.do("click", selector="#more")


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser that is ended whatever happens."""
    started = Browser()
    try:
        yield started
    finally:
        started.end()


def newest_first(first: int, last: int) -> list[str]:
    return [f"text {n}" for n in range(last, first - 1, -1)]


def has_end(change: dict[str, Any]) -> bool:
    """Whether a page was asked for by its beginning and its end: one half of a longer one."""
    options = change["args"][0].get("paginationOpts", {})
    return options.get("endCursor") is not None


def test_a_page_lives_through_writes_restarts_and_cuts(tmp_path: Path, browser: Browser) -> None:
    path = tmp_path / "a.db"
    server = Dev(path, "--allow-origin", browser.origin)
    # All of the page's traffic, so that it can be cut.
    proxy = Proxy(port_of(server.url), cuts=0, seed=0)

    def say(number: int) -> None:
        server.call("mutation", "messages:save", message(f"m{number}", "t", f"text {number}"))

    try:
        # Without a token nothing is told.
        browser.open(proxy.url, None)
        browser.shows("#refused", "UNAUTHENTICATED")
        # A resource sees its own, and new ones as they come.
        server.call("mutation", "threads:save", thread("t", "alice", title="First"))
        server.call("mutation", "threads:save", thread("x", "bob", title="Of another"))
        for number in range(1, 19):
            say(number)
        browser.open(proxy.url, server.key.resource_token("alice"))
        browser.shows("#threads li", "First")
        browser.shows("#messages li", *newest_first(14, 18))
        server.call("mutation", "threads:save", thread("u", "alice", title="Second"))
        browser.shows("#threads li", "First", "Second")
        # Pages are loaded while messages come in: none is missing, none is there twice.
        browser.more()
        say(19)
        browser.shows("#messages li", *newest_first(9, 19))
        browser.more()
        say(20)
        say(21)
        browser.shows("#messages li", *newest_first(4, 21))
        # The first page has grown beyond twice its size, and is split unseen.
        for number in range(22, 30):
            say(number)
        browser.shows("#messages li", *newest_first(4, 29))
        wait_until(lambda: any(map(has_end, browser.added())), "a page that was split")
        # What the page writes, it sees, and so do others.
        browser.do("write", selector="#text", text="from the page")
        browser.shows("#messages li", "from the page", *newest_first(4, 29))
        found = server.call(
            "query", "messages:list", {"threadId": "t", "order": "desc", "limit": 1}
        )["page"]
        assert found[0]["content"] == '"from the page"'
        # Killed and started again: what was written meanwhile is there, and pages are as before.
        server.kill()
        browser.do("write", selector="#text", text="while it was down")
        server = Dev(path, "--allow-origin", browser.origin, "--port", str(port_of(server.url)))
        say(30)
        proxy.cut()
        say(31)
        shown = ("while it was down", "from the page")
        wait_until(
            lambda: sorted(browser.texts("#messages li")) == sorted([*shown, *newest_first(4, 31)]),
            "everything",
        )
        # Connected anew, the page has said where its pages ended.
        assert any(each.get("journal") for each in browser.added())
        browser.more()
        browser.shows("#more", "Exhausted")
        assert browser.texts("#messages li")[-5:] == newest_first(1, 5)
        if pictures := os.environ.get("PICTURES"):
            browser.do("picture", path=f"{pictures}/page.png")
    finally:
        proxy.close()
        server.end()
