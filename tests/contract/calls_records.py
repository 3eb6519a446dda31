"""Wrong and right calls on threads, messages and the other records, for the tests of errors."""

from typing import Any

from mastra_convex import (
    ConvexStorageError,
    InvalidArgumentError,
    InvalidPayloadError,
    LimitExceededError,
    NotFoundError,
)
from tests.contract.records import T0, evaluation, message, run, span, thread, trace

WRONG: dict[str, tuple[Any, type[ConvexStorageError], list[str]]] = {
    "save_thread": (
        lambda s: s.save_thread({"id": "new", "title": "T"}),
        InvalidArgumentError,
        ["thread 'new'", "resourceId is missing or empty", "give it"],
    ),
    "get_thread_by_id": (
        lambda s: s.get_thread_by_id(None),
        InvalidArgumentError,
        ["thread_id must be text, not None"],
    ),
    "list_threads": (
        lambda s: s.list_threads(page=-1),
        InvalidArgumentError,
        ["page must be >= 0", "not -1"],
    ),
    "update_thread": (
        lambda s: s.update_thread("no", title="T"),
        NotFoundError,
        ["no thread 'no'", "save it first"],
    ),
    "delete_thread": (
        lambda s: s.delete_thread(5),
        InvalidArgumentError,
        ["id must be text", "int 5"],
    ),
    "save_message": (
        lambda s: s.save_message(message("new", "no")),
        NotFoundError,
        ["message 'new'", "thread 'no'", "save the thread first"],
    ),
    "save_messages": (
        lambda s: s.save_messages([message("new"), message("new2", "no")]),
        NotFoundError,
        ["message 'new2'", "thread 'no'", "save the thread first"],
    ),
    "get_messages": (
        lambda s: s.get_messages(""),
        InvalidArgumentError,
        ["thread_id must be the id of a thread"],
    ),
    "list_messages": (
        lambda s: s.list_messages("t", order_by={"field": "updatedAt"}),
        InvalidArgumentError,
        ["cannot order by 'updatedAt'", "'createdAt'"],
    ),
    "list_messages_by_id": (
        lambda s: s.list_messages_by_id("abc"),
        InvalidArgumentError,
        ["message_ids is a list"],
    ),
    "update_messages": (
        lambda s: s.update_messages([{"id": "m", "role": "x"}, {"id": "m", "threadId": "no"}]),
        NotFoundError,
        ["message 'm'", "thread 'no'", "save the thread first"],
    ),
    "delete_messages": (
        lambda s: s.delete_messages(["m", *map(str, range(1000))]),
        LimitExceededError,
        ["1001 ids", "at most 1000", "split them"],
    ),
    "get_resource_by_id": (
        lambda s: s.get_resource_by_id(5),
        InvalidArgumentError,
        ["resource_id must be text", "not 5"],
    ),
    "save_resource": (
        lambda s: s.save_resource({"id": "r", "createdAt": "yesterday"}),
        InvalidArgumentError,
        ["resource 'r'", "createdAt", "ISO 8601"],
    ),
    "update_resource": (
        lambda s: s.update_resource("r", metadata={"a": [float("nan")]}),
        InvalidPayloadError,
        ["resource 'r': metadata.a[0] is nan", "pass null or text"],
    ),
    "list_traces": (
        lambda s: s.list_traces(filters={"thread": "t"}),
        InvalidArgumentError,
        ["no filter 'thread'", "the reference lists"],
    ),
    "list_traces_light": (
        lambda s: s.list_traces_light(per_page=101),
        InvalidArgumentError,
        ["per_page must be whole", "from 1 to 100", "not 101"],
    ),
    "list_branches": (
        lambda s: s.list_branches(mode="delta", after="x"),
        InvalidArgumentError,
        ["after must be the delta_cursor", "not 'x'"],
    ),
    "list_traces_by_message_id": (
        lambda s: s.list_traces_by_message_id(5),
        InvalidArgumentError,
        ["message_id must be text", "not 5"],
    ),
    "list_messages_by_trace_id": (
        lambda s: s.list_messages_by_trace_id(5),
        InvalidArgumentError,
        ["trace_id must be text", "not 5"],
    ),
    "save_trace": (
        lambda s: s.save_trace(trace("new", spans=[b"x"])),
        InvalidPayloadError,
        ["trace 'new': spans[0] is of type bytes", "convert it"],
    ),
    "get_trace": (
        lambda s: s.get_trace(["x"]),
        InvalidArgumentError,
        ["trace_id must be text"],
    ),
    "get_traces": (
        lambda s: s.get_traces(from_date="today"),
        InvalidArgumentError,
        ["from_date", "'today'"],
    ),
    "create_span": (
        lambda s: s.create_span(span(input={"a": b"x"})),
        InvalidPayloadError,
        ["span 's': input.a is of type bytes", "convert it"],
    ),
    "batch_create_spans": (
        lambda s: s.batch_create_spans([span("a"), span("b", parentSpanId=5)]),
        InvalidArgumentError,
        ["span 'b': parentSpanId must be text", "5"],
    ),
    "update_span": (
        lambda s: s.update_span("t", "no", {"name": "x"}),
        NotFoundError,
        ["no span 'no' in trace 't'", "create it first"],
    ),
    "batch_update_spans": (
        lambda s: s.batch_update_spans([{"traceId": "t", "spanId": "s", "updates": {"name": 5}}]),
        InvalidArgumentError,
        ["span 's': name must be text"],
    ),
    "get_span": (
        lambda s: s.get_span("t", None),
        InvalidArgumentError,
        ["span_id must be text, not None"],
    ),
    "get_spans": (
        lambda s: s.get_spans("t", "abc"),
        InvalidArgumentError,
        ["span_ids is a list of ids, not 'abc'"],
    ),
    "get_root_span": (
        lambda s: s.get_root_span(5),
        InvalidArgumentError,
        ["trace_id must be text, not 5"],
    ),
    "get_trace_structure": (
        lambda s: s.get_trace_structure(None),
        InvalidArgumentError,
        ["trace_id must be text, not None"],
    ),
    "get_branch": (
        lambda s: s.get_branch("t", "s", -1),
        InvalidArgumentError,
        ["depth must be >= 0 and whole, not -1"],
    ),
    "batch_delete_traces": (
        lambda s: s.batch_delete_traces(["t"], resource_id=5),
        InvalidArgumentError,
        ["resourceId must be text"],
    ),
    "save_eval": (
        lambda s: s.save_eval(evaluation("new", type="dead")),
        InvalidArgumentError,
        ["'test', 'live'", "'dead'"],
    ),
    "get_eval": (
        lambda s: s.get_eval(None),
        InvalidArgumentError,
        ["eval_id must be text, not None"],
    ),
    "list_evals": (
        lambda s: s.list_evals(type="dead"),
        InvalidArgumentError,
        ["'test' or 'live'", "'dead'"],
    ),
    "get_evals_by_agent_name": (
        lambda s: s.get_evals_by_agent_name(5),
        InvalidArgumentError,
        ["agent_name must be text"],
    ),
    "save_workflow_run": (
        lambda s: s.save_workflow_run({"id": "new"}),
        InvalidArgumentError,
        ["workflow run 'new'", "workflowName is missing"],
    ),
    "get_workflow_run_by_id": (
        lambda s: s.get_workflow_run_by_id(5),
        InvalidArgumentError,
        ["run_id must be text"],
    ),
    "list_workflow_runs": (
        lambda s: s.list_workflow_runs(per_page=-1),
        InvalidArgumentError,
        ["per_page must be >= 0", "False for all"],
    ),
    "clone_thread": (
        lambda s: s.clone_thread("t", message_limit=1.5),
        InvalidArgumentError,
        ["message_limit must be >= 0 and whole, not 1.5"],
    ),
    "copy_thread": (
        lambda s: s.copy_thread("nowhere"),
        NotFoundError,
        ["there is no thread 'nowhere'"],
    ),
    "clear_table": (
        lambda s: s.clear_table("counters"),
        InvalidArgumentError,
        ["'threads'", "'workflowRuns'", "'counters'"],
    ),
    "watch_thread": (
        lambda s: s.watch_thread(5),
        InvalidArgumentError,
        ["thread_id must be text"],
    ),
    "watch_resource_threads": (
        lambda s: s.watch_resource_threads(""),
        InvalidArgumentError,
        ["resource_id must be the id of a resource, not ''"],
    ),
    "watch_thread_messages": (
        lambda s: s.watch_thread_messages("t", last="all"),
        InvalidArgumentError,
        ["last must be a whole number"],
    ),
    "subscribe_to_thread": (
        lambda s: s.subscribe_to_thread(5, print),
        InvalidArgumentError,
        ["thread_id must be text"],
    ),
    "subscribe_to_thread_messages": (
        lambda s: s.subscribe_to_thread_messages(" ", print),
        InvalidArgumentError,
        ["thread_id must be the id of a thread"],
    ),
    "subscribe_to_agent_evals": (
        lambda s: s.subscribe_to_agent_evals("a", print, type="dead"),
        InvalidArgumentError,
        ["'test' or 'live'"],
    ),
    "subscribe_to_workflow_run": (
        lambda s: s.subscribe_to_workflow_run(None, print),
        InvalidArgumentError,
        ["run_id must be text, not None"],
    ),
}

# Ready to be added; nothing of it is there.
MEMORY = {
    "id": "o",
    "threadId": "t",
    "resourceId": "r",
    "scope": "thread",
    "originType": "initial",
    "createdAt": T0,
    "updatedAt": T0,
    "generationCount": 0,
    "activeObservations": "",
    "totalTokensObserved": 0,
    "observationTokenCount": 0,
    "pendingMessageTokens": 0,
    "isReflecting": False,
    "isObserving": False,
    "isBufferingObservation": False,
    "isBufferingReflection": False,
    "lastBufferedAtTokens": 0,
    "config": {},
}
CHUNK = {
    "cycleId": "c",
    "observations": "o",
    "tokenCount": 1,
    "messageIds": [],
    "messageTokens": 1,
    "lastObservedAt": T0,
}
EVERYTHING = {"activation_ratio": 1, "message_tokens_threshold": 1, "current_pending_tokens": 1}
GONE = ["observational memory 'o'", "initialize it first"]
WRONG |= {
    "patch_thread": (
        lambda s: s.patch_thread("no", title="T"),
        NotFoundError,
        ["no thread 'no'", "save it first"],
    ),
    "list_open_spans": (
        lambda s: s.list_open_spans(5),
        InvalidArgumentError,
        ["opened_by must be text, not 5"],
    ),
    "update_thread_metadata": (
        lambda s: s.update_thread_metadata("t", lambda t: {"a": float("nan")}),
        InvalidPayloadError,
        ["thread 't': metadata.a is nan"],
    ),
    "update_thread_resource_id": (
        lambda s: s.update_thread_resource_id("no", "s"),
        NotFoundError,
        ["no thread 'no'", "save it first"],
    ),
    "list_messages_by_resource_id": (
        lambda s: s.list_messages_by_resource_id(""),
        InvalidArgumentError,
        ["resource_id must be the id of a resource"],
    ),
    "update_working_memory": (
        lambda s: s.update_working_memory("r", lambda text: 5),
        InvalidArgumentError,
        ["resource 'r': workingMemory must be text", "int 5"],
    ),
    "initialize_observational_memory": (
        lambda s: s.initialize_observational_memory("t", "r", scope="all", config={}),
        InvalidArgumentError,
        ["scope is 'thread' or 'resource'", "'all'"],
    ),
    "get_observational_memory": (
        lambda s: s.get_observational_memory("t", None),
        InvalidArgumentError,
        ["resource_id must be text, not None"],
    ),
    "get_observational_memory_history": (
        lambda s: s.get_observational_memory_history("t", "r", -1),
        InvalidArgumentError,
        ["limit must be >= 0", "not -1"],
    ),
    "insert_observational_memory_record": (
        lambda s: s.insert_observational_memory_record({**MEMORY, "isObserving": 1}),
        InvalidArgumentError,
        ["observational memory 'o': isObserving must be True or False", "not int 1"],
    ),
    "clear_observational_memory": (
        lambda s: s.clear_observational_memory("t", 5),
        InvalidArgumentError,
        ["resource_id must be text, not 5"],
    ),
    **{
        name: (call, NotFoundError, GONE)
        for name, call in {
            "update_active_observations": lambda s: s.update_active_observations("o", "x", 1, T0),
            "update_buffered_observations": lambda s: s.update_buffered_observations("o", CHUNK),
            "swap_buffered_to_active": lambda s: s.swap_buffered_to_active("o", **EVERYTHING),
            "create_reflection_generation": lambda s: s.create_reflection_generation(MEMORY, "", 1),
            "update_buffered_reflection": lambda s: s.update_buffered_reflection("o", "", 1, 1, 1),
            "swap_buffered_reflection_to_active": lambda s: s.swap_buffered_reflection_to_active(
                MEMORY, 1
            ),
            "set_reflecting_flag": lambda s: s.set_reflecting_flag("o", True),
            "set_observing_flag": lambda s: s.set_observing_flag("o", True),
            "set_buffering_observation_flag": lambda s: s.set_buffering_observation_flag("o", True),
            "set_buffering_reflection_flag": lambda s: s.set_buffering_reflection_flag("o", True),
            "set_pending_message_tokens": lambda s: s.set_pending_message_tokens("o", 1),
            "update_observational_memory_config": lambda s: s.update_observational_memory_config(
                "o", {}
            ),
        }.items()
    },
}

RIGHT: dict[str, Any] = {
    "save_thread": lambda s: s.save_thread(thread()),
    "get_thread_by_id": lambda s: s.get_thread_by_id("t"),
    "list_threads": lambda s: s.list_threads(),
    "update_thread": lambda s: s.update_thread("t"),
    "delete_thread": lambda s: s.delete_thread("t"),
    "clone_thread": lambda s: s.clone_thread("t"),
    "copy_thread": lambda s: s.copy_thread("t"),
    "save_message": lambda s: s.save_message(message()),
    "save_messages": lambda s: s.save_messages([message()]),
    "get_messages": lambda s: s.get_messages("t"),
    "list_messages": lambda s: s.list_messages("t"),
    "list_messages_by_id": lambda s: s.list_messages_by_id(["m"]),
    "update_messages": lambda s: s.update_messages([{"id": "m"}]),
    "delete_messages": lambda s: s.delete_messages(["m"]),
    "get_resource_by_id": lambda s: s.get_resource_by_id("r"),
    "save_resource": lambda s: s.save_resource({"id": "r"}),
    "update_resource": lambda s: s.update_resource("r"),
    "save_trace": lambda s: s.save_trace(trace()),
    "get_trace": lambda s: s.get_trace("x"),
    "get_traces": lambda s: s.get_traces(),
    "list_traces": lambda s: s.list_traces(),
    "list_traces_light": lambda s: s.list_traces_light(),
    "list_branches": lambda s: s.list_branches(),
    "list_traces_by_message_id": lambda s: s.list_traces_by_message_id("m"),
    "list_messages_by_trace_id": lambda s: s.list_messages_by_trace_id("t"),
    "create_span": lambda s: s.create_span(span()),
    "batch_create_spans": lambda s: s.batch_create_spans([span()]),
    "update_span": lambda s: s.update_span("t", "s", {"name": "n"}),
    "batch_update_spans": lambda s: s.batch_update_spans(
        [{"traceId": "t", "spanId": "s", "updates": {}}]
    ),
    "get_span": lambda s: s.get_span("t", "s"),
    "get_spans": lambda s: s.get_spans("t", ["s"]),
    "get_root_span": lambda s: s.get_root_span("t"),
    "list_open_spans": lambda s: s.list_open_spans("host"),
    "get_trace_structure": lambda s: s.get_trace_structure("t"),
    "get_branch": lambda s: s.get_branch("t", "s"),
    "batch_delete_traces": lambda s: s.batch_delete_traces(["t"]),
    "save_eval": lambda s: s.save_eval(evaluation()),
    "get_eval": lambda s: s.get_eval("e"),
    "list_evals": lambda s: s.list_evals(),
    "get_evals_by_agent_name": lambda s: s.get_evals_by_agent_name("a"),
    "save_workflow_run": lambda s: s.save_workflow_run(run()),
    "get_workflow_run_by_id": lambda s: s.get_workflow_run_by_id("w"),
    "list_workflow_runs": lambda s: s.list_workflow_runs(),
    "patch_thread": lambda s: s.patch_thread("t", title="T"),
    "update_thread_metadata": lambda s: s.update_thread_metadata("t", lambda t: {}),
    "update_thread_resource_id": lambda s: s.update_thread_resource_id("t", "s"),
    "list_messages_by_resource_id": lambda s: s.list_messages_by_resource_id("r"),
    "update_working_memory": lambda s: s.update_working_memory("r", lambda text: "x"),
    "initialize_observational_memory": lambda s: s.initialize_observational_memory(
        "t", "r", scope="thread", config={}
    ),
    "get_observational_memory": lambda s: s.get_observational_memory("t", "r"),
    "get_observational_memory_history": lambda s: s.get_observational_memory_history("t", "r"),
    "insert_observational_memory_record": lambda s: s.insert_observational_memory_record(MEMORY),
    "update_active_observations": lambda s: s.update_active_observations("o", "x", 1, T0),
    "update_buffered_observations": lambda s: s.update_buffered_observations("o", CHUNK),
    "swap_buffered_to_active": lambda s: s.swap_buffered_to_active("o", **EVERYTHING),
    "create_reflection_generation": lambda s: s.create_reflection_generation(MEMORY, "x", 1),
    "update_buffered_reflection": lambda s: s.update_buffered_reflection("o", "x", 1, 1, 1),
    "swap_buffered_reflection_to_active": lambda s: s.swap_buffered_reflection_to_active(MEMORY, 1),
    "set_reflecting_flag": lambda s: s.set_reflecting_flag("o", True),
    "set_observing_flag": lambda s: s.set_observing_flag("o", True),
    "set_buffering_observation_flag": lambda s: s.set_buffering_observation_flag("o", True),
    "set_buffering_reflection_flag": lambda s: s.set_buffering_reflection_flag("o", True),
    "set_pending_message_tokens": lambda s: s.set_pending_message_tokens("o", 1),
    "update_observational_memory_config": lambda s: s.update_observational_memory_config("o", {}),
    "clear_observational_memory": lambda s: s.clear_observational_memory("t", "r"),
    "get_statistics": lambda s: s.get_statistics(),
    "clear_table": lambda s: s.clear_table("evals"),
    "get_format_version": lambda s: s.get_format_version(),
}
