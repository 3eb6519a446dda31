import base64
import json
import re

from mastra_convex.project.auth import config, jwks_uri, provider
from mastra_convex.tokens import AUDIENCE, ISSUER, Key, verify

KEYS = [Key.generate(), Key.generate()]
JWKS = [key.public_jwk for key in KEYS]


def test_a_deployment_can_check_tokens_by_what_the_file_says() -> None:
    """The file is read as Convex reads it: a provider with the token's issuer, its keys by kid."""
    text = config(JWKS).decode()
    found = dict(re.findall(r'^      (\w+): "(.*)",$', text, re.MULTILINE))
    head, _, encoded = found.pop("jwks").partition("base64,")
    assert head == "data:text/plain;charset=utf-8;"
    assert found == {
        "type": "customJwt",
        "applicationID": AUDIENCE,
        "issuer": ISSUER,
        "algorithm": "ES256",
    }
    keys = json.loads(base64.b64decode(encoded))["keys"]
    for key in KEYS:
        assert verify(key.service_token(), keys).role == "service"


def test_no_private_key_is_in_it() -> None:
    text = config(JWKS).decode() + base64.b64decode(jwks_uri(JWKS).rpartition(",")[2]).decode()
    for key in KEYS:
        assert key.to_text().rpartition(".")[2] not in text


def test_the_provider_stands_in_the_file_as_it_can_be_pasted() -> None:
    assert provider(JWKS) in config(JWKS).decode()
    assert provider(JWKS, "").startswith("{\n  type: ")
