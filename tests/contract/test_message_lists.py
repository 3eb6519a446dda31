"""Lists of messages: of several threads, of a resource, filtered, and with what is around others.

Thread A holds a1 to a5, thread B b1 to b3, each message made at the moment of its number; both
belong to resource r. Thread X, with x1 to x3, belongs to resource s.
"""

from typing import Any

import pytest

from mastra_convex import ConvexStorage, InvalidArgumentError, MessagePage
from tests.contract.records import at, ids, message, now, thread

DESC = {"direction": "DESC"}
PARTS = [{"type": "text", "text": "hello"}]


@pytest.fixture
def talk(storage: ConvexStorage) -> ConvexStorage:
    """The storage with the three threads."""
    for name, count, owner in (("A", 5, "r"), ("B", 3, "r"), ("X", 3, "s")):
        storage.save_thread(thread(name, resource=owner))
        storage.save_messages(
            [
                message(f"{name.lower()}{n}", name, resourceId=owner, createdAt=at(n))
                for n in range(1, count + 1)
            ]
        )
    return storage


def shown(page: MessagePage) -> tuple[str, int | None, bool]:
    """Ids, total and has_more of a page."""
    return " ".join(ids(page.messages)), page.total, page.has_more


def around(id: str, before: int = 0, after: int = 0) -> dict[str, Any]:
    """An entry of `include`."""
    return {"id": id, "withPreviousMessages": before, "withNextMessages": after}


def test_vectors_of_the_interface(talk: ConvexStorage) -> None:
    """Those of section 11 that tell of lists, in their order."""

    def listed(of: Any = "A", resource: str | None = None, **given: Any) -> Any:
        return shown(talk.list_messages(of, resource, **given))

    def dated(**ends: Any) -> str:
        return str(listed(date_range={"start": at(2), "end": at(4), **ends})[0])

    assert listed(per_page=2, page=1) == ("a3 a4", 5, True)
    assert listed(per_page=0) == ("", 0, False)
    assert listed(per_page=0, include=[around("b2", 1)]) == ("b1 b2", 0, False)
    assert listed(per_page=2, include=[around("a4", 1, 1)]) == ("a1 a2 a3 a4 a5", 5, False)
    assert listed(per_page=2, include=[around("b2", 5, 5)]) == ("a1 b1 a2 b2 b3", 5, True)
    assert listed(per_page=1, order_by=DESC, include=[around("a2", 1)]) == ("a5 a2 a1", 5, True)
    since = {"start": at(4)}
    assert listed(date_range=since, include=[around("a1", 0, 1)]) == ("a1 a2 a4 a5", 2, False)
    assert listed(["A", "B"], per_page=2, include=[around("b2")]) == ("a1 b1 b2", 8, True)
    assert dated() == "a2 a3 a4"
    assert dated(startExclusive=True) == "a3 a4"
    assert dated(endExclusive=True) == "a2 a3"
    assert dated(start_exclusive=True, end_exclusive=True) == "a3"
    assert listed("A", "r", include=[around("x2", 1, 1)])[0] == "a1 a2 a3 a4 a5"
    assert ids(talk.list_messages_by_id(["a5", "unknown", "a1", "a5"])) == ["a1", "a5"]
    threads = talk.list_threads(per_page=0)
    assert (threads.threads, threads.total, threads.has_more) == ([], 3, True)


def test_several_threads_are_one_list(talk: ConvexStorage) -> None:
    both = ["B", "A"]
    everything = "b1 a1 b2 a2 b3 a3 a4 a5"
    assert shown(talk.list_messages(both, per_page=False)) == (everything, 8, False)
    # Threads are in the order given, and twice is once.
    names = everything.split()
    assert shown(talk.list_messages(["B", "A", "B", "none"])) == (everything, 8, False)
    for size in (1, 3, 8):
        pages = [talk.list_messages(both, page=n, per_page=size) for n in range(8 // size + 1)]
        assert [name for page in pages for name in ids(page.messages)] == names
        assert [page.has_more for page in pages] == [(n + 1) * size < 8 for n in range(len(pages))]
    backwards = talk.list_messages(both, per_page=False, order_by=DESC)
    assert ids(backwards.messages) == names[::-1]
    assert shown(talk.list_messages(both, per_page=2, page=1, include_total=False)) == (
        "b2 a2",
        None,
        True,
    )


def test_a_hundred_threads_and_more_are_one_list(talk: ConvexStorage) -> None:
    many = [f"none{n}" for n in range(150)]
    threads = ["B", *many, "A"]
    assert shown(talk.list_messages(threads, per_page=3, page=1)) == ("a2 b3 a3", 8, True)
    assert shown(talk.list_messages(threads, "s")) == ("", 0, False)


def test_a_resource_in_a_thread(talk: ConvexStorage) -> None:
    talk.save_messages(
        [
            message("a6", "A", resourceId="s", createdAt=at(1.5)),
            message("a7", "A", createdAt=at(2.5)),
            message("a8", "A", resourceId="s", createdAt=at(6)),
        ]
    )
    assert shown(talk.list_messages("A", "r", per_page=2)) == ("a1 a2", 5, True)
    assert shown(talk.list_messages("A", "r", per_page=4, page=1)) == ("a5", 5, False)
    assert shown(talk.list_messages("A", "s")) == ("a6 a8", 2, False)
    assert shown(talk.list_messages("A", "s", date_range={"start": at(2)})) == ("a8", 1, False)
    assert shown(talk.list_messages("A", "nobody")) == ("", 0, False)
    # An empty resource is no filter, as in Mastra.
    assert talk.list_messages("A", "").total == 8
    # Around a message, too, only what is the resource's is counted.
    page = talk.list_messages("A", "r", per_page=0, include=[around("a3", 2, 1)])
    assert ids(page.messages) == ["a1", "a2", "a3", "a4"]
    page = talk.list_messages("A", per_page=0, include=[around("a3", 2, 1)])
    assert ids(page.messages) == ["a2", "a7", "a3", "a4"]


def test_messages_of_a_resource(talk: ConvexStorage) -> None:
    talk.save_message(message("x4", "X", resourceId="r", createdAt=at(9)))
    everything = "a1 b1 a2 b2 a3 b3 a4 a5 x4"

    def listed(resource: Any = "r", **given: Any) -> Any:
        return shown(talk.list_messages_by_resource_id(resource, **given))

    assert listed() == (everything, 9, False)
    assert listed(per_page=False) == (everything, 9, False)
    assert listed(per_page=4, page=1) == ("a3 b3 a4 a5", 9, True)
    assert listed(per_page=4, page=2, include_total=False) == ("x4", None, False)
    assert listed(per_page=2, order_by=DESC) == ("x4 a5", 9, True)
    assert listed(date_range={"start": at(3), "end": at(5)}) == ("a3 b3 a4 a5", 4, False)
    assert listed(per_page=0) == ("", 9, True)
    assert listed(per_page=0, include=[around("b2", 1)]) == ("b1 b2", 9, True)
    # What is included does not change whether there is more; it is the resource's as well.
    assert listed(per_page=1, include=[around("a2"), around("x1", 9, 9)]) == ("a1 a2", 9, True)
    assert listed(per_page=1, include=[around("x4", 9, 9)]) == ("a1 x4", 9, True)
    assert listed("s") == ("x1 x2 x3", 3, False)
    assert listed("nobody") == ("", 0, False)
    for bad in ("", None, 5):
        with pytest.raises(InvalidArgumentError, match="list_messages_by_resource_id: resource_id"):
            listed(bad)


def test_totals_of_a_resource_follow_its_messages(talk: ConvexStorage) -> None:
    def totals() -> tuple[Any, ...]:
        return (
            *(talk.list_messages_by_resource_id(each, per_page=0).total for each in "rs"),
            *(talk.list_messages(each, "r", per_page=1).total for each in "AB"),
        )

    assert totals() == (8, 3, 5, 3)
    talk.update_messages([{"id": "a1", "threadId": "B"}, {"id": "a2", "resourceId": "s"}])
    assert totals() == (7, 4, 3, 4)
    talk.delete_messages(["a3", "a2"])
    assert totals() == (6, 3, 2, 4)
    talk.save_message(message("b1", "A", resourceId="r"))
    talk.save_message(message("b2", "B"))
    assert totals() == (5, 3, 3, 2)
    talk.clone_thread("A", "C", resource_id="s")
    assert totals() == (5, 6, 3, 2)
    talk.delete_thread("A")
    assert totals() == (2, 6, 0, 2)
    talk.clear_table("messages")
    assert totals() == (0, 0, 0, 0)


def test_metadata_of_messages(talk: ConvexStorage) -> None:
    def save(id: str, metadata: Any) -> None:
        content = {"format": 2, "parts": PARTS, "metadata": metadata}
        talk.save_message(
            message(id, "B", resourceId="r", createdAt=at(int(id[1])), content=content)
        )

    for id, value in (("b4", 1), ("b5", "1"), ("b6", True), ("b7", None), ("b8", 1.5)):
        save(id, {"k": value, "other": {"deep": 1}})
    save("b9", {"other": 1})

    def matching(**metadata: Any) -> Any:
        return shown(talk.list_messages("B", metadata=metadata))[0]

    assert matching(k=1) == matching(k=1.0) == "b4"
    assert [matching(k=value) for value in ("1", True, None, 1.5)] == ["b5", "b6", "b7", "b8"]
    assert matching(k=False) == matching(k=0) == matching(missing=None) == matching(k=1, x=1) == ""
    assert matching() == "b1 b2 b3 b4 b5 b6 b7 b8 b9"
    # The total is counted on the walk, and what is included has no part in it.
    page = talk.list_messages("B", metadata={"other": 1}, per_page=1, include=[around("b4", 1)])
    assert shown(page) == ("b3 b4 b9", 1, False)
    page = talk.list_messages_by_resource_id("r", metadata={"k": None}, include_total=False)
    assert shown(page) == ("b7", None, False)
    both = {"dateRange": {"start": at(6)}, "metadata": {"k": True}}
    assert shown(talk.list_messages(["A", "B"], filter=both)) == ("b6", 1, False)


def test_windows_that_meet(talk: ConvexStorage) -> None:
    several = [around("a2", 1, 1), around("a4", 1, 0), around("none", 3, 3), around("a2", 0, 3)]
    page = talk.list_messages("B", per_page=1, include=several)
    assert shown(page) == ("b1 a1 a2 a3 a4 a5", 3, True)
    # The thread of an entry is the message's own, whatever is said of it.
    page = talk.list_messages("A", per_page=0, include=[{"id": "b1", "threadId": "A"}])
    assert ids(page.messages) == ["b1"]


def test_windows_never_cross_a_resource(talk: ConvexStorage) -> None:
    everywhere = [around("x2", 1, 1), around("a1")]
    assert shown(talk.list_messages("B", per_page=0, include=everywhere)) == ("a1", 0, False)
    assert shown(talk.list_messages("none", include=everywhere)) == ("", 0, False)
    assert shown(talk.list_messages(["B", "X"], per_page=0, include=everywhere))[0] == "x1 a1 x2 x3"


def test_has_more_when_what_is_included_is_not_of_the_list(talk: ConvexStorage) -> None:
    """Messages outside of the range do not make up for those of it that are still to come."""
    since = {"start": at(3)}
    page = talk.list_messages("A", per_page=1, date_range=since, include=[around("a2", 1)])
    assert shown(page) == ("a1 a2 a3", 3, True)
    # And a last page has nothing after it, whatever has not been included.
    page = talk.list_messages("A", per_page=2, page=2, include=[around("a1")])
    assert shown(page) == ("a1 a5", 5, False)


def test_equal_times(storage: ConvexStorage) -> None:
    for name in "AB":
        storage.save_thread(thread(name))
        storage.save_messages([message(f"{name}{n}", name, resourceId="r") for n in range(4)])
    page = storage.list_messages("A", per_page=1, include=[around("A2", 1, 1)])
    assert ids(page.messages) == ["A0", "A1", "A2", "A3"]
    page = storage.list_messages("A", per_page=1, order_by=DESC, include=[around("A1", 1)])
    assert ids(page.messages) == ["A3", "A1", "A0"]
    pages = [storage.list_messages(["A", "B"], per_page=3, page=n) for n in range(3)]
    listed = [id for page in pages for id in ids(page.messages)]
    assert listed == ["A0", "A1", "A2", "A3", "B0", "B1", "B2", "B3"]
    pages = [storage.list_messages_by_resource_id("r", per_page=3, page=n) for n in range(3)]
    assert [id for page in pages for id in ids(page.messages)] == [
        f"{name}{n}" for n in range(4) for name in "AB"
    ]


def test_a_wide_window(storage: ConvexStorage) -> None:
    """More than one call looks at, and many messages of others between."""
    for name in "tu":
        storage.save_thread(thread(name))
    names = [f"m{n:04}" for n in range(1300)]
    owners = ["r" if n % 3 else "s" for n in range(1300)]
    for start in (0, 650):
        part = range(start, start + 650)
        storage.save_messages(
            [message(names[n], resourceId=owners[n], createdAt=at(n)) for n in part]
        )
    wide = [around("m0650", 600, 600), around("m0010", 5, 0)]
    page = storage.list_messages("u", per_page=0, include=wide)
    assert ids(page.messages) == names[5:11] + names[50:1251]
    page = storage.list_messages("u", "s", per_page=0, include=[around("m0651", 300, 150)])
    assert ids(page.messages) == names[0:1102:3]
    page = storage.list_messages("t", "s", per_page=200, page=2)
    assert shown(page) == (" ".join(names[1200::3]), 434, False)


def test_large_messages_beside_each_other(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    names = [f"m{n}" for n in range(5)]
    for n, name in enumerate(names):
        storage.save_message(message(name, content="ä" * 2_500_000, createdAt=at(n)))
    page = storage.list_messages("t", per_page=0, include=[around("m2", 2, 2)])
    assert ids(page.messages) == names


def test_pages_follow_changes(talk: ConvexStorage) -> None:
    include = [around("b1", 0, 1)]
    with talk.watch_messages("A", "r", per_page=2, order_by=DESC, include=include) as pages:
        assert shown(pages.next(5)) == ("a5 a4 b2 b1", 5, True)
        talk.save_message(message("a6", "A", resourceId="r", createdAt=now()))
        assert shown(pages.next(5)) == ("a6 a5 b2 b1", 6, True)
        talk.delete_messages(["b2"])
        assert shown(pages.next(5)) == ("a6 a5 b3 b1", 6, True)
    with talk.watch_resource_messages("r", last=2) as newest:
        assert ids(newest.next(5)) == ["a5", "a6"]
        talk.save_message(message("b4", "B", resourceId="r", createdAt=now()))
        assert ids(newest.next(5)) == ["a6", "b4"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"page": -1}, "page must be >= 0"),
    ({"per_page": 1.5}, "per_page must be >= 0"),
    ({"order_by": {"field": "updatedAt"}}, "cannot order by 'updatedAt'"),
    ({"metadata": {"a.b": 1}}, "metadata cannot be filtered by the key 'a.b'"),
    ({"metadata": {"a": [1]}}, r"metadata\.a must be text, a finite number"),
    ({"metadata": {"a": float("inf")}}, r"metadata\.a must be text, a finite number"),
    ({"metadata": "a"}, "metadata is a mapping, not 'a'"),
    ({"filter": {"metadata": ["a"]}}, "metadata is a mapping"),
    ({"filter": []}, "filter is a mapping"),
    ({"filter": {"resourceId": "r"}}, "filter has no member 'resourceId'"),
    ({"date_range": 5}, "date_range is a mapping"),
    ({"date_range": {"from": 5}}, "date_range has no member 'from'"),
    ({"date_range": {"start": "soon"}}, r"date_range\.start must be an aware datetime"),
    ({"include": {"id": "m"}}, "include is a list"),
    ({"include": ["m"]}, r"include\[0\] is a mapping"),
    ({"include": [{}]}, r"include\[0\] needs the id of a message"),
    ({"include": [around("m", -1)]}, r"include\[0\]: a number of messages is whole and >= 0"),
    ({"include": [around("m", 0, True)]}, r"include\[0\]: a number of messages is whole"),
]


@pytest.mark.parametrize(("given", "text"), BAD)
def test_bad_arguments_are_refused(
    storage: ConvexStorage, given: dict[str, Any], text: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=f"list_messages: {text}"):
        storage.list_messages("t", **given)
    with pytest.raises(InvalidArgumentError, match=f"list_messages_by_resource_id: {text}"):
        storage.list_messages_by_resource_id("r", **given)
    with pytest.raises(InvalidArgumentError, match=f"watch_messages: {text}"):
        storage.watch_messages("t", **given)


def test_bad_threads_are_refused(storage: ConvexStorage) -> None:
    for bad in ("", "  ", None, 5, [], ["t", ""], ["t", 5], b"t", {"t": 1}):
        with pytest.raises(InvalidArgumentError, match="list_messages: thread_id must be the id"):
            storage.list_messages(bad)  # type: ignore[arg-type]
