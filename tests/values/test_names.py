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
        ("", "", "e3b0c442-98fc-1c14-01ba-4719c80b6fe9"),
        ("thread", "message", "39200d1e-8a8d-bbb6-4a0f-92a2f3a247d7"),
        ("\u00e4", "\U0001f9f5", "33e6d73f-ee82-904c-d805-f7c6ff3857d2"),
    ],
)
def test_the_id_of_a_copy_follows_from_both(thread: str, message: str, expected: str) -> None:
    assert copy_id(thread, message) == expected
