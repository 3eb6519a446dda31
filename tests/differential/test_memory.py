"""Mastra's in-memory store and ours, given the same random operations, answer the same.

What differs is a choice with a name (memory.py). Times are distinct: the order of ties is one of
the choices, and tested elsewhere. What only ours refuses is not sent to Mastra.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mastra_convex import Message, NotFoundError
from tests.differential import memory
from tests.differential.both import Both, Choice, Operations, run
from tests.differential.mastra import Date, Mastra
from tests.functions.scenarios import Clock

SEEDS = [1, 2, 3]
STEPS = 2000

Doc = dict[str, Any]


RESOURCES = ["r0", "r1", "r2"]
THREADS = [f"t{n}" for n in range(6)]
VALUES = [None, True, False, 0, 1, 1.5, "1", "x"]
DEEP = [*VALUES, {"a": [1, {"b": None}]}, [1, 2]]


class Memory(Operations):
    """Random operations of the memory domain."""

    def __init__(self, both: Both) -> None:
        super().__init__(both)
        self.names: list[str] = [f"m{n}" for n in range(40)]

    def kinds(self) -> list[tuple[int, Callable[[], None]]]:
        return [
            (8, self.save_thread),
            (4, self.update_thread),
            (2, self.update_metadata),
            (2, self.give_away),
            (2, self.delete_thread),
            (3, self.get_thread),
            (8, self.list_threads),
            (25, self.save_messages),
            (10, self.update_messages),
            (5, self.delete_messages),
            (25, self.list_messages),
            (10, self.list_by_resource),
            (4, self.list_by_id),
            (4, self.clone),
            (2, self.get_resource),
            (3, self.save_resource),
            (4, self.update_resource),
        ]

    # Parts of arguments.

    def thread_id(self) -> str:
        return self.dice.choice(THREADS)

    def resource_id(self) -> str:
        return self.dice.choice(RESOURCES)

    def message_id(self) -> str:
        return self.dice.choice(self.names)

    def metadata(self, values: list[Any] = DEEP) -> Doc:
        return {key: self.dice.choice(values) for key in self.dice.sample("abc", 2)}

    def content(self, role: str = "user") -> Any:
        text = f"text {self.dice.random()}"
        # Mastra saves a text of a signal, and then calls it a bug of its own.
        if role != "signal" and self.dice.random() < 0.2:
            return text
        body = {"format": 2, "parts": [{"type": "text", "text": text}]}
        return body | self.maybe(metadata=self.metadata)

    def owner(self, thread_id: str) -> str | None:
        thread = self.both.storage.get_thread_by_id(thread_id)
        return None if thread is None else thread.resource_id

    def kept(self, kind: str, record: Doc, exists: bool) -> Doc:
        """The record with the time of creation that it has: ours keep it, Mastra's take the new."""
        key = (kind, record["id"])
        if not exists:
            self.both.created[key] = self.both.moment()
        return {**record, "createdAt": self.both.created[key]}

    # Threads.

    def save_thread(self) -> None:
        id = self.thread_id()
        thread = {
            "id": id,
            "resourceId": self.resource_id(),
            "updatedAt": self.both.moment(),
            **self.maybe(title=lambda: self.dice.choice(["", "A title"]), metadata=self.metadata),
        }
        thread = self.kept("thread", thread, self.owner(id) is not None)
        self.both.run("saveThread", {"thread": thread}, memory.no_metadata_is_none)

    def update_thread(self) -> None:
        given = self.maybe(title=lambda: self.dice.choice(["", "Other"]), metadata=self.metadata)
        given = {"id": self.thread_id(), **given}
        method = self.dice.choice(["updateThread", "patchThread"])
        self.both.run(method, given, memory.no_metadata_is_none)

    def update_metadata(self) -> None:
        given = {"id": self.thread_id(), "update": {"$returns": self.metadata()}}
        given |= self.maybe(resourceId=self.resource_id)
        self.both.run("updateThreadMetadata", given, memory.no_metadata_is_none)

    def give_away(self) -> None:
        id = self.thread_id()
        given = {"threadId": id, "resourceId": self.resource_id()}
        choices = [memory.no_metadata_is_none, memory.one_change_of_owner]
        self.both.run("updateThreadResourceId", given, *choices)
        # Made even again.
        self.both.run("updateThread", {"id": id}, memory.no_metadata_is_none)

    def delete_thread(self) -> None:
        self.both.run("deleteThread", {"threadId": self.thread_id()})

    def get_thread(self) -> None:
        given = {"threadId": self.thread_id(), **self.maybe(resourceId=self.resource_id)}
        self.both.run("getThreadById", given, memory.no_metadata_is_none)

    def list_threads(self) -> None:
        given = self.paging()
        if self.dice.random() < 0.4:
            direction = self.dice.choice(["ASC", "DESC"])
            given["orderBy"] = {"field": "createdAt", "direction": direction}
        filter = self.maybe(
            resourceId=lambda: self.dice.choice([*RESOURCES, ""]),
            metadata=lambda: self.dice.choice([{}, self.metadata(), {"a": self.dice.choice(DEEP)}]),
        )
        if filter:
            given["filter"] = filter

        def shape(value: Doc) -> Doc:
            return {**value, "threads": [*map(memory.no_metadata_is_none, value["threads"])]}

        self.both.run("listThreads", given, shape)

    def paging(self) -> Doc:
        given: Doc = self.maybe(
            page=lambda: self.dice.choice([0, 0, 1, 2, 9]),
            perPage=lambda: self.dice.choice([0, 1, 2, 3, 5, 40, False]),
        )
        if self.dice.random() < 0.02:
            given["page"] = -1
        if given.get("perPage") is False:
            given["page"] = 0
        return given

    # Messages.

    def save_messages(self) -> None:
        messages = []
        for id in self.dice.sample(self.names, self.dice.choice([1, 1, 2, 5])):
            thread_id = self.thread_id()
            if self.owner(thread_id) is None:
                orphan = {"id": id, "threadId": thread_id, "role": "user", "content": "x"}
                save = partial(self.both.storage.save_message, orphan)
                self.both.only_ours(NotFoundError, save)
                continue
            role = self.dice.choice(["user", "assistant", "system", "signal"])
            message = {
                "id": id,
                "threadId": thread_id,
                "role": role,
                "content": self.content(role),
                **self.maybe(0.8, resourceId=self.resource_id),
                **self.maybe(0.3, type=lambda: "v2"),
            }
            exists = bool(self.both.storage.list_messages_by_id([id]))
            messages.append(self.kept("message", message, exists))
        self.both.run(
            "saveMessages",
            {"messages": messages},
            memory.without_system_messages,
            memory.messages_of,
            memory.as_saved,
        )

    def update_messages(self) -> None:
        ids = self.dice.sample(self.names, self.dice.choice([1, 2, 3]))
        self.both.run(
            "updateMessages",
            {"messages": [self.change(id) for id in ids]},
            memory.messages_of,
            memory.role_of_a_change,
        )

    def change(self, id: str) -> Doc:
        """A change of a message, which may be missing."""
        target = self.thread_id()
        found = self.both.storage.list_messages_by_id([id])
        if found and self.owner(target) is None:
            move = partial(self.both.storage.update_messages, [{"id": id, "threadId": target}])
            self.both.only_ours(NotFoundError, move)
            target = found[0].thread_id
        given = {"id": id, **self.maybe(0.3, threadId=lambda: target)}
        return given | self.maybe(
            0.4,
            role=lambda: self.dice.choice(["user", "assistant", "signal"]),
            type=lambda: "v3",
            resourceId=self.resource_id,
            content=partial(self.changed_content, found),
        )

    def changed_content(self, found: list[Message]) -> Any:
        # Of a text and a map Mastra makes what its other calls cannot read.
        if found and isinstance(found[0].content, str):
            return self.content("signal")
        return self.dice.choice(
            [
                {"metadata": self.metadata()},
                {"content": "short"},
                {"parts": [], "metadata": self.metadata()},
                self.content(),
            ]
        )

    def delete_messages(self) -> None:
        ids = self.dice.sample(self.names, self.dice.choice([0, 1, 2]))
        self.both.run("deleteMessages", (ids,))

    def query(self) -> Doc:
        """What both lists of messages take."""
        given = self.paging()
        if self.dice.random() < 0.4:
            direction = self.dice.choice(["ASC", "DESC"])
            given["orderBy"] = {"field": "createdAt", "direction": direction}
        ends = self.maybe(0.3, start=self.end, end=self.end)
        flags = self.maybe(startExclusive=lambda: True, endExclusive=lambda: True)
        filter = self.maybe(
            0.3, metadata=lambda: self.dice.choice([{}, {"a": self.dice.choice(VALUES)}])
        )
        if ends:
            filter["dateRange"] = ends | flags
        if filter:
            given["filter"] = filter
        if self.dice.random() < 0.4:
            entries = range(self.dice.choice([1, 2]))
            given["include"] = [
                {"id": self.message_id()}
                | self.maybe(
                    withPreviousMessages=lambda: self.dice.choice([0, 1, 2, 9]),
                    withNextMessages=lambda: self.dice.choice([0, 1, 2, 9]),
                )
                for _ in entries
            ]
        return given

    def end(self) -> Date:
        """The end of a range: often the very time of a message."""
        times = [time for (kind, _), time in self.both.created.items() if kind == "message"]
        return Date(self.dice.choice([*times, 500_000.0]))

    def list_messages(self) -> None:
        several = self.dice.sample(THREADS, 2)
        of: Any = self.dice.choice([self.thread_id(), self.thread_id(), several])
        given = {"threadId": of, **self.maybe(0.4, resourceId=self.resource_id), **self.query()}
        choices: list[Choice] = [memory.messages_of]
        threads = of if isinstance(of, list) else [of]
        if "include" in given and "resourceId" not in given:
            owners = {owner for each in threads if (owner := self.owner(each)) is not None}
            choices.append(memory.own_of(self.owner, owners))
        if "include" in given and not given.get("filter", {}).get("metadata"):
            choices.append(memory.has_more_with_include)
        self.both.run("listMessages", given, *choices)

    def list_by_resource(self) -> None:
        given = {"resourceId": self.resource_id(), **self.query()}
        choices = [memory.messages_of, memory.without_system_messages]
        self.both.run("listMessagesByResourceId", given, *choices)

    def list_by_id(self) -> None:
        ids = self.dice.choices(self.names, k=self.dice.choice([0, 1, 3]))
        choices = [memory.messages_of, memory.without_system_messages]
        self.both.run("listMessagesById", {"messageIds": ids}, *choices)

    # Copies.

    def clone(self) -> None:
        source = self.thread_id()
        chosen = self.maybe(
            0.3,
            messageIds=lambda: self.dice.sample(self.names, self.dice.choice([0, 10, 20])),
            startDate=self.end,
            endDate=self.end,
        )
        options = self.maybe(0.4, messageLimit=lambda: self.dice.choice([0, 1, 2, 5]))
        if chosen:
            options["messageFilter"] = chosen
        new = f"c{self.both.done['cloneThread']}"
        given = {
            "sourceThreadId": source,
            "newThreadId": new if self.dice.random() < 0.9 else self.thread_id(),
            **self.maybe(
                0.3, resourceId=self.resource_id, title=lambda: "New", metadata=self.metadata
            ),
            **({"options": options} if options else {}),
        }
        made = self.both.run("cloneThread", given, memory.clone_of_its_owner)
        if made is None:
            return
        # Copies have their sources' times: they go again before a list could meet both.
        new = given["newThreadId"]
        copies = list(made["messageIdMap"].values())
        self.both.run("listMessages", {"threadId": new, "perPage": False}, memory.messages_of)
        if copies:
            change = {"id": copies[0], "content": {"metadata": self.metadata()}}
            choices = [memory.messages_of, memory.role_of_a_change]
            self.both.run("updateMessages", {"messages": [change]}, *choices)
            self.both.run("deleteMessages", (copies[1:3],))
        self.both.run("deleteThread", {"threadId": new})

    # Resources.

    def get_resource(self) -> None:
        given = {"resourceId": self.resource_id()}
        self.both.run("getResourceById", given, memory.no_metadata_is_none)

    def save_resource(self) -> None:
        id = self.resource_id()
        resource = {
            "id": id,
            "updatedAt": self.both.moment(),
            **self.maybe(workingMemory=lambda: "# Notes", metadata=self.metadata),
        }
        found = self.both.storage.get_resource_by_id(id)
        if found is not None:
            key = ("resource", id)
            self.both.created[key] = Date(found.to_dict()["createdAt"])
        resource = self.kept("resource", resource, found is not None)
        self.both.run("saveResource", {"resource": resource}, memory.no_metadata_is_none)

    def update_resource(self) -> None:
        given = self.maybe(
            workingMemory=lambda: self.dice.choice(["", "x"]), metadata=self.metadata
        )
        given = {"resourceId": self.resource_id(), **given}
        self.both.run("updateResource", given, memory.no_metadata_is_none)


def run_all(reference: Mastra, clock: Clock, seed: int) -> Counter[str]:
    """Do as many operations as there are steps; returns how often each was done."""
    both = Both("memory", memory.OurMemory, reference, clock, seed)
    return run(both, Memory(both), STEPS)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_operations_give_the_same_answers(
    reference: Mastra, clock: Clock, seed: int
) -> None:
    done = run_all(reference, clock, seed)
    # Every kind of operation has been tried, each of them often.
    assert len(done) == 19
    assert min(done.values()) > 20
    assert done["refused: NotFoundError"] < sum(done.values()) / 5


CHOICES = [
    "no_metadata_is_none",
    "one_change_of_owner",
    "a_message",
    "without_system_messages",
    "as_saved",
    "role_of_a_change",
    "has_more_with_include",
    "own_of",
    "clone_of_its_owner",
]


@pytest.mark.parametrize("choice", CHOICES)
def test_each_choice_is_one(
    reference: Mastra, clock: Clock, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, the answers differ."""
    kept = (lambda *_: lambda value: value) if choice == "own_of" else (lambda value: value)
    monkeypatch.setattr(memory, choice, kept)
    with pytest.raises(AssertionError, match="of ours, "):
        run_all(reference, clock, SEEDS[0])
