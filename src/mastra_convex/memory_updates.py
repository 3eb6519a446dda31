"""Arguments of the mutations of observational memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import ObservationalMemory, ObservationChunk
from mastra_convex.record import to_milliseconds

Doc = dict[str, Any]
_SCOPES = ("thread", "resource")


def beginning(
    thread_id: Any, resource_id: Any, scope: Any, config: Any, observed_timezone: Any
) -> Doc:
    """What `observationalMemory:initialize` takes."""
    if scope not in _SCOPES:
        raise InvalidArgumentError(
            f"scope is 'thread' or 'resource', not {scope!r:.60}", path="scope"
        )
    return {
        "id": _new_id(),
        "scope": scope,
        **_fields(
            resourceId=resource_id,
            threadId=thread_id or None,
            config=config,
            observedTimezone=observed_timezone,
        ),
    }


def observed(
    id: Any, observations: Any, token_count: Any, last_observed_at: Any, message_ids: Any
) -> Doc:
    """What `observationalMemory:observe` takes."""
    encoded = _fields(
        id=id,
        activeObservations=observations,
        observationTokenCount=token_count,
        lastObservedAt=last_observed_at,
        observedMessageIds=message_ids,
    )
    text, tokens = encoded.pop("activeObservations"), encoded.pop("observationTokenCount")
    return {**encoded, "observations": text, "tokenCount": tokens}


def buffered(id: Any, chunk: Any, last_buffered_at_time: Any) -> Doc:
    """What `observationalMemory:buffer` takes; the store gives id and time to a new chunk."""
    if isinstance(chunk, Mapping) and not chunk.get("id"):
        chunk = {**chunk, "id": f"ombuf-{_new_id()}"}
    wire = ObservationChunk.encode(chunk)
    given = {name: value for name, value in wire.items() if name != "createdAt"}
    return {**_fields(id=id, lastBufferedAtTime=last_buffered_at_time), "chunk": given}


def activation(
    id: Any,
    activation_ratio: Any,
    message_tokens_threshold: Any,
    current_pending_tokens: Any,
    force_max_activation: Any,
    last_observed_at: Any,
    buffered_chunks: Any,
) -> Doc:
    """What `observationalMemory:activate` takes."""
    args = _fields(id=id)
    numbers = {
        "activationRatio": activation_ratio,
        "messageTokensThreshold": message_tokens_threshold,
        "currentPendingTokens": current_pending_tokens,
    }
    for name, value in numbers.items():
        args[name] = ObservationalMemory.encode_field("pending_message_tokens", value, name)
    if force_max_activation:
        args["forceMaxActivation"] = True
    if last_observed_at is not None:
        args["lastObservedAt"] = to_milliseconds(last_observed_at, "last_observed_at")
    if buffered_chunks is not None:
        wires = [ObservationChunk.encode(chunk) for chunk in buffered_chunks]
        names = ("cycleId", "messageTokens")
        args["weights"] = [{name: wire[name] for name in names} for wire in wires]
    return args


def reflection(current_record: Any, text: Any, token_count: Any) -> Doc:
    """What `observationalMemory:reflect` takes."""
    wire = _fields(activeObservations=text, observationTokenCount=token_count)
    return {
        **_next(current_record),
        "reflection": wire["activeObservations"],
        "tokenCount": wire["observationTokenCount"],
    }


def buffered_reflection(
    id: Any, text: Any, token_count: Any, input_token_count: Any, line_count: Any
) -> Doc:
    """What `observationalMemory:bufferReflection` takes."""
    wire = _fields(
        id=id,
        bufferedReflection=text,
        bufferedReflectionTokens=token_count,
        bufferedReflectionInputTokens=input_token_count,
        reflectedObservationLineCount=line_count,
    )
    return {
        "id": wire["id"],
        "reflection": wire["bufferedReflection"],
        "tokenCount": wire["bufferedReflectionTokens"],
        "inputTokenCount": wire["bufferedReflectionInputTokens"],
        "reflectedObservationLineCount": wire["reflectedObservationLineCount"],
    }


def reflection_swap(current_record: Any, token_count: Any) -> Doc:
    """What `observationalMemory:activateReflection` takes."""
    tokens = _fields(observationTokenCount=token_count)["observationTokenCount"]
    return {**_next(current_record), "tokenCount": tokens}


def settings(id: Any, **fields: Any) -> Doc:
    """What `observationalMemory:update` takes; None is not given."""
    return _fields(id=id, **fields)


def _next(current_record: Any) -> Doc:
    """The id of the record that a new generation follows, and its own."""
    if isinstance(current_record, ObservationalMemory):
        current = current_record.id
    elif isinstance(current_record, Mapping) and isinstance(current_record.get("id"), str):
        current = current_record["id"]
    else:
        raise InvalidArgumentError(
            f"current_record is a record with its id, not {current_record!r:.60}",
            path="current_record",
        )
    return {"id": current, "newId": _new_id()}


# Fields that may be left out; the others must be given.
_OPTIONAL = frozenset(
    {
        *("threadId", "observedTimezone", "observedMessageIds", "lastBufferedAtTime"),
        *("lastBufferedAtTokens",),
    }
)


def _fields(**fields: Any) -> Doc:
    """Values as a record's fields have them on the wire."""
    return {
        name: ObservationalMemory.encode_field(name, value, "observational memory")
        for name, value in fields.items()
        if value is not None or name not in _OPTIONAL
    }


def _new_id() -> str:
    # Imported here: it would be a part of the time that our import takes.
    from uuid import uuid4

    return str(uuid4())
