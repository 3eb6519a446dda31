"""The table of Mastra's domains and their methods, against the package itself."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.domains import METHODS, UNSUPPORTED

SCRIPT = Path(__file__).with_name("methods.mjs")
# Of the store, not of what is kept in it: it is made ready, it says what it can do, and rows are
# deleted for their age, which Mastra's own store on Convex does not do either.
OF_THE_STORE = {"init", "prune"}
CAPABILITIES = {
    "memory": {"supportsObservationalMemory", "supportsPartialThreadUpdate"},
    "observability": {"observabilityStrategy", "runtimeTracingStrategy", "tracingStrategy"},
}


@pytest.fixture(scope="module")
def theirs() -> dict[str, list[str]]:
    """The public members of each domain's class in @mastra/core."""
    done = subprocess.run(["node", str(SCRIPT)], capture_output=True, check=True, text=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_every_domain_is_named(theirs: dict[str, Any]) -> None:
    assert theirs.keys() == {*METHODS, *UNSUPPORTED}


@pytest.mark.parametrize("domain", METHODS)
def test_every_method_of_a_domain_is_named(domain: str, theirs: dict[str, list[str]]) -> None:
    methods = set(theirs[domain]) - OF_THE_STORE - CAPABILITIES.get(domain, set())
    assert methods == set(METHODS[domain])
