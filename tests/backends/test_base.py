"""The narrow waist: every backend has its four methods, as they are written down."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from mastra_convex.backends import open_async_backend, open_backend
from mastra_convex.backends.base import AsyncBackend, Backend
from mastra_convex.backends.embedded import AsyncEmbeddedBackend, EmbeddedBackend
from mastra_convex.errors import InvalidArgumentError

METHODS = {"query", "mutation", "subscribe", "close"}


def methods(kind: type[Any]) -> dict[str, Any]:
    """The public methods of a class."""
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: method for name, method in found if not name.startswith("_")}


@pytest.mark.parametrize(
    ("backend", "protocol"), [(EmbeddedBackend, Backend), (AsyncEmbeddedBackend, AsyncBackend)]
)
def test_a_backend_is_as_it_is_written_down(backend: type[Any], protocol: type[Any]) -> None:
    wanted, found = methods(protocol), methods(backend)
    assert wanted.keys() == found.keys() == METHODS
    for name, method in wanted.items():
        assert inspect.signature(found[name]) == inspect.signature(method)
        assert inspect.iscoroutinefunction(found[name]) == inspect.iscoroutinefunction(method)


def test_the_two_colours_differ_in_nothing_else() -> None:
    for name, method in methods(Backend).items():
        assert inspect.signature(methods(AsyncBackend)[name]) == inspect.signature(method)


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONVEX_URL", raising=False)


@pytest.mark.parametrize("durability", ["full", "relaxed"])
def test_a_path_opens_a_file(durability: str, tmp_path: Any) -> None:
    backend = open_backend("a.db", durability)
    assert backend.query("threads:get", {"id": "t"}) is None
    backend.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_memory_is_no_file(tmp_path: Any) -> None:
    open_backend(":memory:", "full").close()
    assert list(tmp_path.iterdir()) == []


def test_without_a_path_it_is_the_url_or_a_file_here(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_backend(None, "full").close()
    assert [path.name for path in tmp_path.iterdir()] == ["mastra-convex.db"]
    monkeypatch.setenv("CONVEX_URL", str(tmp_path / "b.db"))
    open_backend(None, "full").close()
    assert (tmp_path / "b.db").is_file()


@pytest.mark.parametrize("target", ["https://happy-otter-1.convex.cloud", "http://localhost:3210"])
@pytest.mark.parametrize("open_it", [open_backend, open_async_backend])
def test_a_deployment_is_refused_by_name(
    target: str, open_it: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot talk to a deployment") as caught:
        open_it(target, "full")
    assert target in str(caught.value)
    monkeypatch.setenv("CONVEX_URL", target)
    with pytest.raises(InvalidArgumentError, match="unset CONVEX_URL"):
        open_it(None, "full")


@pytest.mark.parametrize("open_it", [open_backend, open_async_backend])
def test_an_unknown_durability_is_refused(open_it: Any, tmp_path: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="'full' or 'relaxed', not 'some'"):
        open_it("a.db", "some")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_left_does_not_move_the_file(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is made absolute at once: the `async` backend opens it later."""
    backend = open_backend("a.db", "full")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert backend.query("threads:get", {"id": "t"}) is None
    backend.close()
    assert list((tmp_path / "elsewhere").iterdir()) == []
