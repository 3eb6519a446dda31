"""What comes into the lists of logs, metrics, scores and feedback is given once, in its order."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from mastra_convex import ConvexStorage, InvalidArgumentError
from tests.contract.records import Doc, at, log, metric, opinion, rating


class Kind(NamedTuple):
    """One kind of signals: how it is made, saved, listed and filtered."""

    make: Callable[..., Doc]
    save: str
    list_: str
    records: str
    id_: str
    several: Doc


KINDS = {
    "logs": Kind(
        log, "batch_create_logs", "list_logs", "logs", "log_id", {"level": ["info", "warn"]}
    ),
    "metrics": Kind(
        *(metric, "batch_create_metrics", "list_metrics", "metrics", "metric_id"),
        {"name": ["tokens", "latency"]},
    ),
    "scores": Kind(
        *(rating, "batch_create_scores", "list_scores", "scores", "score_id"),
        {"scorerId": ["tone", "facts"]},
    ),
    "feedback": Kind(
        *(opinion, "batch_create_feedback", "list_feedback", "feedback", "feedback_id"),
        {"feedbackType": ["rating", "thumb"]},
    ),
}
WRONG: list[tuple[Doc, str]] = [
    ({"mode": "all"}, "mode is 'page' or 'delta'"),
    ({"after": "x"}, "after is for mode='delta'"),
    ({"mode": "page", "limit": 5}, "limit is for mode='delta'"),
    ({"mode": "delta", "page": 1}, "mode='delta' has no pages"),
    ({"mode": "delta", "per_page": 5}, "mode='delta' has no pages"),
    ({"mode": "delta", "order_by": {"field": "timestamp"}}, "mode='delta' has no pages"),
    ({"mode": "delta", "limit": 0}, "limit must be whole, from 1 to 100"),
    ({"mode": "delta", "limit": 101}, "limit must be whole, from 1 to 100"),
    ({"mode": "delta", "after": "bnVsbA"}, "after must be the delta_cursor"),
]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_comes_in_is_given_once(storage: ConvexStorage, kind: Kind) -> None:
    save = getattr(storage, kind.save)

    def delta(after: str | None, limit: int | None = None, **filters: Any) -> tuple[str, Any]:
        page = getattr(storage, kind.list_)(filters or None, mode="delta", after=after, limit=limit)
        assert (page.total, page.page, page.per_page) == (None, 0, limit or 10)
        return " ".join(getattr(each, kind.id_) for each in getattr(page, kind.records)), page

    save([kind.make("old")])
    ids, page = delta(None)
    assert (ids, page.has_more) == ("", False)
    cursor = page.delta_cursor
    # The order is that in which they came, whatever their times are.
    made = [
        kind.make(
            f"s{n}",
            timestamp=at(-n),
            traceId="odd" if n % 2 else "even",
            tags=["a"] if n < 4 else ["b"],
        )
        for n in range(7)
    ]
    save(made)
    ids, first = delta(cursor, 4)
    assert (ids, first.has_more) == ("s0 s1 s2 s3", True)
    # Neither one that is replaced comes again, nor one that was there before.
    save([kind.make("old", tags=["new"]), {**made[1], "tags": ["new"]}, kind.make("s7")])
    ids, second = delta(first.delta_cursor)
    assert (ids, second.has_more) == ("s4 s5 s6 s7", False)
    assert delta(second.delta_cursor)[0] == ""
    # From the same place, what meets filters: by an index, by a look, by time.
    ids, odd = delta(cursor, 2, traceId="odd")
    assert (ids, odd.has_more) == ("s1 s3", True)
    ids, odd = delta(odd.delta_cursor, 2, traceId="odd")
    assert (ids, odd.has_more) == ("s5", False)
    assert delta(cursor, tags=["b"])[0] == "s4 s5 s6"
    late = {"start": at(-3), "end": at(0), "endExclusive": True}
    assert delta(cursor, timestamp=late)[0] == "s1 s2 s3"
    assert delta(cursor, 100, **kind.several)[0] == "s0 s1 s2 s3 s4 s5 s6 s7"
    assert delta(cursor, **{name: values[1:] for name, values in kind.several.items()})[0] == ""
    # A page is as before, and has no cursor.
    page = getattr(storage, kind.list_)(mode="page", per_page=1)
    assert (page.total, page.per_page, page.delta_cursor) == (9, 1, None)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_delta_that_cannot_be_is_refused(storage: ConvexStorage, kind: Kind) -> None:
    list_ = getattr(storage, kind.list_)
    for how, says in WRONG:
        with pytest.raises(InvalidArgumentError, match=f"{kind.list_}: {says}"):
            list_(**how)
    with pytest.raises(InvalidArgumentError, match="cannot be filtered by 'colour'"):
        list_({"colour": "red"}, mode="delta")
    cursors = {name: getattr(storage, k.list_)(mode="delta") for name, k in KINDS.items()}
    for other in cursors.values():
        if getattr(other, kind.records, None) is None:
            with pytest.raises(InvalidArgumentError, match="earlier answer of this list"):
                list_(mode="delta", after=other.delta_cursor)


def test_one_that_is_deleted_and_saved_anew_comes_anew(storage: ConvexStorage) -> None:
    storage.create_score(rating("a"))
    cursor = storage.list_scores(mode="delta").delta_cursor
    storage.delete_scores(["a"])
    assert storage.list_scores(mode="delta", after=cursor).scores == []
    storage.create_score(rating("a"))
    assert [s.score_id for s in storage.list_scores(mode="delta", after=cursor).scores] == ["a"]
