"""What a resource's token shows of others over the wire: nothing, through no argument of any call.

There are two worlds, alike but for the records of others: in one they exist, in the other they do
not. A call with the token of `me` must be answered in both as if by one. What cannot be alike is
an id that is taken; there the call is refused, and changes nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any, NamedTuple

import pytest

from mastra_convex import ConvexStorage
from mastra_convex.backends.base import Read
from mastra_convex.backends.credentials import Credentials
from mastra_convex.backends.remote import RemoteBackend
from mastra_convex.errors import ConvexStorageError
from mastra_convex.functions import registry
from mastra_convex.values.outcome import Outcome
from tests.contract.records import at, evaluation, message, run, score, span, task, thread, trace
from tests.served import KEY, server
from tests.server.foreign_calls import MEMORY, MORE, PAGE

SECONDS = 15.0
_TEXT = {"activeObservations": "seen"}
THREAD = {"id": "new", "resourceId": "me"}
MESSAGE = {"id": "new", "role": "user", "type": "text", "content": '"x"'}
# Stands for one that the service got for the other's list.
CURSOR = "CURSOR"


class World(NamedTuple):
    """A store behind an address: the service's view, and that of the resource `me`."""

    url: str
    service: ConvexStorage
    me: RemoteBackend
    cursor: str


def backend(url: str, token: str) -> RemoteBackend:
    return RemoteBackend(url, "", Credentials(token=token), SECONDS)


def fill(storage: ConvexStorage, owner: str, name: str) -> None:
    """One of everything that belongs to somebody, with ids that begin with `name`."""
    storage.save_thread(thread(name, owner, createdAt=at(1)))
    for n in range(3):
        storage.save_message(message(f"{name}-{n}", name, resourceId=owner, createdAt=at(n)))
    storage.save_resource({"id": owner, "workingMemory": f"of {owner}"})
    storage.save_trace(
        trace(name, resourceId=owner, threadId=name, runId=name, name=f"{name}-n", scope=name)
    )
    storage.save_eval(evaluation(name, name, resourceId=owner, threadId=name))
    storage.save_workflow_run(run(name, name, resourceId=owner, stateType=name))
    storage.create_span(span(name, name, resourceId=owner))
    storage.save_score(score(name, resourceId=owner))
    storage.create_task(task(name, threadId=name, resourceId=owner))
    storage.insert_observational_memory_record(
        {**MEMORY, "id": name, "threadId": name, "resourceId": owner, "config": {}, **_TEXT}
    )


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    """With the other's records, and without them."""
    folder: Path = tmp_path_factory.mktemp("worlds")
    cursor = ""
    with ExitStack() as stack:
        found = []
        for name in ("with", "without"):
            url = stack.enter_context(server().serving(folder / f"{name}.db"))
            service = stack.enter_context(ConvexStorage(url, key=KEY.to_text()))
            fill(service, "me", "mine")
            if name == "with":
                fill(service, "other", "theirs")
                first = {**PAGE, "threadId": "theirs", "limit": 1}
                everybody = backend(url, KEY.service_token())
                cursor = everybody.query("messages:list", first)["cursor"]
                everybody.close()
            me = backend(url, KEY.resource_token("me", 3600))
            stack.callback(me.close)
            found.append(World(url, service, me, cursor))
        yield found


# For each function the calls that name, in every argument there is, what belongs to others.
CALLS: dict[str, list[dict[str, Any]]] = {
    "threads:get": [{"id": "theirs"}],
    "threads:list": [
        {**PAGE, "orderBy": "createdAt"},
        {**PAGE, "orderBy": "updatedAt", "resourceId": "other"},
        {**PAGE, "orderBy": "createdAt", "cursor": CURSOR},
        {**PAGE, "orderBy": "createdAt", "resourceId": "other", "cursor": CURSOR},
    ],
    "threads:listArrived": [{"limit": 10}, {"limit": 10, "after": 0}],
    "threads:update": [{"id": "theirs", "title": "mine now"}],
    "threads:remove": [{"id": "theirs"}],
    "threads:clone": [
        {"id": "theirs", "thread": {"id": "copy"}},
        {"id": "theirs", "thread": {"id": "copy", "resourceId": "me"}},
        {"id": "mine", "thread": {"id": "copy", "resourceId": "other"}},
        {"id": "mine", "thread": {"id": "copy-1"}, "messageIds": ["theirs-0", "mine-1"]},
    ],
    "threads:save": [{"thread": {**THREAD, "resourceId": "other"}}],
    "messages:list": [
        {**PAGE, "threadId": "theirs"},
        {**PAGE, "threadId": "theirs", "from": 0},
        {**PAGE, "threadId": "theirs", "cursor": CURSOR},
        {**PAGE, "threadId": "mine", "cursor": CURSOR},
    ],
    "messages:paginate": [
        {"threadId": thread, "order": "asc", "paginationOpts": {"numItems": 9, **options}}
        for thread, options in (
            ("theirs", {"cursor": None}),
            ("theirs", {"cursor": None, "endCursor": CURSOR}),
            ("theirs", {"cursor": CURSOR}),
            ("mine", {"cursor": CURSOR}),
        )
    ],
    "messages:listArrived": [{"limit": 10}, {"limit": 10, "after": 0}],
    "messages:listById": [{"ids": ["theirs-0", "mine-0", "theirs-1", "nothing"]}],
    "messages:save": [
        {"messages": [{**MESSAGE, "threadId": "theirs"}]},
        {"messages": [{**MESSAGE, "threadId": "mine"}, {**MESSAGE, "threadId": "theirs"}]},
    ],
    "messages:update": [
        {"messages": [{"id": "theirs-0", "content": '"mine now"'}]},
        {"messages": [{"id": "theirs-0", "threadId": "mine"}]},
        {"messages": [{"id": "mine-0", "threadId": "theirs"}]},
    ],
    "messages:remove": [{"ids": ["theirs-0", "theirs-1"]}],
    "resources:get": [{"id": "other"}],
    "resources:save": [{"resource": {"id": "other", "workingMemory": "mine now"}}],
    "resources:update": [{"id": "other", "workingMemory": "mine now"}],
    "traces:get": [{"id": "theirs"}],
    "traces:list": [
        PAGE,
        *({**PAGE, name: "theirs"} for name in ("threadId", "runId", "scope")),
        {**PAGE, "name": "theirs-n"},
        {**PAGE, "cursor": CURSOR},
    ],
    "traces:listNames": [{"prefix": "", "limit": 10}, {"prefix": "their", "limit": 10}],
    "traces:save": [{"trace": {"id": "theirs", "spans": "[]"}}],
    "evals:get": [{"id": "theirs"}],
    "evals:list": [
        PAGE,
        *({**PAGE, name: "theirs"} for name in ("threadId", "agentName")),
        {**PAGE, "type": "live"},
    ],
    "evals:save": [{"eval": {"id": "theirs", "agentName": "theirs", "type": "live"}}],
    "workflowRuns:get": [{"id": "theirs"}, {"id": "theirs", "workflowName": "theirs"}],
    "workflowRuns:list": [
        PAGE,
        {**PAGE, "resourceId": "other"},
        {**PAGE, "workflowName": "theirs"},
        {**PAGE, "stateType": "theirs"},
        {**PAGE, "workflowName": "theirs", "stateType": "theirs"},
    ],
    "workflowRuns:save": [{"run": {"id": "theirs", "workflowName": "theirs"}}],
    "system:version": [{}],
    "system:statistics": [{}],
    "system:clear": [{"table": "threads"}],
    **MORE,
}

# Ids that others have taken: the call is refused, where with another id it would do something.
TAKEN: dict[str, list[dict[str, Any]]] = {
    "threads:save": [{"thread": {**THREAD, "id": "theirs"}}],
    "threads:clone": [{"id": "mine", "thread": {"id": "theirs"}}],
    "messages:save": [{"messages": [{**MESSAGE, "id": "theirs-0", "threadId": "mine"}]}],
}


def each(table: dict[str, list[dict[str, Any]]], kind: str | None = None) -> pytest.MarkDecorator:
    """A test's parameters: path and arguments."""
    return pytest.mark.parametrize(
        ("path", "args"),
        [
            pytest.param(path, args, id=f"{path}-{number}")
            for path, calls in table.items()
            if kind is None or registry.functions[path].kind == kind
            for number, args in enumerate(calls)
        ],
    )


def told(error: Exception) -> tuple[Any, ...]:
    """All that a caller is told by an error."""
    assert isinstance(error, ConvexStorageError)
    return (error.code, error.message, {n: x for n, x in error.data.items() if n != "url"})


def untimed(value: Any) -> Any:
    """A value without the moments at which something was written."""
    if isinstance(value, dict):
        times = ("createdAt", "updatedAt", "metadata")
        return {name: untimed(item) for name, item in value.items() if name not in times}
    return [untimed(item) for item in value] if isinstance(value, list) else value


def everything(storage: ConvexStorage) -> list[Any]:
    """All that the other has, as the service sees it."""
    return [
        storage.list_threads("other").threads,
        storage.get_messages("theirs"),
        storage.get_resource_by_id("other"),
        storage.get_traces(thread_id="theirs").traces,
        storage.list_evals(thread_id="theirs").evals,
        storage.list_workflow_runs(workflow_name="theirs").runs,
        storage.get_span("theirs", "theirs"),
        storage.get_score_by_id("theirs"),
        storage.get_task("theirs"),
        storage.get_observational_memory("theirs", "other"),
    ]


def with_cursor(world: World, args: Any) -> Any:
    if isinstance(args, dict):
        return {name: with_cursor(world, item) for name, item in args.items()}
    return world.cursor if args is CURSOR else args


def called(caller: RemoteBackend, path: str, args: dict[str, Any]) -> tuple[Any, ...]:
    """What a caller is told: a value, or all of an error."""
    kind = registry.functions[path].kind
    call: Callable[..., Any] = caller.query if kind == "query" else caller.mutation
    try:
        return ("value", untimed(call(path, args)))
    except ConvexStorageError as error:
        return told(error)


def test_every_function_is_in_the_table() -> None:
    public = {path for path, function in registry.functions.items() if function.public}
    assert public == CALLS.keys()


@each(CALLS)
def test_what_belongs_to_others_is_not_there(
    worlds: list[World], path: str, args: dict[str, Any]
) -> None:
    # What only reads is held from writing by the engine.
    writes = registry.functions[path].kind == "mutation"
    before = everything(worlds[0].service) if writes else []
    assert all(before)
    there, not_there = (called(world.me, path, with_cursor(world, args)) for world in worlds)
    assert there == not_there
    assert there[0] != "INVALID_ARGUMENT" or CURSOR in str(args), "the call says nothing"
    assert not writes or everything(worlds[0].service) == before


@each(CALLS, "query")
def test_nor_does_a_subscription_show_it(
    worlds: list[World], path: str, args: dict[str, Any]
) -> None:
    found = []
    for world in worlds:
        got: Queue[Outcome] = Queue()

        def read(asked: dict[str, Any]) -> Read:
            return (yield path, asked)

        unsubscribe = world.me.subscribe(partial(read, with_cursor(world, args)), got.put)
        outcome = got.get(timeout=SECONDS)
        unsubscribe()
        found.append(told(outcome.error) if outcome.error else untimed(outcome.value))
    assert found[0] == found[1]


def test_what_happens_to_others_is_no_news(worlds: list[World]) -> None:
    """One subscription that asks everything hears nothing of them, and then of its own."""
    world = worlds[0]
    got: Queue[Outcome] = Queue()

    def read() -> Read:
        for path, calls in CALLS.items():
            if registry.functions[path].kind == "query":
                for args in calls:
                    try:
                        yield path, with_cursor(world, args)
                    except ConvexStorageError:
                        continue

    unsubscribe = world.me.subscribe(read, got.put)
    got.get(timeout=SECONDS)
    fill(world.service, "other", "theirs-too")
    world.service.delete_thread("theirs-too")
    world.service.save_message(message("mine-3", "mine", createdAt=at(9)))
    got.get(timeout=SECONDS)
    assert got.empty()
    unsubscribe()
    world.service.delete_messages(["mine-3"])


@each(TAKEN)
def test_an_id_that_is_taken_stays_whose_it_is(
    worlds: list[World], path: str, args: dict[str, Any]
) -> None:
    before = everything(worlds[0].service)
    found = called(worlds[0].me, path, args)
    assert found[0] != "value"
    assert "'other'" not in repr(found)
    assert everything(worlds[0].service) == before


def test_without_a_proof_nothing_is_shown(worlds: list[World]) -> None:
    nobody = backend(worlds[0].url, "none.at.all")
    for path, calls in CALLS.items():
        assert called(nobody, path, with_cursor(worlds[0], calls[0]))[0] == "UNAUTHENTICATED"
    nobody.close()
