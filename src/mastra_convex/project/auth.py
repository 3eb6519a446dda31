"""`auth.config.ts`: by what a deployment knows our tokens."""

from __future__ import annotations

import base64
import json
from typing import Any

from mastra_convex.tokens import ALGORITHM, AUDIENCE, ISSUER, KEY_VARIABLE

NAME = "auth.config.ts"


def jwks_uri(keys: list[dict[str, Any]]) -> str:
    """The public keys as the address under which Convex finds them: themselves."""
    text = json.dumps({"keys": keys}, sort_keys=True, separators=(",", ":"))
    return "data:text/plain;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()


def provider(keys: list[dict[str, Any]], indent: str = "    ") -> str:
    """Our provider, to stand in the list of an auth.config.ts."""
    lines = (
        "{",
        '  type: "customJwt",',
        f'  applicationID: "{AUDIENCE}",',
        f'  issuer: "{ISSUER}",',
        f'  algorithm: "{ALGORITHM}",',
        f'  jwks: "{jwks_uri(keys)}",',
        "},",
    )
    return "".join(f"{indent}{line}\n" for line in lines)


def config(keys: list[dict[str, Any]]) -> bytes:
    """The whole file, for a project that has none."""
    return (
        "// Who may call: whoever signs with one of these keys. The private part of the first is\n"
        f"// {KEY_VARIABLE} in .env.local. Written by mastra-convex init, which keeps this\n"
        "// file up to date until somebody changes it.\n"
        "export default {\n"
        "  providers: [\n"
        f"{provider(keys)}"
        "  ],\n"
        "};\n"
    ).encode()
