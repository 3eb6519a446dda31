"""The examples that the original package shows, word for word as far as Python has them."""

import time
from queue import Queue
from typing import Any

from mastra_convex import ConvexStorage


def test_the_original_examples(storage: ConvexStorage) -> None:
    now = int(time.time() * 1000)
    threads: Queue[Any] = Queue()
    messages: Queue[Any] = Queue()

    thread = storage.save_thread(
        {
            "id": "thread-123",
            "resourceId": "resource-456",
            "title": "Conversation Thread",
            "metadata": {"key": "value"},
            "createdAt": time.time() * 1000,
        }
    )
    assert thread.title == "Conversation Thread"
    assert storage.get_thread_by_id(thread_id="thread-123") == thread

    stop_thread = storage.subscribe_to_thread("thread-123", threads.put)
    assert threads.get(timeout=10) == thread
    stop_messages = storage.subscribe_to_thread_messages("thread-123", messages.put)
    assert messages.get(timeout=10) == []

    given = {
        "id": "message-789",
        "threadId": "thread-123",
        "type": "user",
        "content": "Hello, world!",
        "createdAt": now,
    }
    message = storage.save_message(given)
    assert message.to_dict() == given | {"role": "user", "seq": 1}
    assert storage.get_messages(thread_id="thread-123") == [message]
    assert messages.get(timeout=10) == [message]
    assert threads.get(timeout=10) == storage.get_thread_by_id("thread-123")
    stop_thread()
    stop_messages()

    trace = {
        "id": "trace-001",
        "threadId": "thread-123",
        "transportId": "transport-001",
        "runId": "run-001",
        "rootRunId": "root-run-001",
        "spans": [],
        "spanDurations": {},
        "properties": {},
        "timestamp": now,
    }
    saved_trace = storage.save_trace(trace)
    assert trace.items() <= saved_trace.to_dict().items()
    assert storage.get_traces(thread_id="thread-123").traces == [saved_trace]

    eval_data = {
        "id": "eval-001",
        "threadId": "thread-123",
        "agentName": "test-agent",
        "type": "live",
        "metadata": {"source": "unit-test"},
        "data": {"score": 0.95},
        "createdAt": now,
    }
    saved_eval = storage.save_eval(eval_data)
    assert saved_eval.to_dict() == eval_data
    assert storage.get_evals_by_agent_name("test-agent", "live") == [saved_eval]

    run = {
        "id": "run-001",
        "workflowName": "test-workflow",
        "resourceId": "resource-456",
        "stateType": "completed",
        "state": {"result": "success"},
        "createdAt": now,
    }
    saved_run = storage.save_workflow_run(run)
    assert saved_run.to_dict() == run | {"updatedAt": now}
    assert storage.get_workflow_run_by_id("run-001") == saved_run
