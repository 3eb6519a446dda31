"""Packages that only some users install, and what is said when one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mastra_convex.errors import MissingExtraError


@contextmanager
def needs_extra(extra: str, doing: str) -> Iterator[None]:
    """Around the imports of an extra's packages: names the extra if one of them is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{doing} needs the package {error.name}, which is not installed; "
            f"run: pip install 'mastra-convex[{extra}]'",
            extra=extra,
            package=error.name,
        ) from error
