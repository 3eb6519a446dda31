"""Keys and tokens: which is used, until when, and what is said when there is none."""

import base64
import json
import time

import pytest

from mastra_convex.backends.credentials import Credentials
from mastra_convex.errors import InvalidArgumentError, UnauthenticatedError
from mastra_convex.tokens import KEY_VARIABLE, LIFETIME, Key, verify

KEY = Key.generate()
KEYS = [KEY.public_jwk]


def token_with(**claims: object) -> str:
    """A token that nobody signed."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.sig"


@pytest.fixture(autouse=True)
def _no_key_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def test_a_key_mints_tokens_of_the_service_and_keeps_them() -> None:
    credentials = Credentials(KEY.to_text())
    assert credentials.present() is None
    token = credentials.renew()
    assert verify(token, KEYS).role == "service"
    assert credentials.present() == token
    assert LIFETIME * 0.7 < credentials.fresh_for() < LIFETIME * 0.9
    assert credentials.present(refused=token) is None
    assert credentials.renew(refused=token) != token


def test_the_key_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY.to_text())
    credentials = Credentials()
    credentials.require()
    assert verify(credentials.renew(), KEYS).role == "service"
    other = Key.generate()
    assert verify(Credentials(other.to_text()).renew(), [other.public_jwk]).role == "service"


def test_a_key_that_is_given_is_checked_at_once() -> None:
    with pytest.raises(InvalidArgumentError, match="is not a signing key"):
        Credentials("secret-of-mine")


def test_without_anything_it_says_what_to_give() -> None:
    credentials = Credentials()
    for call in (
        credentials.require,
        credentials.renew,
        lambda: credentials.resource_token("r", 60),
    ):
        with pytest.raises(UnauthenticatedError, match="MASTRA_CONVEX_KEY"):
            call()


def test_a_token_that_is_given_is_all_there_is() -> None:
    token = token_with(iat=time.time(), exp=time.time() + 100)
    credentials = Credentials(token=token)
    credentials.require()
    assert credentials.renew() == token == credentials.present()
    assert credentials.fresh_for() == float("inf")
    with pytest.raises(UnauthenticatedError, match="there is no other"):
        credentials.renew(refused=token)


def test_a_function_is_asked_before_a_token_expires() -> None:
    now = time.time()
    given = [
        token_with(iat=now - 90, exp=now + 10),  # a fifth of its life is left no more
        token_with(iat=now, exp=now + 100),
        "opaque",
    ]
    credentials = Credentials(token=lambda: given[0])
    assert credentials.renew() == given[0]
    assert credentials.present() is None
    assert credentials.fresh_for() == 0
    given.pop(0)
    assert credentials.renew() == given[0] == credentials.present()
    assert 75 < credentials.fresh_for() <= 80
    with pytest.raises(UnauthenticatedError, match="there is no other"):
        credentials.renew(refused=given[0])
    # One that does not say when it expires is used for a minute.
    given.pop(0)
    assert credentials.renew() == "opaque"
    assert 50 < credentials.fresh_for() <= 60


@pytest.mark.parametrize("wrong", [None, "", 5])
def test_a_function_that_gives_no_token(wrong: object) -> None:
    credentials = Credentials(token=lambda: wrong)  # type: ignore[arg-type]
    with pytest.raises(UnauthenticatedError, match="gave no token"):
        credentials.renew()


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="token is empty"):
        Credentials(token="")


def test_the_key_makes_tokens_for_others_beside_a_token() -> None:
    credentials = Credentials(KEY.to_text(), token="opaque")
    assert credentials.renew() == "opaque"
    claims = verify(credentials.resource_token("user-1", 60), KEYS)
    assert (claims.role, claims.subject) == ("resource", "user-1")


def test_nothing_shows_the_secret() -> None:
    credentials = Credentials(KEY.to_text(), token="opaque-secret")
    assert repr(credentials) == "<Credentials>"
