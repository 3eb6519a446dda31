"""Signing keys, and the short-lived tokens by which a caller proves who it is.

A deployment knows the public key (`convex/auth.config.ts`); whoever has the private one mints
tokens: for the service, which may do everything, or for one resource. A token is an ES256 JWT, as
Convex's `customJwt` providers take it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mastra_convex.errors import InvalidArgumentError, UnauthenticatedError
from mastra_convex.extras import needs_extra

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

# The issuer must look like an address and is never fetched: a name that nobody can own.
ISSUER = "https://mastra-convex.invalid"
AUDIENCE = "mastra-convex"
ALGORITHM = "ES256"
# Where the private key is kept: in the environment, or in a project's .env.local.
KEY_VARIABLE = "MASTRA_CONVEX_KEY"
# The `sub` of the service's tokens; a resource's has its id.
SERVICE = "service"
LIFETIME = 600.0
# How far clocks may differ; Convex's own tolerance.
LEEWAY = 5.0

_PREFIX = "mastra-convex-key-1"
_DOING = "signing and checking tokens"

Role = Literal["service", "resource"]


@dataclass(frozen=True)
class Claims:
    """What a token proves: the service, or the resource `subject`, until `expires_at` (seconds).

    `kid` names the key that has signed it.
    """

    role: Role
    subject: str
    expires_at: float
    kid: str = ""


class Key:
    """A private signing key. Its text is the secret; nothing but `to_text` gives it away."""

    __slots__ = ("_private", "kid", "public_jwk")

    def __init__(self, private: EllipticCurvePrivateKey) -> None:
        self._private = private
        point = private.public_key().public_numbers()
        members = {
            "crv": "P-256",
            "kty": "EC",
            "x": _encode(point.x.to_bytes(32, "big")),
            "y": _encode(point.y.to_bytes(32, "big")),
        }
        # The thumbprint of RFC 7638: the name follows from the key, so no two share one.
        canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
        self.kid = _encode(hashlib.sha256(canonical.encode()).digest())
        self.public_jwk = {**members, "alg": ALGORITHM, "kid": self.kid, "use": "sig"}

    def __repr__(self) -> str:
        return f"<Key {self.kid}>"

    @classmethod
    def generate(cls) -> Key:
        """A new key."""
        with needs_extra("remote", "making a signing key"):
            from cryptography.hazmat.primitives.asymmetric import ec
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_text(cls, text: str) -> Key:
        """The key that `to_text` wrote. Raises `InvalidArgumentError`, which does not quote it."""
        with needs_extra("remote", _DOING):
            from cryptography.hazmat.primitives.asymmetric import ec
        prefix, _, rest = text.strip().partition(".")
        kid, _, secret = rest.partition(".")
        if prefix != _PREFIX:
            raise _not_a_key(f"it does not begin with {_PREFIX}.")
        try:
            number = int.from_bytes(base64.urlsafe_b64decode(secret + "="), "big")
            key = cls(ec.derive_private_key(number, ec.SECP256R1()))
        except ValueError:
            # Without the cause, whose text may hold a part of the secret.
            raise _not_a_key("it is damaged or not complete") from None
        if key.kid != kid or key.to_text() != text.strip():
            raise _not_a_key("its two parts do not belong together")
        return key

    def to_text(self) -> str:
        """The whole key on one line of letters, digits, `.`, `_` and `-`, fit for a .env file."""
        number = self._private.private_numbers().private_value
        return f"{_PREFIX}.{self.kid}.{_encode(number.to_bytes(32, 'big'))}"

    def admin_key(self) -> str:
        """The operator's secret of a server with this key: `name|secret`, as Convex has it.

        It follows from the key, and the key does not follow from it.
        """
        number = self._private.private_numbers().private_value.to_bytes(32, "big")
        secret = hmac.new(number, b"mastra-convex admin key", hashlib.sha256).hexdigest()
        return f"{AUDIENCE}|{secret}"

    def service_token(self, lifetime: float = LIFETIME) -> str:
        """A token that may do everything, for `lifetime` seconds."""
        return self._mint("service", SERVICE, lifetime)

    def resource_token(self, resource_id: str, lifetime: float = LIFETIME) -> str:
        """A token that acts for one resource, for `lifetime` seconds; a browser may have it."""
        if not resource_id or not isinstance(resource_id, str):
            raise InvalidArgumentError("a token is for one resource: give its id, a text")
        try:
            resource_id.encode()
        except UnicodeEncodeError:
            raise InvalidArgumentError(
                f"a token cannot carry the resource id {resource_id!r}: it is no valid Unicode"
            ) from None
        return self._mint("resource", resource_id, lifetime)

    def _mint(self, role: Role, subject: str, lifetime: float) -> str:
        with needs_extra("remote", _DOING):
            import jwt
        if not lifetime >= 1:
            raise InvalidArgumentError(f"a token lives for at least 1 second, not {lifetime!r}")
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now,
            "exp": now + int(lifetime),
            "role": role,
        }
        headers = {"kid": self.kid, "typ": "JWT"}
        return jwt.encode(claims, self._private, algorithm=ALGORITHM, headers=headers)


def verify(token: str, public_jwks: Iterable[Mapping[str, Any]]) -> Claims:
    """What a token proves, if one of the keys has signed it and it has not expired.

    Raises `UnauthenticatedError`, which says why not and does not quote the token.
    """
    with needs_extra("remote", _DOING):
        import jwt
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        found = next((jwk for jwk in public_jwks if jwk["kid"] == kid), None)
        if kid is None or found is None:
            raise UnauthenticatedError("the token was signed with a key that is not known here")
        claims = jwt.decode(
            token,
            jwt.PyJWK(dict(found), ALGORITHM).key,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=LEEWAY,
            options={"require": ["iss", "aud", "sub", "iat", "exp"]},
        )
    except jwt.ExpiredSignatureError:
        raise UnauthenticatedError("the token has expired; mint a new one") from None
    except jwt.PyJWTError as error:
        raise UnauthenticatedError(f"the token is not valid: {error}") from None
    role, subject = claims.get("role"), claims["sub"]
    if role == "service" or role == "resource":  # noqa: PLR1714 (it may be of any type)
        return Claims(role, subject, float(claims["exp"]), kid)
    raise UnauthenticatedError("the token has no role that is known here")


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _not_a_key(why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"what is given as {KEY_VARIABLE}, or as `key`, is not a signing key: {why}; "
        "copy it whole, or make a new one: mastra-convex init --new-key"
    )
