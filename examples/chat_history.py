"""A chat that keeps its history in a file, with a live view of it from another thread.

    python examples/chat_history.py [FILE]

The "model" answers from a table, so this runs offline. Run it twice with a FILE: the second time
the conversation goes on where it stopped.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path

from mastra_convex import ConvexStorage, Message

THREAD = "trip-1"
CONTEXT = 4  # How many messages the model gets to see.
QUESTIONS = ["Hello", "I want to go to Rome", "By train, please"]
ANSWERS = {"Hello": "Hi. Where to?", "I want to go to Rome": "By train or by plane?"}


def answer(context: list[Message]) -> str:
    """What the model says, given the end of the conversation."""
    return ANSWERS.get(context[-1].content, f"Noted, and I remember {len(context)} messages.")


def chat(storage: ConvexStorage, said: int) -> None:
    """Ask all questions, keeping each message before going on. `said` messages are there."""

    def keep(number: int, role: str, content: str) -> None:
        message = {"id": f"{THREAD}-{number}", "threadId": THREAD, "role": role, "content": content}
        storage.save_message(message)

    for number, question in enumerate(QUESTIONS):
        keep(said + 2 * number, "user", question)
        reply = answer(storage.get_messages(THREAD, last=CONTEXT))
        keep(said + 2 * number + 1, "assistant", reply)


class View:
    """Prints each new message once, as it comes. A value is the whole list; some may be skipped."""

    def __init__(self, said: int, until: int) -> None:
        self.done = threading.Event()
        self._shown = said
        self._until = until

    def __call__(self, messages: list[Message]) -> None:
        for message in messages[self._shown :]:
            print(f"{message.role:>9}: {message.content}")
        self._shown = len(messages)
        if self._shown == self._until:
            self.done.set()


def main(file: str) -> None:
    """Chat while a view follows."""
    with ConvexStorage(file) as storage:
        if storage.get_thread_by_id(THREAD) is None:
            storage.save_thread({"id": THREAD, "resourceId": "ada", "title": "A trip"})
        said = storage.list_messages(THREAD).total or 0
        view = View(said, until=said + 2 * len(QUESTIONS))
        unsubscribe = storage.subscribe_to_thread_messages(THREAD, view)
        chat(storage, said)
        view.done.wait(timeout=10)
        unsubscribe()
    with ConvexStorage(file) as storage:
        print(f"kept: {storage.list_messages(THREAD).total} messages")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(str(Path(folder) / "chat.db"))
