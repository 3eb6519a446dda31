"""Mastra's observational memory and ours, given the same random operations, answer the same.

Beginning where there is memory already is a choice: ours gives what is there, so that it is done
with ours alone. A reflection follows the present generation, as it does in Mastra's processors.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.differential import observations
from tests.differential.both import Both, Operations, run
from tests.differential.mastra import Date, Mastra
from tests.functions.scenarios import Clock

SEEDS = [1, 2]
STEPS = 1000

Doc = dict[str, Any]


class Observations(Operations):
    """Random operations on observational memory."""

    def __init__(self, both: Both) -> None:
        super().__init__(both)
        self.subjects = [("t0", "r0"), ("t1", "r0"), (None, "r0"), (None, "r1")]

    def step(self) -> None:
        """Do one of them, and look at what has become of it."""
        subject = self.dice.choice(self.subjects)
        present = self.both.ours.getObservationalMemory(*subject)
        if present is None:
            self.begin(subject)
            return
        kinds: list[tuple[int, Callable[[Doc], None]]] = [
            (1, lambda record: self.begin_again(subject, record)),
            (1, lambda record: self.clear(subject)),
            (3, self.insert),
            (5, self.observe),
            (12, self.buffer),
            (10, self.activate),
            (3, self.reflect),
            (5, self.buffer_reflection),
            (4, self.activate_reflection),
            (6, self.set_something),
            (4, self.configure),
            (5, lambda record: self.history(subject)),
        ]
        self.dice.choices([work for _, work in kinds], [weight for weight, _ in kinds])[0](present)
        self.both.run("getObservationalMemory", subject, observations.a_record)

    def words(self) -> str:
        return "\n".join(
            f"line {self.dice.randint(0, 999)} " for _ in range(self.dice.choice([0, 1, 3]))
        )

    def tokens(self) -> int:
        return self.dice.choice([0, 1, 10, 100, 500, 1500, 3000])

    def id_of(self, record: Doc) -> str:
        """The record's id, or now and then one that nobody has."""
        return "nobody's" if self.dice.random() < 0.03 else str(record["id"])

    def begin(self, subject: tuple[str | None, str]) -> None:
        thread_id, resource_id = subject
        given = {
            "threadId": thread_id,
            "resourceId": resource_id,
            "scope": "thread" if thread_id else "resource",
            "config": {"a": {"b": 1, "c": [1, 2]}},
        }
        if self.dice.random() < 0.5:
            given["observedTimezone"] = "Europe/London"
        self.both.run("initializeObservationalMemory", given, observations.a_record)

    def begin_again(self, subject: tuple[str | None, str], record: Doc) -> None:
        made = self.both.storage.initialize_observational_memory(
            *subject, scope="thread", config={"other": 1}
        )
        assert made.to_dict() == record

    def clear(self, subject: tuple[str | None, str]) -> None:
        self.both.run("clearObservationalMemory", subject)

    def insert(self, record: Doc) -> None:
        fresh = {
            **record,
            "id": f"i{self.both.done['insertObservationalMemoryRecord']}",
            "threadId": record.get("threadId"),
            "createdAt": Date(self.both.clock.now - 7),
            "updatedAt": Date(self.both.clock.now - 7),
            "generationCount": max(0, record["generationCount"] - self.dice.choice([0, 1, 2, -1])),
            "bufferedObservationChunks": [],
        }
        self.both.run("insertObservationalMemoryRecord", (fresh,))

    def observe(self, record: Doc) -> None:
        given = {
            "id": self.id_of(record),
            "observations": self.words(),
            "tokenCount": self.tokens(),
            "lastObservedAt": self.both.moment(),
        }
        if self.dice.random() < 0.5:
            given["observedMessageIds"] = self.dice.sample("abc", 2)
        self.both.run("updateActiveObservations", given)

    def buffer(self, record: Doc) -> None:
        chunk = {
            "cycleId": self.dice.choice("abcdefgh"),
            "observations": self.words(),
            "tokenCount": self.tokens(),
            "messageIds": self.dice.sample("abc", 2),
            "messageTokens": self.tokens(),
            "lastObservedAt": self.both.moment(),
        }
        if self.dice.random() < 0.5:
            chunk |= {"suggestedContinuation": "go on", "extractedValues": {"$x": 1}}
        if self.dice.random() < 0.3:
            chunk |= {"currentTask": "this", "threadTitle": "T", "extractionFailures": []}
        given: Doc = {"id": self.id_of(record), "chunk": chunk}
        if self.dice.random() < 0.5:
            given["lastBufferedAtTime"] = self.both.moment()
        self.both.run("updateBufferedObservations", given)

    def activate(self, record: Doc) -> None:
        given: Doc = {
            "id": self.id_of(record),
            "activationRatio": self.dice.choice([0, 0.2, 0.5, 0.8, 1]),
            "messageTokensThreshold": self.tokens() + 1,
            "currentPendingTokens": self.dice.choice([0, 300, 1200, 4000, 9000]),
        }
        if self.dice.random() < 0.3:
            given["forceMaxActivation"] = True
        if self.dice.random() < 0.3:
            given["lastObservedAt"] = self.both.moment()
        chunks = record["bufferedObservationChunks"]
        if chunks and self.dice.random() < 0.3:
            given["bufferedChunks"] = [
                {**chunk, "messageTokens": self.tokens()} for chunk in chunks
            ]
        self.both.run("swapBufferedToActive", given, observations.what_was_activated)

    def reflect(self, record: Doc) -> None:
        given = {"currentRecord": record, "reflection": self.words(), "tokenCount": self.tokens()}
        self.both.run("createReflectionGeneration", given, observations.a_record)

    def buffer_reflection(self, record: Doc) -> None:
        given = {
            "id": self.id_of(record),
            "reflection": self.words(),
            "tokenCount": self.tokens(),
            "inputTokenCount": self.tokens(),
            "reflectedObservationLineCount": self.dice.choice([0, 1, 2, 9]),
        }
        self.both.run("updateBufferedReflection", given)

    def activate_reflection(self, record: Doc) -> None:
        given = {"currentRecord": record, "tokenCount": self.tokens()}
        self.both.run("swapBufferedReflectionToActive", given, observations.a_record)

    def set_something(self, record: Doc) -> None:
        id, on = self.id_of(record), self.dice.random() < 0.5
        method, given = self.dice.choice(
            [
                ("setReflectingFlag", (id, on)),
                ("setObservingFlag", (id, on)),
                ("setBufferingObservationFlag", (id, on)),
                ("setBufferingObservationFlag", (id, on, self.tokens())),
                ("setBufferingReflectionFlag", (id, on)),
                ("setPendingMessageTokens", (id, self.tokens())),
            ]
        )
        self.both.run(method, given)

    def configure(self, record: Doc) -> None:
        config = self.dice.choice(
            [{"a": {"c": [3]}}, {"a": {"d": {"e": None}}}, {"a": {"d": {"f": 1}}}, {"x": 1}, {}]
        )
        given = {"id": self.id_of(record), "config": config}
        self.both.run("updateObservationalMemoryConfig", given)

    def history(self, subject: tuple[str | None, str]) -> None:
        options: Doc = {}
        now = self.both.clock.now
        for name in ("from", "to"):
            if self.dice.random() < 0.3:
                options[name] = Date(now - self.dice.choice([0, 10_000, 1_000_000]))
        if self.dice.random() < 0.3:
            options["offset"] = self.dice.choice([0, 1, 5])
        limit = self.dice.choice([None, 0, 1, 3])
        given = (*subject, limit, options)
        self.both.run("getObservationalMemoryHistory", given, observations.a_record)


def run_all(reference: Mastra, clock: Clock, seed: int) -> Counter[str]:
    """Do as many operations as there are steps; returns how often each was done."""
    both = Both("memory", observations.OurObservations, reference, clock, seed)
    return run(both, Observations(both), STEPS)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_operations_give_the_same_answers(
    reference: Mastra, clock: Clock, seed: int
) -> None:
    done = run_all(reference, clock, seed)
    # Every method has been called, each of them often.
    assert len(done) == 17
    assert min(done.values()) > 5


@pytest.mark.parametrize("choice", ["a_record", "what_was_activated"])
def test_each_choice_is_one(
    reference: Mastra, clock: Clock, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, the answers differ."""
    monkeypatch.setattr(observations, choice, lambda value: value)
    with pytest.raises(AssertionError, match="of ours, "):
        run_all(reference, clock, SEEDS[0])
