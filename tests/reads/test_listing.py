"""Lists over cursors: which calls are made, and what comes of their replies."""

from collections.abc import Generator, Mapping
from typing import Any

import pytest

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.reads.listing import (
    MAX_PAGE,
    Found,
    Window,
    direction,
    given,
    listing,
    matching,
    metadata_keep,
    named,
    newest,
    order_of,
    time_range,
    window,
)
from mastra_convex.values.payload import encode_payload

Call = tuple[str, dict[str, Any]]


class Table:
    """Answers list calls from the numbers below `count`, at most `most` at a time.

    It passes over `skips` at a time.
    """

    def __init__(
        self, count: int, most: int = MAX_PAGE, *, keeps_total: bool = True, skips: int = 10**9
    ) -> None:
        self.count = count
        self.most = most
        self.skips = skips
        self.keeps_total = keeps_total
        self.calls: list[dict[str, Any]] = []

    def reply(self, args: Mapping[str, Any]) -> dict[str, Any]:
        skip = args.get("skip", 0)
        skipped = min(skip, self.skips, self.count - int(args.get("cursor", 0)))
        start = int(args.get("cursor", 0)) + skipped
        assert 1 <= args["limit"] <= MAX_PAGE
        room = args["limit"] if skipped == skip else 0
        end = min(start + room, start + self.most, self.count)
        # A page that was cut by its bytes may have a cursor though nothing follows.
        exhausted = end == self.count and end - start < self.most
        reply: dict[str, Any] = {
            "page": [{"n": n} for n in range(start, end)],
            "cursor": None if exhausted else str(end),
            **({"skipped": skipped} if skip else {}),
        }
        if args.get("withTotal") and self.keeps_total:
            reply["total"] = self.count
        return reply

    def run(self, read: Generator[Call, Any, Any]) -> Any:
        """The value of a read; its calls are kept."""
        try:
            path, args = next(read)
            while True:
                assert path == "things:list"
                self.calls.append(args)
                path, args = read.send(self.reply(args))
        except StopIteration as stop:
            return stop.value


def found(table: Table, wanted: Window, keep: Any = None) -> tuple[list[int], int | None, bool]:
    """The numbers in a window, the total, and whether there are more."""
    result: Found = table.run(listing("things:list", {"order": "asc"}, wanted, keep))
    return [document["n"] for document in result.documents], result.total, result.has_more


def test_a_page_is_one_call() -> None:
    table = Table(100)
    assert found(table, Window(0, 10, include_total=True)) == ([*range(10)], 100, True)
    assert table.calls == [{"order": "asc", "limit": 10, "withTotal": True}]


def test_a_later_page_passes_over_those_before_it() -> None:
    table = Table(1200)
    assert found(table, Window(9, 100, include_total=True)) == ([*range(900, 1000)], 1200, True)
    assert table.calls == [{"order": "asc", "limit": 100, "withTotal": True, "skip": 900}]
    table = Table(1200)
    assert found(table, Window(3, 10, include_total=False)) == ([*range(30, 40)], None, True)
    assert table.calls == [{"order": "asc", "limit": 11, "withTotal": False, "skip": 30}]


def test_what_one_call_does_not_pass_over_the_next_ones_do() -> None:
    table = Table(1200, skips=400)
    assert found(table, Window(9, 100, include_total=True)) == ([*range(900, 1000)], 1200, True)
    assert [(call["skip"], call.get("cursor")) for call in table.calls] == [
        (900, None),
        (500, "400"),
        (100, "800"),
    ]
    for count, total in ((40, 40), (0, 0), (1300, 1300)):
        table = Table(count, skips=400)
        assert found(table, Window(90, 100, include_total=True)) == ([], total, False)
        table = Table(count, skips=400, keeps_total=False)
        assert found(table, Window(90, 100, include_total=True)) == ([], total, False)


def test_a_later_page_that_is_cut_goes_on() -> None:
    table = Table(100, most=4)
    assert found(table, Window(3, 10, include_total=True)) == ([*range(30, 40)], 100, True)
    assert [call.get("skip") for call in table.calls] == [30, None, None]


def test_without_a_total_one_more_tells_whether_there_are_more() -> None:
    for count, more in ((9, False), (10, False), (11, True)):
        table = Table(count)
        expected = [*range(min(count, 10))]
        assert found(table, Window(0, 10, include_total=False)) == (expected, None, more)
        assert table.calls == [{"order": "asc", "limit": 11, "withTotal": False}]


def test_a_cursor_at_the_very_end_does_not_mean_more() -> None:
    for count, more in ((10, False), (11, True)):
        table = Table(count, most=5)
        assert found(table, Window(0, 10, include_total=False)) == ([*range(10)], None, more)
        table = Table(count, most=5)
        assert found(table, Window(0, 10, include_total=True)) == ([*range(10)], count, more)


def test_everything_is_a_walk() -> None:
    for count in (0, 1, 500, 501, 1200):
        table = Table(count)
        assert found(table, Window(0, False, include_total=True)) == ([*range(count)], count, False)
        assert {call["limit"] for call in table.calls} == {500}
        assert [call["withTotal"] for call in table.calls[1:]] == [False] * (len(table.calls) - 1)
    table = Table(3)
    assert found(table, Window(0, False, include_total=False)) == ([0, 1, 2], None, False)


def test_a_total_that_is_not_kept_is_counted() -> None:
    table = Table(1200, keeps_total=False)
    assert found(table, Window(1, 5, include_total=True)) == ([5, 6, 7, 8, 9], 1200, True)
    # What comes after the page is only counted.
    assert table.calls == [
        {"order": "asc", "limit": 5, "withTotal": True, "skip": 5},
        {"order": "asc", "limit": 1, "withTotal": False, "cursor": "10", "skip": 2**53 - 1},
    ]
    table = Table(1200, keeps_total=False, skips=400)
    assert found(table, Window(1, 5, include_total=True)) == ([5, 6, 7, 8, 9], 1200, True)
    assert [call.get("cursor") for call in table.calls] == [None, "10", "410", "810"]
    assert found(Table(1200, keeps_total=False), Window(1, 5, include_total=False))[1] is None


def test_no_records_of_a_page() -> None:
    assert found(Table(5), Window(0, 0, include_total=True)) == ([], 5, True)
    assert found(Table(0), Window(0, 0, include_total=True)) == ([], 0, False)
    assert found(Table(5), Window(0, 0, include_total=False)) == ([], None, True)
    assert found(Table(0), Window(3, 0, include_total=False)) == ([], None, False)


def even(document: dict[str, Any]) -> bool:
    return bool(document["n"] % 2 == 0)


def test_a_filter_is_counted_on_its_walk() -> None:
    table = Table(1001)
    assert found(table, Window(1, 10, include_total=True), even) == (
        [*range(20, 40, 2)],
        501,
        True,
    )
    assert [(call["limit"], call["withTotal"]) for call in table.calls] == [(500, False)] * 3
    assert found(Table(1001), Window(50, 10, include_total=True), even) == ([1000], 501, False)


def test_a_filter_without_a_total_ends_early() -> None:
    table = Table(5000)
    assert found(table, Window(0, 10, include_total=False), even) == (
        [*range(0, 20, 2)],
        None,
        True,
    )
    assert len(table.calls) == 1
    for count, more in ((19, False), (20, False), (21, True)):
        wanted = Window(0, 10, include_total=False)
        assert found(Table(count), wanted, even) == ([*range(0, 20, 2)], None, more)
    assert found(Table(19), Window(0, 0, include_total=False), even) == ([], None, True)


def test_the_newest_read_no_more_than_they_give() -> None:
    table = Table(100)
    documents = table.run(newest("things:list", {}, 3))
    assert [document["n"] for document in documents] == [2, 1, 0]
    assert table.calls == [{"order": "desc", "limit": 3, "withTotal": False}]
    for none in (0, -3):
        table = Table(100)
        assert table.run(newest("things:list", {}, none)) == []
        assert table.calls == []


@pytest.mark.parametrize(
    ("page", "per_page"), [(0, 0), (0, 10), (5, 1), (0, False), (0, 2**53 - 1), (2**52, 1)]
)
def test_a_window(page: int, per_page: int | bool) -> None:
    made = window(page, per_page, include_total=True)
    assert (made.page, made.per_page) == (page, per_page)
    assert made.offset == (0 if per_page is False else page * per_page)
    assert made.end == (None if per_page is False else (page + 1) * per_page)


@pytest.mark.parametrize(
    ("page", "per_page", "text"),
    [
        (-1, 10, "page must be >= 0 and whole, not -1"),
        (1.0, 10, "page must be >= 0 and whole, not 1.0"),
        (False, 10, "page must be >= 0 and whole, not False"),
        (0, -1, "per_page must be >= 0 and whole, or False for all, not -1"),
        (0, 1.0, "per_page must be >= 0 and whole, or False for all, not 1.0"),
        (0, True, "per_page must be >= 0 and whole, or False for all, not True"),
        (1, False, "page must be 0 when per_page is False"),
        (2**52, 3, "page value too large"),
    ],
)
def test_a_bad_window(page: Any, per_page: Any, text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        window(page, per_page, include_total=True)
    assert caught.value.message == text
    assert caught.value.data["path"] in ("page", "per_page")


def test_directions() -> None:
    assert [direction(each) for each in ("ASC", "asc", "Desc")] == ["asc", "asc", "desc"]
    for bad in ("", "up", None, 1, ["ASC"]):
        with pytest.raises(InvalidArgumentError, match="is 'ASC' or 'DESC', not"):
            direction(bad)


def test_orders() -> None:
    fields = ("createdAt", "updatedAt")
    assert order_of(None, fields, "desc") == ("createdAt", "desc")
    assert order_of({}, fields, "asc") == ("createdAt", "asc")
    assert order_of({"field": "updatedAt"}, fields, "desc") == ("updatedAt", "desc")
    assert order_of({"direction": "ASC"}, fields, "desc") == ("createdAt", "asc")
    several: list[Any] = [{"field": "id"}, {"field": None}, {"direction": None}, {"by": "id"}]
    for bad in (*several, "id", []):
        with pytest.raises(InvalidArgumentError):
            order_of(bad, fields, "desc")


def test_ranges_of_time() -> None:
    assert time_range(None, None) == {}
    assert time_range(0, "1970-01-01T00:00:01Z") == {"from": 0.0, "to": 1000.0}
    with pytest.raises(InvalidArgumentError, match="to_date must be an aware datetime"):
        time_range(None, "soon")


def test_arguments_that_may_be_left_out() -> None:
    assert given(a="x", b=None, c="") == {"a": "x", "c": ""}
    with pytest.raises(InvalidArgumentError, match="b must be text, not 5"):
        given(a="x", b=5)


def test_arguments_that_must_be_given() -> None:
    assert named("x", "thread_id") == "x"
    for bad in (None, 5, ["x"]):
        with pytest.raises(InvalidArgumentError, match="thread_id must be text, not"):
            named(bad, "thread_id")


def test_matching_fields() -> None:
    assert matching({}) is None
    keep = matching({"a": "x", "b": "y"})
    assert keep is not None
    documents: list[dict[str, Any]] = [{"a": "x", "b": "y", "c": 1}, {"a": "x"}, {"a": "x", "b": 1}]
    assert [keep(document) for document in documents] == [True, False, False]


def kept(metadata: Any, wanted: Any) -> bool:
    keep = metadata_keep(wanted)
    assert keep is not None
    return keep({} if metadata is None else {"metadata": encode_payload(metadata)})


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": None}, {"a": None}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}),
        ({"a": [1, [True]]}, {"a": (1, [True])}),
    ],
)
def test_metadata_that_matches(metadata: Any, wanted: Any) -> None:
    assert kept(metadata, wanted)


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        (None, {"a": None}),
        ({}, {"a": None}),
        ([1], {"a": 1}),
        ("a", {"a": 1}),
        ({"a": 1}, {"a": True}),
        ({"a": True}, {"a": 1}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 0}, {"a": None}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": [1]}, {"a": [1, 2]}),
        ({"a": [True]}, {"a": [1]}),
        ({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}),
        ({"a": {"x": 1}}, {"a": {"x": True}}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}),
    ],
)
def test_metadata_that_does_not(metadata: Any, wanted: Any) -> None:
    assert not kept(metadata, wanted)


def test_no_filter_of_metadata() -> None:
    assert metadata_keep(None) is None
    assert metadata_keep({}) is None


@pytest.mark.parametrize("wanted", [[], "a", 5, {"": 1}, {"a-b": 1}, {"__proto__": 1}, {1: 1}])
def test_a_bad_filter_of_metadata(wanted: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        metadata_keep(wanted)
    assert caught.value.data["path"] == "metadata"
