"""Names in the two languages."""

from __future__ import annotations

import pytest

from mastra_convex.values.names import camel_case


@pytest.mark.parametrize(
    ("snake", "camel"),
    [
        ("get", "get"),
        ("list_", "list"),
        ("workflow_runs", "workflowRuns"),
        ("list_by_agent_name", "listByAgentName"),
        ("page2_of", "page2Of"),
        ("already", "already"),
    ],
)
def test_snake_case_becomes_camel_case(snake: str, camel: str) -> None:
    assert camel_case(snake) == camel
