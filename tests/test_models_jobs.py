"""The models of what agents do unattended: their fields, and what they refuse."""

import inspect
from typing import Any

import pytest

from mastra_convex import models_jobs
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.schema import schema
from mastra_convex.models_jobs import (
    BackgroundTask,
    ChannelConfig,
    ChannelInstallation,
    Schedule,
    ScheduleTrigger,
    Score,
    ScorePage,
)
from mastra_convex.record import Record

MODELS: dict[type[Record], str] = {
    Score: "scores",
    Schedule: "schedules",
    ScheduleTrigger: "scheduleTriggers",
    BackgroundTask: "backgroundTasks",
    ChannelInstallation: "channelInstallations",
    ChannelConfig: "channelConfigs",
}


def test_every_model_is_public() -> None:
    found = {
        each
        for each in vars(models_jobs).values()
        if inspect.isclass(each) and issubclass(each, Record) and each is not Record
    }
    assert found == MODELS.keys()
    assert {each.__name__ for each in found} <= set(models_jobs.__all__)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_has_the_fields_of_its_table(model: type[Record]) -> None:
    table = schema.tables[MODELS[model]]
    names = {field.wire_name: field.default for field in model.fields}
    assert {*names, "extra"} == table.fields.keys()
    required = {name for name, default in names.items() if default is not None}
    expected = {name for name, field in table.fields.items() if not field.optional}
    assert required == expected - {"createdAt", "updatedAt"}


def test_the_output_of_a_score_may_be_none() -> None:
    given: dict[str, Any] = {"id": "s", "scorerId": "s", "entityId": "e", "runId": "r"}
    given |= {"source": "LIVE", "score": 0, "scorer": {}, "entity": {}, "output": None}
    wire = Score.encode(given)
    assert (wire["output"], wire["score"]) == ("null", 0)
    assert Score.of(wire).to_dict() == given
    assert Score.encode(Score.of(wire)) == wire
    del given["output"]
    with pytest.raises(InvalidArgumentError, match="output is missing"):
        Score.encode(given)


def test_a_schedule_leaves_its_workflow_to_the_store() -> None:
    target = {"type": "workflow", "workflowId": "w"}
    given = {"id": "d", "target": target, "cron": "*", "status": "active", "nextFireAt": 0}
    read = Schedule.of({**Schedule.encode(given), "workflowId": "w"})
    assert read.workflow_id == "w"
    assert Schedule.encode(read) == Schedule.encode(read.to_dict()) == Schedule.encode(given)


def test_a_platform_is_the_id_of_its_configuration() -> None:
    given = {"platform": "slack", "data": {}}
    assert ChannelConfig.encode(given) == ChannelConfig.encode({**given, "id": "slack"})
    assert ChannelConfig.of(ChannelConfig.encode(given)).platform == "slack"


def test_where_a_page_of_scores_stands() -> None:
    page = ScorePage(total=5, page=1, per_page=2, has_more=True, scores=[])
    assert page.pagination == {"total": 5, "page": 1, "perPage": 2, "hasMore": True}
