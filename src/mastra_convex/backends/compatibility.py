"""Whether the functions of a deployment and this package understand each other."""

from __future__ import annotations

from typing import Any

from mastra_convex.errors import DeploymentError, NewerFunctionsError, OlderFunctionsError
from mastra_convex.values.version import FUNCTIONS_VERSION


def require_compatible(version: Any, url: str) -> int:
    """The number of the functions at `url`, given what its `system:version` said.

    Raises `OlderFunctionsError` or `NewerFunctionsError` with the command that mends it.
    """
    number = version.get("functions") if isinstance(version, dict) else None
    if isinstance(number, bool) or not isinstance(number, (int, float)) or number != int(number):
        raise DeploymentError(
            f"{url} has a system:version that is not mastra-convex's; give the right prefix, or "
            "run: mastra-convex init && npx convex dev --once",
            url=url,
        )
    number = int(number)
    told = {"url": url, "functions": number, "expected": FUNCTIONS_VERSION}
    have = f"{url} has version {number} of the functions, this package needs {FUNCTIONS_VERSION}"
    if number < FUNCTIONS_VERSION:
        raise OlderFunctionsError(
            f"{have}; bring them up to date: mastra-convex init && npx convex dev --once "
            "(production: npx convex deploy)",
            **told,
        )
    if number > FUNCTIONS_VERSION:
        raise NewerFunctionsError(
            f"{have}; upgrade it: pip install --upgrade 'mastra-convex[remote]'", **told
        )
    return number
