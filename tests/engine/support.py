"""What the engine's tests share: a schema of no entity, functions that reach all of `ctx.db`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from mastra_convex.engine.commit import Job
from mastra_convex.engine.context import SERVICE, MutationCtx, Principal, QueryCtx
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.query import Query
from mastra_convex.engine.registry import Function, Registry, mutation, query
from mastra_convex.engine.schema import Schema, define_schema, define_table
from mastra_convex.engine.transaction import Reader
from mastra_convex.values.outcome import Outcome
from mastra_convex.values.validators import v

ROOT = Path(__file__).resolve().parents[2]
MEMORY = ":memory:"
# Far beyond what anything here takes: a test that waits for so long has failed.
PATIENCE = 10.0

Doc = dict[str, Any]
Spec = dict[str, Any]


def a_schema() -> Schema:
    """A new schema: books, with each kind of field and many indexes, and shelves, with one."""
    books = define_table(
        {
            "title": v.string(),
            "year": v.number(),
            "note": v.optional(v.string()),
            "price": v.optional(v.number()),
            "lent": v.optional(v.boolean()),
            "tags": v.optional(v.array(v.any())),
            "more": v.optional(v.any()),
        }
    )
    books.index("by_title", ["title"]).index("by_year", ["year"]).index("by_note", ["note"])
    books.index("by_title_year", ["title", "year"]).index("by_year_title", ["year", "title"])
    books.index("by_note_price", ["note", "price"]).index("by_price_title", ["price", "title"])
    books.index("by_title_note_year", ["title", "note", "year"])
    shelves = define_table({"name": v.string(), "room": v.optional(v.number())})
    return define_schema({"books": books, "shelves": shelves.index("by_name", ["name"])})


def ranged(db: Reader, spec: Spec) -> Query:
    """The query that a `read` describes: index, `eq` values, `bounds`, order."""
    fields = a_table(db, spec).indexes[spec["index"]].fields

    def build(q: Any) -> Any:
        equal = spec.get("eq", [])
        for field, value in zip(fields, equal):
            q.eq(field, value)
        for operator, value in spec.get("bounds", []):
            getattr(q, operator)(fields[len(equal)], value)
        return q

    return db.query(spec["table"]).with_index(spec["index"], build).order(spec.get("order", "asc"))


def a_table(db: Reader, spec: Spec) -> Any:
    """The table that a spec names."""
    return SCHEMA.tables[spec["table"]]


def _read(ctx: QueryCtx, args: Doc) -> Any:
    spec = args["spec"]
    how, count = spec.get("how", "take"), spec.get("count", 1000)
    if how == "get":
        return ctx.db.get(spec["table"], spec["id"])
    if how == "totals":
        return list(ctx.db.totals(spec["table"]))
    if how == "find":
        return ctx.db.find(spec["table"], spec["index"], *spec["eq"])
    found = ranged(ctx.db, spec)
    if how == "take":
        return found.take(count)
    if how == "paginate":
        skip = spec.get("skip", 0)
        limits = (spec.get("max_bytes"), spec.get("until"), skip)
        page = found.paginate(spec.get("cursor"), count, *limits)
        skipped = {"skipped": page.skipped} if skip else {}
        return {"page": page.page, "cursor": page.cursor, **skipped}
    return found.first() if how == "first" else found.unique()


def _write(ctx: MutationCtx, args: Doc) -> Any:
    done: list[Any] = []
    for step, *rest in args["steps"]:
        if step == "insert":
            done.append(ctx.db.insert(*rest))
        elif step == "patch":
            ctx.db.patch(*rest)
        elif step == "replace":
            ctx.db.replace(*rest)
        elif step == "delete":
            ctx.db.delete(*rest)
        elif step == "delete_range":
            ctx.db.delete_range(ranged(ctx.db, rest[0]))
        elif step == "patch_range":
            ctx.db.patch_range(ranged(ctx.db, rest[0]), *rest[1:])
        elif step == "read":
            done.append(_read(QueryCtx(ctx.db, ctx.principal), {"spec": rest[0]}))
        elif step == "now":
            done.append(ctx.now)
        else:
            raise ValueError(rest[0])
    return done


SCHEMA = a_schema()
read = query(args={"spec": v.any()}, returns=v.any())(_read)
write = mutation(args={"steps": v.array(v.any())}, returns=v.any())(_write)


def registry_of(**functions: Function) -> Registry:
    """A registry in which each function is `test:<name>`, beside `read` and `write`."""
    module = ModuleType("test")
    vars(module).update({"read": read, "write": write, **functions})
    return Registry([module])


def open_engine(
    path: str | os.PathLike[str] = MEMORY, *, durable: bool = False, **functions: Function
) -> Engine:
    """A strict engine over `SCHEMA` with `test:read`, `test:write` and `functions`."""
    return Engine(path, SCHEMA, registry_of(**functions), durable=durable, strict=True)


@contextmanager
def opened(
    path: str | os.PathLike[str] = MEMORY, *, durable: bool = False, **functions: Function
) -> Iterator[Engine]:
    """`open_engine`, closed in the end."""
    engine = open_engine(path, durable=durable, **functions)
    try:
        yield engine
    finally:
        engine.close()


def ask(engine: Engine, **spec: Any) -> Any:
    """Run `test:read`; the table is books unless another is given."""
    return engine.query("test:read", {"spec": {"table": "books", **spec}}, SERVICE)


def do(engine: Engine, *steps: list[Any]) -> list[Any]:
    """Run `test:write`."""
    done: list[Any] = engine.mutation("test:write", {"steps": list(steps)}, SERVICE)
    return done


def book(title: str, year: float = 2000, **fields: Any) -> Doc:
    """A book."""
    return {"title": title, "year": year, **fields}


def add(engine: Engine, *books: Doc) -> list[int]:
    """Insert books in one mutation; returns their ids."""
    return do(engine, *(["insert", "books", one] for one in books))


def titles(documents: list[Doc]) -> list[str]:
    """The titles of some books."""
    return [document["title"] for document in documents]


def program(*specs: Spec) -> Callable[[], Generator[tuple[str, Doc], Any, Any]]:
    """A read program: the results of `read` for each spec, or the only result."""

    def run() -> Generator[tuple[str, Doc], Any, Any]:
        results = []
        for spec in specs:
            results.append((yield "test:read", {"spec": {"table": "books", **spec}}))
        return results[0] if len(results) == 1 else results

    return run


class Inbox:
    """A subscriber that keeps what it was told and can be waited for."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._changed = threading.Condition()

    def __call__(self, outcome: Outcome) -> None:
        """Take an outcome."""
        with self._changed:
            self.outcomes.append(outcome)
            self._changed.notify_all()

    def until(self, wanted: Callable[[list[Outcome]], bool], timeout: float = PATIENCE) -> bool:
        """Wait until `wanted` holds for the outcomes so far."""
        with self._changed:
            return self._changed.wait_for(lambda: wanted(self.outcomes), timeout)

    def until_value(self, value: Any, timeout: float = PATIENCE) -> None:
        """Wait until the last outcome is `value`; fail if it does not come."""
        came = self.until(lambda o: bool(o) and o[-1] == Outcome(value), timeout)
        assert came, f"waited for {value!r}, got {self.outcomes!r}"

    def until_error(self, kind: type[Exception], timeout: float = PATIENCE) -> Exception:
        """Wait until the last outcome is an error of `kind`; fail if it does not come."""
        came = self.until(lambda o: bool(o) and isinstance(o[-1].error, kind), timeout)
        assert came, f"waited for {kind.__name__}, got {self.outcomes!r}"
        error = self.outcomes[-1].error
        assert error is not None
        return error

    @property
    def values(self) -> list[Any]:
        """The values so far."""
        return [outcome.value for outcome in self.outcomes]


class Settled:
    """Takes the jobs of groups, and can be waited for."""

    def __init__(self) -> None:
        self.groups: list[list[Job]] = []
        self._count = 0
        self._changed = threading.Condition()

    def __call__(self, jobs: Sequence[Job]) -> None:
        """Take a group."""
        with self._changed:
            self.groups.append(list(jobs))
            self._count += len(jobs)
            self._changed.notify_all()

    @property
    def jobs(self) -> list[Job]:
        """All jobs so far."""
        return [job for group in self.groups for job in group]

    def until(self, count: int) -> list[Job]:
        """Wait for `count` jobs."""
        with self._changed:
            enough = self._changed.wait_for(lambda: self._count >= count, PATIENCE)
        assert enough, f"{self._count} of {count} jobs have been settled"
        return self.jobs


def watch(
    engine: Engine, *specs: Spec, principal: Principal | None = SERVICE
) -> tuple[Inbox, Callable[[], None]]:
    """Subscribe to a `program`; returns what it is told, and how to stop."""
    inbox = Inbox()
    return inbox, engine.subscribe(program(*specs), inbox, principal)


def settle(engine: Engine) -> None:
    """Wait until the live queries have seen all that is committed.

    A new subscription is served after what has been committed before it, in the same turn as the
    live queries which that has touched, and after them is told its value.
    """
    for _ in range(2):
        inbox, stop = watch(engine, {"how": "totals", "table": "shelves"})
        assert inbox.until(bool), "the live queries do not answer"
        stop()


def python(*arguments: str) -> subprocess.Popen[str]:
    """A fresh interpreter that finds the package and these tests; see the fixture `processes`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Processes:
    """Processes that a test has started; none of them outlives it."""

    def __init__(self) -> None:
        self._all: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `python arguments`."""
        process = python(*arguments)
        self._all.append(process)
        return process

    def work(self, name: str, *arguments: object) -> subprocess.Popen[str]:
        """Start a function of `tests/engine/worker.py`."""
        return self.start("-m", "tests.engine.worker", name, *map(str, arguments))

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._all:
            with process:
                process.kill()


def finish(process: subprocess.Popen[str], timeout: float = 30.0) -> str:
    """What a process wrote; it must end well."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, f"ended with {process.returncode}:\n{out}\n{err}"
    return out
