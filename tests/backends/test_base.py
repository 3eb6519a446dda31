"""The narrow waist: every backend has its four methods, as they are written down."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from mastra_convex.backends import Options, open_async_backend, open_backend
from mastra_convex.backends.base import AsyncBackend, Backend
from mastra_convex.backends.credentials import Credentials
from mastra_convex.backends.embedded import AsyncEmbeddedBackend, EmbeddedBackend
from mastra_convex.backends.remote import AsyncRemoteBackend, RemoteBackend
from mastra_convex.errors import InvalidArgumentError, UnauthenticatedError
from mastra_convex.tokens import KEY_VARIABLE, Key

METHODS = {"query", "mutation", "subscribe", "close"}
BACKENDS: list[tuple[type[Any], type[Any]]] = [
    (EmbeddedBackend, Backend),
    (AsyncEmbeddedBackend, AsyncBackend),
    (RemoteBackend, Backend),
    (AsyncRemoteBackend, AsyncBackend),
]


def options(durability: str = "full", **given: Any) -> Options:
    """What a storage passes on that was given nothing else."""
    credentials = Credentials(given.get("key"), given.get("token"))
    return Options(credentials, given.get("prefix", ""), given.get("timeout", 5.0), durability)


def methods(kind: type[Any]) -> dict[str, Any]:
    """The public methods of a class."""
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: method for name, method in found if not name.startswith("_")}


@pytest.mark.parametrize(("backend", "protocol"), BACKENDS)
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
    backend = open_backend("a.db", options(durability))
    assert backend.query("threads:get", {"id": "t"}) is None
    backend.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_memory_is_no_file(tmp_path: Any) -> None:
    open_backend(":memory:", options()).close()
    assert list(tmp_path.iterdir()) == []


def test_without_a_path_it_is_the_url_or_a_file_here(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_backend(None, options()).close()
    assert [path.name for path in tmp_path.iterdir()] == ["mastra-convex.db"]
    monkeypatch.setenv("CONVEX_URL", str(tmp_path / "b.db"))
    open_backend(None, options()).close()
    assert (tmp_path / "b.db").is_file()


ADDRESSES = ["https://happy-otter-1.convex.cloud", "http://localhost:3210"]
OPENS: list[tuple[Any, type[Any]]] = [
    (open_backend, RemoteBackend),
    (open_async_backend, AsyncRemoteBackend),
]


@pytest.mark.parametrize("target", ADDRESSES)
@pytest.mark.parametrize(("open_it", "kind"), OPENS)
def test_an_address_opens_what_is_there(
    target: str, open_it: Any, kind: type[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    given = options(key=Key.generate().to_text())
    assert type(open_it(target, given)) is kind
    monkeypatch.setenv("CONVEX_URL", target)
    assert type(open_it(None, given)) is kind
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("open_it", "kind"), OPENS)
def test_an_address_needs_a_proof(
    open_it: Any, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(UnauthenticatedError, match="give key=, or set MASTRA_CONVEX_KEY"):
        open_it(ADDRESSES[0], options())
    assert type(open_it(ADDRESSES[0], options(token="t"))) is kind
    monkeypatch.setenv(KEY_VARIABLE, Key.generate().to_text())
    assert type(open_it(ADDRESSES[0], options())) is kind


@pytest.mark.parametrize(
    ("target", "given", "told"),
    [
        ("a.db", {"prefix": "mastra"}, r"prefix and token are for .* a\.db is a file"),
        ("a.db", {"token": "t"}, r"prefix and token are for .* a\.db is a file"),
        (":memory:", {"token": "t"}, "prefix and token are for"),
        (ADDRESSES[0], {"durability": "relaxed"}, "durability is for files"),
        (ADDRESSES[0], {"key": "secret"}, "is not a signing key"),
    ],
)
@pytest.mark.parametrize(("open_it", "kind"), OPENS)
def test_what_does_not_go_together_is_refused(
    open_it: Any, kind: type[Any], target: str, given: dict[str, Any], told: str, tmp_path: Any
) -> None:
    with pytest.raises(InvalidArgumentError, match=told) as caught:
        open_it(target, options(**given))
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("open_it", [open_backend, open_async_backend])
def test_an_unknown_durability_is_refused(open_it: Any, tmp_path: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="'full' or 'relaxed', not 'some'"):
        open_it("a.db", options("some"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_left_does_not_move_the_file(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is made absolute at once: the `async` backend opens it later."""
    backend = open_backend("a.db", options())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert backend.query("threads:get", {"id": "t"}) is None
    backend.close()
    assert list((tmp_path / "elsewhere").iterdir()) == []
