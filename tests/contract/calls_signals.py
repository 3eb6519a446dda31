"""Wrong and right calls on logs, metrics, scores and feedback, for the tests of errors."""

from typing import Any

from mastra_convex import (
    ConvexStorageError,
    InvalidArgumentError,
    InvalidPayloadError,
    NotFoundError,
)
from tests.contract.records import log, metric, opinion, rating

WRONG: dict[str, tuple[Any, type[ConvexStorageError], list[str]]] = {
    "batch_create_logs": (
        lambda s: s.batch_create_logs([log("a"), log("b", level="loud")]),
        InvalidArgumentError,
        ["log 'b': level 'loud' is none of debug, info, warn, error, fatal"],
    ),
    "list_logs": (
        lambda s: s.list_logs({"colour": "red"}),
        InvalidArgumentError,
        ["logs cannot be filtered by 'colour'", "leave it out"],
    ),
    "batch_create_metrics": (
        lambda s: s.batch_create_metrics([metric("a"), metric("b", float("nan"))]),
        InvalidArgumentError,
        ["metric 'b': value is nan", "give a finite number"],
    ),
    "list_metrics": (
        lambda s: s.list_metrics({"labels": {"a": 5}}),
        InvalidArgumentError,
        ["filters.labels must be text, not 5"],
    ),
    "get_metric_aggregate": (
        lambda s: s.get_metric_aggregate("tokens", "count_distinct"),
        InvalidArgumentError,
        ["count_distinct needs a distinct_column"],
    ),
    "get_metric_breakdown": (
        lambda s: s.get_metric_breakdown("tokens", "sum", []),
        InvalidArgumentError,
        ["group_by has no fields"],
    ),
    "get_metric_time_series": (
        lambda s: s.get_metric_time_series("tokens", "sum", "2h"),
        InvalidArgumentError,
        ["interval '2h' is none of 1m, 5m, 15m, 1h, 1d"],
    ),
    "get_metric_percentiles": (
        lambda s: s.get_metric_percentiles("tokens", [50], "1h"),
        InvalidArgumentError,
        ["percentiles are numbers from 0 to 1", "not [50]"],
    ),
    "get_metric_names": (
        lambda s: s.get_metric_names(limit=-1),
        InvalidArgumentError,
        ["limit must be >= 0 and whole, not -1"],
    ),
    "get_metric_label_keys": (
        lambda s: s.get_metric_label_keys(None),
        InvalidArgumentError,
        ["metric_name must be text, not None"],
    ),
    "get_metric_label_values": (
        lambda s: s.get_metric_label_values("tokens", "kind", prefix=5),
        InvalidArgumentError,
        ["prefix must be text, not 5"],
    ),
    "get_entity_names": (
        lambda s: s.get_entity_names(5),
        InvalidArgumentError,
        ["entity_type must be text, not 5"],
    ),
    "get_tags": (
        lambda s: s.get_tags(5),
        InvalidArgumentError,
        ["entity_type must be text, not 5"],
    ),
    "create_score": (
        lambda s: s.create_score(rating("new", float("inf"))),
        InvalidArgumentError,
        ["score 'new': score is inf", "give a finite number"],
    ),
    "batch_create_scores": (
        lambda s: s.batch_create_scores([rating("new", metadata={"a": {1}})]),
        InvalidPayloadError,
        ["score 'new': metadata.a is of type set"],
    ),
    "get_score_event": (
        lambda s: s.get_score_event(5),
        InvalidArgumentError,
        ["score_id must be text, not 5"],
    ),
    "list_scores": (
        lambda s: s.list_scores(order_by={"field": "reason"}),
        InvalidArgumentError,
        ["cannot order by 'reason'", "'timestamp' or 'score'"],
    ),
    "delete_scores": (
        lambda s: s.delete_scores(["a", 5]),
        InvalidArgumentError,
        ["scoreId must be text"],
    ),
    "get_score_aggregate": (
        lambda s: s.get_score_aggregate("tone", "count_distinct"),
        InvalidArgumentError,
        ["aggregation 'count_distinct' is none of sum, avg, min, max, count, last"],
    ),
    "get_score_breakdown": (
        lambda s: s.get_score_breakdown("tone", "avg", ["tags"]),
        InvalidArgumentError,
        ["scoreEvents cannot be grouped by 'tags'", "give a field of text"],
    ),
    "get_score_time_series": (
        lambda s: s.get_score_time_series(None, "avg", "1h"),
        InvalidArgumentError,
        ["scorer_id must be text, not None"],
    ),
    "get_score_percentiles": (
        lambda s: s.get_score_percentiles("tone", [0.5], "1h", filters=[1]),
        InvalidArgumentError,
        ["filters is a mapping, not [1]"],
    ),
    "create_feedback": (
        lambda s: s.create_feedback(opinion("new", [5])),  # type: ignore[arg-type]
        InvalidArgumentError,
        ["feedback 'new': value must be a number or text, not [5]"],
    ),
    "batch_create_feedback": (
        lambda s: s.batch_create_feedback([opinion("new", reviewStatus="done")]),
        InvalidArgumentError,
        ["feedback 'new': reviewStatus 'done' is none of needs-review, reviewed"],
    ),
    "get_feedback": (
        lambda s: s.get_feedback(None),
        InvalidArgumentError,
        ["feedback_id must be text, not None"],
    ),
    "list_feedback": (
        lambda s: s.list_feedback({"timestamp": {"start": "soon"}}),
        InvalidArgumentError,
        ["filters.timestamp.start must be an aware datetime", "'soon'"],
    ),
    "update_feedback_review_status": (
        lambda s: s.update_feedback_review_status("no", "reviewed"),
        NotFoundError,
        ["no feedback 'no'", "create it first"],
    ),
    "delete_feedback": (
        lambda s: s.delete_feedback("abc"),
        InvalidArgumentError,
        ["feedback_ids is a list"],
    ),
    "get_feedback_aggregate": (
        lambda s: s.get_feedback_aggregate("rating", "avg", compare_period="previous_day"),
        InvalidArgumentError,
        ["compare_period needs filters.timestamp with start and end", "give both"],
    ),
    "get_feedback_breakdown": (
        lambda s: s.get_feedback_breakdown("rating", "avg", "userId"),
        InvalidArgumentError,
        ["group_by is a list of fields, not 'userId'"],
    ),
    "get_feedback_time_series": (
        lambda s: s.get_feedback_time_series("rating", "mean", "1h"),
        InvalidArgumentError,
        ["aggregation 'mean' is none of"],
    ),
    "get_feedback_percentiles": (
        lambda s: s.get_feedback_percentiles("rating", [], "1h"),
        InvalidArgumentError,
        ["percentiles are numbers from 0 to 1"],
    ),
    "watch_logs": (
        lambda s: s.watch_logs(last=0),
        InvalidArgumentError,
        ["last must be >= 1 and whole, not 0"],
    ),
    "subscribe_to_logs": (
        lambda s: s.subscribe_to_logs(print, {"colour": "red"}),
        InvalidArgumentError,
        ["cannot be filtered by 'colour'"],
    ),
    "watch_metrics": (
        lambda s: s.watch_metrics(last=0),
        InvalidArgumentError,
        ["last must be >= 1 and whole, not 0"],
    ),
    "subscribe_to_metrics": (
        lambda s: s.subscribe_to_metrics(print, {"colour": "red"}),
        InvalidArgumentError,
        ["cannot be filtered by 'colour'"],
    ),
    "watch_score_events": (
        lambda s: s.watch_score_events(last=0),
        InvalidArgumentError,
        ["last must be >= 1 and whole, not 0"],
    ),
    "subscribe_to_score_events": (
        lambda s: s.subscribe_to_score_events(print, {"colour": "red"}),
        InvalidArgumentError,
        ["cannot be filtered by 'colour'"],
    ),
    "watch_feedback": (
        lambda s: s.watch_feedback(last=0),
        InvalidArgumentError,
        ["last must be >= 1 and whole, not 0"],
    ),
    "subscribe_to_feedback": (
        lambda s: s.subscribe_to_feedback(print, {"colour": "red"}),
        InvalidArgumentError,
        ["cannot be filtered by 'colour'"],
    ),
}

RIGHT: dict[str, Any] = {
    "batch_create_logs": lambda s: s.batch_create_logs([log()]),
    "list_logs": lambda s: s.list_logs(),
    "batch_create_metrics": lambda s: s.batch_create_metrics([metric()]),
    "list_metrics": lambda s: s.list_metrics(),
    "get_metric_aggregate": lambda s: s.get_metric_aggregate("tokens", "sum"),
    "get_metric_breakdown": lambda s: s.get_metric_breakdown("tokens", "sum", ["model"]),
    "get_metric_time_series": lambda s: s.get_metric_time_series("tokens", "sum", "1h"),
    "get_metric_percentiles": lambda s: s.get_metric_percentiles("tokens", [0.5], "1h"),
    "get_metric_names": lambda s: s.get_metric_names(),
    "get_metric_label_keys": lambda s: s.get_metric_label_keys("tokens"),
    "get_metric_label_values": lambda s: s.get_metric_label_values("tokens", "kind"),
    "get_entity_types": lambda s: s.get_entity_types(),
    "get_entity_names": lambda s: s.get_entity_names(),
    "get_service_names": lambda s: s.get_service_names(),
    "get_environments": lambda s: s.get_environments(),
    "get_tags": lambda s: s.get_tags(),
    "create_score": lambda s: s.create_score(rating()),
    "batch_create_scores": lambda s: s.batch_create_scores([rating()]),
    "get_score_event": lambda s: s.get_score_event("s"),
    "list_scores": lambda s: s.list_scores(),
    "delete_scores": lambda s: s.delete_scores(["s"]),
    "get_score_aggregate": lambda s: s.get_score_aggregate("tone", "avg"),
    "get_score_breakdown": lambda s: s.get_score_breakdown("tone", "avg", ["scoreSource"]),
    "get_score_time_series": lambda s: s.get_score_time_series("tone", "avg", "1h"),
    "get_score_percentiles": lambda s: s.get_score_percentiles("tone", [0.5], "1h"),
    "create_feedback": lambda s: s.create_feedback(opinion()),
    "batch_create_feedback": lambda s: s.batch_create_feedback([opinion()]),
    "get_feedback": lambda s: s.get_feedback("f"),
    "list_feedback": lambda s: s.list_feedback(),
    "update_feedback_review_status": lambda s: s.update_feedback_review_status("f", "reviewed"),
    "delete_feedback": lambda s: s.delete_feedback(["f"]),
    "get_feedback_aggregate": lambda s: s.get_feedback_aggregate("rating", "avg"),
    "get_feedback_breakdown": lambda s: s.get_feedback_breakdown("rating", "avg", ["userId"]),
    "get_feedback_time_series": lambda s: s.get_feedback_time_series("rating", "avg", "1h"),
    "get_feedback_percentiles": lambda s: s.get_feedback_percentiles("rating", [0.5], "1h"),
}
