"""Many conversations at once in one event loop, and a board that shows the newest of them.

    python examples/async_agents.py

The loop never waits for the disk; saves that are made together share a transaction.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from mastra_convex import AsyncConvexStorage

AGENTS = 20
TURNS = 5


async def agent(storage: AsyncConvexStorage, number: int) -> None:
    """One conversation with somebody."""
    thread = f"thread-{number}"
    await storage.save_thread({"id": thread, "resourceId": f"user-{number}", "title": "Starting"})
    for turn in range(TURNS):
        await storage.save_messages(
            [
                {"id": f"{thread}-{turn}-q", "threadId": thread, "role": "user", "content": "?"},
                {
                    "id": f"{thread}-{turn}-a",
                    "threadId": thread,
                    "role": "assistant",
                    "content": "!",
                },
            ]
        )
    await storage.update_thread(thread, title="Done")


async def board(storage: AsyncConvexStorage) -> None:
    """Follow all threads until every conversation is done."""
    async with storage.watch_threads(last=AGENTS) as watch:
        async for threads in watch:
            if sum(thread.title == "Done" for thread in threads) == AGENTS:
                print(f"{len(threads)} conversations are done")
                return


async def main(file: str) -> None:
    """Let the agents talk while the board follows."""
    async with AsyncConvexStorage(file) as storage:
        following = asyncio.create_task(board(storage))
        await asyncio.gather(*(agent(storage, number) for number in range(AGENTS)))
        await asyncio.wait_for(following, timeout=10)

        counts = {table.table: table.records for table in await storage.get_statistics()}
        print(f"{counts['messages']} messages in {counts['threads']} threads")
        last = await storage.get_messages("thread-7", last=1)
        print(f"the last one of thread-7 has number {last[0].seq}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(str(Path(folder) / "agents.db")))
