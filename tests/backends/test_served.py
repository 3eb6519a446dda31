"""The engine for callers over a network: who may call what, moments, and the live set."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.backends.base import NOBODY, Caller, Moment, OutOfRetentionError, Rendered
from mastra_convex.backends.served import EmbeddedServedBackend
from mastra_convex.engine.registry import Function, mutation, query
from mastra_convex.errors import (
    ConflictError,
    FileUnavailableError,
    FunctionNotFoundError,
    StorageClosedError,
    UnauthenticatedError,
)
from mastra_convex.functions import registry
from mastra_convex.values.outcome import Outcome
from mastra_convex.values.validators import v

SERVICE = Caller(service=True)
OPERATOR = Caller(service=True, operator=True)
Work = Callable[[EmbeddedServedBackend], Awaitable[None]]


def run(work: Work, path: Path | str = ":memory:", prefix: str = "") -> None:
    """Run something with a backend."""

    async def main() -> None:
        backend = EmbeddedServedBackend(str(path), durable=False, prefix=prefix)
        try:
            await backend.open()
            await work(backend)
        finally:
            await backend.close()

    asyncio.run(main())


def same(value: Any) -> Any:
    return value


def save(thread_id: str, resource_id: str = "r") -> dict[str, Any]:
    return {"thread": {"id": thread_id, "resourceId": resource_id}}


@pytest.fixture
def internal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two internal functions."""

    def told(_ctx: Any, _args: Any) -> str:
        return "told"

    hidden: dict[str, Function] = {
        "hidden:read": query({}, v.string(), public=False)(told),
        "hidden:write": mutation({}, v.string(), public=False)(told),
    }
    monkeypatch.setattr(registry, "functions", {**registry.functions, **hidden})


@pytest.mark.usefixtures("internal")
def test_internal_functions_are_there_for_the_operator_alone() -> None:
    async def work(backend: EmbeddedServedBackend) -> None:
        assert await backend.query("hidden:read", {}, OPERATOR, same) == "told"
        assert (await backend.mutation("hidden:write", {}, OPERATOR)).value == "told"
        for path in ("hidden:read", "hidden:write", "hidden:nothing"):
            for caller in (SERVICE, Caller(resource_id="r"), NOBODY):
                with pytest.raises(FunctionNotFoundError) as refused:
                    await backend.query(path, {}, caller, same)
                # Nobody learns what is there, nor of which kind it is.
                assert refused.value.data == {"path": path}
                with pytest.raises(FunctionNotFoundError) as refused:
                    await backend.mutation(path, {}, caller)
                assert refused.value.data == {"path": path}

    run(work)


def test_callers_are_principals() -> None:
    async def work(backend: EmbeddedServedBackend) -> None:
        await backend.mutation("threads:save", save("t", "me"), SERVICE)
        get = ("threads:get", {"id": "t"})
        assert (await backend.query(*get, Caller(resource_id="me"), same))["id"] == "t"
        assert await backend.query(*get, Caller(resource_id="other"), same) is None
        for caller in (NOBODY, Caller(operator=True)):
            with pytest.raises(UnauthenticatedError):
                await backend.query(*get, caller, same)

    run(work)


def test_paths_have_the_prefix_in_calls_and_in_errors() -> None:
    async def work(backend: EmbeddedServedBackend) -> None:
        await backend.mutation("a/b/threads:save", save("t"), SERVICE)
        found = await backend.query("a/b/threads:get", {"id": "t"}, SERVICE, same)
        assert found["id"] == "t"
        for path in ("threads:get", "a/b/threads:nothing", "a/b/c:get"):
            with pytest.raises(FunctionNotFoundError) as refused:
                await backend.query(path, {}, SERVICE, same)
            assert refused.value.data["path"] == path
        with pytest.raises(FunctionNotFoundError) as refused:
            await backend.query("a/b/threads:save", {}, SERVICE, same)
        told = {"path": "a/b/threads:save", "kind": "mutation", "wanted": "query"}
        assert refused.value.data == told

    run(work, prefix="a/b/")


def test_requests_are_answered_once_and_timestamps_grow(tmp_path: Path) -> None:
    async def work(backend: EmbeddedServedBackend) -> None:
        first = await backend.mutation("threads:save", save("t"), SERVICE, ("s", 1))
        second = await backend.mutation("threads:save", save("u"), SERVICE, ("s", 2))
        assert second.ts > first.ts
        again = await backend.mutation("threads:save", save("v"), SERVICE, ("s", 1))
        assert (again.value, again.ts) == (first.value, first.ts)
        assert await backend.query("threads:get", {"id": "v"}, SERVICE, same) is None

    run(work, tmp_path / "a.db")


def test_moments(tmp_path: Path) -> None:
    async def work(backend: EmbeddedServedBackend) -> None:
        ts = await backend.timestamp()
        await backend.mutation("threads:save", save("t"), SERVICE)
        get = ("threads:get", {"id": "t"}, SERVICE, same)
        assert await backend.query(*get, ts) is None
        assert await backend.query(*get, await backend.timestamp()) is not None
        with pytest.raises(OutOfRetentionError):
            await backend.query(*get, ts + 1)

    run(work, tmp_path / "a.db")


def test_values_are_rendered_where_they_were_read() -> None:
    async def work(backend: EmbeddedServedBackend) -> None:
        def render(value: Any) -> Any:
            if value is None:
                raise ConflictError("rendered")

        with pytest.raises(ConflictError, match="rendered"):
            await backend.query("threads:get", {"id": "t"}, SERVICE, render)

    run(work)


def test_a_file_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    async def work(_backend: EmbeddedServedBackend) -> None:
        raise AssertionError

    with pytest.raises(FileUnavailableError):
        run(work, tmp_path / "missing" / "a.db")


def test_a_closed_backend_says_so() -> None:
    async def main() -> None:
        backend = EmbeddedServedBackend(":memory:", durable=False)
        await backend.close()
        with pytest.raises(StorageClosedError):
            await backend.live(render, lambda: None)

    asyncio.run(main())


def render(outcome: Outcome) -> Rendered:
    text = repr(outcome.error or outcome.value)
    return Rendered(text, text.encode(), len(text))


def test_the_live_set_follows_commits_of_all_kinds(tmp_path: Path) -> None:
    async def work(backend: EmbeddedServedBackend) -> None:
        changed = asyncio.Event()
        live = await backend.live(render, changed.set)
        other = await backend.live(render, lambda: None)
        live.identify(SERVICE)
        live.add({0: ("threads:get", {"id": "t"}), 1: ("threads:nothing", {})})

        async def next_moment() -> Moment:
            while (moment := live.take()) is None:
                changed.clear()
                await asyncio.wait_for(changed.wait(), 10)
            return moment

        first = await next_moment()
        assert first.changes[0].text == "None"
        assert "FunctionNotFoundError" in first.changes[1].text
        committed = await backend.mutation("threads:save", save("t"), SERVICE)
        live.expect(committed.ts)
        second = await next_moment()
        assert second.ts >= committed.ts
        assert list(second.changes) == [0]
        # Of another process, as far as this one can tell.
        writer = EmbeddedServedBackend(str(tmp_path / "a.db"), durable=False)
        await writer.open()
        update = {"id": "t", "title": "new"}
        await writer.mutation("threads:update", update, SERVICE)
        third = await next_moment()
        assert "new" in third.changes[0].text
        await writer.close()
        live.close()
        other.close()

    run(work, tmp_path / "a.db")
