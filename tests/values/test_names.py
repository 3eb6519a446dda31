"""Names in the two languages, and ids that both make alike."""

from __future__ import annotations

import pytest

from mastra_convex.values.names import camel_case, copy_id


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


@pytest.mark.parametrize(
    ("thread", "message", "expected"),
    [
        ("", "", "01ba4719-c80b-6fe9-11b0-91a7c05124b6"),
        ("thread", "message", "4a0f92a2-f3a2-47d7-6562-1e64e13a1efc"),
        ("\u00e4", "\U0001f9f5", "d805f7c6-ff38-57d2-54bf-e3fe0a125228"),
    ],
)
def test_the_id_of_a_copy_follows_from_both(thread: str, message: str, expected: str) -> None:
    assert copy_id(thread, message) == expected
