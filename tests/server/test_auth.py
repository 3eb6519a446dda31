"""Who is let in: tokens, admin keys, and keys that come and go."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mastra_convex.backends.base import NOBODY, Caller
from mastra_convex.errors import UnauthenticatedError
from mastra_convex.server import auth
from mastra_convex.server.auth import (
    ANONYMOUS,
    Keyring,
    RefusedHeaderError,
    identify_header,
)
from mastra_convex.tokens import ISSUER, LEEWAY, Key

FIRST, SECOND = Key.generate(), Key.generate()


def ring(*keys: Key) -> Keyring:
    return Keyring(lambda: list(keys))


def test_tokens_of_every_key_are_accepted() -> None:
    keyring = ring(FIRST, SECOND)
    assert keyring.verify(FIRST.service_token()).caller == Caller(service=True)
    assert keyring.verify(SECOND.resource_token("r")).caller == Caller(resource_id="r")
    with pytest.raises(UnauthenticatedError, match="not known here"):
        keyring.verify(Key.generate().service_token())


def test_a_token_is_checked_once_and_its_time_always(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring, token = ring(FIRST), FIRST.service_token(60)
    identity = keyring.verify(token)
    assert keyring.verify(token) is identity
    later = SimpleNamespace(time=lambda: identity.expires_at + LEEWAY + 1, monotonic=lambda: 0)
    monkeypatch.setattr(auth, "time", later)
    with pytest.raises(UnauthenticatedError, match="expired"):
        keyring.verify(token)
    with pytest.raises(UnauthenticatedError, match="expired"):
        keyring.require(identity)


def test_only_so_many_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_REMEMBERED", 2)
    keyring = ring(FIRST)
    for number in range(5):
        keyring.verify(FIRST.resource_token(f"{number}"))
        assert len(keyring._tokens) <= 2


def test_the_operator() -> None:
    keyring = ring(FIRST, SECOND)
    for key in (FIRST, SECOND):
        identity = keyring.verify_admin(key.admin_key(), None)
        assert identity.caller == Caller(service=True, operator=True)
        assert identity.kid == key.kid
    for wrong in (
        "",
        "mastra-convex|",
        FIRST.admin_key()[:-1],
        Key.generate().admin_key(),
        "\udc80",
    ):
        with pytest.raises(UnauthenticatedError, match="admin key"):
            keyring.verify_admin(wrong, None)


@pytest.mark.parametrize(
    ("attributes", "caller"),
    [
        ({}, Caller(operator=True)),
        ({"issuer": "https://other.example", "subject": "u"}, Caller(operator=True)),
        (
            {"issuer": ISSUER, "subject": "u", "role": "resource"},
            Caller(resource_id="u", operator=True),
        ),
        ({"issuer": ISSUER, "subject": "service", "role": "service"}, Caller(True, None, True)),
        ({"issuer": ISSUER, "subject": "u", "role": "other"}, Caller(operator=True)),
        ({"issuer": ISSUER, "subject": 5, "role": "resource"}, Caller(operator=True)),
        ({"issuer": ISSUER, "subject": "\ud800", "role": "resource"}, Caller(operator=True)),
    ],
)
def test_the_operator_as_somebody(attributes: dict[str, Any], caller: Caller) -> None:
    assert ring(FIRST).verify_admin(FIRST.admin_key(), attributes).caller == caller
    encoded = base64.b64encode(json.dumps(attributes).encode()).decode()
    header = f"Convex {FIRST.admin_key()}:{encoded}"
    assert identify_header(header, ring(FIRST)).caller == caller


def test_headers() -> None:
    keyring = ring(FIRST)
    assert identify_header(None, keyring) is ANONYMOUS
    assert ANONYMOUS.caller == NOBODY
    assert identify_header(f"bearer  {FIRST.service_token()}", keyring).caller.service
    assert identify_header(f"CONVEX {FIRST.admin_key()}", keyring).caller.operator


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ("", 400, "InvalidAdminKey"),
        ("Basic secret", 400, "InvalidAdminKey"),
        ("Bearer", 401, "Unauthenticated"),
        ("Bearer secret", 401, "Unauthenticated"),
        ("Convex secret", 401, "BadAdminKey"),
        ("Convex a|secret:!", 401, "BadAdminKey"),
        ("Convex a|secret:WzFd", 401, "BadAdminKey"),
    ],
)
def test_headers_that_are_refused(header: str, status: int, code: str) -> None:
    with pytest.raises(RefusedHeaderError) as refused:
        identify_header(header, ring(FIRST))
    assert (refused.value.status, refused.value.code) == (status, code)
    assert "secret" not in refused.value.message


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of keys that is looked at each time."""
    monkeypatch.setattr(auth, "_LOOK_SECONDS", 0.0)
    return tmp_path / "keys"


def watched(file: Path) -> Keyring:
    return Keyring(lambda: [Key.from_text(line) for line in file.read_text().split()], file)


def write(file: Path, *lines: str) -> None:
    """Another file in its place, as editors write it."""
    new = file.with_name("new")
    new.write_text("\n".join(lines))
    os.replace(new, file)


def test_keys_come_and_go(file: Path) -> None:
    write(file, FIRST.to_text())
    keyring = watched(file)
    token = FIRST.service_token()
    identity = keyring.verify(token)
    write(file, SECOND.to_text(), FIRST.to_text())
    keyring.require(identity)
    assert keyring.verify(SECOND.service_token()).kid == SECOND.kid
    write(file, SECOND.to_text())
    for ask in (lambda: keyring.require(identity), lambda: keyring.verify(token)):
        with pytest.raises(UnauthenticatedError, match="not known here"):
            ask()


@pytest.mark.parametrize("content", [None, b"nonsense", b"\xff\xfe"])
def test_keys_that_cannot_be_read_let_nobody_in(
    file: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    write(file, FIRST.to_text())
    keyring = watched(file)
    identity = keyring.verify(FIRST.service_token())
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(UnauthenticatedError):
        keyring.require(identity)
    assert "nobody is let in" in caplog.text
    write(file, FIRST.to_text())
    keyring.require(identity)


def test_a_file_is_not_looked_at_all_the_time(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    write(file, FIRST.to_text())
    keyring = watched(file)
    write(file, SECOND.to_text())
    assert [key.kid for key in keyring.accepted()] == [FIRST.kid]
