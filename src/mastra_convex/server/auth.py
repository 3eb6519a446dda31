"""Who is calling: tokens that our keys have signed, and the operator's admin key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mastra_convex.backends.base import NOBODY, Caller
from mastra_convex.errors import ConvexStorageError, UnauthenticatedError
from mastra_convex.tokens import ISSUER, LEEWAY, Key, verify
from mastra_convex.values.encoding import is_text, parse_json

logger = logging.getLogger("mastra_convex")

_LOOK_SECONDS = 1.0
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller, until when it is one (seconds since the epoch), and by which key."""

    caller: Caller
    expires_at: float = math.inf
    kid: str | None = None


ANONYMOUS = Identity(NOBODY)


class Keyring:
    """The keys whose tokens are accepted; the first is the one to mint with.

    With a `path`, they are loaded again when that file has changed. A file that can then not be
    read leaves nobody in: a key that is gone must not go on opening.
    """

    def __init__(self, load: Callable[[], list[Key]], path: Path | None = None) -> None:
        self._load = load
        self._path = path
        self._stamp = self._look()
        self._looked = time.monotonic()
        self._keys = load()
        self._tokens: dict[bytes, Identity] = {}

    def accepted(self) -> list[Key]:
        """The keys of this moment."""
        if self._path is not None and time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = time.monotonic()
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                self._reload()
        return self._keys

    def verify(self, token: str) -> Identity:
        """Whose token it is. Raises `UnauthenticatedError`."""
        keys = self.accepted()
        # Clients send one token many times, and checking a signature takes longer than most calls.
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        identity = self._tokens.get(digest)
        if identity is None:
            claims = verify(token, [key.public_jwk for key in keys])
            service = claims.role == "service"
            caller = Caller(service, None if service else claims.subject)
            identity = Identity(caller, claims.expires_at, claims.kid)
            if len(self._tokens) >= _REMEMBERED:
                self._tokens.clear()
            self._tokens[digest] = identity
        self.require(identity)
        return identity

    def verify_admin(self, admin_key: str, acting_as: Mapping[str, Any] | None) -> Identity:
        """The operator, or whom the operator acts as. Raises `UnauthenticatedError`."""
        found = None
        for key in self.accepted():
            if hmac.compare_digest(key.admin_key().encode(), admin_key.encode("utf-8", "replace")):
                found = key
        if found is None:
            raise UnauthenticatedError("the admin key is not one of this server")
        if acting_as is None:
            return Identity(Caller(service=True, operator=True), kid=found.kid)
        return Identity(_acting(acting_as), kid=found.kid)

    def require(self, identity: Identity) -> None:
        """Raise `UnauthenticatedError` if it was somebody's, and is so no longer."""
        if identity.kid is not None and all(key.kid != identity.kid for key in self.accepted()):
            raise UnauthenticatedError("the token was signed with a key that is not known here")
        if time.time() > identity.expires_at + LEEWAY:
            raise UnauthenticatedError("the token has expired; mint a new one")

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            found = None
        return None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino)

    def _reload(self) -> None:
        self._tokens.clear()
        self._keys = []
        try:
            self._keys = self._load()
        except (OSError, ValueError, ConvexStorageError) as error:
            logger.error(
                "the keys in %s cannot be read, so nobody is let in: %s", self._path, error
            )
        else:
            logger.warning("the keys in %s have changed: %d accepted", self._path, len(self._keys))


def _acting(attributes: Mapping[str, Any]) -> Caller:
    """The caller for an identity as our tokens have it; internal functions stay open."""
    subject = attributes.get("subject")
    if attributes.get("issuer") == ISSUER and isinstance(subject, str) and is_text(subject):
        match attributes.get("role"):
            case "service":
                return Caller(service=True, operator=True)
            case "resource":
                return Caller(resource_id=subject, operator=True)
    return Caller(operator=True)


class RefusedHeaderError(Exception):
    """An Authorization header that is none: a status, a code and a text."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def identify_header(header: str | None, keyring: Keyring) -> Identity:
    """Whose Authorization header it is. Raises `RefusedHeaderError`."""
    if header is None:
        return ANONYMOUS
    scheme, _, value = header.strip().partition(" ")
    value = value.strip()
    try:
        if scheme.lower() == "bearer":
            return keyring.verify(value)
        if scheme.lower() == "convex":
            admin_key, acting_as = _split(value)
            return keyring.verify_admin(admin_key, acting_as)
    except UnauthenticatedError as error:
        code = "BadAdminKey" if scheme.lower() == "convex" else "Unauthenticated"
        raise RefusedHeaderError(401, code, error.message) from None
    raise RefusedHeaderError(
        400, "InvalidAdminKey", 'the Authorization header begins with "Bearer " or "Convex "'
    )


def _split(value: str) -> tuple[str, Mapping[str, Any] | None]:
    """An admin key, and the attributes that may stand behind it."""
    name, bar, rest = value.partition("|")
    secret, colon, encoded = rest.partition(":")
    if not colon:
        return value, None
    try:
        attributes = parse_json(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        attributes = None
    if not isinstance(attributes, dict):
        raise UnauthenticatedError("the identity behind the admin key is no base64 of JSON")
    return f"{name}{bar}{secret}", attributes
