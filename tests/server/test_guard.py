"""Pages of strangers may not even ask: Host and Origin, and the answers that browsers need."""

from __future__ import annotations

import pytest

from tests.server.support import BASE, served

ALLOWED = "http://localhost:5173"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:3210", True),
        ("localhost:3210", True),
        ("LOCALHOST", True),
        ("[::1]:3210", True),
        ("192.168.1.5:3210", True),
        ("agents.example", True),
        ("agents.example:443", True),
        ("other.example", False),
        ("localhost.evil.example:3210", False),
        ("127.0.0.1.evil.example", False),
        ("evil.example@127.0.0.1", True),
        ("[::1", False),
        ("", False),
    ],
)
def test_hosts(host: str, allowed: bool) -> None:
    with served(hosts=["Agents.example"]) as server:
        answer = server.client.get("/version", headers={"Host": host})
        assert answer.status_code == (200 if allowed else 403)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (ALLOWED, True),
        (ALLOWED.upper(), True),
        (BASE, True),
        ("http://localhost:3210", False),
        ("http://127.0.0.1:3211", False),
        ("https://localhost:5173", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_origins(origin: str, allowed: bool) -> None:
    with served(origins=[f"{ALLOWED}/"]) as server:
        answer = server.client.get("/version", headers={"Origin": origin})
        assert answer.status_code == (200 if allowed else 403)
        told = answer.headers.get("access-control-allow-origin")
        assert told == (origin if allowed else None)
        assert allowed or answer.json()["code"] == "OriginNotAllowed"


def test_a_preflight() -> None:
    asked = {
        "Origin": ALLOWED,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,convex-client",
    }
    with served(origins=[ALLOWED]) as server:
        answer = server.client.options("/api/query", headers=asked)
        assert answer.status_code == 200
        headers = answer.headers
        assert headers["access-control-allow-origin"] == ALLOWED
        assert headers["access-control-allow-credentials"] == "true"
        assert headers["access-control-allow-headers"] == asked["Access-Control-Request-Headers"]
        assert "POST" in headers["access-control-allow-methods"]
        assert headers["access-control-max-age"] == "86400"
        assert headers["vary"] == "Origin"
        refused = server.client.options(
            "/api/query", headers={**asked, "Origin": "http://x.example"}
        )
        assert refused.status_code == 403


def test_what_comes_from_no_page_gets_no_headers() -> None:
    with served(origins=[ALLOWED]) as server:
        answer = server.client.get("/version")
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]
