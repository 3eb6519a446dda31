"""The rows of `@mastra/convex`, and our records: the same things under other names.

Its adapter has a table for each kind of record, with columns of its own. What is a payload here is
JSON text there, a plain text, or a value; what is milliseconds here is ISO 8601 text there, or a
number. Columns that we do not know are kept in `extra`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib.access import Doc
from mastra_convex.functions.lib.payloads import decoded
from mastra_convex.functions.validators import (
    background_task_fields,
    channel_config_fields,
    channel_installation_fields,
    chunk_fields,
    message_fields,
    observational_memory_fields,
    resource_fields,
    saved,
    schedule_fields,
    schedule_trigger_fields,
    score_fields,
    thread_fields,
    workflow_run_fields,
)
from mastra_convex.values.encoding import decode, encode
from mastra_convex.values.payload import encode_payload, open_payload
from mastra_convex.values.validators import Validator

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# The beginning of the year 1, and the end of the year 9999.
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Kind(NamedTuple):
    """How the values of a column become ours, and how ours become theirs."""

    ours: Callable[[Any], Any]
    theirs: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _text_of(value: Any) -> str:
    """JSON text of a column that has it, or the value itself."""
    if not isinstance(value, str):
        return encode_payload(value)
    decoded(value)
    return value


def _said(text: str) -> Any:
    """The value of a payload; its text, if Convex has no such value."""
    value = open_payload(text)
    return value if is_sayable(value) else text


def _members_of(text: Any) -> Doc:
    """The columns in `extra`. Raises `InvalidArgumentError` for what is no text of an object."""
    found = decoded(text) if isinstance(text, str) else None
    if not isinstance(found, dict):
        raise InvalidArgumentError("extra is JSON text of an object", path="extra")
    return found


def plain(text: str) -> str:
    """The text that a payload is; of anything else, what stands there."""
    value = open_payload(text)
    return value if isinstance(value, str) else text


def milliseconds(text: Any) -> float:
    """The time that ISO 8601 text with a zone names. Raises `InvalidArgumentError`."""
    found = _ISO.fullmatch(text) if isinstance(text, str) else None
    try:
        if found:
            second, fraction, zone = found.groups()
            moment = datetime.fromisoformat(second + zone.replace("Z", "+00:00"))
            whole = (moment - _EPOCH) // timedelta(milliseconds=1)
            return whole + int((fraction or "0").ljust(3, "0")[:3])
    except ValueError:
        pass
    raise InvalidArgumentError(f"a time is ISO 8601 text with a zone, not {text!r:.60}")


def iso(time: float) -> str:
    """The time as ISO 8601 text, to the millisecond; the nearest whose year has four digits."""
    moment = _EPOCH + timedelta(milliseconds=int(max(_FIRST, min(time, _LAST))))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_sayable(value: Any) -> bool:
    """Whether it is a value of Convex, which has fewer keys and numbers than JSON."""
    try:
        encode(value)
    except InvalidArgumentError:
        return False
    return True


SAME = Kind(_same, _same)
# A payload, as JSON text on both sides.
TEXT = Kind(_text_of, _same)
# A payload that is a plain text there.
PLAIN = Kind(encode_payload, plain)
# A payload that is a value there.
VALUE = Kind(encode_payload, _said)
ISO = Kind(milliseconds, iso)

Columns = Mapping[str, tuple[str, Kind]]


class Rows:
    """The rows of one of their tables: which of ours it is, and its columns by their names.

    `derived` are columns that follow from others; what a row says in them is not looked at.
    """

    def __init__(
        self, table: str, fields: Mapping[str, Validator], columns: Columns, derived: str = ""
    ) -> None:
        self.table = table
        self.columns = columns
        self._derived = {"_id", "_creationTime", *derived.split()}
        self._saved = saved(fields)

    def record(self, row: Doc) -> Doc:
        """The record of a row. Raises `InvalidArgumentError` for what is none of the table."""
        return self.checked(self.changes(row))

    def changes(self, row: Doc) -> Doc:
        """The fields of a part of a row; None for what is to be taken away."""
        if not isinstance(row, dict):
            raise InvalidArgumentError(f"a row of {self.table} is an object", path=self.table)
        found: Doc = {}
        unknown: Doc = {}
        for name, value in row.items():
            if name in self.columns:
                ours, kind = self.columns[name]
                found[ours] = None if value is None else kind.ours(value)
            elif name == "extra":
                unknown = {**_members_of(value), **unknown}
            elif name not in self._derived:
                unknown[name] = value
        if unknown:
            found["extra"] = encode_payload(unknown)
        return found

    def checked(self, changes: Doc) -> Doc:
        """A record of all that is not None. Raises `InvalidArgumentError` for a wrong one."""
        found = {name: value for name, value in changes.items() if value is not None}
        self._saved.validate(found, self.table)
        return found

    def row(self, record: Doc) -> Doc:
        """The row of a record.

        Of what we do not know, only what Convex has no names or values for stays in `extra`.
        """
        found: Doc = {}
        extra = open_payload(record["extra"]) if "extra" in record else {}
        unknown = extra if isinstance(extra, dict) else {}
        unsaid = {name: x for name, x in unknown.items() if not is_sayable({name: x})}
        if unsaid:
            found["extra"] = encode_payload(unsaid)
        found |= {name: x for name, x in unknown.items() if name not in unsaid}
        for name, (ours, kind) in self.columns.items():
            if ours in record:
                found[name] = kind.theirs(record[ours])
        return found


def _of(kind: Kind, names: str) -> dict[str, tuple[str, Kind]]:
    """Columns of one kind: `theirs:ours`, or one name for both."""
    pairs = (name.partition(":") for name in names.split())
    return {theirs: (ours or theirs, kind) for theirs, _, ours in pairs}


THREADS = Rows(
    "threads",
    thread_fields,
    {
        **_of(SAME, "id resourceId title"),
        **_of(TEXT, "metadata"),
        **_of(ISO, "createdAt updatedAt"),
    },
)
MESSAGES = Rows(
    "messages",
    message_fields,
    {
        **_of(SAME, "id thread_id:threadId resourceId role type"),
        **_of(TEXT, "content"),
        **_of(ISO, "createdAt"),
    },
)
RESOURCES = Rows(
    "resources",
    resource_fields,
    {
        **_of(SAME, "id"),
        **_of(PLAIN, "workingMemory"),
        **_of(TEXT, "metadata"),
        **_of(ISO, "createdAt updatedAt"),
    },
)
WORKFLOW_RUNS = Rows(
    "workflowRuns",
    workflow_run_fields,
    {
        **_of(SAME, "workflow_name:workflowName run_id:id resourceId"),
        **_of(TEXT, "snapshot:state"),
        **_of(ISO, "createdAt updatedAt"),
    },
    derived="id",
)
SCORES = Rows(
    "scores",
    score_fields,
    {
        **_of(SAME, "id scorerId entityId entityType runId source score reason"),
        **_of(SAME, "structuredOutput reasonPrompt extractPrompt analyzePrompt"),
        **_of(SAME, "preprocessPrompt generateScorePrompt generateReasonPrompt"),
        **_of(SAME, "traceId spanId resourceId threadId organizationId projectId"),
        **_of(SAME, "batchId datasetId datasetItemId"),
        **_of(VALUE, "scorer entity input output extractStepResult analyzeStepResult"),
        **_of(VALUE, "preprocessStepResult additionalContext requestContext metadata"),
        **_of(ISO, "createdAt updatedAt"),
    },
)
SCHEDULES = Rows(
    "schedules",
    schedule_fields,
    {
        **_of(SAME, "id cron timezone status next_fire_at:nextFireAt"),
        **_of(SAME, "last_fire_at:lastFireAt last_run_id:lastRunId"),
        **_of(SAME, "owner_type:ownerType owner_id:ownerId workflow_id:workflowId"),
        **_of(SAME, "created_at:createdAt updated_at:updatedAt"),
        **_of(TEXT, "target metadata"),
    },
)
SCHEDULE_TRIGGERS = Rows(
    "scheduleTriggers",
    schedule_trigger_fields,
    {
        **_of(SAME, "id schedule_id:scheduleId run_id:runId outcome error"),
        **_of(SAME, "scheduled_fire_at:scheduledFireAt actual_fire_at:actualFireAt"),
        **_of(SAME, "trigger_kind:triggerKind parent_trigger_id:parentTriggerId"),
        **_of(TEXT, "metadata"),
    },
)
BACKGROUND_TASKS = Rows(
    "backgroundTasks",
    background_task_fields,
    {
        **_of(SAME, "id status tool_call_id:toolCallId tool_name:toolName"),
        **_of(SAME, "agent_id:agentId run_id:runId thread_id:threadId"),
        **_of(SAME, "resource_id:resourceId retry_count:retryCount"),
        **_of(SAME, "max_retries:maxRetries timeout_ms:timeoutMs"),
        **_of(TEXT, "args result error suspend_payload:suspendPayload"),
        **_of(ISO, "createdAt startedAt suspendedAt completedAt"),
    },
)
CHANNEL_INSTALLATIONS = Rows(
    "channelInstallations",
    channel_installation_fields,
    {
        **_of(SAME, "id platform agentId status webhookId configHash error"),
        **_of(TEXT, "data"),
        **_of(ISO, "createdAt updatedAt"),
    },
)
CHANNEL_CONFIGS = Rows(
    "channelConfigs",
    channel_config_fields,
    {**_of(SAME, "platform:id"), **_of(TEXT, "data"), **_of(ISO, "createdAt updatedAt")},
    derived="id",
)
# What waits in a record of observational memory: elements of a list in one of its columns.
CHUNKS = Rows(
    "observationChunks",
    chunk_fields,
    {
        **_of(SAME, "id cycleId tokenCount messageTokens"),
        **_of(PLAIN, "observations suggestedContinuation currentTask threadTitle"),
        **_of(VALUE, "messageIds extractedValues extractionFailures"),
        **_of(ISO, "lastObservedAt createdAt"),
    },
)
OBSERVATIONAL_MEMORY = Rows(
    "observationalMemory",
    observational_memory_fields,
    {
        **_of(SAME, "id scope threadId resourceId originType generationCount"),
        **_of(SAME, "bufferedReflectionTokens bufferedReflectionInputTokens"),
        **_of(SAME, "reflectedObservationLineCount observedTimezone"),
        **_of(SAME, "totalTokensObserved observationTokenCount pendingMessageTokens"),
        **_of(SAME, "isReflecting isObserving isBufferingObservation isBufferingReflection"),
        **_of(SAME, "lastBufferedAtTokens"),
        **_of(PLAIN, "activeObservations bufferedReflection"),
        **_of(TEXT, "config metadata"),
        **_of(VALUE, "observedMessageIds"),
        **_of(ISO, "createdAt updatedAt lastObservedAt lastBufferedAtTime"),
    },
    derived="lookupKey lastReflectionAt bufferedObservationChunks "
    "activeObservationsPendingUpdate bufferedObservations bufferedObservationTokens "
    "bufferedMessageIds",
)


def chunks_of_row(row: Doc) -> list[Doc]:
    """The chunks that wait in a row of observational memory."""
    text = row.get("bufferedObservationChunks")
    chunks = decoded(text) if isinstance(text, str) and text else text or []
    if not isinstance(chunks, list):
        raise InvalidArgumentError("bufferedObservationChunks is JSON text of a list")
    return [CHUNKS.record(each) for each in chunks]


def memory_row(record: Doc) -> Doc:
    """The row of a record of observational memory with its chunks."""
    row = OBSERVATIONAL_MEMORY.row(record)
    thread_id = record.get("threadId")
    subject = f"resource:{record['resourceId']}" if thread_id is None else f"thread:{thread_id}"
    chunks = [CHUNKS.row(each) for each in record["bufferedObservationChunks"]]
    # A number that is whole is written as one, as JavaScript does.
    text = encode_payload(decode(chunks))
    return {**row, "lookupKey": subject, "bufferedObservationChunks": text}
