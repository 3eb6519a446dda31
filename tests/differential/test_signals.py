"""Mastra's in-memory store and ours, given the same random logs, metrics, scores and feedback.

What differs is a choice with a name (signals.py). Times are distinct, and numbers are eighths,
whose sums are exact in any order. Discovery forgets nothing here that records once had, so what is
discovered follows from a record's number, and some records are never deleted.
"""

from collections.abc import Callable
from typing import Any

import pytest

from mastra_convex import InvalidArgumentError
from tests.differential import signals
from tests.differential.both import Both, Operations
from tests.differential.mastra import Date, Mastra
from tests.functions.scenarios import Clock

SEEDS = [1]
STEPS = 600

Doc = dict[str, Any]
HOUR = 3_600_000
KINDS = ["agent", "tool", "workflow_run"]
AGGREGATIONS = ["sum", "avg", "min", "max", "count"]
RECORDS = (signals.records_as_given,)
NUMBERS = (signals.absent_is_none, signals.ties_in_any_order)


class Signals(Operations):
    """Random operations on them."""

    def __init__(self, both: Both) -> None:
        super().__init__(both)
        lasting = [self.log(n) for n in range(12)] + [self.log(n) for n in range(12, 24)]
        for each in lasting:
            each["logId"] += " stays"
            each.pop("traceId", None)
        self.both.run("batchCreateLogs", {"logs": lasting})
        metrics = [self.metric(n) for n in range(24)]
        for each in metrics:
            each["metricId"] += " stays"
            each.pop("traceId", None)
        self.both.run("batchCreateMetrics", {"metrics": metrics})
        self.cursors: dict[str, str] = {}

    def kinds(self) -> list[tuple[int, Callable[[], None]]]:
        return [
            (12, self.save),
            (12, self.listed),
            (8, self.arrived),
            (4, self.score),
            (3, self.review),
            (2, self.delete),
            (8, self.aggregate),
            (5, self.breakdown),
            (5, self.time_series),
            (4, self.percentiles),
            (3, self.discover),
            (1, self.refuse),
        ]

    def eighths(self) -> float:
        return self.dice.randrange(-40, 80) / 8

    def moment(self) -> Date:
        # Over some hours, and never twice.
        return Date(self.both.moment() * 20)

    def context(self, n: int) -> Doc:
        """What discovery looks at, which follows from the number; and the rest, which does not."""
        found = {
            "entityType": KINDS[n % 3],
            "entityName": f"e{n % 4}",
            "serviceName": "ab"[n % 2],
            "environment": "pq"[n % 2],
            "tags": ["x", "yz"[n % 2]],
        }
        return found | self.maybe(
            traceId=lambda: self.some("tuv"),
            spanId=lambda: self.some("mn"),
            threadId=lambda: self.some("hi"),
            runId=lambda: self.some("rs"),
            resourceId=lambda: self.some("ab"),
            organizationId=lambda: self.some("op"),
            userId=lambda: self.some("u"),
            executionSource=lambda: self.some("lc"),
            metadata=lambda: {"k": self.dice.choice([1, None, [True], "x"])},
        )

    def log(self, n: int) -> Doc:
        level = self.dice.choice(["debug", "info", "warn", "error", "fatal"])
        own = {"logId": f"l{n}", "level": level, "message": f"m{n}", "data": {"n": n}}
        return {**own, "timestamp": self.moment(), **self.context(n)}

    def metric(self, n: int) -> Doc:
        name = ["tokens", "latency", "tool_calls"][n % 3]
        labels = {"kind": "io"[n % 2], "zone": f"z{n % 4}"}
        own = {"metricId": f"m{n}", "name": name, "value": self.eighths(), "labels": labels}
        cost = self.maybe(
            estimatedCost=self.eighths,
            costUnit=lambda: self.dice.choice(["usd", "eur"]),
            provider=lambda: self.some("op"),
            model=lambda: self.some("gh"),
        )
        return {**own, **cost, "timestamp": self.moment(), **self.context(n)}

    def rating(self, n: int) -> Doc:
        own = {"scoreId": f"s{n}", "scorerId": self.some("ab"), "score": self.eighths()}
        more = self.maybe(
            reason=lambda: "so",
            scorerName=lambda: "A",
            scoreSource=lambda: self.some("lt"),
            source=lambda: self.some("lt"),
        )
        return {**own, **more, "timestamp": self.moment(), **self.context(n)}

    def opinion(self, n: int) -> Doc:
        value = self.dice.choice([self.eighths(), str(self.eighths()), " 4 ", "up", "", "0x10"])
        own = {"feedbackId": f"f{n}", "feedbackType": self.some("rt"), "value": value}
        status = self.dice.choice(["needs-review", "reviewed"])
        more = self.maybe(
            comment=lambda: "well",
            feedbackSource=lambda: self.some("ab"),
            source=lambda: self.some("ab"),
            feedbackUserId=lambda: self.some("uv"),
        )
        record = {**own, **more, "reviewStatus": status, "timestamp": self.moment()}
        record |= self.context(n)
        if self.dice.random() < 0.3:
            record["metadata"] = {"userId": self.dice.choice(["w", 5])}
        return record

    def several(self, make: Callable[[int], Doc]) -> list[Doc]:
        return [make(self.dice.randrange(60)) for _ in range(self.dice.randrange(8))]

    def save(self) -> None:
        what = self.dice.randrange(6)
        one = self.dice.randrange(60)
        if what == 0:
            self.both.run("batchCreateLogs", {"logs": self.several(self.log)})
        elif what == 1:
            self.both.run("batchCreateMetrics", {"metrics": self.several(self.metric)})
        elif what == 2:
            self.both.run("batchCreateScores", {"scores": self.several(self.rating)})
        elif what == 3:
            self.both.run("batchCreateFeedback", {"feedbacks": self.several(self.opinion)})
        elif what == 4:
            self.both.run("createScore", {"score": self.rating(one)})
        else:
            self.both.run("createFeedback", {"feedback": self.opinion(one)})

    def range(self, *, exclusive: bool) -> Doc:
        found = self.maybe(
            0.6,
            start=lambda: Date(self.dice.randrange(10) * HOUR / 2),
            end=lambda: Date(self.dice.randrange(12) * HOUR / 2),
        )
        if exclusive:
            found |= self.maybe(0.4, startExclusive=lambda: True, endExclusive=lambda: True)
        return found

    def filters(self, kind: str, chance: float = 0.15) -> Doc:
        exclusive = kind in ("logs", "metrics")
        found = self.maybe(
            chance,
            timestamp=lambda: self.range(exclusive=exclusive),
            traceId=lambda: self.some("tuv"),
            spanId=lambda: self.some("mn"),
            threadId=lambda: self.some("hi"),
            runId=lambda: self.some("rs"),
            resourceId=lambda: self.some("ab"),
            organizationId=lambda: self.some("op"),
            entityType=lambda: self.dice.choice(KINDS),
            entityName=lambda: f"e{self.dice.randrange(4)}",
            environment=lambda: self.some("pq"),
            executionSource=lambda: self.some("lc"),
            tags=lambda: self.dice.choice([[], ["x"], ["y"], ["x", "z"], ["y", "z"]]),
        )
        own: dict[str, Doc] = {
            "logs": self.maybe(
                0.3, level=lambda: self.dice.choice(["info", ["error", "warn"], ["debug"]])
            ),
            "metrics": self.maybe(
                0.25,
                name=lambda: self.dice.choice([["tokens"], ["latency", "tokens"], ["none"]]),
                traceIds=lambda: self.dice.choice([["t"], ["t", "u"], ["none", "v"]]),
                provider=lambda: self.some("op"),
                costUnit=lambda: "usd",
                labels=lambda: self.dice.choice([{"kind": "i"}, {"kind": "o", "zone": "z1"}, {}]),
            ),
            "scores": self.maybe(
                0.25,
                scorerId=lambda: self.dice.choice(["a", ["a", "b"], ["none"], []]),
                scoreSource=lambda: self.some("lt"),
                metadata=lambda: {"k": self.dice.choice([1, None, [True], "x"])},
            ),
            "feedback": self.maybe(
                0.25,
                feedbackType=lambda: self.dice.choice(["r", ["r", "t"], ["none"]]),
                feedbackSource=lambda: self.dice.choice(["a", ""]),
                feedbackUserId=lambda: self.some("uvw"),
                reviewStatus=lambda: self.dice.choice(["needs-review", "reviewed"]),
            ),
        }
        return found | own[kind]

    def listed(self) -> None:
        kind = self.dice.choice(["logs", "metrics", "scores", "feedback"])
        fields = ["timestamp", "score"] if kind == "scores" else ["timestamp"]
        order = {
            "field": self.dice.choice(fields),
            "direction": self.dice.choice(["ASC", "DESC"]),
        }
        choices = [*RECORDS]
        args: Doc = self.maybe(
            0.5,
            pagination=lambda: {"page": self.dice.randrange(3), "perPage": self.some_number()},
            orderBy=lambda: order,
        )
        if args.get("orderBy", {}).get("field") == "score":
            # Equal scores are in another order: whole lists are compared without it.
            args["pagination"] = {"page": 0, "perPage": 100}
            choices.append(in_any_order)
        args |= self.maybe(0.8, filters=lambda: self.filters(kind))
        self.both.run(f"list{kind.capitalize()}", args, *choices)

    def arrived(self) -> None:
        kind = self.dice.choice(["logs", "metrics", "scores", "feedback"])
        args: Doc = {"mode": "delta", **self.maybe(limit=self.some_number)}
        if kind in self.cursors:
            args["after"] = self.cursors[kind]
        found: list[str] = []

        def cursor_taken(answer: Any) -> Any:
            found.append(answer["deltaCursor"])
            return answer

        self.both.run(f"list{kind.capitalize()}", args, cursor_taken, *RECORDS)
        ours, theirs = found
        self.both.theirs_of[ours] = theirs
        # Some are gone on from, and some are begun with once more.
        if self.dice.random() < 0.7:
            self.cursors[kind] = ours

    def some_number(self) -> int:
        return self.dice.choice([1, 3, 10, 100])

    def score(self) -> None:
        self.both.run("getScoreById", (f"s{self.dice.randrange(70)}",), *RECORDS)

    def review(self) -> None:
        status = self.dice.choice(["needs-review", "reviewed"])
        args = {"feedbackId": f"f{self.dice.randrange(70)}", "reviewStatus": status}
        self.both.run("updateFeedbackReviewStatus", args, *RECORDS)

    def delete(self) -> None:
        scope = self.maybe(
            0.4, organizationId=lambda: self.some("op"), resourceId=lambda: self.some("ab")
        )
        numbers = self.dice.sample(range(70), self.dice.randrange(6))
        what = self.dice.randrange(3)
        if what == 0:
            self.both.run("deleteScores", {"scoreIds": [f"s{n}" for n in numbers], **scope})
        elif what == 1:
            self.both.run("deleteFeedback", {"feedbackIds": [f"f{n}" for n in numbers], **scope})
        else:
            traces = self.dice.sample("tuvw", self.dice.randrange(3))
            self.both.run("batchDeleteTraces", {"traceIds": traces, **scope})

    def subject(self) -> tuple[str, str, Doc]:
        """A kind of signals, what its methods are called after, and what numbers are asked of."""
        kind = self.dice.choice(["metrics", "metrics", "scores", "feedback"])
        if kind == "metrics":
            name = self.dice.choice([["tokens"], ["latency"], ["tokens", "latency"], ["none"]])
            return kind, "Metric", {"name": name}
        if kind == "scores":
            source = self.maybe(0.3, scoreSource=lambda: self.dice.choice(["l", ""]))
            return kind, "Score", {"scorerId": self.some("abz"), **source}
        source = self.maybe(0.3, feedbackSource=lambda: self.dice.choice(["a", ""]))
        return kind, "Feedback", {"feedbackType": self.some("rtz"), **source}

    def how(self, kind: str) -> Doc:
        aggregations = AGGREGATIONS if kind == "metrics" else [*AGGREGATIONS, "last"]
        found: Doc = {"aggregation": self.dice.choice(aggregations)}
        if kind == "metrics" and self.dice.random() < 0.15:
            column = self.dice.choice(["model", "entityName", "threadId"])
            found = {"aggregation": "count_distinct", "distinctColumn": column}
        return found | self.maybe(0.5, filters=lambda: self.filters(kind, 0.08))

    def groups(self, kind: str) -> list[str]:
        own = {
            "metrics": ["kind", "zone", "model", "none"],
            "scores": ["scoreSource", "scorerName"],
            "feedback": ["feedbackSource", "feedbackUserId"],
        }
        return self.dice.sample(["entityName", "runId", *own[kind]], self.dice.randrange(1, 3))

    def aggregate(self) -> None:
        kind, name, args = self.subject()
        args |= self.how(kind)
        if self.dice.random() < 0.4:
            start = self.dice.randrange(8) * HOUR / 2
            day = {"start": Date(start), "end": Date(start + 3 * HOUR)}
            args["filters"] = args.get("filters", {}) | {"timestamp": day}
            periods = ["previous_period", "previous_period", "previous_day", "previous_week"]
            args["comparePeriod"] = self.dice.choice(periods)
        self.both.run(f"get{name}Aggregate", args, *NUMBERS)

    def breakdown(self) -> None:
        kind, name, args = self.subject()
        args |= {**self.how(kind), "groupBy": self.groups(kind)}
        if kind == "metrics":
            args |= self.maybe(0.3, orderDirection=lambda: "ASC")
        self.both.run(f"get{name}Breakdown", args, *NUMBERS)

    def time_series(self) -> None:
        kind, name, args = self.subject()
        args |= {**self.how(kind), "interval": self.dice.choice(["1m", "5m", "15m", "1h", "1d"])}
        args |= self.maybe(groupBy=lambda: self.groups(kind))
        self.both.run(f"get{name}TimeSeries", args, *NUMBERS)

    def percentiles(self) -> None:
        kind, name, args = self.subject()
        if kind == "metrics":
            args["name"] = args["name"][0]
        args |= {"percentiles": [0, 0.25, 0.5, 0.99, 1], "interval": self.dice.choice(["1h", "1d"])}
        args |= self.maybe(filters=lambda: self.filters(kind, 0.08))
        self.both.run(f"get{name}Percentiles", args, *NUMBERS)

    def discover(self) -> None:
        of_type = self.maybe(entityType=lambda: self.dice.choice([*KINDS, "scorer"]))
        prefix = self.maybe(
            prefix=lambda: self.dice.choice(["t", "to", "x", ""]),
            limit=lambda: self.dice.choice([1, 2, 50]),
        )
        name = self.dice.choice(["tokens", "latency", "none"])
        label = {"metricName": name, "labelKey": self.dice.choice(["kind", "zone", "none"])}
        self.both.run("getMetricNames", prefix)
        self.both.run("getMetricLabelKeys", {"metricName": name})
        self.both.run("getMetricLabelValues", label | self.maybe(prefix=lambda: "z"))
        for method in ("getEntityTypes", "getServiceNames", "getEnvironments"):
            self.both.run(method, {})
        self.both.run("getEntityNames", of_type)
        self.both.run("getTags", of_type)

    def refuse(self) -> None:
        storage = self.both.storage
        self.both.only_ours(InvalidArgumentError, lambda: storage.list_logs({"tenant": "o"}))


def in_any_order(answer: Any) -> Any:
    """The order of equal scores is that of the table, reversed with the rest; memory's is not."""
    answer["scores"].sort(key=lambda score: score["scoreId"])
    return answer


@pytest.mark.parametrize("seed", SEEDS)
def test_both_answer_the_same(
    seed: int, reference: Mastra, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(now=2_000_000_000).install(monkeypatch)
    both = Both("observability", signals.OurSignals, reference, clock, seed)
    try:
        work = Signals(both)
        for _ in range(STEPS):
            work.step()
    finally:
        both.storage.close()
    methods = {name for name in vars(signals.OurSignals) if not name.startswith("_")}
    assert methods <= both.done.keys()
