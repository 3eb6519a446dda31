"""`ConvexStore` of @mastra/convex on our server answers as Mastra's in-memory store does.

The operations are those that our own client is tested with, over HTTP. What differs has a name
(convex_store.py); docs/internals/decisions.md has the reasons.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mastra_convex import ConvexStorage
from tests import served
from tests.differential import (
    mastra,
    memory,
    observations,
    test_memory,
    test_observations,
    test_unattended,
    unattended,
)
from tests.differential.convex_store import OnConvex
from tests.differential.mastra import Mastra
from tests.functions.scenarios import Clock

Doc = dict[str, Any]


class Memory(test_memory.Memory):
    """Random operations of the memory domain, without what the adapter damages."""

    def content(self, role: str = "user") -> Any:
        # Of a text that is changed it makes a map of letters.
        return super().content("signal")

    def update_messages(self) -> None:
        super().update_messages()
        # The adapter sets the time of the threads, the other moves it on: made even again.
        for id in test_memory.THREADS:
            if self.owner(id) is not None:
                self.both.run("updateThread", {"id": id}, memory.no_metadata_is_none)


class Scores(test_unattended.Scores):
    """Random operations of the scores domain, as the adapter can do them."""

    def save(self) -> None:
        # Each score is another one, made now. Convex has no keys that begin with "$".
        score = {
            "id": f"s{len(self.saved)}",
            "scorerId": self.some("ab"),
            "entityId": self.some("cd"),
            "entityType": self.dice.choice(["AGENT", "WORKFLOW", "tool_call"]),
            "runId": self.some("vw"),
            "source": self.dice.choice(["LIVE", "TEST"]),
            "score": self.dice.choice([0, 1, 0.25, -3]),
            "scorer": {"id": self.dice.choice([1, "x", None])},
            "entity": {},
            "output": self.dice.choice([True, 0, 1.5, "x", [1, None], {"a": {"b": [1]}}]),
            **self.maybe(reason=lambda: "so", organizationId=lambda: self.some("op")),
        }
        made = self.both.run("saveScore", score)
        self.saved[made["score"]["id"]] = 0

    def get(self) -> None:
        self.both.run("getScoreById", {"id": self.dice.choice([*self.saved, "nobody's"])})


class Observations(test_observations.Observations):
    """Random operations on observational memory, as the adapter can do them."""

    def reflect(self, record: Doc) -> None:
        # What was never observed is so in the adapter's next generation, too.
        if record.get("lastObservedAt") is not None:
            super().reflect(record)


# The domain, ours to look at what is there, the operations, and how many of them.
DOMAINS: dict[str, tuple[str, Any, Any, int]] = {
    "memory": ("memory", memory.OurMemory, Memory, 90),
    "observations": ("memory", observations.OurObservations, Observations, 60),
    "workflows": ("workflows", unattended.OurWorkflows, test_unattended.Workflows, 90),
    "scores": ("scores", unattended.OurScores, Scores, 60),
}
# For more than what each run of the tests has time for.
SCALE = int(os.environ.get("SCALE", "1"))


@pytest.fixture(scope="module")
def subject() -> Iterator[Mastra]:
    """A process with a `ConvexStore`, or what it is to be one of."""
    with mastra.started() as store:
        yield store


@pytest.fixture
def storage(subject: Mastra, tmp_path: Path) -> Iterator[ConvexStorage]:
    """Our client, on the server that the `ConvexStore` now uses."""
    with served.server().serving(tmp_path / "a.db") as url:
        subject.use(url, served.KEY.admin_key())
        with ConvexStorage(url, key=served.KEY.to_text()) as opened:
            yield opened


@pytest.mark.parametrize("name", DOMAINS)
def test_both_answer_the_same(
    name: str, subject: Mastra, reference: Mastra, clock: Clock, storage: ConvexStorage
) -> None:
    domain, ours, operations, steps = DOMAINS[name]
    both = OnConvex(domain, ours, (reference, subject), clock, 1, storage)
    work = operations(both)
    for _ in range(steps * SCALE):
        work.step()
    assert sum(both.done.values()) > steps * SCALE * 0.6
    assert len(both.done) >= 5
