"""Names in the two languages, and ids that both make alike."""

from __future__ import annotations

import pytest

from mastra_convex.values.names import camel_case, derived_id


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
    ("text", "expected"),
    [
        ("", "e3b0c442-98fc-1c14-9afb-f4c8996fb924"),
        ("abc", "ba7816bf-8f01-cfea-4141-40de5dae2223"),
        ("thread\n\u00e4\U0001f9f5", "7d24c0dc-4a3b-90d4-bd5c-0388ce832808"),
    ],
)
def test_an_id_follows_from_a_text(text: str, expected: str) -> None:
    assert derived_id(text) == expected
