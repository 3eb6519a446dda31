"""The files of scenarios/, and how to run them on an engine; scenarios/README.md has the format."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mastra_convex.engine import commit
from mastra_convex.engine.context import SERVICE, Principal
from mastra_convex.engine.engine import Engine
from mastra_convex.errors import ConvexStorageError
from mastra_convex.functions import registry, schema

FOLDER = Path(__file__).resolve().parent.parent.parent / "scenarios"
START = 1_000_000

STEP_MEMBERS = {"call", "kind", "args", "principal", "now", "returns", "matches", "error", "save"}
OUTCOMES = {"returns", "matches", "error"}


@dataclass(frozen=True)
class Scenario:
    """One scenario of one file."""

    entity: str
    name: str
    steps: list[dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.entity}: {self.name}"


def scenarios() -> Iterator[Scenario]:
    """All scenarios of all files."""
    for path in sorted(FOLDER.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for each in content["scenarios"]:
            first = content["given"][each["given"]] if "given" in each else []
            yield Scenario(path.stem, each["name"], first + each["steps"])


@dataclass
class Clock:
    """The engine's clock, in the hands of a scenario."""

    now: float = START

    def install(self, patch: pytest.MonkeyPatch) -> "Clock":
        """Give the engine this clock."""
        time_ns = lambda: int(self.now * 1_000_000)  # noqa: E731
        patch.setattr(commit, "time", SimpleNamespace(time_ns=time_ns))
        return self


def principal_of(step: dict[str, Any]) -> Principal | None:
    """Who asks in a step."""
    if "principal" not in step:
        return SERVICE
    given = step["principal"]
    # An operator has proven the admin key, which makes nobody of them.
    return None if given in (None, "operator") else Principal(given["resourceId"])


def filled(value: Any, saved: dict[str, Any], i: int | None = None) -> Any:
    """A value with the parts put in that stand for others."""
    if isinstance(value, str):
        return value if i is None else value.replace("{i}", str(i))
    if isinstance(value, list):
        return [filled(item, saved, i) for item in value]
    if not isinstance(value, dict):
        return value
    if "$saved" in value:
        return saved[value["$saved"]]
    if "$repeat" in value:
        return [filled(value["item"], saved, n) for n in range(value["$repeat"])]
    if "$number" in value:
        start, step = value["$number"]
        assert i is not None, "$number stands inside the item of a $repeat"
        return start + step * i
    return {name: filled(item, saved, i) for name, item in value.items()}


def difference(actual: Any, expected: Any, *, partial: bool, path: str = "") -> str | None:
    """Where a reply differs from what was expected; None if nowhere."""
    here = path or "the reply"
    if isinstance(expected, dict) and "$any" in expected:
        kinds: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float)}
        fits = isinstance(actual, kinds[expected["$any"]]) and not isinstance(actual, bool)
        return None if fits else f"{here} is {actual!r}, not any {expected['$any']}"
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = expected.keys() - actual.keys()
        extra = set() if partial else actual.keys() - expected.keys()
        if missing or extra:
            return f"{here} lacks {sorted(missing)} and has {sorted(extra)} beside"
        pairs = [(f"{path}.{name}", actual[name], expected[name]) for name in expected]
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(actual) != len(expected):
            return f"{here} has {len(actual)} elements, not {len(expected)}: {actual!r:.300}"
        pairs = [(f"{path}[{n}]", *pair) for n, pair in enumerate(zip(actual, expected))]
    else:
        same = actual == expected and isinstance(actual, bool) == isinstance(expected, bool)
        return None if same else f"{here} is {actual!r}, not {expected!r}"
    found = (difference(a, e, partial=partial, path=p) for p, a, e in pairs)
    return next((each for each in found if each is not None), None)


def faults(step: dict[str, Any]) -> list[str]:
    """What is wrong with the form of a step."""
    found = [f"there is no {name!r}" for name in step.keys() - STEP_MEMBERS]
    if len(OUTCOMES & step.keys()) != 1:
        found.append("it has one of returns, matches and error")
    if step.get("kind") not in ("query", "mutation"):
        found.append("its kind is query or mutation")
    if not isinstance(step.get("call"), str) or ":" not in step["call"]:
        found.append("its call is a function's path")
    if not isinstance(step.get("now", 0), (int, float)) or not math.isfinite(step.get("now", 0)):
        found.append("its now is a number")
    return found


@dataclass
class Run:
    """One scenario on one engine."""

    clock: Clock
    engine: Engine
    saved: dict[str, Any] = field(default_factory=dict)

    def step(self, step: dict[str, Any]) -> str | None:
        """Run a step; returns what is wrong with its reply."""
        self.clock.now = step.get("now", self.clock.now)
        args = filled(step.get("args", {}), self.saved)
        call = self.engine.query if step["kind"] == "query" else self.engine.mutation
        try:
            reply = call(step["call"], args, principal_of(step))
        except ConvexStorageError as error:
            if step.get("error") == error.code:
                return None
            return f"it raised {error.code}: {error}"
        if "error" in step:
            return f"it returned {reply!r:.300} where {step['error']} was expected"
        for name, path in step.get("save", {}).items():
            value: Any = reply
            for part in path:
                value = value[part]
            self.saved[name] = value
        partial = "matches" in step
        expected = filled(step["matches"] if partial else step["returns"], self.saved)
        return difference(reply, expected, partial=partial)


def new_engine() -> Engine:
    """An engine with an empty store, which checks documents and replies."""
    return Engine(":memory:", schema, registry, strict=True)
