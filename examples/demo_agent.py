"""The writing half of the demonstration: an agent that helps with a trip and saves all it does.

Run by demo.py in a process of its own; it knows nothing of who watches. Each record carries the
moment just before it was saved, so that the watcher can tell how long it was on its way.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from mastra_convex import ConvexStorage

THREAD = "trip-1"
RESOURCE = "ana"
AGENT = "travel-agent"
WORKFLOW = "book-trip"
RUN = "run-1"

FLIGHTS = [
    {"flight": "TP 1127", "departs": "07:05", "price": 118},
    {"flight": "IB 3102", "departs": "09:40", "price": 96},
]


def now() -> float:
    """This moment, in milliseconds since the epoch."""
    return time.time() * 1000


class Agent:
    """Plays a conversation that was written beforehand, at a pace that can be followed."""

    def __init__(self, storage: ConvexStorage) -> None:
        self.storage = storage
        self.count = 0

    def say(self, role: str, parts: list[dict[str, Any]]) -> str:
        """Save a new message; returns its id."""
        self.count += 1
        message_id = f"{THREAD}-message-{self.count}"
        self.storage.save_message(
            {
                "id": message_id,
                "threadId": THREAD,
                "resourceId": RESOURCE,
                "role": role,
                "content": {"format": 2, "parts": parts, "metadata": {"sentAt": now()}},
            }
        )
        time.sleep(0.15)
        return message_id

    def change(self, message_id: str, parts: list[dict[str, Any]], **more: Any) -> None:
        """Give a message other parts, as a stream or a tool's result does."""
        content = {"parts": parts, "metadata": {"sentAt": now(), **more}}
        self.storage.update_messages([{"id": message_id, "content": content}])
        time.sleep(0.1)

    def stream(self, text: str, **more: Any) -> None:
        """Say something a few words at a time, as it comes from a model."""
        words = text.split()
        message_id = self.say("assistant", [{"type": "text", "text": words[0]}])
        for end in range(3, len(words), 3):
            self.change(message_id, [{"type": "text", "text": " ".join(words[:end])}])
        self.change(message_id, [{"type": "text", "text": text}], **more)

    def call(self, name: str, args: dict[str, Any], result: Any) -> None:
        """Call a tool: the message is there while the tool works, and its result comes later."""
        call: dict[str, Any] = {"toolCallId": f"call-{self.count}", "toolName": name, "args": args}
        called = {"type": "tool-invocation", "toolInvocation": {"state": "call", **call}}
        message_id = self.say("assistant", [called])
        time.sleep(0.2)
        answered = {"state": "result", **call, "result": result}
        self.change(message_id, [{"type": "tool-invocation", "toolInvocation": answered}])

    def run(self, status: str, steps: dict[str, str]) -> None:
        """Save where the workflow stands."""
        self.storage.save_workflow_run(
            {
                "workflowName": WORKFLOW,
                "runId": RUN,
                "resourceId": RESOURCE,
                "snapshot": {"status": status, "steps": steps, "sentAt": now()},
            }
        )
        time.sleep(0.1)

    def play(self) -> None:
        """The whole conversation."""
        self.storage.save_thread(
            {
                "id": THREAD,
                "resourceId": RESOURCE,
                "title": "A weekend in Lisbon",
                "metadata": {"sentAt": now()},
            }
        )
        time.sleep(0.1)
        self.run("running", {"find": "running"})
        self.say("user", [{"type": "text", "text": "I want to be in Lisbon on Friday morning."}])
        where = {"from": "MAD", "to": "LIS", "date": "2026-05-15"}
        self.call("search_flights", where, FLIGHTS)
        self.stream("There are two: TP 1127 at 07:05 for 118 EUR, IB 3102 at 09:40 for 96 EUR.")
        self.run("running", {"find": "done", "book": "running"})
        self.say("user", [{"type": "text", "text": "The cheaper one, and always an aisle seat."}])
        self.call("book_flight", {"flight": "IB 3102", "seat": "aisle"}, {"reference": "K7QX2M"})
        self.storage.update_resource(RESOURCE, working_memory="- prefers an aisle seat")
        done = "Booked: IB 3102 on Friday, an aisle seat, reference K7QX2M. Enjoy Lisbon!"
        self.stream(done, last=True)
        self.storage.save_eval(
            {
                "id": f"{THREAD}-helpfulness",
                "threadId": THREAD,
                "agentName": AGENT,
                "type": "live",
                "data": {"metric": "helpfulness", "score": 0.94},
                "metadata": {"sentAt": now()},
            }
        )
        time.sleep(0.15)
        self.run("completed", {"find": "done", "book": "done"})


if __name__ == "__main__":
    with ConvexStorage(sys.argv[1]) as opened:
        Agent(opened).play()
