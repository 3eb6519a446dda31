"""Mastra's in-memory store and ours, given the same random operations on workflows and scores.

What differs is a choice with a name (unattended.py). Times are distinct: the order of ties is one
of the choices, and tested elsewhere. What only ours refuses is not sent to Mastra.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mastra_convex import InvalidArgumentError
from tests.differential import mastra, unattended
from tests.differential.both import Both, Operations
from tests.differential.mastra import Mastra
from tests.functions.scenarios import Clock

SEEDS = [1, 2]
STEPS = 1500

Doc = dict[str, Any]
VALUES = [None, True, 0, 1.5, "x", [1, None], {"$a": {"b": [1]}}]
MARKER = {"__mastra_pending__": True}
STATUSES = ["running", "suspended", "success", "failed", "waiting"]


@pytest.fixture(scope="module")
def reference() -> Iterator[Mastra]:
    with mastra.started() as store:
        yield store


class Workflows(Operations):
    """Random operations of the workflows domain."""

    def __init__(self, both: Both) -> None:
        super().__init__(both)
        self.there: dict[tuple[str, str], float] = {}

    def kinds(self) -> list[tuple[int, Callable[[], None]]]:
        return [
            (10, self.persist),
            (30, self.results),
            (15, self.state),
            (10, self.load),
            (15, self.list),
            (6, self.get),
            (3, self.delete),
            (1, self.refuse),
        ]

    def key(self) -> Doc:
        # With hyphens, Mastra would take two of these runs for one.
        return {"workflowName": self.dice.choice("fg"), "runId": f"r{self.dice.randrange(4)}"}

    def value(self) -> Any:
        return self.dice.choice(VALUES)

    def status(self) -> str:
        return self.dice.choice(STATUSES)

    def slot(self) -> Any:
        done = {"status": "success", "output": self.value()}
        suspended = {"status": "suspended", "suspendPayload": self.value()}
        odd = {**MARKER, "more": 1}
        return self.dice.choice([None, None, MARKER, done, suspended, 7, "x", False, odd])

    def result(self) -> Any:
        slots = [self.slot() for _ in range(self.dice.randrange(5))]
        rest = self.maybe(payload=self.value, startedAt=lambda: self.dice.randrange(99))
        whole = {"status": self.status(), **rest}
        return self.dice.choice(
            [whole, {**whole, "output": self.value()}] + 3 * [{**whole, "output": slots}]
        )

    def memory(self) -> Doc:
        return {"memoryInfo": {"threadId": self.dice.choice(["t0", "t1"]), "resourceId": "r"}}

    def snapshot(self, run_id: str) -> Doc:
        context: Doc = {"input": {"a": self.value()}}
        if self.dice.random() < 0.3:
            context["input"]["messageListState"] = self.memory()
        for step in "ab":
            if self.dice.random() < 0.4:
                context[step] = self.result()
        if self.dice.random() < 0.3:
            stream = self.dice.choice([{"messageList": self.memory()}, {}])
            context["s"] = {"status": self.status(), "suspendPayload": {"__streamState": stream}}
        found = {"runId": run_id, "status": self.status(), "context": context, "value": {}}
        return found | self.maybe(requestContext=lambda: {"k": self.value()})

    def persist(self) -> None:
        key = self.key()
        known = (key["workflowName"], key["runId"])
        # A run keeps the time of creation that it has; Mastra's takes a new one.
        created = self.there.setdefault(known, self.both.moment())
        more = self.maybe(resourceId=lambda: self.dice.choice(["r0", "r1"]))
        args = {**key, "snapshot": self.snapshot(key["runId"]), "createdAt": created, **more}
        self.both.run("persistWorkflowSnapshot", args)

    def results(self) -> None:
        key = self.key()
        if (key["workflowName"], key["runId"]) not in self.there:
            return  # a missing run begins with its first result, and in Mastra is not there
        args = {"stepId": self.dice.choice("abs"), "result": self.result()}
        asked = self.dice.choice([{}, {"k": self.value()}, {"l": 1}])
        self.both.run("updateWorkflowResults", {**key, **args, "requestContext": asked})

    def state(self) -> None:
        opts: Doc = {"status": self.status()}
        opts |= self.maybe(
            0.3,
            result=self.value,
            suspendedPaths=lambda: {"a": [self.dice.randrange(3)]},
            resumeLabels=dict,
            expectedStatus=lambda: self.dice.choice(
                [self.status(), [self.status(), self.status()], []]
            ),
        )
        self.both.run("updateWorkflowState", {**self.key(), "opts": opts})

    def load(self) -> None:
        self.both.run("loadWorkflowSnapshot", self.key())

    def list(self) -> None:
        args = self.maybe(
            0.3,
            workflowName=lambda: self.dice.choice(["f", "g", ""]),
            resourceId=lambda: self.dice.choice(["r0", "r1", ""]),
            threadId=lambda: self.dice.choice(["t0", "t1"]),
            status=self.status,
            fromDate=self.both.moment,
            toDate=self.both.moment,
        )
        if self.dice.random() < 0.5:
            args |= {"page": self.dice.randrange(3), "perPage": self.dice.randrange(4)}
        self.both.run(
            "listWorkflowRuns", args, unattended.no_joined_names, unattended.merges_move_on
        )

    def get(self) -> None:
        key = self.key()
        if self.dice.random() < 0.5:
            del key["workflowName"]
        choices = (unattended.no_joined_names, unattended.merges_move_on)
        self.both.run("getWorkflowRunById", key, *choices)

    def delete(self) -> None:
        key = self.key()
        self.there.pop((key["workflowName"], key["runId"]), None)
        self.both.run("deleteWorkflowRunById", key)

    def refuse(self) -> None:
        storage = self.both.storage
        self.both.only_ours(
            InvalidArgumentError, lambda: storage.list_workflow_runs(page=1, per_page=False)
        )


class Scores(Operations):
    """Random operations of the scores domain."""

    def __init__(self, both: Both) -> None:
        super().__init__(both)
        self.saved: dict[str, float] = {}

    def kinds(self) -> list[tuple[int, Callable[[], None]]]:
        return [
            (10, self.save),
            (3, self.get),
            (6, self.by_scorer),
            (4, self.by_run),
            (4, self.by_entity),
            (4, self.by_span),
            (1, self.refuse),
        ]

    def save(self) -> None:
        id = f"s{self.dice.randrange(60)}"
        score = {
            "id": id,
            "scorerId": self.some("ab"),
            "entityId": self.some("cd"),
            "entityType": self.dice.choice(["AGENT", "WORKFLOW", "tool_call"]),
            "runId": self.some("vw"),
            "source": self.dice.choice(["LIVE", "TEST"]),
            "score": self.dice.choice([0, 1, 0.25, -3]),
            "scorer": {"$id": self.dice.choice(VALUES)},
            "entity": {},
            "output": self.dice.choice(VALUES),
            # It stays when the score is saved again, in both.
            "createdAt": self.saved.setdefault(id, self.both.moment()),
        }
        score |= self.maybe(
            traceId=lambda: self.some("xy"),
            spanId=lambda: self.some("mn"),
            reason=lambda: "so",
            structuredOutput=lambda: True,
            metadata=lambda: {"m": self.dice.choice(VALUES)},
            organizationId=lambda: self.some("op"),
            projectId=lambda: self.some("q"),
        )
        self.both.run("saveScore", score)

    def get(self) -> None:
        self.both.run("getScoreById", {"id": f"s{self.dice.randrange(70)}"})

    def how(self, *, whole: bool = False) -> Doc:
        page = {"page": self.dice.randrange(3), "perPage": self.dice.choice([0, 1, 3, 10])}
        if whole or self.dice.random() < 0.2:
            page = {"page": 0, "perPage": False}
        filters = self.maybe(
            0.4, organizationId=lambda: self.some("op"), projectId=lambda: self.some("qr")
        )
        return {"pagination": page} | ({"filters": filters} if self.dice.random() < 0.5 else {})

    def by_scorer(self) -> None:
        more = self.maybe(
            0.3,
            entityId=lambda: self.dice.choice(["c", "d", ""]),
            entityType=lambda: self.dice.choice(["AGENT", "tool_call"]),
            source=lambda: self.dice.choice(["LIVE", "TEST"]),
        )
        self.both.run("listScoresByScorerId", {"scorerId": self.some("abz"), **more, **self.how()})

    def by_run(self) -> None:
        args = {"runId": self.some("vwz"), **self.how(whole=True)}
        self.both.run("listScoresByRunId", args, unattended.newest_first)

    def by_entity(self) -> None:
        args = {"entityId": self.some("cdz"), "entityType": "AGENT", **self.how(whole=True)}
        self.both.run("listScoresByEntityId", args, unattended.newest_first)

    def by_span(self) -> None:
        args = {"traceId": self.some("xy"), "spanId": self.some("mn"), **self.how()}
        self.both.run("listScoresBySpan", args)

    def refuse(self) -> None:
        self.both.only_ours(
            InvalidArgumentError,
            lambda: self.both.storage.save_score({"id": "s0", "scorerId": "a"}),
        )


DOMAINS: dict[str, tuple[Any, Any]] = {
    "workflows": (unattended.OurWorkflows, Workflows),
    "scores": (unattended.OurScores, Scores),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("domain", DOMAINS)
def test_both_answer_the_same(
    domain: str, seed: int, reference: Mastra, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, operations = DOMAINS[domain]
    clock = Clock(now=2_000_000_000).install(monkeypatch)
    both = Both(domain, ours, reference, clock, seed)
    try:
        work = operations(both)
        for _ in range(STEPS):
            work.step()
    finally:
        both.storage.close()
    # Every operation was done, and often enough to have met itself.
    methods = {name for name in vars(ours) if not name.startswith("_")}
    assert methods <= both.done.keys()
    assert sum(both.done[name] for name in methods) > STEPS * 0.8
