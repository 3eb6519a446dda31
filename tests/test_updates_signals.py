"""What mutations on signals are given: batches, removals, and what is left of a removal."""

from mastra_convex.models_signals import Log, ScoreEvent
from mastra_convex.updates_signals import left_of, signal_batches, signal_removals
from tests.contract.records import log


def test_batches_are_bounded_in_records_and_bytes() -> None:
    many = signal_batches(Log, "logs", "logs", [log(str(n)) for n in range(1001)])
    assert [len(batch["logs"]) for batch in many] == [500, 500, 1]
    large = [log(str(n), message="x" * 3_000_000) for n in range(3)]
    assert [len(batch["logs"]) for batch in signal_batches(Log, "logs", "logs", large)] == [1] * 3
    assert signal_batches(Log, "logs", "logs", []) == []


def test_removals_are_bounded_and_scoped() -> None:
    ids = [str(n) for n in range(101)]
    first, second = signal_removals(ScoreEvent, "score_ids", ids, "o", None)
    assert (len(first["ids"]), second) == (100, {"ids": ["100"], "organizationId": "o"})


def test_what_is_left_of_a_removal() -> None:
    args = {"traceIds": ["a", "b", "c"], "organizationId": "o", "cursor": "x"}
    assert left_of(args, {"rest": 0, "cursor": None}) is None
    left = {"traceIds": ["c"], "organizationId": "o"}
    assert left_of(args, {"rest": 1, "cursor": None}) == left
    assert left_of(args, {"rest": 1, "cursor": "y"}) == {**left, "cursor": "y"}
