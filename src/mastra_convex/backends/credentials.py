"""How a storage proves who it is: a signing key, with which it mints tokens, or tokens it is given.

A token is used until a fifth of its life is left; then there is a new one, so that none expires
on its way.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mastra_convex.errors import InvalidArgumentError, UnauthenticatedError

if TYPE_CHECKING:
    from mastra_convex.tokens import Key

Token = str | Callable[[], str]

_SPENT = 0.8
# How long a token is used whose text does not say when it expires.
_UNTOLD_SECONDS = 60.0


class Credentials:
    """A key, a token, a function that gives tokens, or nothing.

    Without a `key`, it is MASTRA_CONVEX_KEY from the environment. With a `token`, the key serves
    only to make tokens for others.
    """

    def __init__(self, key: str | None = None, token: Token | None = None) -> None:
        if token is not None and not token:
            raise InvalidArgumentError("token is empty; give a token, or a function that gives one")
        self._key = _parsed(key) if key is not None else None
        self._given = token
        self._token: str | None = None
        self._good_until = 0.0

    def __repr__(self) -> str:
        return "<Credentials>"

    @property
    def has_token(self) -> bool:
        """Whether it was given a token, or a function for them."""
        return self._given is not None

    def require(self) -> None:
        """Raise `UnauthenticatedError` when there is nothing to prove anything with."""
        if self._given is None:
            self._signing_key()

    def present(self, refused: str | None = None) -> str | None:
        """The token at hand, if it is not about to expire and not `refused`."""
        fresh = self._token != refused and time.time() < self._good_until
        return self._token if fresh else None

    def renew(self, refused: str | None = None) -> str:
        """A new token. It may block, and raises `UnauthenticatedError` if it is `refused` again."""
        token = self._new_token()
        if token == refused:
            raise UnauthenticatedError(
                "the token was refused, and there is no other; give a new one"
            )
        self._token, self._good_until = token, _good_until(token)
        return token

    def fresh_for(self) -> float:
        """Seconds until there should be another token; infinity for one that is all there is."""
        if isinstance(self._given, str):
            return float("inf")
        return max(self._good_until - time.time(), 0.0)

    def resource_token(self, resource_id: str, lifetime: float) -> str:
        """A token that acts for one resource, for `lifetime` seconds."""
        return self._signing_key().resource_token(resource_id, lifetime)

    def _new_token(self) -> str:
        if self._given is None:
            return self._signing_key().service_token()
        if isinstance(self._given, str):
            return self._given
        token: object = self._given()
        if isinstance(token, str) and token:
            return token
        raise UnauthenticatedError("the token function gave no token")

    def _signing_key(self) -> Key:
        if self._key is None:
            text = os.environ.get("MASTRA_CONVEX_KEY")
            if not text:
                raise UnauthenticatedError(
                    "no key to prove who is asking: give key=, or set MASTRA_CONVEX_KEY (for a "
                    "deployment, mastra-convex init makes one; mastra-convex dev prints its own)"
                )
            self._key = _parsed(text)
        return self._key


def _parsed(text: str) -> Key:
    from mastra_convex.tokens import Key

    return Key.from_text(text)


def _good_until(token: str) -> float:
    """When to replace a token, in seconds since the epoch."""
    now = time.time()
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        issued, expires = float(claims["iat"]), float(claims["exp"])
    except (ValueError, LookupError, TypeError):
        return now + _UNTOLD_SECONDS
    return issued + (expires - issued) * _SPENT
