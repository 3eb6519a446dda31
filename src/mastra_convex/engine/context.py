"""All that a function sees: the database, the moment, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass

from mastra_convex.engine.transaction import Reader, Writer


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: the service, or one resource (an end user) by its id."""

    resource_id: str | None = None

    @property
    def is_service(self) -> bool:
        """The service may do everything."""
        return self.resource_id is None


SERVICE = Principal()


@dataclass(slots=True)
class QueryCtx:
    """The context of a query. `principal` is None when the caller has proven nothing."""

    db: Reader
    principal: Principal | None


@dataclass(slots=True)
class MutationCtx:
    """The context of a mutation. `now` is milliseconds since the epoch, still for one mutation."""

    db: Writer
    principal: Principal | None
    now: int
