"""The registry: paths from files and names, and what is said when there is none."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from mastra_convex.engine.registry import Function, Registry, mutation, query
from mastra_convex.errors import FunctionNotFoundError, InvalidArgumentError
from mastra_convex.values.validators import v


@query(args={"id": v.string()}, returns=v.null())
def read(ctx: Any, args: dict[str, Any]) -> None:
    """A query."""


@mutation(args={}, returns=v.number(), public=False)
def write(ctx: Any, args: dict[str, Any]) -> int:
    return 1


def registry() -> Registry:
    module = ModuleType("package.functions.workflow_runs")
    vars(module).update(list_by_agent=read, list_=read, save=write, helper=print, limit=3)
    return Registry([module])


def test_paths_come_from_file_and_name() -> None:
    assert registry().functions == {
        "workflowRuns:listByAgent": read,
        "workflowRuns:list": read,
        "workflowRuns:save": write,
    }


def test_folders_below_the_root_are_part_of_the_path() -> None:
    module = ModuleType("package.functions.some_folder.workflow_runs")
    vars(module).update(list_=read)
    found = Registry([module], root="package.functions")
    assert found.functions == {"someFolder/workflowRuns:list": read}


def test_functions_know_what_they_are() -> None:
    assert isinstance(read, Function)
    assert (read.kind, read.public) == ("query", True)
    assert (write.kind, write.public) == ("mutation", False)
    assert write.handler(None, {}) == 1
    read.args.validate({"id": "a"}, "args")
    with pytest.raises(InvalidArgumentError):
        read.args.validate({}, "args")


def test_a_function_is_found_by_path_and_kind() -> None:
    assert registry().find("workflowRuns:list", "query") is read
    assert registry().find("workflowRuns.js:list", "query") is read
    assert registry().find("workflowRuns:save", "mutation") is write


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("workflowRuns:get", "query", "there is no function 'workflowRuns:get'"),
        ("workflow_runs:list", "query", "there is no function"),
        ("workflowRuns", "query", "there is no function"),
        ("", "mutation", "there is no function"),
        ("workflowRuns:save", "query", "is a mutation; it cannot be run as a query"),
        ("workflowRuns.js:list", "mutation", "is a query; it cannot be run as a mutation"),
    ],
)
def test_what_is_not_there_is_said(path: str, kind: Any, said: str) -> None:
    with pytest.raises(FunctionNotFoundError, match=said) as caught:
        registry().find(path, kind)
    there = {"path": path, "kind": "mutation", "wanted": "query"}
    if kind == "mutation":
        there = {"path": path, "kind": "query", "wanted": "mutation"}
    assert caught.value.data == ({"path": path} if said.startswith("there") else there)


@pytest.mark.parametrize("path", ["workflowRuns:hidden", "workflowRuns:nothing"])
@pytest.mark.parametrize("kind", ["query", "mutation"])
def test_an_internal_function_is_not_there_for_others(path: str, kind: Any) -> None:
    found = registry()
    found.functions["workflowRuns:hidden"] = query({}, v.null(), public=False)(lambda *_: None)
    with pytest.raises(FunctionNotFoundError) as caught:
        found.find(path, kind, internal=False)
    assert caught.value.data == {"path": path}
    assert found.find("workflowRuns:hidden", "query").public is False
