"""The functions and tables of both languages are the same, but for what is declared here.

`convex/functions.json` is what the TypeScript side says of itself; its own tests keep it true.
"""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.engine.schema import BY_CREATION_TIME
from mastra_convex.functions import registry, schema

FILE = Path(__file__).resolve().parent.parent / "convex" / "functions.json"
Json = dict[str, Any]

# What a deployment needs and a file does not, beside steps, which are internal: values too large
# for a document, totals of whole tables, and work in several transactions.
OPERATORS = ("mastra/storage:handle", "mastra/cache:handle")
THEIR_TABLES = ("chunks", "jobs", "totals")
THEIR_FIELDS = ("chunked", "takenOver")


def python_side() -> Json:
    """The functions and tables of the package, in the form of functions.json."""
    functions = {
        path: {
            "kind": function.kind,
            "visibility": "public" if function.public else "internal",
            "args": function.args.describe(),
            "returns": function.returns.describe(),
        }
        for path, function in registry.functions.items()
    }
    tables = {
        name: {
            "fields": {
                field: {"type": validator.describe(), "optional": validator.optional}
                for field, validator in table.fields.items()
            },
            "indexes": {
                index.name: list(index.fields)
                for index in table.indexes.values()
                if index.name != BY_CREATION_TIME
            },
        }
        for name, table in schema.tables.items()
    }
    return {"functions": functions, "tables": tables}


def typescript_side() -> Json:
    """What functions.json says."""
    assert FILE.exists(), f"{FILE} is missing; write it: UPDATE=1 npx vitest run convex/functions"
    found: Json = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def differences(python: Json, typescript: Json) -> list[str]:
    """What one side has and the other has not, or has otherwise, each as a sentence."""
    functions = {
        path: function
        for path, function in typescript["functions"].items()
        if function["visibility"] == "public" or path in OPERATORS
    }
    tables = {
        name: {**table, "fields": without(table["fields"], THEIR_FIELDS)}
        for name, table in without(typescript["tables"], THEIR_TABLES).items()
    }
    undeclared = [
        f"table {name} is declared as TypeScript's alone, but is in neither"
        for name in THEIR_TABLES
        if name not in typescript["tables"]
    ]
    return [
        *members("function", python["functions"], functions),
        *members("table", python["tables"], tables),
        *undeclared,
    ]


def without(given: Json, names: tuple[str, ...]) -> Json:
    """The members that are not among the names."""
    return {name: value for name, value in given.items() if name not in names}


def members(what: str, python: Json, typescript: Json) -> Iterator[str]:
    """How two maps of functions, or of tables, differ."""
    for name in sorted(python.keys() | typescript.keys()):
        if name not in typescript:
            yield f"{what} {name} is missing in TypeScript"
        elif name not in python:
            yield f"{what} {name} is missing in Python"
        else:
            yield from values(f"{what} {name}", python[name], typescript[name])


def values(place: str, python: Any, typescript: Any) -> Iterator[str]:
    """How two values differ, at the deepest places where they do."""
    if isinstance(python, dict) and isinstance(typescript, dict):
        for name in sorted(python.keys() | typescript.keys()):
            below = f"{place}, {name}"
            if name not in typescript:
                yield f"{below} is missing in TypeScript"
            elif name not in python:
                yield f"{below} is missing in Python"
            else:
                yield from values(below, python[name], typescript[name])
    elif python != typescript or isinstance(python, bool) is not isinstance(typescript, bool):
        ours, theirs = json.dumps(python), json.dumps(typescript)
        yield f"{place} is {ours} in Python and {theirs} in TypeScript"


def test_both_sides_are_the_same() -> None:
    found = differences(python_side(), typescript_side())
    assert not found, "\n".join(found)


@pytest.fixture
def sides() -> tuple[Json, Json]:
    """Two sides that agree."""
    python = python_side()
    typescript = copy.deepcopy(python)
    step = {"kind": "mutation", "visibility": "internal", "args": {}, "returns": {}}
    typescript["functions"]["threads:step"] = step
    for name in THEIR_TABLES:
        typescript["tables"][name] = {"fields": {}, "indexes": {}}
    for name in THEIR_FIELDS:
        typescript["tables"]["threads"]["fields"][name] = {"type": {}, "optional": True}
    return python, json.loads(json.dumps(typescript))


def test_sides_that_agree(sides: tuple[Json, Json]) -> None:
    assert differences(*sides) == []


def _other_validator(side: Json) -> None:
    page = side["functions"]["messages:list"]["returns"]["value"]["page"]["fieldType"]
    page["value"]["value"]["seq"]["fieldType"] = {"type": "string"}


def _optional(side: Json) -> None:
    side["functions"]["threads:get"]["args"]["value"]["id"]["optional"] = True


def _other_literal(side: Json) -> None:
    side["functions"]["threads:list"]["args"]["value"]["orderBy"]["fieldType"]["value"].reverse()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda side: side["functions"].pop("threads:get"),
            "function threads:get is missing in TypeScript",
        ),
        (
            lambda side: side["functions"].update({"threads:more": side["functions"]["evals:get"]}),
            "function threads:more is missing in Python",
        ),
        (
            lambda side: side["functions"]["threads:get"].update(visibility="internal"),
            "function threads:get is missing in TypeScript",
        ),
        (
            lambda side: side["functions"]["evals:save"].update(kind="query"),
            'function evals:save, kind is "mutation" in Python and "query" in TypeScript',
        ),
        (
            _other_validator,
            "function messages:list, returns, value, page, fieldType, value, value, seq, "
            'fieldType, type is "number" in Python and "string" in TypeScript',
        ),
        (
            _optional,
            "function threads:get, args, value, id, optional is false in Python and true in "
            "TypeScript",
        ),
        (
            _other_literal,
            "function threads:list, args, value, orderBy, fieldType, value is "
            '[{"type": "literal", "value": "createdAt"}, {"type": "literal", "value": "updatedAt"}]'
            " in Python and "
            '[{"type": "literal", "value": "updatedAt"}, {"type": "literal", "value": "createdAt"}]'
            " in TypeScript",
        ),
        (
            lambda side: side["functions"]["threads:update"]["args"]["value"].pop("title"),
            "function threads:update, args, value, title is missing in TypeScript",
        ),
        (
            lambda side: side["tables"]["threads"]["fields"].pop("lastSeq"),
            "table threads, fields, lastSeq is missing in TypeScript",
        ),
        (
            lambda side: side["tables"]["evals"]["fields"].update(more={}),
            "table evals, fields, more is missing in Python",
        ),
        (
            lambda side: side["tables"]["threads"]["indexes"]["by_resource_created"].reverse(),
            'table threads, indexes, by_resource_created is ["resourceId", "createdAt"] in Python '
            'and ["createdAt", "resourceId"] in TypeScript',
        ),
        (
            lambda side: side["tables"]["traces"]["indexes"].pop("by_run"),
            "table traces, indexes, by_run is missing in TypeScript",
        ),
        (
            lambda side: side["tables"].pop("counters"),
            "table counters is missing in TypeScript",
        ),
        (
            lambda side: side["tables"].update(more={"fields": {}, "indexes": {}}),
            "table more is missing in Python",
        ),
        (
            lambda side: side["tables"].pop("jobs"),
            "table jobs is declared as TypeScript's alone, but is in neither",
        ),
    ],
)
def test_a_difference_is_found(
    sides: tuple[Json, Json], change: Callable[[Json], Any], expected: str
) -> None:
    python, typescript = sides
    change(typescript)
    assert differences(python, typescript) == [expected]


def test_a_missing_file_is_no_agreement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "FILE", tmp_path / "functions.json")
    with pytest.raises(AssertionError, match=r"functions\.json is missing; write it"):
        test_both_sides_are_the_same()
