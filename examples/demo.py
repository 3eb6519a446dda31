"""A demonstration, in ten seconds: one process writes, another sees every change live.

    python examples/demo.py

An agent (demo_agent.py, a process of its own) saves a conversation into demo.db: turns, tool calls,
an answer that streams in, a workflow run, an eval, working memory. This process watches the same
file through subscriptions. Then the command line imports conversations in OpenAI's chat format and
tells what the file holds. demo.db, in the current folder, is made anew each time and stays.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

# Beside this file, and so on the path of a script that is run.
import demo_agent

from mastra_convex import AsyncConvexStorage, ConvexStorage, ConvexStorageError, Message

DATABASE = Path("demo.db")
AGENT_SCRIPT = Path(__file__).with_name("demo_agent.py")
CONVERSATIONS = 60
# Far more than it takes, even on a machine that is busy.
PATIENCE_SECONDS = 60.0


class DemoFailedError(Exception):
    """What should have happened has not."""


# --- Watching the agent ---


class Screen:
    """Prints changes as they are seen, and remembers how long each was on its way."""

    def __init__(self) -> None:
        self.started = time.time()
        self.delays: list[float] = []

    def show(self, what: str, text: str, sent_at: float) -> None:
        """Print one change, which its writer began to save at `sent_at` (epoch milliseconds)."""
        seen_at = time.time()
        delay = seen_at * 1000 - sent_at
        self.delays.append(delay)
        head = f"{seen_at - self.started:5.2f} s {delay:7.1f} ms  {what:<10} "
        room = max(20, shutil.get_terminal_size((100, 24)).columns - len(head))
        print(head + (text if len(text) <= room else text[: room - 3] + "..."), flush=True)


async def watch_thread(storage: AsyncConvexStorage, screen: Screen) -> None:
    """Until there is the thread."""
    async with storage.watch_thread(demo_agent.THREAD) as values:
        async for thread in values:
            if thread is not None and thread.metadata:
                text = f"{thread.title} ({thread.resource_id})"
                screen.show("thread", text, thread.metadata["sentAt"])
                return


async def watch_messages(storage: AsyncConvexStorage, screen: Screen) -> None:
    """New and changed messages, until the one that says it is the last."""
    known: dict[str, Any] = {}
    async with storage.watch_thread_messages(demo_agent.THREAD) as values:
        async for messages in values:
            for message in messages:
                if known.get(message.id) != message.content:
                    what = "  ..." if message.id in known else message.role
                    known[message.id] = message.content
                    about = message.content["metadata"]
                    screen.show(what, said(message), about["sentAt"])
                    if "last" in about:
                        return


async def watch_evals(storage: AsyncConvexStorage, screen: Screen) -> None:
    """Until there is an eval."""
    async with storage.watch_agent_evals(demo_agent.AGENT) as values:
        async for evals in values:
            for evaluation in evals:
                text = f"{evaluation.data['metric']} {evaluation.data['score']}"
                screen.show("eval", text, (evaluation.metadata or {})["sentAt"])
                return


async def watch_run(storage: AsyncConvexStorage, screen: Screen) -> None:
    """Each state of the workflow run, until it is completed."""
    async with storage.watch_workflow_run(demo_agent.RUN, demo_agent.WORKFLOW) as values:
        async for run in values:
            if run is not None:
                steps = ", ".join(f"{name} {state}" for name, state in run.state["steps"].items())
                screen.show("workflow", f"{run.status}: {steps}", run.state["sentAt"])
                if run.status == "completed":
                    return


def said(message: Message) -> str:
    """What a message says, on one line."""
    pieces = []
    for part in message.content["parts"]:
        if part["type"] == "text":
            pieces.append(part["text"])
        else:
            tool = part["toolInvocation"]
            done = tool["state"] == "result"
            pieces.append(f"{tool['toolName']} {json.dumps(tool['result' if done else 'args'])}")
    return " ".join(pieces)


async def run_the_agent() -> None:
    """Start the agent and wait until it has ended."""
    agent = await asyncio.create_subprocess_exec(sys.executable, str(AGENT_SCRIPT), str(DATABASE))
    print(f"The agent is process {agent.pid}, this one is {os.getpid()}. The milliseconds are from")
    print("just before the agent saves until this process has seen it.\n", flush=True)
    if code := await agent.wait():
        raise DemoFailedError(f"the agent ended with exit code {code}")


async def watch_the_agent() -> None:
    """Print what the agent does, while it does it."""
    screen = Screen()
    async with AsyncConvexStorage(DATABASE) as storage:
        watching = asyncio.gather(
            watch_thread(storage, screen),
            watch_messages(storage, screen),
            watch_evals(storage, screen),
            watch_run(storage, screen),
            run_the_agent(),
        )
        try:
            await asyncio.wait_for(watching, PATIENCE_SECONDS)
        except asyncio.TimeoutError:
            raise DemoFailedError(f"not everything was seen in {PATIENCE_SECONDS:.0f} s") from None
        resource = await storage.get_resource_by_id(demo_agent.RESOURCE)
    if resource is None:
        raise DemoFailedError("the working memory is missing")
    print(f"\nWorking memory of {demo_agent.RESOURCE}: {resource.working_memory}")
    delays = sorted(screen.delays)
    print(f"{len(delays)} changes seen, after {delays[0]:.1f} to {delays[-1]:.1f} ms", end="")
    print(f" (half of them within {median(delays):.1f} ms)")


# --- Importing ---


def command_line() -> tuple[list[str], str]:
    """The installed command, to run and to show."""
    beside = shutil.which("mastra-convex", path=os.path.dirname(sys.executable))
    if beside is None:
        return [sys.executable, "-m", "mastra_convex.cli.main"], "mastra-convex"
    if shutil.which("mastra-convex") == beside:
        return [beside], "mastra-convex"
    return [beside], os.path.relpath(beside)


def conversation(number: int, chance: random.Random) -> dict[str, Any]:
    """A generated record as benchmarks keep it: messages in OpenAI's format, a score, details."""
    order = f"A-{1000 + number}"
    call = {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": "get_order", "arguments": json.dumps({"order": order})},
    }
    status = chance.choice(["shipped", "delayed", "delivered"])
    return {
        "task_id": number,
        "reward": float(chance.random() < 0.7),
        "info": {"user": f"customer-{number % 7}", "topic": "orders"},
        "traj": [
            {"role": "system", "content": "You help customers of a shop."},
            {"role": "user", "content": f"Where is my order {order}?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {
                "role": "tool",
                "tool_call_id": call["id"],
                "name": "get_order",
                "content": json.dumps({"order": order, "status": status}),
            },
            {"role": "assistant", "content": f"Your order {order} is {status}."},
        ],
    }


def show_and_run(arguments: list[str], shown: str) -> None:
    """Run the command line as a process, below the line to type for it."""
    program, name = command_line()
    print(f"$ {name} {shown}", flush=True)
    done = subprocess.run([*program, *arguments], check=False, timeout=PATIENCE_SECONDS)
    if done.returncode:
        raise DemoFailedError(f"{name} {arguments[0]} ended with exit code {done.returncode}")


def import_and_look() -> None:
    """Import a generated file by the command line, and let it tell what there is."""
    chance = random.Random(7)
    records = [conversation(number, chance) for number in range(CONVERSATIONS)]
    options = [
        ["--db", str(DATABASE), "--messages", "traj", "--metadata", "info", "--score", "reward"],
        ["--id", "order-{task_id}", "--resource", "{info[user]}"],
        ["--agent", "shop-agent", "--workflow", "answer-customer"],
    ]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "conversations.json")
        source.write_text(json.dumps(records), encoding="utf-8")
        lines = ["import conversations.json", *map(shlex.join, options)]
        arguments = ["import", str(source), *(word for line in options for word in line)]
        show_and_run(arguments, " \\\n    ".join(lines))
    with ConvexStorage(DATABASE) as storage:
        held = {table.table: table.records for table in storage.get_statistics()}
    if held["threads"] != CONVERSATIONS + 1 or held["evals"] != CONVERSATIONS + 1:
        raise DemoFailedError(f"the import is not complete: {held}")
    print()
    show_and_run(["show", "--stats", "--db", str(DATABASE)], f"show --stats --db {DATABASE}")
    print(f"\nThe file stays: {DATABASE.resolve()}. Look further:\n")
    _, name = command_line()
    for arguments in (["show"], ["show", demo_agent.THREAD], ["tail"]):
        print(f"    {name} {shlex.join([*arguments, '--db', str(DATABASE)])}")


def main() -> int:
    """The demonstration; returns the exit code."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{DATABASE}{suffix}").unlink(missing_ok=True)
    try:
        print("1. Two processes, one file\n")
        asyncio.run(watch_the_agent())
        print("\n2. Conversations from elsewhere\n")
        import_and_look()
    except (DemoFailedError, ConvexStorageError, subprocess.TimeoutExpired) as error:
        print(f"\nThe demonstration failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
