"""Running a test's own code inside a transaction, with the context that functions get."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from mastra_convex.engine.context import SERVICE, MutationCtx, Principal
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.registry import Registry, mutation
from mastra_convex.functions import registry, schema
from mastra_convex.values.validators import v

ALICE = Principal("alice")
Work = Callable[[MutationCtx], Any]


class Inside:
    """An engine with the functions, and one more that runs what it is given."""

    def __init__(self) -> None:
        self._work: Work = lambda ctx: None
        probe = ModuleType("probe")
        probe.run = mutation({}, v.any())(lambda ctx, args: self._work(ctx))  # type: ignore[attr-defined]
        all_functions = Registry([probe])
        all_functions.functions |= registry.functions
        self.engine = Engine(":memory:", schema, all_functions, strict=True)

    def __call__(self, work: Work, principal: Principal | None = SERVICE) -> Any:
        """What `work` returns, in a transaction of its own."""
        self._work = work
        return self.engine.mutation("probe:run", {}, principal)

    def mutation(self, path: str, **args: Any) -> Any:
        """The result of a function."""
        return self.engine.mutation(path, args, SERVICE)

    def query(self, path: str, **args: Any) -> Any:
        """The result of a function."""
        return self.engine.query(path, args, SERVICE)


@contextmanager
def opened() -> Iterator[Inside]:
    """An `Inside` until the end of the block."""
    inside = Inside()
    yield inside
    inside.engine.close()
