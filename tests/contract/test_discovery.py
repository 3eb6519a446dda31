"""Discovery: what spans, logs and metrics have had, each once, in order."""

from collections.abc import Callable

from mastra_convex import ConvexStorage
from tests.contract.records import log, metric, span


def test_what_there_is_to_filter_by(storage: ConvexStorage) -> None:
    agent = {"entityType": "agent", "entityName": "travel"}
    storage.create_span(span(**agent, serviceName="api", environment="prod", tags=["b", "a"]))
    storage.batch_create_logs([log(entityType="tool", entityName="maps", tags=["c"])])
    storage.batch_create_metrics(
        [metric("m", 1, **agent, serviceName="jobs"), metric("n", entityName="stray", tags=["d"])]
    )
    assert storage.get_entity_types() == ["agent", "tool"]
    assert storage.get_entity_names() == ["maps", "stray", "travel"]
    assert storage.get_entity_names("agent") == ["travel"]
    assert storage.get_service_names() == ["api", "jobs"]
    assert storage.get_environments() == ["prod"]
    assert storage.get_tags() == ["a", "b", "c", "d"]
    assert storage.get_tags(entity_type="agent") == ["a", "b"]
    storage.clear_table("spans")
    storage.clear_table("logs")
    assert storage.get_entity_types() == ["agent"]
    assert storage.get_tags() == ["d"]


def test_an_empty_store_has_nothing(storage: ConvexStorage) -> None:
    nothing = [storage.get_entity_types(), storage.get_service_names(), storage.get_environments()]
    assert [*nothing, storage.get_entity_names(), storage.get_tags()] == [[]] * 5


def test_the_features_are_those_that_answer(storage: ConvexStorage) -> None:
    answers: dict[str, Callable[[], object]] = {
        "metrics": storage.list_metrics,
        "logs": storage.list_logs,
        "feedback": storage.list_feedback,
        "entity-type-discovery": storage.get_entity_types,
        "entity-name-discovery": storage.get_entity_names,
        "service-name-discovery": storage.get_service_names,
        "environment-discovery": storage.get_environments,
        "tag-discovery": storage.get_tags,
        "metric-discovery": storage.get_metric_names,
    }
    assert sorted(storage.get_features()) == sorted(answers)
    for answer in answers.values():
        answer()
