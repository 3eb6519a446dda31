"""What all lists have in common: pages, totals, `has_more`, order, ties, bounds of time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest

from mastra_convex import ConvexStorage, InvalidArgumentError
from tests.contract.records import T0, at, evaluation, ids, message, run, thread, trace


@dataclass(frozen=True)
class List:
    """One of the lists: how records get into it, and how it is called."""

    records: str
    per_page: int
    save: Callable[[ConvexStorage, str, float], Any]
    call: Callable[..., Any]
    newest_first: bool = True

    def fill(self, storage: ConvexStorage, count: int, step: int = 1) -> list[str]:
        """Save records, `step` moments apart; returns their ids in the list's default order."""
        # The order of the ids is never the order of saving.
        names = [f"n{999 - n}" for n in range(count)]
        for n, name in enumerate(names):
            self.save(storage, name, at(n * step))
        return names[::-1] if self.newest_first else names

    def page(self, storage: ConvexStorage, **arguments: Any) -> tuple[list[str], int | None, bool]:
        """Ids, total and `has_more` of a page."""
        page = self.call(storage, **arguments)
        return ids(getattr(page, self.records)), page.total, page.has_more


def _save_message(storage: ConvexStorage, name: str, time: float) -> None:
    if storage.get_thread_by_id("t") is None:
        storage.save_thread(thread())
    storage.save_message(message(name, createdAt=time))


LISTS = {
    "threads": List(
        "threads",
        100,
        lambda storage, name, time: storage.save_thread(thread(name, createdAt=time)),
        lambda storage, **given: storage.list_threads(**given),
    ),
    "messages": List(
        "messages",
        40,
        _save_message,
        lambda storage, **given: storage.list_messages("t", **given),
        newest_first=False,
    ),
    "traces": List(
        "traces",
        10,
        lambda storage, name, time: storage.save_trace(trace(name, timestamp=time)),
        lambda storage, **given: storage.get_traces(**given),
    ),
    "evals": List(
        "evals",
        100,
        lambda storage, name, time: storage.save_eval(evaluation(name, createdAt=time)),
        lambda storage, **given: storage.list_evals(**given),
    ),
    "runs": List(
        "runs",
        100,
        lambda storage, name, time: storage.save_workflow_run(run(name, createdAt=time)),
        lambda storage, **given: storage.list_workflow_runs(**given),
    ),
}
DATED = ["traces", "evals", "runs"]
ORDERED = ["threads", "messages"]

each_list = pytest.mark.parametrize("a", LISTS.values(), ids=LISTS)
each_dated_list = pytest.mark.parametrize("a", [LISTS[name] for name in DATED], ids=DATED)
each_ordered_list = pytest.mark.parametrize("a", [LISTS[name] for name in ORDERED], ids=ORDERED)


@each_list
def test_an_empty_list(storage: ConvexStorage, a: List) -> None:
    page = a.call(storage)
    assert getattr(page, a.records) == []
    assert (page.total, page.page, page.per_page, page.has_more) == (0, 0, a.per_page, False)
    assert a.page(storage, page=3, per_page=2) == ([], 0, False)
    assert a.page(storage, per_page=False) == ([], 0, False)
    assert a.page(storage, per_page=0) == ([], 0, False)
    assert a.page(storage, include_total=False) == ([], None, False)


@each_list
def test_pages_of_a_list(storage: ConvexStorage, a: List) -> None:
    names = a.fill(storage, 5)
    pages = [a.page(storage, page=n, per_page=2) for n in range(4)]
    assert pages == [
        (names[:2], 5, True),
        (names[2:4], 5, True),
        (names[4:], 5, False),
        ([], 5, False),
    ]
    # The last page may be full, and there is still nothing after it.
    assert a.page(storage, per_page=5) == (names, 5, False)
    assert a.page(storage, per_page=4) == (names[:4], 5, True)
    assert a.page(storage, page=4, per_page=1) == (names[4:], 5, False)
    echoed = a.call(storage, page=1, per_page=2)
    assert (echoed.page, echoed.per_page) == (1, 2)


@each_list
def test_pages_without_a_total(storage: ConvexStorage, a: List) -> None:
    names = a.fill(storage, 5)
    pages = [a.page(storage, page=n, per_page=2, include_total=False) for n in range(4)]
    assert pages == [
        (names[:2], None, True),
        (names[2:4], None, True),
        (names[4:], None, False),
        ([], None, False),
    ]
    assert a.page(storage, per_page=5, include_total=False) == (names, None, False)
    assert a.page(storage, per_page=False, include_total=False) == (names, None, False)


@each_list
def test_everything_at_once(storage: ConvexStorage, a: List) -> None:
    names = a.fill(storage, 5)
    assert a.page(storage, per_page=False) == (names, 5, False)
    page = a.call(storage, per_page=False, page=0)
    assert page.per_page is False
    assert page.page == 0


@each_list
def test_a_page_of_none(storage: ConvexStorage, a: List) -> None:
    a.fill(storage, 2)
    # As Mastra answers: for messages nothing was asked for, elsewhere there is more.
    expected: tuple[list[str], int, bool] = (
        ([], 0, False) if a.records == "messages" else ([], 2, True)
    )
    assert a.page(storage, per_page=0) == expected
    assert a.page(storage, per_page=0, page=7)[0] == []


@pytest.mark.parametrize("a", [LISTS["messages"], LISTS["traces"]], ids=["messages", "traces"])
def test_the_page_size_that_is_left_out(storage: ConvexStorage, a: List) -> None:
    names = a.fill(storage, a.per_page + 1)
    assert a.page(storage) == (names[: a.per_page], a.per_page + 1, True)
    assert a.page(storage, page=1) == (names[a.per_page :], a.per_page + 1, False)


@each_list
def test_a_bad_page_is_refused(storage: ConvexStorage, a: List) -> None:
    for page in (-1, 0.5, float("nan"), "1", None, True):
        with pytest.raises(InvalidArgumentError, match="page must be >= 0") as caught:
            a.call(storage, page=page)
        assert caught.value.data["path"] == "page"
    for per_page in (-1, 2.5, float("inf"), "all", None, True):
        with pytest.raises(InvalidArgumentError, match=r"per_page must be >= 0 .* or False"):
            a.call(storage, per_page=per_page)
    with pytest.raises(InvalidArgumentError, match="page must be 0 when per_page is False"):
        a.call(storage, page=1, per_page=False)
    with pytest.raises(InvalidArgumentError, match="page value too large"):
        a.call(storage, page=2**52, per_page=4)


@each_list
def test_equal_times_are_in_the_order_of_saving(storage: ConvexStorage, a: List) -> None:
    names = a.fill(storage, 6, step=0)
    assert a.page(storage, per_page=False)[0] == names
    joined = [name for n in range(3) for name in a.page(storage, page=n, per_page=2)[0]]
    assert joined == names


@each_list
def test_saving_again_keeps_the_place(storage: ConvexStorage, a: List) -> None:
    names = a.fill(storage, 3, step=0)
    for name in names[::2]:
        a.save(storage, name, T0)
    assert a.page(storage) == (names, 3, False)


@each_ordered_list
def test_both_directions(storage: ConvexStorage, a: List) -> None:
    names = [f"n{9 - n}" for n in range(6)]
    for n, name in enumerate(names):
        a.save(storage, name, at(n // 2))  # two and two have the same time
    ascending = {"field": "createdAt", "direction": "ASC"}
    assert a.page(storage, order_by=ascending) == (names, 6, False)
    assert a.page(storage, order_by={"direction": "DESC"}) == (names[::-1], 6, False)
    assert a.page(storage, order_by={"direction": "asc"}, page=1, per_page=4)[0] == names[4:]
    assert a.page(storage, order_by={"direction": "desc"}, page=1, per_page=4)[0] == names[1::-1]
    default = names[::-1] if a.newest_first else names
    for order_by in (None, {}, {"field": "createdAt"}):
        assert a.page(storage, order_by=order_by)[0] == default


@each_ordered_list
def test_an_unknown_order_is_refused(storage: ConvexStorage, a: List) -> None:
    # Mastra falls back to its default without a word.
    for field in ("title", "id", "updated_at", "", None, ["createdAt"]):
        with pytest.raises(InvalidArgumentError, match=r"cannot order by .* is 'createdAt'"):
            a.call(storage, order_by={"field": field})
    for direction in ("UP", "", None, 1, ["ASC"]):
        with pytest.raises(InvalidArgumentError, match="is 'ASC' or 'DESC', not"):
            a.call(storage, order_by={"direction": direction})
    for order_by in ("createdAt", ["createdAt"], {"by": "createdAt"}):
        with pytest.raises(InvalidArgumentError, match="order_by is a mapping"):
            a.call(storage, order_by=order_by)


@each_dated_list
def test_bounds_of_time_are_inclusive(storage: ConvexStorage, a: List) -> None:
    names = a.fill(storage, 5)
    for first in range(-1, 6):
        for last in range(-1, 6):
            expected = [name for n, name in enumerate(names[::-1]) if first <= n <= last][::-1]
            found = a.page(storage, from_date=at(first), to_date=at(last))
            assert found == (expected, len(expected), False)
    assert a.page(storage, from_date=at(3))[:2] == (names[:2], 2)
    assert a.page(storage, to_date=at(0))[:2] == (names[4:], 1)
    half = a.page(storage, from_date=at(1), to_date=at(3), page=1, per_page=2)
    assert half == (names[3:4], 3, False)


@each_dated_list
def test_bounds_of_time_have_several_forms(storage: ConvexStorage, a: List) -> None:
    names = a.fill(storage, 5)
    moment = datetime.fromtimestamp(T0 / 1000 + 3, timezone.utc)
    for form in (moment, T0 + 3000, T0 + 3000.0, moment.isoformat(), "2023-11-14T22:13:23Z"):
        assert a.page(storage, from_date=form, to_date=form) == (names[1:2], 1, False)
    for bad in (datetime(2023, 1, 1), "yesterday", "2023-11-14", float("nan"), True, [T0], 1e18):  # noqa: DTZ001
        for bound in ("from_date", "to_date"):
            with pytest.raises(InvalidArgumentError, match=f": {bound} "):
                a.call(storage, **{bound: bad})
