"""Our storage behind Mastra's method names, for logs, metrics, scores and feedback.

What a method here takes and gives is what Mastra's takes and gives, as JSON with dates in
milliseconds. The functions under "Choices" are where the two are allowed to differ, each by its
name; docs/internals/decisions.md has the reasons.
"""

from typing import Any

from mastra_convex import Aggregate, ConvexStorage, Group, PercentileSeries, Series

Doc = dict[str, Any]


class OurSignals:
    """The signals of Mastra's observability domain on a `ConvexStorage`."""

    def __init__(self, storage: ConvexStorage) -> None:
        self.storage = storage

    def batchCreateLogs(self, logs: list[Doc]) -> None:
        self.storage.batch_create_logs(logs)

    def batchCreateMetrics(self, metrics: list[Doc]) -> None:
        self.storage.batch_create_metrics(metrics)

    def createScore(self, score: Doc) -> None:
        self.storage.create_score(score)

    def batchCreateScores(self, scores: list[Doc]) -> None:
        self.storage.batch_create_scores(scores)

    def createFeedback(self, feedback: Doc) -> None:
        self.storage.create_feedback(feedback)

    def batchCreateFeedback(self, feedbacks: list[Doc]) -> None:
        self.storage.batch_create_feedback(feedbacks)

    def listLogs(self, **how: Any) -> Doc:
        return _page(self.storage.list_logs, "logs", how)

    def listMetrics(self, **how: Any) -> Doc:
        return _page(self.storage.list_metrics, "metrics", how)

    def listScores(self, **how: Any) -> Doc:
        return _page(self.storage.list_scores, "scores", how)

    def listFeedback(self, **how: Any) -> Doc:
        return _page(self.storage.list_feedback, "feedback", how)

    def getScoreById(self, scoreId: str) -> Any:
        found = self.storage.get_score_event(scoreId)
        return None if found is None else found.to_dict()

    def updateFeedbackReviewStatus(self, feedbackId: str, reviewStatus: str) -> Doc:
        return self.storage.update_feedback_review_status(feedbackId, reviewStatus).to_dict()

    def deleteScores(self, scoreIds: list[str], **scope: str) -> None:
        self.storage.delete_scores(scoreIds, **_scope(scope))

    def deleteFeedback(self, feedbackIds: list[str], **scope: str) -> None:
        self.storage.delete_feedback(feedbackIds, **_scope(scope))

    def batchDeleteTraces(self, traceIds: list[str], **scope: str) -> None:
        self.storage.batch_delete_traces(traceIds, **_scope(scope))

    def getMetricAggregate(self, name: Any, aggregation: str, **how: Any) -> Doc:
        return _aggregate(
            self.storage.get_metric_aggregate(name, aggregation, **_how(how)), cost=True
        )

    def getMetricBreakdown(self, name: Any, aggregation: str, groupBy: Any, **how: Any) -> Doc:
        found = self.storage.get_metric_breakdown(name, aggregation, groupBy, **_how(how))
        return _groups(found, cost=True)

    def getMetricTimeSeries(self, name: Any, aggregation: str, interval: str, **how: Any) -> Doc:
        found = self.storage.get_metric_time_series(name, aggregation, interval, **_how(how))
        return _series(found, cost=True)

    def getMetricPercentiles(self, name: str, percentiles: Any, interval: str, **how: Any) -> Doc:
        found = self.storage.get_metric_percentiles(name, percentiles, interval, **_how(how))
        return _percentiles(found)

    def getScoreAggregate(self, scorerId: str, aggregation: str, **how: Any) -> Doc:
        return _aggregate(self.storage.get_score_aggregate(scorerId, aggregation, **_how(how)))

    def getScoreBreakdown(self, scorerId: str, aggregation: str, groupBy: Any, **how: Any) -> Doc:
        return _groups(
            self.storage.get_score_breakdown(scorerId, aggregation, groupBy, **_how(how))
        )

    def getScoreTimeSeries(self, scorerId: str, aggregation: str, interval: str, **h: Any) -> Doc:
        return _series(
            self.storage.get_score_time_series(scorerId, aggregation, interval, **_how(h))
        )

    def getScorePercentiles(self, scorerId: str, percentiles: Any, interval: str, **h: Any) -> Doc:
        found = self.storage.get_score_percentiles(scorerId, percentiles, interval, **_how(h))
        return _percentiles(found)

    def getFeedbackAggregate(self, feedbackType: str, aggregation: str, **how: Any) -> Doc:
        found = self.storage.get_feedback_aggregate(feedbackType, aggregation, **_how(how))
        return _aggregate(found)

    def getFeedbackBreakdown(self, feedbackType: str, aggregation: str, **how: Any) -> Doc:
        found = self.storage.get_feedback_breakdown(
            feedbackType, aggregation, how.pop("groupBy"), **_how(how)
        )
        return _groups(found)

    def getFeedbackTimeSeries(self, feedbackType: str, aggregation: str, **how: Any) -> Doc:
        found = self.storage.get_feedback_time_series(
            feedbackType, aggregation, how.pop("interval"), **_how(how)
        )
        return _series(found)

    def getFeedbackPercentiles(self, feedbackType: str, percentiles: Any, **how: Any) -> Doc:
        found = self.storage.get_feedback_percentiles(
            feedbackType, percentiles, how.pop("interval"), **_how(how)
        )
        return _percentiles(found)

    def getMetricNames(self, **how: Any) -> Doc:
        return {"names": self.storage.get_metric_names(**how)}

    def getMetricLabelKeys(self, metricName: str) -> Doc:
        return {"keys": self.storage.get_metric_label_keys(metricName)}

    def getMetricLabelValues(self, metricName: str, labelKey: str, **how: Any) -> Doc:
        return {"values": self.storage.get_metric_label_values(metricName, labelKey, **how)}

    def getEntityTypes(self) -> Doc:
        return {"entityTypes": self.storage.get_entity_types()}

    def getEntityNames(self, entityType: str | None = None) -> Doc:
        return {"names": self.storage.get_entity_names(entityType)}

    def getServiceNames(self) -> Doc:
        return {"serviceNames": self.storage.get_service_names()}

    def getEnvironments(self) -> Doc:
        return {"environments": self.storage.get_environments()}

    def getTags(self, entityType: str | None = None) -> Doc:
        return {"tags": self.storage.get_tags(entityType)}


_NAMES = {
    "filters": "filters",
    "comparePeriod": "compare_period",
    "distinctColumn": "distinct_column",
    "groupBy": "group_by",
    "limit": "limit",
    "orderDirection": "order_direction",
    "scoreSource": "score_source",
    "feedbackSource": "feedback_source",
    "organizationId": "organization_id",
    "resourceId": "resource_id",
}


def _how(how: Doc) -> Doc:
    return {_NAMES[name]: value for name, value in how.items()}


def _scope(scope: dict[str, str]) -> Doc:
    return _how(scope)


def _page(method: Any, name: str, how: Doc) -> Doc:
    if how.get("mode") == "delta":
        found = method(how.pop("filters", None), **how)
        return {
            name: [each.to_dict() for each in getattr(found, name)],
            "delta": {"limit": found.per_page, "hasMore": found.has_more},
            "deltaCursor": found.delta_cursor,
        }
    pagination = how.get("pagination", {})
    found = method(
        how.get("filters"),
        order_by=how.get("orderBy"),
        page=pagination.get("page", 0),
        per_page=pagination.get("perPage", 10),
    )
    return {
        name: [each.to_dict() for each in getattr(found, name)],
        "pagination": found.pagination,
    }


def _aggregate(found: Aggregate, *, cost: bool = False) -> Doc:
    shown: Doc = {
        "value": found.value,
        "previousValue": found.previous_value,
        "changePercent": found.change_percent,
    }
    if cost:
        shown |= {
            "estimatedCost": found.estimated_cost,
            "costUnit": found.cost_unit,
            "previousEstimatedCost": found.previous_estimated_cost,
            "costChangePercent": found.cost_change_percent,
        }
    return shown


def _groups(found: list[Group], *, cost: bool = False) -> Doc:
    def one(group: Group) -> Doc:
        own = {"estimatedCost": group.estimated_cost, "costUnit": group.cost_unit} if cost else {}
        return {"dimensions": group.dimensions, "value": group.value, **own}

    return {"groups": [one(group) for group in found]}


def _series(found: list[Series], *, cost: bool = False) -> Doc:
    def one(series: Series) -> Doc:
        points: list[Doc] = [
            {"timestamp": point.timestamp.timestamp() * 1000, "value": point.value}
            for point in series.points
        ]
        if cost:
            for shown, point in zip(points, series.points):
                shown["estimatedCost"] = point.estimated_cost
        unit = {"costUnit": series.cost_unit} if cost else {}
        return {"name": series.name, **unit, "points": points}

    return {"series": [one(series) for series in found]}


def _percentiles(found: list[PercentileSeries]) -> Doc:
    def one(series: PercentileSeries) -> Doc:
        points = [
            {"timestamp": point.timestamp.timestamp() * 1000, "value": point.value}
            for point in series.points
        ]
        return {"percentile": series.percentile, "points": points}

    return {"series": [one(series) for series in found]}


# Choices


def records_as_given(answer: Any) -> Any:
    """Memory keeps nulls and the older name of the source; ours have the time of their creation.

    Ours have no cursor beside a page: a delta without one gives it.
    """
    if answer is None:
        return None
    lists = ("logs", "metrics", "scores", "feedback")
    records = next((answer[name] for name in lists if name in answer), [answer])
    for record in records:
        for name in [n for n, value in record.items() if value is None]:
            del record[name]
        record.pop("createdAt", None)
        record.pop("source", None)
    answer.pop("deltaCursor", None)
    return answer


def absent_is_none(answer: Any) -> Any:
    """Memory leaves out what was not compared; ours is None."""
    return {name: value for name, value in answer.items() if value is not None}


def ties_in_any_order(answer: Any) -> Any:
    """Groups of one value, and series, are in the order of time; memory's in that of insertion."""
    for groups in ("groups", "series"):
        if groups in answer:
            answer[groups].sort(key=lambda each: (-each.get("value", 0), str(each)))
    return answer
