"""Who may do what."""

from typing import Any

import pytest

from mastra_convex.engine.context import SERVICE, Principal
from mastra_convex.errors import UnauthenticatedError
from mastra_convex.functions import registry
from mastra_convex.functions.lib.access import (
    owns,
    principal_of,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.values.validators import v
from tests.functions.lib.inside import ALICE, Inside


def test_the_service_may_do_everything(inside: Inside) -> None:
    assert inside(principal_of) == SERVICE
    assert inside(lambda ctx: [owns(ctx, "alice"), owns(ctx, None)]) == [True, True]
    assert inside(lambda ctx: require_service(ctx, "testing")) is None


def test_a_resource_owns_its_own(inside: Inside) -> None:
    assert inside(principal_of, ALICE) == ALICE
    owned = inside(lambda ctx: [owns(ctx, "alice"), owns(ctx, "bob"), owns(ctx, None)], ALICE)
    assert owned == [True, False, False]
    with pytest.raises(UnauthenticatedError, match="testing is for the service"):
        inside(lambda ctx: require_service(ctx, "testing"), ALICE)


def test_an_empty_id_is_a_resource_not_the_service(inside: Inside) -> None:
    with pytest.raises(UnauthenticatedError):
        inside(lambda ctx: require_service(ctx, "testing"), Principal(""))
    assert inside(lambda ctx: owns(ctx, "alice"), Principal("")) is False


def test_who_has_proven_nothing_is_turned_away(inside: Inside) -> None:
    for work in (principal_of, lambda ctx: owns(ctx, "a"), lambda ctx: require_service(ctx, "x")):
        with pytest.raises(UnauthenticatedError, match="no principal; give the storage its key"):
            inside(work, None)


def test_a_function_does_not_run_for_nobody(inside: Inside) -> None:
    ran: list[Any] = []
    for register in (storage_query, storage_mutation):
        function = register({}, v.null())(lambda ctx, args: ran.append(ctx))
        with pytest.raises(UnauthenticatedError):
            inside(lambda ctx, f=function: f.handler(ctx, {}), None)  # type: ignore[misc]
        assert ran == []
        inside(lambda ctx, f=function: f.handler(ctx, {}), ALICE)  # type: ignore[misc]
        assert len(ran) == 1
        ran.clear()


def test_what_does_not_ask_is_for_operators_alone() -> None:
    internal = {path for path, function in registry.functions.items() if not function.public}
    assert internal == {"mastra/storage:handle", "mastra/cache:handle"}


@pytest.mark.parametrize("path", [path for path, each in registry.functions.items() if each.public])
def test_every_function_asks_first(inside: Inside, path: str) -> None:
    # With arguments that no handler could work with: it must not come so far.
    function = registry.functions[path]
    with pytest.raises(UnauthenticatedError):
        inside(lambda ctx: function.handler(ctx, {}), None)
