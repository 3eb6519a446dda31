"""Who may do what. Every function is registered here, and asks for the principal first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mastra_convex.engine.context import SERVICE, MutationCtx, Principal, QueryCtx
from mastra_convex.engine.registry import Function, mutation, query
from mastra_convex.errors import UnauthenticatedError
from mastra_convex.values.validators import Validator, v

Args = dict[str, Any]
Doc = dict[str, Any]
Ctx = QueryCtx | MutationCtx


def principal_of(ctx: Ctx) -> Principal:
    """Who is asking. Raises `UnauthenticatedError` for a caller that has proven nothing."""
    if ctx.principal is None:
        raise UnauthenticatedError("this call has no principal; give the storage its key or token")
    return ctx.principal


def owns(ctx: Ctx, resource_id: str | None) -> bool:
    """Whether the caller may see and change what belongs to `resource_id` (None: to nobody)."""
    principal = principal_of(ctx)
    return principal.is_service or principal.resource_id == resource_id


def require_service(ctx: Ctx, doing: str) -> None:
    """Raise `UnauthenticatedError` unless the service is asking."""
    if not principal_of(ctx).is_service:
        raise UnauthenticatedError(f"{doing} is for the service; a resource's token cannot do it")


def storage_query(
    args: Mapping[str, Validator], returns: Validator
) -> Callable[[Callable[[QueryCtx, Args], Any]], Function]:
    """Register a query that runs only for a principal."""

    def register(handler: Callable[[QueryCtx, Args], Any]) -> Function:
        def guarded(ctx: QueryCtx, given: Args) -> Any:
            principal_of(ctx)
            return handler(ctx, given)

        return query(args, returns)(guarded)

    return register


def storage_mutation(
    args: Mapping[str, Validator], returns: Validator
) -> Callable[[Callable[[MutationCtx, Args], Any]], Function]:
    """Register a mutation that runs only for a principal."""

    def register(handler: Callable[[MutationCtx, Args], Any]) -> Function:
        def guarded(ctx: MutationCtx, given: Args) -> Any:
            principal_of(ctx)
            return handler(ctx, given)

        return mutation(args, returns)(guarded)

    return register


def service_mutation(
    returns: Validator,
) -> Callable[[Callable[[MutationCtx, Args], Any]], Function]:
    """Register a mutation that takes any arguments: only an operator runs it, for the service."""

    def register(handler: Callable[[MutationCtx, Args], Any]) -> Function:
        def guarded(ctx: MutationCtx, given: Args) -> Any:
            return handler(replace(ctx, principal=SERVICE), given)

        return Function("mutation", v.any(), returns, guarded, public=False)

    return register
