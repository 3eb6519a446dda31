"""Lists of threads: their order and their filters."""

import time

import pytest

from mastra_convex import ConvexStorage, InvalidArgumentError
from tests.contract.records import at, ids, thread


def save_four(storage: ConvexStorage) -> None:
    """a and b of r, c and d of s; changed in another order than made."""
    for n, (name, owner, metadata) in enumerate(
        [
            ("a", "r", {"tag": 1, "on": True}),
            ("b", "r", {"tag": "1", "deep": {"x": [1, {"y": None}]}}),
            ("c", "s", {"tag": None}),
            ("d", "s", None),
        ]
    ):
        given = thread(name, owner, createdAt=at(n), updatedAt=at(20 - n * n), metadata=metadata)
        storage.save_thread(given)


def test_threads_of_one_resource_or_of_all(storage: ConvexStorage) -> None:
    save_four(storage)
    for keywords, expected in (
        ({}, "dcba"),
        ({"resource_id": "r"}, "ba"),
        ({"resource_id": "s"}, "dc"),
        ({"resource_id": "none"}, ""),
        # As in Mastra, an empty owner is no filter.
        ({"resource_id": ""}, "dcba"),
        ({"filter": {"resourceId": "r"}}, "ba"),
        ({"filter": {}}, "dcba"),
        ({"filter": {"resourceId": None, "metadata": None}}, "dcba"),
    ):
        page = storage.list_threads(**keywords)
        assert (ids(page.threads), page.total) == (list(expected), len(expected))
    assert storage.list_threads("r") == storage.list_threads(resource_id="r")


def test_every_order(storage: ConvexStorage) -> None:
    save_four(storage)
    for owner, names in ((None, "abcd"), ("r", "ab"), ("s", "cd")):
        for field in ("createdAt", "updatedAt"):
            for direction in ("ASC", "DESC"):
                backwards = (field == "updatedAt") != (direction == "DESC")
                expected = list(names[::-1] if backwards else names)
                order_by = {"field": field, "direction": direction}
                page = storage.list_threads(owner, order_by=order_by)
                assert ids(page.threads) == expected
                assert (page.total, page.has_more) == (len(expected), False)
                page = storage.list_threads(owner, order_by=order_by, page=1, per_page=1)
                assert ids(page.threads) == expected[1:2]
                assert (page.total, page.has_more) == (len(expected), len(expected) > 2)


def test_equal_times_of_change_are_in_the_order_of_saving(storage: ConvexStorage) -> None:
    for n, name in enumerate("cadb"):
        storage.save_thread(thread(name, createdAt=at(-n), updatedAt=at(0)))
    by = "updatedAt"
    ascending = storage.list_threads(order_by={"field": by, "direction": "ASC"}).threads
    descending = storage.list_threads(order_by={"field": by}).threads
    assert ids(ascending) == list("cadb")
    assert ids(descending) == list("bdac")


def test_a_change_moves_a_thread_to_the_front(storage: ConvexStorage) -> None:
    save_four(storage)
    storage.update_thread("b")
    time.sleep(0.002)  # the unit of time is a millisecond
    assert ids(storage.list_threads("r", order_by={"field": "updatedAt"}).threads) == ["b", "a"]
    storage.update_thread("a")
    assert ids(storage.list_threads("r", order_by={"field": "updatedAt"}).threads) == ["a", "b"]
    assert ids(storage.list_threads("r").threads) == ["b", "a"]


def test_a_thread_that_changes_hands_changes_lists(storage: ConvexStorage) -> None:
    save_four(storage)
    storage.save_thread(thread("a", "s"))
    assert (storage.list_threads("r").total, storage.list_threads("s").total) == (1, 3)
    assert ids(storage.list_threads("s").threads) == ["d", "c", "a"]


FILTERS: list[tuple[dict[str, object], str]] = [
    ({}, "dcba"),
    ({"tag": 1}, "a"),
    ({"tag": 1.0}, "a"),
    ({"tag": "1"}, "b"),
    ({"tag": True}, ""),
    ({"on": True}, "a"),
    ({"on": 1}, ""),
    ({"tag": None}, "c"),
    ({"missing": None}, ""),
    ({"tag": 1, "on": True}, "a"),
    ({"tag": 1, "on": False}, ""),
    ({"deep": {"x": [1, {"y": None}]}}, "b"),
    ({"deep": {"x": [{"y": None}, 1]}}, ""),
    ({"deep": {}}, ""),
    ({"x" * 128: 1}, ""),
]


def test_filters_of_metadata(storage: ConvexStorage) -> None:
    save_four(storage)
    for wanted, expected in FILTERS:
        page = storage.list_threads(metadata=wanted)
        assert (ids(page.threads), page.total) == (list(expected), len(expected)), wanted
        assert storage.list_threads(filter={"metadata": wanted}) == page
        of_one = storage.list_threads("r", metadata=wanted, per_page=False).threads
        assert ids(of_one) == [name for name in expected if name in "ab"]


def test_pages_of_filtered_threads(storage: ConvexStorage) -> None:
    for n in range(9):
        storage.save_thread(thread(f"{n}", createdAt=at(n), metadata={"odd": n % 2}))
    for total in (True, False):
        found = [
            storage.list_threads(metadata={"odd": 0}, page=n, per_page=2, include_total=total)
            for n in range(4)
        ]
        assert [ids(page.threads) for page in found] == [["8", "6"], ["4", "2"], ["0"], []]
        assert [page.has_more for page in found] == [True, True, False, False]
        assert [page.total for page in found] == [5 if total else None] * 4
    exact = storage.list_threads(metadata={"odd": 1}, per_page=4, include_total=False)
    assert (len(exact.threads), exact.has_more) == (4, False)
    none = storage.list_threads(metadata={"odd": 1}, per_page=0)
    assert (none.threads, none.total, none.has_more) == ([], 4, True)


def test_a_bad_filter_is_refused(storage: ConvexStorage) -> None:
    for key in ("", "1a", "a.b", "a b", "ä", "__proto__", "prototype", "constructor", "x" * 129, 5):
        with pytest.raises(InvalidArgumentError, match="list_threads: metadata cannot be filtered"):
            storage.list_threads(metadata={key: 1})  # type: ignore[dict-item]
    for metadata in ("tag", ["tag"], 5):
        with pytest.raises(InvalidArgumentError, match="metadata is a mapping"):
            storage.list_threads(metadata=metadata)  # type: ignore[arg-type]
    for filter in ("tag", ["tag"], {"title": "x"}, {"resource_id": "r"}):
        with pytest.raises(InvalidArgumentError, match="filter is a mapping with resourceId and"):
            storage.list_threads(filter=filter)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="resourceId must be text"):
        storage.list_threads(filter={"resourceId": 5})
    with pytest.raises(InvalidArgumentError, match="resourceId must be text"):
        storage.list_threads(5)  # type: ignore[arg-type]
