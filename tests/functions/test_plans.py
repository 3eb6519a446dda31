"""Nothing scans and nothing sorts, whatever a table holds: by SQLite's plans, and by counting."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from mastra_convex.engine.context import SERVICE
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.schema import BY_CREATION_TIME
from mastra_convex.functions import registry, schema
from tests.functions.scenarios import Clock, Run, new_engine, scenarios

# It empties whole tables, and says so; all else is bounded.
WHOLE_TABLES = {"system:clear"}
OURS = re.compile(r'"(?:' + "|".join(schema.tables) + r')"')


def plan_of(connection: sqlite3.Connection, sql: str) -> list[str]:
    """What SQLite does for a statement, line by line."""
    # A trace writes infinity in a way that SQLite does not read.
    sql = re.sub(r"\bInf\b", "9e999", sql)
    try:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    except sqlite3.ProgrammingError:  # before Python 3.11 a trace shows no values
        rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).fetchall()
    return [row[-1] for row in rows]


def faults(sql: str, plan: list[str]) -> list[str]:
    """The lines of a plan that read more than they give, or sort."""
    # A table is in the order of its own numbers: its beginning or end can be read without an index.
    walk = re.search(r'ORDER BY (?:"?_id"?(?: DESC)?,? ?)+ LIMIT', sql) is not None
    found = []
    for line in plan:
        # What a subquery reads has a line of its own.
        served = "INDEX" in line or "subquery" in line.lower()
        scans = line.startswith("SCAN") and not served and not walk
        if scans or any(word in line for word in ("TEMP B-TREE", "AUTOMATIC", "MULTI-INDEX")):
            found.append(line)
    return found


def statements_of_scenarios(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[str, str, list[str]]]:
    """The path of each call of the scenarios, its SQL, and its plan.

    What clears a table for Mastra's adapter is told as what it calls.
    """
    seen = set()
    for scenario in scenarios():
        run = Run(Clock().install(monkeypatch), new_engine())
        connection = run.engine._store.writer
        for step in scenario.steps:
            traced: list[str] = []
            connection.set_trace_callback(traced.append)
            run.step(step)
            connection.set_trace_callback(None)
            clears = step.get("args", {}).get("op") in ("clearTable", "dropTable")
            path = "system:clear" if clears else step["call"]
            for sql in traced:
                shape = (path, re.sub(r"'[^']*'|[\d.e+]+", "?", sql))
                if OURS.search(sql) and shape not in seen:
                    seen.add(shape)
                    yield path, sql, plan_of(connection, sql)
        run.engine.close()


def test_no_statement_of_any_function_scans_or_sorts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(statements_of_scenarios(monkeypatch))
    bad = [
        f"{path}: {sql}\n  {plan}"
        for path, sql, plan in found
        if faults(sql, plan) and path not in WHOLE_TABLES
    ]
    assert not bad, "\n".join(bad)
    # What is checked is what runs: each function, and each index of the schema.
    assert {path for path, *_ in found} == registry.functions.keys() - {
        "system:version",  # a constant
        "system:statistics",  # kept in the newest commit
    }
    used = {name for *_, plan in found for name in re.findall(r"INDEX (\w+)", " ".join(plan))}
    indexes = {
        f"{table.name}__{index.name}"
        for table in schema.tables.values()
        for index in table.indexes.values()
        if index.name != BY_CREATION_TIME
    }
    assert indexes - used == set(), "indexes that no function reads"


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("SELECT * FROM threads", "SCAN threads"),
        ("SELECT * FROM threads WHERE title = 'x'", "SCAN threads"),
        ("SELECT * FROM threads ORDER BY title LIMIT 5", "USE TEMP B-TREE FOR ORDER BY"),
        (
            "SELECT * FROM threads WHERE resourceId = 'r' ORDER BY title",
            "USE TEMP B-TREE FOR ORDER BY",
        ),
        ("SELECT count(*) FROM threads WHERE id = 'x' OR resourceId = 'y'", "MULTI-INDEX OR"),
        ("SELECT * FROM threads WHERE id = ?", None),
        ("SELECT * FROM threads ORDER BY createdAt LIMIT 5", None),
        ("SELECT * FROM threads ORDER BY _id DESC LIMIT 5", None),
    ],
)
def test_a_bad_plan_is_found(sql: str, fault: str | None) -> None:
    engine = new_engine()
    found = faults(sql, plan_of(engine._store.writer, sql))
    engine.close()
    assert (fault in found) if fault else not found


def filled(count: int) -> Engine:
    """A store with `count` records of every kind under the same leading values, and one thread."""
    engine = new_engine()

    def save(path: str, **args: Any) -> None:
        engine.mutation(path, args, SERVICE)

    save("threads:save", thread={"id": "t", "resourceId": "r"})
    save("threads:save", thread={"id": "other", "resourceId": "s"})
    one = {"threadId": "t", "resourceId": "r", "role": "user", "content": '"x"'}
    for start in range(0, count, 1000):
        some = range(start, min(start + 1000, count))
        save("messages:save", messages=[{"id": f"m{n}", "createdAt": n, **one} for n in some])
    for start in range(0, count, 500):
        one = {"traceId": "sp", "name": "n", "spanType": "generic", "parentSpanId": "s0"}
        some = range(start, min(start + 500, count))
        spans = [{**one, "spanId": f"s{n}", "startedAt": n, "input": "1"} for n in some]
        save("spans:save", spans=spans)
    memory = {"config": "{}", "scope": "thread"}
    save("observationalMemory:initialize", id="o", threadId="t", resourceId="r", **memory)
    save("observationalMemory:initialize", id="p", resourceId="r", **memory)
    for n in range(count):
        for of in "op":
            last = of if n == 0 else f"{of}{n - 1}"
            reflection = {"newId": f"{of}{n}", "reflection": '"x"', "tokenCount": 1}
            save("observationalMemory:reflect", id=last, **reflection)
        own = {"traceId": f"tr{n}", "spanId": "root", "name": "n", "spanType": "agent_run"}
        own |= {"resourceId": "r", "threadId": "t", "runId": "w", "entityId": "a"}
        save("spans:save", spans=[{**own, "startedAt": n, "endedAt": n + 5, "output": "1"}])
        save("threads:save", thread={"id": f"t{n}", "resourceId": "r", "createdAt": n})
        save("resources:save", resource={"id": f"r{n}"})
        save(
            "traces:save",
            trace={
                "id": f"x{n}",
                "threadId": "t",
                "runId": "w",
                "scope": "s",
                "name": "n",
                "timestamp": n,
            },
        )
        save(
            "evals:save",
            eval={
                "id": f"e{n}",
                "threadId": "t",
                "agentName": "a",
                "type": "live",
                "createdAt": n,
            },
        )
        save(
            "workflowRuns:save",
            run={
                "id": f"w{n}",
                "workflowName": "f",
                "resourceId": "r",
                "stateType": "s",
                "createdAt": n,
            },
        )
    return engine


def lists() -> dict[str, tuple[str, dict[str, Any]]]:
    """Every list function with every criterion, in both orders: path and arguments of a page."""
    criteria: dict[str, list[dict[str, Any]]] = {
        "threads:list": [
            {"orderBy": order, **owner}
            for order in ("createdAt", "updatedAt")
            for owner in ({}, {"resourceId": "r"})
        ],
        "messages:list": [{"threadId": "t"}, {"threadId": "t", "resourceId": "r"}],
        "messages:listByThreads": [{"threadIds": ["t"]}, {"threadIds": ["t"], "resourceId": "r"}],
        "messages:listByResource": [{"resourceId": "r"}],
        "traces:list": [{}, {"threadId": "t"}, {"runId": "w"}, {"scope": "s"}, {"name": "n"}],
        "spans:list": [{"traceId": "sp"}],
        "spans:listTraces": [
            {"orderBy": order, **by}
            for order in ("startedAt", "endedAt")
            for by in ({}, {"resourceId": "r"}, {"threadId": "t"}, {"entityId": "a"})
        ],
        "spans:listBranches": [
            {"orderBy": "startedAt"},
            {"orderBy": "endedAt", "runId": "w"},
        ],
        "evals:list": [
            {},
            {"threadId": "t"},
            {"agentName": "a"},
            {"type": "live"},
            {"agentName": "a", "type": "live"},
        ],
        "workflowRuns:list": [
            {},
            {"resourceId": "r"},
            {"workflowName": "f"},
            {"stateType": "s"},
            {"workflowName": "f", "stateType": "s"},
        ],
    }
    return {
        f"{path} {by} {order}": (path, {**by, "order": order, "limit": 10})
        for path, several in criteria.items()
        for by in several
        for order in ("asc", "desc")
    }


CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "thread saved": ("threads:save", {"thread": {"id": "t5", "resourceId": "r", "title": "T"}}),
    "thread changed": ("threads:update", {"id": "t6", "title": "T"}),
    "thread removed": ("threads:remove", {"id": "t7"}),
    "newest messages copied": ("threads:clone", {"id": "t", "thread": {"id": "c"}, "limit": 5}),
    "message added": (
        "messages:save",
        {"messages": [{"id": "new", "threadId": "t", "role": "user", "content": "1"}]},
    ),
    "message changed": ("messages:update", {"messages": [{"id": "m5", "content": "1"}]}),
    "message moved": ("messages:update", {"messages": [{"id": "m6", "threadId": "other"}]}),
    "message removed": ("messages:remove", {"ids": ["m7"]}),
    "memory changed": ("observationalMemory:update", {"id": "o5", "isObserving": True}),
    "memory reflected on": (
        "observationalMemory:reflect",
        {"id": "o6", "newId": "new", "reflection": '"x"', "tokenCount": 1},
    ),
    "resource changed": ("resources:update", {"id": "r5", "workingMemory": "1"}),
    "trace saved": ("traces:save", {"trace": {"id": "x5", "threadId": "t", "timestamp": 5}}),
    "span added": (
        "spans:save",
        {
            "spans": [
                {
                    "traceId": "sp",
                    "spanId": "new",
                    "name": "n",
                    "spanType": "generic",
                    "startedAt": 5,
                    "error": "1",
                }
            ]
        },
    ),
    "span changed": (
        "spans:update",
        {"spans": [{"traceId": "sp", "spanId": "s5", "output": "1", "cleared": ["input"]}]},
    ),
    "trace of spans removed": ("spans:removeTraces", {"traceIds": ["tr5"]}),
    "eval saved": ("evals:save", {"eval": {"id": "e5", "agentName": "b", "type": "test"}}),
    "run saved": ("workflowRuns:save", {"run": {"id": "w5", "workflowName": "f", "state": "1"}}),
}
GETS: dict[str, tuple[str, dict[str, Any]]] = {
    "threads:get": ("threads:get", {"id": "t5"}),
    "messages:listById": ("messages:listById", {"ids": ["m5", "m6", "none"]}),
    "observationalMemory:get": ("observationalMemory:get", {"threadId": "t", "resourceId": "r"}),
    "observationalMemory:list": (
        "observationalMemory:list",
        {"resourceId": "r", "limit": 5},
    ),
    "messages:listBeside": (
        "messages:listBeside",
        {"around": [{"id": "m20", "previous": 5, "next": 5}], "threadIds": ["t"]},
    ),
    "messages:countByResource": ("messages:countByResource", {"resourceId": "r", "limit": 10}),
    "messages:listArrived": ("messages:listArrived", {"limit": 10}),
    "threads:listArrived": ("threads:listArrived", {"limit": 10, "after": 3}),
    "resources:get": ("resources:get", {"id": "r5"}),
    "traces:get": ("traces:get", {"id": "x5"}),
    "spans:get": ("spans:get", {"traceId": "sp", "spanId": "s5"}),
    "spans:getRoot": ("spans:getRoot", {"traceId": "tr7"}),
    "spans:listById": (
        "spans:listById",
        {"spans": [{"traceId": "sp", "spanId": s} for s in ("s5", "none", "s6")]},
    ),
    "traces:listNames": ("traces:listNames", {"prefix": "", "limit": 10}),
    "evals:get": ("evals:get", {"id": "e5"}),
    "workflowRuns:get": ("workflowRuns:get", {"id": "w5"}),
    "system:statistics": ("system:statistics", {}),
}


def work_of(engine: Engine, call: Callable[[], Any]) -> int:
    """How many instructions SQLite's machine executes during a call."""
    count = 0

    def one_more() -> int:
        nonlocal count
        count += 1
        return 0

    connection = engine._store.writer
    connection.set_progress_handler(one_more, 1)
    call()
    connection.set_progress_handler(None, 1)
    return count


@pytest.fixture(scope="module")
def small_and_large() -> Iterator[tuple[Engine, Engine]]:
    engines = filled(40), filled(2000)
    yield engines
    for engine in engines:
        engine.close()


def page_work(engine: Engine, path: str, args: dict[str, Any]) -> list[int]:
    """The work of a first page, of the page after it, and of those with total or bounds."""
    cursor = engine.query(path, args, SERVICE)["cursor"]
    variants: list[dict[str, Any]] = [
        {},
        {"cursor": cursor},
        {"withTotal": True},
        {"from": 5, "to": 1e15},
    ]
    taken = registry.functions[path].args.describe()["value"].keys()
    return [
        work_of(engine, partial(engine.query, path, args | more, SERVICE))
        for more in variants
        if more.keys() <= taken
    ]


@pytest.mark.parametrize("name", lists())
def test_the_cost_of_a_page_is_flat(small_and_large: tuple[Engine, Engine], name: str) -> None:
    path, args = lists()[name]
    small, large = (page_work(engine, path, args) for engine in small_and_large)
    assert all(work > 100 for work in small)  # ten rows are not for nothing
    assert len(small) >= 3
    assert [work <= least + 30 for work, least in zip(large, small)] == [True] * len(small)


@pytest.mark.parametrize("name", GETS)
def test_the_cost_of_a_read_is_flat(small_and_large: tuple[Engine, Engine], name: str) -> None:
    path, args = GETS[name]
    small, large = (
        work_of(engine, partial(engine.query, path, args, SERVICE)) for engine in small_and_large
    )
    assert 0 < large <= small + 30


@pytest.mark.parametrize("name", CHANGES)
def test_the_cost_of_a_change_is_flat(small_and_large: tuple[Engine, Engine], name: str) -> None:
    path, args = CHANGES[name]
    small, large = (
        work_of(engine, partial(engine.mutation, path, args, SERVICE)) for engine in small_and_large
    )
    # What is found anew takes two statements, where the small one may have it at hand.
    assert 0 < large <= small + 80


def test_work_is_counted(small_and_large: tuple[Engine, Engine]) -> None:
    def scan(engine: Engine) -> int:
        query = "SELECT id FROM traces WHERE rootRunId = 'x'"
        return work_of(engine, lambda: engine._store.writer.execute(query).fetchall())

    small, large = map(scan, small_and_large)
    assert large > 40 * small
