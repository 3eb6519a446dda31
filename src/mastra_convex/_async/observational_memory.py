"""Observational memory (interface, section 3.12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, cast

from mastra_convex import memory_updates as updates
from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models import ActivatedObservations, ObservationalMemory, ObservationChunk
from mastra_convex.reads import observational_memory as reads


class AsyncObservations(AsyncStorageBase):
    """The operations on observational memory. Each is one transaction."""

    async def get_observational_memory(
        self, thread_id: str | None, resource_id: str
    ) -> ObservationalMemory | None:
        """The present generation of a thread, or of a resource if `thread_id` is None."""
        read = reads.memory(thread_id, resource_id)
        return cast("ObservationalMemory | None", await self._run("get_observational_memory", read))

    async def get_observational_memory_history(
        self,
        thread_id: str | None,
        resource_id: str,
        limit: int | None = None,
        *,
        from_date: datetime | float | str | None = None,
        to_date: datetime | float | str | None = None,
        offset: int = 0,
    ) -> list[ObservationalMemory]:
        """The generations, newest first; all of them unless `limit` says how many.

        The dates, inclusive, are of `created_at`; what is left of them is counted from `offset`.
        """
        read = reads.history(thread_id, resource_id, limit, from_date, to_date, offset)
        return cast(
            "list[ObservationalMemory]", await self._run("get_observational_memory_history", read)
        )

    async def initialize_observational_memory(
        self,
        thread_id: str | None,
        resource_id: str,
        *,
        scope: str,
        config: Mapping[str, Any],
        observed_timezone: str | None = None,
    ) -> ObservationalMemory:
        """Make the first generation; or return the present one, if there is memory already.

        So of several that begin at once, all have the same record. `scope` is "thread" or
        "resource". Raises `InvalidArgumentError`, `InvalidPayloadError`.
        """
        given = (thread_id, resource_id, scope, config, observed_timezone)
        made = await self._mutate(
            "initialize_observational_memory",
            "observationalMemory:initialize",
            partial(updates.beginning, *given),
        )
        return ObservationalMemory.of(made)

    async def insert_observational_memory_record(
        self, record: ObservationalMemory | Mapping[str, Any]
    ) -> None:
        """Add a ready record, of a copied thread for example; adding the same again is fine.

        Raises `ConflictError` if another of its id is there.
        """
        await self._mutate(
            "insert_observational_memory_record",
            "observationalMemory:save",
            lambda: {"record": ObservationalMemory.encode(record)},
        )

    async def update_active_observations(
        self,
        id: str,
        observations: str,
        token_count: float,
        last_observed_at: datetime | float | str,
        observed_message_ids: Sequence[str] | None = None,
    ) -> None:
        """Replace the active observations, and add their tokens to the total.

        No message tokens are pending then. Raises `NotFoundError` for an unknown record.
        """
        given = (id, observations, token_count, last_observed_at, observed_message_ids)
        await self._mutate(
            "update_active_observations",
            "observationalMemory:observe",
            partial(updates.observed, *given),
        )

    async def update_buffered_observations(
        self,
        id: str,
        chunk: ObservationChunk | Mapping[str, Any],
        last_buffered_at_time: datetime | float | str | None = None,
    ) -> None:
        """Add a chunk to those that wait, unless one of its cycle waits.

        Raises `NotFoundError` for an unknown record, `LimitExceededError` if too much waits.
        """
        await self._mutate(
            "update_buffered_observations",
            "observationalMemory:buffer",
            partial(updates.buffered, id, chunk, last_buffered_at_time),
        )

    async def swap_buffered_to_active(
        self,
        id: str,
        *,
        activation_ratio: float,
        message_tokens_threshold: float,
        current_pending_tokens: float,
        force_max_activation: bool = False,
        last_observed_at: datetime | float | str | None = None,
        buffered_chunks: Sequence[ObservationChunk | Mapping[str, Any]] | None = None,
    ) -> ActivatedObservations:
        """Make the oldest chunks active, and return them; each is activated by one caller only.

        So many that the tokens left come close to `message_tokens_threshold * (1 -
        activation_ratio)`. `buffered_chunks` tell the chunks' tokens as they are now: only these
        are looked at, those of them that still wait. Raises `NotFoundError`.
        """
        numbers = (activation_ratio, message_tokens_threshold, current_pending_tokens)
        given = (force_max_activation, last_observed_at, buffered_chunks)
        activated = await self._mutate(
            "swap_buffered_to_active",
            "observationalMemory:activate",
            partial(updates.activation, id, *numbers, *given),
        )
        return ActivatedObservations([ObservationChunk.of(each) for each in activated])

    async def create_reflection_generation(
        self,
        current_record: ObservationalMemory | Mapping[str, Any],
        reflection: str,
        token_count: float,
    ) -> ObservationalMemory:
        """Put a new generation on top, whose observations are the reflection; returns it.

        What it takes over is read from the stored record. Raises `NotFoundError`.
        """
        made = await self._mutate(
            "create_reflection_generation",
            "observationalMemory:reflect",
            partial(updates.reflection, current_record, reflection, token_count),
        )
        return ObservationalMemory.of(made)

    async def update_buffered_reflection(
        self,
        id: str,
        reflection: str,
        token_count: float,
        input_token_count: float,
        reflected_observation_line_count: int,
    ) -> None:
        """Put a reflection aside, after what is there of one. Raises `NotFoundError`."""
        given = (reflection, token_count, input_token_count, reflected_observation_line_count)
        await self._mutate(
            "update_buffered_reflection",
            "observationalMemory:bufferReflection",
            partial(updates.buffered_reflection, id, *given),
        )

    async def swap_buffered_reflection_to_active(
        self, current_record: ObservationalMemory | Mapping[str, Any], token_count: float
    ) -> ObservationalMemory:
        """Put a new generation on top: the reflection put aside, and the lines observed since.

        Returns it. Raises `NotFoundError`, and `ConflictError` if no reflection is put aside: of
        several callers, one has it.
        """
        made = await self._mutate(
            "swap_buffered_reflection_to_active",
            "observationalMemory:activateReflection",
            partial(updates.reflection_swap, current_record, token_count),
        )
        return ObservationalMemory.of(made)

    async def set_reflecting_flag(self, id: str, is_reflecting: bool) -> None:
        """Say whether a reflection is under way. Raises `NotFoundError`."""
        await self._set_memory("set_reflecting_flag", id, isReflecting=is_reflecting)

    async def set_observing_flag(self, id: str, is_observing: bool) -> None:
        """Say whether an observation is under way. Raises `NotFoundError`."""
        await self._set_memory("set_observing_flag", id, isObserving=is_observing)

    async def set_buffering_observation_flag(
        self, id: str, is_buffering: bool, last_buffered_at_tokens: float | None = None
    ) -> None:
        """Say whether observations are being buffered, and at how many tokens it began."""
        fields = {"isBufferingObservation": is_buffering}
        tokens = last_buffered_at_tokens
        await self._set_memory(
            "set_buffering_observation_flag", id, **fields, lastBufferedAtTokens=tokens
        )

    async def set_buffering_reflection_flag(self, id: str, is_buffering: bool) -> None:
        """Say whether a reflection is being buffered. Raises `NotFoundError`."""
        await self._set_memory(
            "set_buffering_reflection_flag", id, isBufferingReflection=is_buffering
        )

    async def set_pending_message_tokens(self, id: str, token_count: float) -> None:
        """Set how many tokens of messages have not been observed. Raises `NotFoundError`."""
        await self._set_memory("set_pending_message_tokens", id, pendingMessageTokens=token_count)

    async def update_observational_memory_config(self, id: str, config: Mapping[str, Any]) -> None:
        """Merge into the record's config, maps in maps too; lists are replaced."""
        await self._set_memory("update_observational_memory_config", id, config=config)

    async def clear_observational_memory(self, thread_id: str | None, resource_id: str) -> None:
        """Delete all generations of a thread's memory, or of a resource's; none is fine.

        The present one goes last, so that nobody takes an older one for it.
        """
        done = False
        while not done:
            done = await self._mutate(
                "clear_observational_memory",
                "observationalMemory:clear",
                partial(reads.subject, thread_id, resource_id),
            )

    def watch_observational_memory(
        self, thread_id: str | None, resource_id: str
    ) -> AsyncWatch[ObservationalMemory | None]:
        """The present generation, now and after each change; None while there is none."""
        read = partial(reads.memory, thread_id, resource_id)
        return self._watch("watch_observational_memory", read)

    def subscribe_to_observational_memory(
        self,
        thread_id: str | None,
        resource_id: str,
        callback: Callable[[ObservationalMemory | None], Any],
    ) -> Unsubscribe:
        """Call `callback` with the present generation now and after each change."""
        read = partial(reads.memory, thread_id, resource_id)
        return self._subscribe("subscribe_to_observational_memory", read, callback)

    async def _set_memory(self, operation: str, id: str, **fields: Any) -> None:
        make = partial(updates.settings, id, **fields)
        await self._mutate(operation, "observationalMemory:update", make)
