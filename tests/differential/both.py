"""Mastra's in-memory store and ours side by side: the same calls, and what may differ."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from mastra_convex import ConvexStorage, ConvexStorageError
from tests.differential import mastra
from tests.differential.mastra import Date, Mastra, Refused
from tests.functions.scenarios import Clock, difference

Choice = Callable[[Any], Any]
_REFUSALS = (ConvexStorageError, Refused)


class Both:
    """One domain of the two stores, side by side. Ids that each makes for itself are translated.

    `ours` makes of a storage what has Mastra's methods.
    """

    def __init__(
        self,
        domain: str,
        ours: Callable[[ConvexStorage], Any],
        reference: Mastra,
        clock: Clock,
        seed: int,
        storage: ConvexStorage | None = None,
    ) -> None:
        reference.reset()
        self.domain, self.reference, self.clock = domain, reference, clock
        self.storage = storage or ConvexStorage(":memory:")
        self.ours = ours(self.storage)
        self.dice = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.theirs_of: dict[str, str] = {}
        self.ours_of: dict[str, str] = {}
        self.created: dict[tuple[str, str], float] = {}
        self.moments = iter(self.dice.sample(range(1_000_000), 100_000))

    def moment(self) -> Date:
        """A time in the past that nothing else has."""
        return Date(next(self.moments))

    def run(self, method: str, args: Any, *choices: Choice) -> Any:
        """Do the same with both, and fail unless the answers are the same but for the choices.

        `args` are the members of the method's argument, or a tuple of its arguments.
        """
        self.done[method] += 1
        self.clock.now += self.dice.randint(50, 5000)
        theirs = self._of_mastra(method, args)
        ours = self._of_us(method, args)
        if isinstance(theirs, Refused) or isinstance(ours, _REFUSALS):
            assert isinstance(theirs, Refused), f"{method} {args}: only ours refuses: {ours!r}"
            assert isinstance(ours, _REFUSALS), f"{method} {args}: only Mastra: {theirs}"
            return None
        if method == "cloneThread":
            self._learn(ours["messageIdMap"], theirs["messageIdMap"])
        elif isinstance(ours, dict) and isinstance(theirs, dict) and "generationCount" in ours:
            self.same(ours["id"], theirs["id"])
        theirs = translated(theirs, self.ours_of)
        for choice in choices:
            ours, theirs = choice(ours), choice(theirs)
        wrong = difference(ours, theirs, partial=False)
        assert wrong is None, f"{method} {args} at {self.clock.now}: of ours, {wrong}"
        return ours

    def only_ours(self, kind: type[Exception], call: Callable[[], Any]) -> None:
        """What ours refuses, and Mastra does in its own way."""
        self.done[f"refused: {kind.__name__}"] += 1
        with pytest.raises(kind):
            call()

    def _of_mastra(self, method: str, args: Any) -> Any:
        try:
            given = args if isinstance(args, tuple) else (args,)
            given = translated(list(given), self.theirs_of)
            return self.reference.call(self.domain, method, *given, now=self.clock.now)
        except Refused as error:
            return error

    def _of_us(self, method: str, args: Any) -> Any:
        try:
            call, given = getattr(self.ours, method), mastra.to_ours(args)
            return call(*given) if isinstance(args, tuple) else call(**given)
        except _REFUSALS as error:
            return error

    def _learn(self, ours: dict[str, str], theirs: dict[str, str]) -> None:
        """Which copy is which, by what it was copied from."""
        sources = {self.ours_of.get(source, source): copy for source, copy in theirs.items()}
        assert ours.keys() == sources.keys()
        for source, copy in ours.items():
            self.same(copy, sources[source])

    def same(self, ours: str, theirs: str) -> None:
        """Two ids are of one record."""
        self.theirs_of[ours], self.ours_of[theirs] = theirs, ours


def translated(value: Any, names: dict[str, str]) -> Any:
    """The value with ids in the other store's words."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {names.get(name, name): translated(item, names) for name, item in value.items()}
    return [translated(each, names) for each in value] if isinstance(value, list) else value


class Operations:
    """Random operations of one domain, each as often as its weight says."""

    def __init__(self, both: Both) -> None:
        self.both, self.dice = both, both.dice

    def kinds(self) -> list[tuple[int, Callable[[], None]]]:
        """What there is to do, with its weight."""
        raise NotImplementedError

    def step(self) -> None:
        """Do one of them."""
        weights, works = zip(*self.kinds())
        self.dice.choices(works, weights)[0]()

    def some(self, letters: str) -> str:
        """One of the letters."""
        return self.dice.choice(letters)

    def maybe(self, chance: float = 0.5, **given: Callable[[], Any]) -> dict[str, Any]:
        """Each member, or not."""
        return {name: make() for name, make in given.items() if self.dice.random() < chance}


def run(both: Both, operations: Operations, steps: int) -> Counter[str]:
    """Do so many operations with both; returns how often each was done. Closes ours."""
    try:
        for _ in range(steps):
            operations.step()
    finally:
        both.storage.close()
    return both.done
