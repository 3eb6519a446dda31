"""`ConvexStore` of @mastra/convex on our server, beside Mastra's in-memory store.

It is Mastra's code on both sides. What differs is the adapter's own doing, or a choice of ours, and
stands here.
"""

from collections.abc import Callable
from typing import Any

from mastra_convex import ConvexStorage
from tests.differential import memory
from tests.differential.both import Both, Choice
from tests.differential.mastra import Date, Mastra, Refused
from tests.functions.scenarios import Clock

Doc = dict[str, Any]


class OnConvex(Both):
    """The in-memory store, and in our place a `ConvexStore`. `storage` sees what that writes."""

    def __init__(
        self,
        domain: str,
        ours: Callable[[ConvexStorage], Any],
        stores: tuple[Mastra, Mastra],
        clock: Clock,
        seed: int,
        storage: ConvexStorage,
    ) -> None:
        """`stores` are the reference and the `ConvexStore`; `ours` is for operations to look at."""
        reference, self._subject = stores
        super().__init__(domain, ours, reference, clock, seed, storage)

    def run(self, method: str, args: Any, *choices: Choice) -> Any:
        """As it is for our own client; what the adapter does not have is left out."""
        if method in WITHOUT:
            return None
        args = GIVEN[method](args) if method in GIVEN else args
        more = [CHOICES[method]] if method in CHOICES else []
        return super().run(method, args, without_null, some_type, *choices, *more)

    def _of_us(self, method: str, args: Any) -> Any:
        given = args if isinstance(args, tuple) else (args,)
        try:
            given = dated(list(given))
            found = self._subject.call(self.domain, method, *given, now=self.clock.now)
        except Refused as error:
            return error
        if method == "saveScore":
            # The adapter takes an id of its own.
            self.same(found["score"]["id"], args["id"])
        return found


# What the adapter has not.
WITHOUT = {"cloneThread", "updateThreadResourceId", "listScoresBySpan"}


def with_owners(args: Doc) -> Doc:
    """The adapter saves no message without a resource."""
    return {"messages": [{"resourceId": "r0", **each} for each in args["messages"]]}


def without_dollars(args: Doc) -> Doc:
    """Convex has no keys that begin with "$"."""
    values = {"extractedValues": {"x": 1}} if "extractedValues" in args["chunk"] else {}
    return {**args, "chunk": {**args["chunk"], **values}}


def with_limit(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The adapter means ten by none."""
    return (*args[:2], 400, *args[3:]) if args[2] is None else args


def with_scalars(args: Doc) -> Doc:
    """The adapter compares metadata by `===`: no map or list is ever equal to another."""
    filter = args.get("filter", {})
    if "metadata" not in filter:
        return args
    kept = {n: x for n, x in filter["metadata"].items() if not isinstance(x, dict | list)}
    return {**args, "filter": {**filter, "metadata": kept}}


def without(name: str, *, beside: str | None = None) -> Callable[[Doc], Doc]:
    """Arguments without one that the adapter does not look at, or not beside another."""

    def kept(args: Doc) -> Doc:
        left = {each: value for each, value in args.items() if each != name}
        return left if beside is None or beside in args else args

    return kept


GIVEN: dict[str, Callable[[Any], Any]] = {
    "saveMessages": with_owners,
    "updateBufferedObservations": without_dollars,
    "getObservationalMemoryHistory": with_limit,
    "listThreads": with_scalars,
    "listWorkflowRuns": without("threadId"),
    "listMessagesByResourceId": without("include"),
    "listMessages": without("resourceId", beside="include"),
}
DATES = {"createdAt", "updatedAt", "lastObservedAt", "lastBufferedAtTime"}


def dated(value: Any) -> Any:
    """A record that was read, as it is given back: its times are Dates."""
    if isinstance(value, dict):
        return {
            name: Date(x) if name in DATES and isinstance(x, float | int) else dated(x)
            for name, x in value.items()
        }
    return [dated(each) for each in value] if isinstance(value, list) else value


# What the adapter leaves out when it is empty, or 0.
EMPTY = {
    *("title", "metadata", "bufferedReflection", "bufferedReflectionTokens"),
    *("bufferedReflectionInputTokens", "reflectedObservationLineCount"),
}


def without_null(value: Any) -> Any:
    """The adapter says null or nothing where the other says undefined, or gives an empty map."""
    if isinstance(value, dict):
        found = {name: without_null(x) for name, x in value.items() if x is not None}
        return {name: x for name, x in found.items() if x or name not in EMPTY}
    return [without_null(each) for each in value] if isinstance(value, list) else value


def some_type(value: Any) -> Any:
    """A message that is saved without a type gets one: "v2" from the adapter, else "text"."""
    if isinstance(value, dict):
        found = {name: some_type(x) for name, x in value.items()}
        return {**found, "type": "text"} if found.get("type") == "v2" else found
    return [some_type(each) for each in value] if isinstance(value, list) else value


def in_time(value: Doc) -> Doc:
    """The adapter gives a page of a resource's messages in ascending order, whichever it was."""
    return {**value, "messages": sorted(value["messages"], key=lambda each: each["createdAt"])}


def no_system_message_included(value: Doc) -> Doc:
    """When nothing but included messages is asked for, the adapter leaves out system messages."""
    return memory.without_system_messages(value) if value["perPage"] == 0 else value


CHOICES: dict[str, Choice] = {
    "listMessages": no_system_message_included,
    "listMessagesByResourceId": in_time,
}
