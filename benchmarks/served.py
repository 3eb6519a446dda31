"""The server with 1,000 clients: how fast a write reaches one of them, and all; their memory."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from _common import message, report
from websockets.asyncio.client import ClientConnection, connect

from mastra_convex import ConvexStorage
from mastra_convex.tokens import Key

CLIENTS = 1000
ROUNDS = 30
MEMORY_GOAL = 30 * 1024

# Broadcasts what it is sent: the least that any server does.
_BARE = """
import asyncio, sys
from websockets.asyncio.server import broadcast, serve
clients = set()
async def handle(socket):
    clients.add(socket)
    async for text in socket:
        broadcast(clients, text)
async def main():
    async with serve(handle, "127.0.0.1", 0, compression=None, max_size=2**24) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()
asyncio.run(main())
"""


class Server:
    """`mastra-convex dev` in a process of its own."""

    def __init__(self, path: Path) -> None:
        script = "from mastra_convex.cli.main import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, "dev", "--port", "0", "--db", str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        told = ""
        while "MASTRA_CONVEX_KEY" not in told:
            told += self.process.stdout.readline()
        self.url = re.findall(r"CONVEX_URL=(\S+)", told)[0]
        self.key = Key.from_text(re.findall(r"MASTRA_CONVEX_KEY=(\S+)", told)[0])

    def cpu_seconds(self) -> float:
        """Processor time of the server so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def memory(self) -> int:
        """Resident bytes of the server."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024

    def close(self) -> None:
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Client:
    """One socket that watches one query."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.requests = 0

    async def watch(self, token: str, path: str, args: dict[str, Any]) -> str:
        """Log in and watch; returns the first transition that has the query."""
        add = {"type": "Add", "queryId": 0, "udfPath": path, "args": [args]}
        for body in (
            {
                "type": "Connect",
                "sessionId": str(uuid.uuid4()),
                "connectionCount": 0,
                "lastCloseReason": None,
                "clientTs": 0,
            },
            {"type": "Authenticate", "baseVersion": 0, "tokenType": "User", "value": token},
            {
                "type": "ModifyQuerySet",
                "baseVersion": 0,
                "newVersion": 1,
                "modifications": [add],
            },
        ):
            await self.socket.send(json.dumps(body))
        return await self.until('"QueryUpdated"')

    async def mutate(self, path: str, args: dict[str, Any]) -> None:
        """Send a mutation."""
        body = {"type": "Mutation", "requestId": self.requests, "udfPath": path, "args": [args]}
        self.requests += 1
        await self.socket.send(json.dumps(body))

    async def until(self, part: str) -> str:
        """The next message with `part` in it."""
        while True:
            text: str = await self.socket.recv(decode=True)
            if part in text:
                return text


@asynccontextmanager
async def sockets(url: str, count: int) -> AsyncIterator[list[ClientConnection]]:
    """Open connections, a few at a time."""
    opened: list[ClientConnection] = []
    try:
        while len(opened) < count:
            batch = min(50, count - len(opened))
            opened += await asyncio.gather(
                *(
                    connect(url, compression=None, max_size=2**24, ping_interval=None)
                    for _ in range(batch)
                )
            )
        yield opened
    finally:
        await asyncio.gather(*(socket.close() for socket in opened))


def sync_url(server: Server) -> str:
    """Where the WebSocket is."""
    return server.url.replace("http", "ws", 1) + "/api/1.48.0/sync"


def last_messages(thread: str) -> tuple[str, dict[str, Any]]:
    """The query that a chat page watches."""
    return "messages:list", {"threadId": thread, "order": "desc", "limit": 10}


def saved(thread: str) -> dict[str, Any]:
    """Arguments that save a message."""
    now = time.time() * 1000
    one = message(thread)
    return {"messages": [{**one, "content": json.dumps(one["content"]), "createdAt": now}]}


async def own_write(clients: list[Client], rounds: int) -> float:
    """Median seconds from a client's write to the transition that has it."""
    spent = []
    for number in range(rounds):
        position = number * 7 % len(clients)
        args = saved(f"t{position}")
        start = time.perf_counter()
        await clients[position].mutate("messages:save", args)
        await clients[position].until('"QueryUpdated"')
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


async def write_to_all(clients: list[Client], thread: str, rounds: int) -> tuple[float, int]:
    """Median seconds from one client's write until the last has it; and the bytes that each got."""
    spent, size = [], 0
    for _ in range(rounds):
        start = time.perf_counter()
        await clients[0].mutate("messages:save", saved(thread))
        texts = await asyncio.gather(*(client.until('"QueryUpdated"') for client in clients))
        spent.append(time.perf_counter() - start)
        size = len(texts[-1])
    return statistics.median(spent), size


class Bare:
    """A server that does nothing but broadcast what it is sent."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BARE], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = f"ws://127.0.0.1:{self._process.stdout.readline().strip()}"

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


async def bare_to_all(url: str, size: int, rounds: int) -> float:
    """Median seconds in which a bare server brings the same bytes to as many."""
    async with sockets(url, CLIENTS) as opened:
        clients = [Client(socket) for socket in opened]
        spent = []
        for _ in range(rounds):
            start = time.perf_counter()
            await clients[0].socket.send("x" * size)
            await asyncio.gather(*(client.until("x") for client in clients))
            spent.append(time.perf_counter() - start)
        return statistics.median(spent)


async def measure(server: Server) -> None:
    """All figures of one server."""
    token = server.key.service_token(3600)
    url = sync_url(server)
    async with sockets(url, 1) as opened:
        alone = [Client(opened[0])]
        await alone[0].watch(token, *last_messages("t0"))
        unloaded = await own_write(alone, ROUNDS * 3)
    before = server.memory()
    async with sockets(url, CLIENTS) as opened:
        clients = [Client(socket) for socket in opened]
        for position, client in enumerate(clients):
            await client.watch(token, *last_messages(f"t{position}"))
        each = (server.memory() - before) / CLIENTS
        report(f"memory per idle subscriber, {each / 1024:.1f} KiB, of 30", each, MEMORY_GOAL, 1)
        loaded = await own_write(clients, ROUNDS * 3)
        report(
            f"own write with {CLIENTS:,} clients ({loaded * 1e3:.1f} : {unloaded * 1e3:.1f} ms)",
            loaded,
            unloaded,
            3,
        )
    async with sockets(url, CLIENTS) as opened:
        clients = [Client(socket) for socket in opened]
        for client in clients:
            await client.watch(token, *last_messages("all"))
        cpu = server.cpu_seconds()
        everybody, size = await write_to_all(clients, "all", ROUNDS)
        cpu = (server.cpu_seconds() - cpu) / ROUNDS
    bare = await bare_to_all(size, ROUNDS)
    report(
        f"a write to all, {size:,} bytes each ({everybody * 1e3:.0f} : {bare * 1e3:.0f} ms, "
        f"{cpu * 1e3:.0f} ms of processor)",
        everybody,
        bare,
        3,
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "served.db"
        with ConvexStorage(path, durability="relaxed") as storage:
            for number in range(CLIENTS):
                storage.save_thread({"id": f"t{number}", "resourceId": "r"})
            storage.save_thread({"id": "all", "resourceId": "r"})
        server = Server(path)
        try:
            asyncio.run(measure(server))
        finally:
            server.close()


if __name__ == "__main__":
    main()
