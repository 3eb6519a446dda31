"""Our storage behind Mastra's method names, for observational memory; and what may differ."""

from typing import Any

from mastra_convex import ConvexStorage

Doc = dict[str, Any]


class OurObservations:
    """The observational part of Mastra's memory domain on a `ConvexStorage`."""

    def __init__(self, storage: ConvexStorage) -> None:
        self.storage = storage

    def getObservationalMemory(self, threadId: str | None, resourceId: str) -> Any:
        found = self.storage.get_observational_memory(threadId, resourceId)
        return None if found is None else found.to_dict()

    def getObservationalMemoryHistory(
        self, threadId: str | None, resourceId: str, limit: int | None = None, options: Any = None
    ) -> list[Doc]:
        options = options or {}
        found = self.storage.get_observational_memory_history(
            threadId,
            resourceId,
            limit,
            from_date=options.get("from"),
            to_date=options.get("to"),
            offset=options.get("offset", 0),
        )
        return [each.to_dict() for each in found]

    def initializeObservationalMemory(self, threadId: str | None, **given: Any) -> Doc:
        made = self.storage.initialize_observational_memory(
            threadId,
            given["resourceId"],
            scope=given["scope"],
            config=given["config"],
            observed_timezone=given.get("observedTimezone"),
        )
        return made.to_dict()

    def insertObservationalMemoryRecord(self, record: Doc) -> None:
        self.storage.insert_observational_memory_record(record)

    def updateActiveObservations(self, id: str, **given: Any) -> None:
        self.storage.update_active_observations(
            id,
            given["observations"],
            given["tokenCount"],
            given["lastObservedAt"],
            given.get("observedMessageIds"),
        )

    def updateBufferedObservations(
        self, id: str, chunk: Doc, lastBufferedAtTime: Any = None
    ) -> None:
        self.storage.update_buffered_observations(id, chunk, lastBufferedAtTime)

    def swapBufferedToActive(self, id: str, **given: Any) -> Doc:
        found = self.storage.swap_buffered_to_active(
            id,
            activation_ratio=given["activationRatio"],
            message_tokens_threshold=given["messageTokensThreshold"],
            current_pending_tokens=given["currentPendingTokens"],
            force_max_activation=given.get("forceMaxActivation", False),
            last_observed_at=given.get("lastObservedAt"),
            buffered_chunks=given.get("bufferedChunks"),
        )
        last = found.chunks[-1] if found.chunks else None
        return {
            "chunksActivated": len(found.chunks),
            "messageTokensActivated": found.message_tokens,
            "observationTokensActivated": found.observation_tokens,
            "messagesActivated": len(found.message_ids),
            "activatedCycleIds": found.cycle_ids,
            "activatedMessageIds": found.message_ids,
            "observations": found.observations if last else None,
            "perChunk": [
                {
                    "cycleId": chunk.cycle_id,
                    "messageTokens": chunk.message_tokens,
                    "observationTokens": chunk.token_count,
                    "messageCount": len(chunk.message_ids),
                    "observations": chunk.observations,
                }
                for chunk in found.chunks
            ],
            "suggestedContinuation": last and last.suggested_continuation,
            "currentTask": last and last.current_task,
        }

    def createReflectionGeneration(
        self, currentRecord: Doc, reflection: str, tokenCount: int
    ) -> Doc:
        return self.storage.create_reflection_generation(
            currentRecord, reflection, tokenCount
        ).to_dict()

    def updateBufferedReflection(self, id: str, **given: Any) -> None:
        self.storage.update_buffered_reflection(
            id,
            given["reflection"],
            given["tokenCount"],
            given["inputTokenCount"],
            given["reflectedObservationLineCount"],
        )

    def swapBufferedReflectionToActive(self, currentRecord: Doc, tokenCount: int) -> Doc:
        made = self.storage.swap_buffered_reflection_to_active(currentRecord, tokenCount)
        return made.to_dict()

    def setReflectingFlag(self, id: str, on: bool) -> None:
        self.storage.set_reflecting_flag(id, on)

    def setObservingFlag(self, id: str, on: bool) -> None:
        self.storage.set_observing_flag(id, on)

    def setBufferingObservationFlag(self, id: str, on: bool, tokens: Any = None) -> None:
        self.storage.set_buffering_observation_flag(id, on, tokens)

    def setBufferingReflectionFlag(self, id: str, on: bool) -> None:
        self.storage.set_buffering_reflection_flag(id, on)

    def setPendingMessageTokens(self, id: str, tokens: int) -> None:
        self.storage.set_pending_message_tokens(id, tokens)

    def updateObservationalMemoryConfig(self, id: str, config: Doc) -> None:
        self.storage.update_observational_memory_config(id, config)

    def clearObservationalMemory(self, threadId: str | None, resourceId: str) -> None:
        self.storage.clear_observational_memory(threadId, resourceId)


def a_record(value: Any) -> Any:
    """A record without what is missing or empty: Mastra says some of it as null, ours leave it out.

    The ids of chunks are each store's own.
    """
    if isinstance(value, list):
        return [a_record(each) for each in value]
    if not isinstance(value, dict):
        return value
    chunks = value.get("bufferedObservationChunks") or []
    bare = [{name: x for name, x in chunk.items() if name != "id"} for chunk in chunks]
    kept = {name: x for name, x in value.items() if x is not None}
    return {**kept, "bufferedObservationChunks": bare}


def what_was_activated(value: Doc) -> Doc:
    """What `swapBufferedToActive` gives, without what is missing or empty."""
    return {name: x for name, x in value.items() if x not in (None, [])}
