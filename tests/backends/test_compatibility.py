from typing import Any

import pytest

from mastra_convex.backends.compatibility import require_compatible
from mastra_convex.errors import DeploymentError, NewerFunctionsError, OlderFunctionsError
from mastra_convex.values.version import FUNCTIONS_VERSION

URL = "https://a.convex.cloud"


@pytest.mark.parametrize("number", [FUNCTIONS_VERSION, float(FUNCTIONS_VERSION)])
def test_the_same_version_is_understood(number: float) -> None:
    assert require_compatible({"format": 1, "functions": number}, URL) == FUNCTIONS_VERSION


@pytest.mark.parametrize(
    ("difference", "kind", "mends"),
    [
        (-1, OlderFunctionsError, "npx convex dev --once"),
        (1, NewerFunctionsError, "pip install --upgrade"),
    ],
)
def test_another_version_names_what_mends_it(
    difference: int, kind: type[DeploymentError], mends: str
) -> None:
    with pytest.raises(kind, match=mends) as caught:
        require_compatible({"functions": FUNCTIONS_VERSION + difference}, URL)
    assert caught.value.data == {
        "url": URL,
        "functions": FUNCTIONS_VERSION + difference,
        "expected": FUNCTIONS_VERSION,
    }


@pytest.mark.parametrize(
    "version",
    [None, 1.0, {}, {"functions": "1"}, {"functions": True}, {"functions": 1.5}, []],
)
def test_an_answer_of_somebody_else_is_told(version: Any) -> None:
    with pytest.raises(DeploymentError, match="is not mastra-convex's") as caught:
        require_compatible(version, URL)
    assert type(caught.value) is DeploymentError
