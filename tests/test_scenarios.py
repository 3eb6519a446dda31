"""The scenarios, run on the Python functions."""

from collections import defaultdict
from typing import Any

import pytest

from mastra_convex.functions import registry
from tests.functions.scenarios import (
    Clock,
    Run,
    Scenario,
    difference,
    faults,
    filled,
    new_engine,
    scenarios,
)
from tests.test_layout import ENTITIES

SCENARIOS = list(scenarios())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(Clock().install(monkeypatch), new_engine())
    try:
        for number, step in enumerate(scenario.steps, 1):
            wrong = run.step(step)
            assert wrong is None, f"{scenario}, step {number}, {step['call']}: {wrong}"
    finally:
        run.engine.close()


def test_every_step_has_the_form() -> None:
    wrong = [
        f"{scenario}, step {number}: {fault}"
        for scenario in SCENARIOS
        for number, step in enumerate(scenario.steps, 1)
        for fault in faults(step)
    ]
    assert not wrong, "\n".join(wrong)


def test_names_are_unique() -> None:
    names = [str(scenario) for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
    # The lists of spans are as much again as the rest of what there is to say of spans.
    assert {scenario.entity for scenario in SCENARIOS} == {*ENTITIES, "mastra", "trace_lists"}


def test_every_function_is_called_by_everybody() -> None:
    """By the service with success, by a resource, and by nobody, who is turned away."""
    callers: dict[str, set[str]] = defaultdict(set)
    for scenario in SCENARIOS:
        for step in scenario.steps:
            if "principal" not in step:
                if "error" not in step:
                    callers[step["call"]].add("service")
            elif step["principal"] not in (None, "operator"):
                callers[step["call"]].add("resource")
            elif step.get("error") == "UNAUTHENTICATED":
                callers[step["call"]].add("nobody")
    everybody = {"service", "resource", "nobody"}
    missing = {
        path: sorted(everybody - callers[path])
        for path, function in registry.functions.items()
        if function.public and everybody - callers[path]
    }
    assert not missing
    assert callers.keys() <= registry.functions.keys()


@pytest.mark.parametrize(
    ("actual", "expected", "partial"),
    [
        (1, 1.0, False),
        ({"a": [1, {"b": None}]}, {"a": [1.0, {"b": None}]}, False),
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ([{"a": 1, "b": 2}], [{"b": 2}], True),
        ("x", {"$any": "string"}, False),
        (1.5, {"$any": "number"}, False),
    ],
)
def test_replies_that_agree(actual: Any, expected: Any, partial: bool) -> None:
    assert difference(actual, expected, partial=partial) is None


@pytest.mark.parametrize(
    ("actual", "expected", "partial"),
    [
        (1, 2, False),
        (True, 1, False),
        (None, 0, False),
        ("1", 1, False),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"a": 1}, {"a": 1, "b": None}, True),
        ([1, 2], [1], True),
        ([1, 2], [2, 1], False),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, True),
        (None, {"$any": "string"}, False),
        (True, {"$any": "number"}, False),
    ],
)
def test_replies_that_differ(actual: Any, expected: Any, partial: bool) -> None:
    assert difference(actual, expected, partial=partial) is not None


def test_values_are_filled_in() -> None:
    given = {"ids": {"$repeat": 2, "item": {"id": "m{i}", "at": {"$number": [5, 10]}}}}
    assert filled(given, {}) == {"ids": [{"id": "m0", "at": 5}, {"id": "m1", "at": 15}]}
    assert filled([{"$saved": "x"}, "{i}"], {"x": {"y": 1}}) == [{"y": 1}, "{i}"]


@pytest.mark.parametrize(
    "step",
    [
        {"call": "threads:get", "kind": "query"},
        {"call": "threads:get", "kind": "query", "returns": 1, "error": "X"},
        {"call": "threads:get", "kind": "action", "returns": 1},
        {"call": "get", "kind": "query", "returns": 1},
        {"call": "threads:get", "kind": "query", "returns": 1, "arguments": {}},
        {"call": "threads:get", "kind": "query", "returns": 1, "now": "later"},
    ],
)
def test_a_bad_step_is_found(step: dict[str, Any]) -> None:
    assert len(faults(step)) == 1


def test_a_wrong_reply_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(Clock().install(monkeypatch), new_engine())
    call = {"call": "threads:get", "kind": "query", "args": {"id": "t"}}
    assert run.step(call | {"returns": None}) is None
    assert run.step(call | {"returns": {}}) == "the reply is None, not {}"
    assert "where NOT_FOUND was expected" in str(run.step(call | {"error": "NOT_FOUND"}))
    refused = run.step(call | {"principal": None, "returns": None})
    assert "it raised UNAUTHENTICATED" in str(refused)
    run.engine.close()
