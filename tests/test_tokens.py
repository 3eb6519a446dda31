import base64
import json
import re
import time
import traceback
from typing import Any

import jwt
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from mastra_convex.errors import InvalidArgumentError, UnauthenticatedError
from mastra_convex.tokens import AUDIENCE, ISSUER, LIFETIME, Claims, Key, verify

KEY = Key.generate()
SECRET = KEY.to_text().rpartition(".")[2]


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def number(text: str) -> int:
    return int.from_bytes(decoded(text), "big")


def signed(key: Key = KEY, headers: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token of our making with some claims changed, or left out where None."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "role": "resource",
        "iat": now,
        "exp": now + 60,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key._private, "ES256", headers={"kid": key.kid, **(headers or {})})


def refused(token: str, *keys: Key) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        verify(token, [key.public_jwk for key in keys or (KEY,)])
    assert len(token) < 20 or token not in str(caught.value)
    return str(caught.value)


# Keys


def test_a_key_comes_back_from_its_text() -> None:
    again = Key.from_text(f" {KEY.to_text()}\n")
    assert (again.kid, again.public_jwk) == (KEY.kid, KEY.public_jwk)
    assert verify(again.service_token(), [KEY.public_jwk]).role == "service"


def test_the_text_of_a_key_fits_a_line_of_any_env_file() -> None:
    assert re.fullmatch(r"mastra-convex-key-1\.[\w-]{43}\.[\w-]{43}", KEY.to_text(), re.ASCII)


def test_the_public_key_is_a_jwk_without_the_private_part() -> None:
    assert KEY.public_jwk.keys() == {"kty", "crv", "x", "y", "alg", "use", "kid"}
    assert SECRET not in json.dumps(KEY.public_jwk)


def test_the_name_of_a_key_is_its_thumbprint() -> None:
    # The example of RFC 7638 is of another type; this is its rule, spelled out for ours.
    x, y = KEY.public_jwk["x"], KEY.public_jwk["y"]
    text = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    digest = hashes.Hash(hashes.SHA256())
    digest.update(text.encode())
    assert decoded(KEY.kid) == digest.finalize()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        SECRET,
        KEY.to_text()[:-1],
        KEY.to_text() + "A",
        KEY.to_text().replace("key-1", "key-2"),
        KEY.to_text().replace(KEY.kid, Key.generate().kid),
        f"mastra-convex-key-1.{KEY.kid}.",
        f"mastra-convex-key-1.{KEY.kid}.{'A' * 43}",
        f"mastra-convex-key-1.{KEY.kid}.{'_' * 43}",
        f"mastra-convex-key-1.{KEY.kid}.{'!' * 43}",
        f"mastra-convex-key-1.{KEY.kid}.schlüssel",
    ],
)
def test_what_is_not_a_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="mastra-convex init --new-key") as caught:
        Key.from_text(text)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.data)
    assert SECRET[:20] not in shown
    assert "schlüssel" not in shown


def test_nothing_shows_the_secret_but_its_text() -> None:
    assert KEY.kid in repr(KEY)
    for shown in (repr(KEY), str(KEY), f"{KEY}", repr([KEY]), KEY.service_token()):
        assert SECRET not in shown
    with pytest.raises(TypeError):
        vars(KEY)


# Tokens


def test_a_token_says_what_convex_asks_for() -> None:
    before = int(time.time())
    token = KEY.resource_token("user-1", 60)
    header, payload, _ = token.split(".")
    assert json.loads(decoded(header)) == {"alg": "ES256", "kid": KEY.kid, "typ": "JWT"}
    claims = json.loads(decoded(payload))
    assert before <= claims["iat"] <= time.time()
    assert claims == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "role": "resource",
        "iat": claims["iat"],
        "exp": claims["iat"] + 60,
    }


def test_a_signature_holds_without_the_library_that_made_it() -> None:
    signed_part, _, signature = KEY.service_token().rpartition(".")
    raw = decoded(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    public = ec.EllipticCurvePublicNumbers(
        number(KEY.public_jwk["x"]), number(KEY.public_jwk["y"]), ec.SECP256R1()
    ).public_key()
    algorithm = ec.ECDSA(hashes.SHA256())
    public.verify(encode_dss_signature(r, s), signed_part.encode(), algorithm)
    with pytest.raises(InvalidSignature):
        public.verify(encode_dss_signature(r, s), signed_part.encode() + b"x", algorithm)


def test_the_service_and_a_resource_are_told_apart() -> None:
    keys = [Key.generate().public_jwk, KEY.public_jwk]
    service = verify(KEY.service_token(), keys)
    assert (service.role, service.subject) == ("service", "service")
    assert abs(service.expires_at - time.time() - LIFETIME) < 5
    # A resource may have any name, the service's too; its role stays that of a resource.
    assert verify(KEY.resource_token("service"), keys).role == "resource"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_resource_id_arrives(resource_id: str) -> None:
    claims = verify(KEY.resource_token(resource_id), [KEY.public_jwk])
    assert claims == Claims("resource", resource_id, claims.expires_at, KEY.kid)


def test_the_admin_key_follows_from_the_key_and_tells_nothing_of_it() -> None:
    name, _, secret = KEY.admin_key().partition("|")
    assert name == "mastra-convex"
    assert re.fullmatch("[0-9a-f]{64}", secret)
    assert Key.from_text(KEY.to_text()).admin_key() == KEY.admin_key()
    assert Key.generate().admin_key() != KEY.admin_key()


@pytest.mark.parametrize("resource_id", ["", "\ud800", None, 5])
def test_what_is_no_resource_gets_no_token(resource_id: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        KEY.resource_token(resource_id)


@pytest.mark.parametrize("lifetime", [0, -1, 0.5, float("nan")])
def test_a_token_lives_for_a_while(lifetime: float) -> None:
    with pytest.raises(InvalidArgumentError, match="at least 1 second"):
        KEY.service_token(lifetime)


def test_clocks_may_differ_a_little() -> None:
    now = int(time.time())
    assert verify(signed(exp=now - 3), [KEY.public_jwk]).subject == "user-1"
    assert verify(signed(iat=now + 3), [KEY.public_jwk]).subject == "user-1"
    assert "has expired" in refused(signed(exp=now - 10))
    assert "not valid" in refused(signed(iat=now + 30))


@pytest.mark.parametrize(
    "changes",
    [
        *({claim: None} for claim in ("iss", "aud", "sub", "iat", "exp", "role")),
        {"iss": "https://elsewhere.invalid"},
        {"aud": "another"},
        {"role": "admin"},
        {"role": ["service"]},
        {"sub": 5},
        {"exp": "soon"},
        {"headers": {"kid": ""}},
        {"headers": {"kid": Key.generate().kid}},
    ],
    ids=str,
)
def test_a_token_with_anything_amiss_is_refused(changes: dict[str, Any]) -> None:
    refused(signed(**changes))


def test_a_token_of_another_key_is_refused() -> None:
    other = Key.generate()
    assert "not known here" in refused(other.service_token())
    assert refused(signed(other, headers={"kid": KEY.kid}))
    assert refused(KEY.service_token(), other)


def test_no_other_algorithm_is_taken() -> None:
    claims = jwt.decode(signed(), options={"verify_signature": False})
    none = jwt.encode(claims, "", "none", headers={"kid": KEY.kid})
    secret = "x" * 40
    shared = jwt.encode(claims, secret, "HS256", headers={"kid": KEY.kid})
    nameless = jwt.encode(claims, KEY._private, "ES256")
    for token in (none, shared, nameless, "", "a.b.c", "not a token"):
        refused(token)
