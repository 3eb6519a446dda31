"""Pages that are watched keep their place while messages come and go, whoever else watches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.server.support import KEY, Peer, message, served, thread


def add(peer: Peer, query_id: int, cursor: str | None = None, journal: str | None = None) -> None:
    """Watch a page of three, the newest messages first."""
    options = {"numItems": 3, "cursor": cursor, "id": 0}
    args = {"threadId": "t", "order": "desc", "paginationOpts": options}
    change = {"type": "Add", "queryId": query_id, "udfPath": "messages:paginate", "args": [args]}
    peer.modify(change | ({"journal": journal} if journal else {}))


def shown(value: Any) -> list[str]:
    return [each["id"] for each in value["page"]]


def page_of(peer: Peer, query_id: int, *expected: str) -> dict[str, Any]:
    """The page, as soon as it has these messages."""
    value: dict[str, Any] = peer.until_value(query_id, lambda found: shown(found) == list(expected))
    return value


def journal_of(peer: Peer, query_id: int) -> str:
    """The journal that comes with the next value of a query."""
    told = peer.until(
        lambda message: any(
            change.get("queryId") == query_id for change in message.get("modifications", [])
        )
    )
    changes = {change["queryId"]: change for change in told["modifications"]}
    journal: str = changes[query_id]["journal"]
    return journal


def test_pages_neither_overlap_nor_leave_a_gap(tmp_path: Path) -> None:
    with served(tmp_path / "a.db") as server:
        with server.socket() as peer:
            peer.result("threads:save", thread("t"))
            for number in range(8):
                peer.result("messages:save", message(f"m{number}", "t"))
            add(peer, 0)
            journal = journal_of(peer, 0)
            first = page_of(peer, 0, "m7", "m6", "m5")
            add(peer, 1, first["continueCursor"])
            second = page_of(peer, 1, "m4", "m3", "m2")
            peer.result("messages:save", message("m8", "t"))
            peer.result("messages:remove", {"ids": ["m6", "m3"]})
            page_of(peer, 0, "m8", "m7", "m5")
            page_of(peer, 1, "m4", "m2")
            # A fresh token of the same caller changes nothing.
            peer.log_in(KEY.service_token())
            peer.result("messages:save", message("m9", "t"))
            page_of(peer, 0, "m9", "m8", "m7", "m5")
            with server.socket() as other:
                add(other, 0)
                page_of(other, 0, "m9", "m8", "m7")
        # Connected anew: the page is what it was, not the newest three.
        with server.socket() as peer:
            add(peer, 0, journal=journal)
            page_of(peer, 0, "m9", "m8", "m7", "m5")
            add(peer, 1, first["continueCursor"], journal=second["continueCursor"])
            page_of(peer, 1, "m4", "m2")
            server.value("mutation", "messages:save", message("m10", "t"))
            page_of(peer, 0, "m10", "m9", "m8", "m7", "m5")


def test_a_page_to_the_end_gets_what_comes() -> None:
    with served() as server, server.socket() as peer:
        peer.result("threads:save", thread("t"))
        add(peer, 0)
        page_of(peer, 0)
        for number in range(5):
            peer.result("messages:save", message(f"m{number}", "t"))
        found = page_of(peer, 0, "m4", "m3", "m2", "m1", "m0")
        # Twice what was asked for, nearly: the client is told where to split the page.
        assert found["isDone"] is True
        assert found["splitCursor"]
