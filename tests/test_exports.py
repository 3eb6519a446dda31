"""`mastra_convex.__all__` is the public surface: sorted, complete, and all of it there."""

import importlib
from types import ModuleType

import pytest

import mastra_convex


def order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, each by name: as ruff sorts `__all__`."""
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, name


def test_all_is_sorted_and_has_no_name_twice() -> None:
    assert list(mastra_convex.__all__) == sorted(set(mastra_convex.__all__), key=order)


def test_all_is_the_public_namespace() -> None:
    public = {
        name
        for name in dir(mastra_convex)
        if not name.startswith("_") and not isinstance(getattr(mastra_convex, name), ModuleType)
    }
    assert public == set(mastra_convex.__all__) - {"__version__"}


@pytest.mark.parametrize("name", mastra_convex.__all__)
def test_each_name_can_be_imported(name: str) -> None:
    assert getattr(importlib.import_module("mastra_convex"), name) is not None
