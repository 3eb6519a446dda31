"""The server: 1,000 clients on sockets, a write to one and to all; and calls over HTTP."""

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
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from _common import LONG_THREAD, message, remove, report, store_of, take_turns
from websockets.asyncio.client import ClientConnection, connect

from mastra_convex import AsyncConvexStorage, ConvexStorage
from mastra_convex.tokens import Key

CLIENTS = 1000
WRITERS = 64
LONG = 100_000
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
        self.url: str = re.findall(r"CONVEX_URL=(\S+)", told)[0]
        self.key = Key.from_text(re.findall(r"MASTRA_CONVEX_KEY=(\S+)", told)[0])

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


async def own_write(client: Client, thread: str) -> float:
    """Seconds from a client's write to its thread until it is told of that."""
    start = time.perf_counter()
    await client.mutate("messages:save", saved(thread))
    await client.until('"QueryUpdated"')
    return time.perf_counter() - start


async def to_all(clients: list[Client], send: Awaitable[None], part: str) -> tuple[float, int]:
    """Seconds until the last client has what `send` causes, and the bytes that each got."""
    start = time.perf_counter()
    await send
    texts = await asyncio.gather(*(client.until(part) for client in clients))
    return time.perf_counter() - start, len(texts[-1])


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


async def measure_sockets(server: Server, quiet: Server) -> None:
    """A write among 1,000 clients, and one to a server that has no other client, in turns."""
    token = server.key.service_token(3600)
    async with sockets(sync_url(quiet), 1) as one, sockets(sync_url(server), 50) as first:
        alone = Client(one[0])
        await alone.watch(quiet.key.service_token(3600), *last_messages("t0"))
        # What the first clients load stays, and is nobody's.
        for socket in first:
            await Client(socket).watch(token, *last_messages("t0"))
        before = server.memory()
        async with sockets(sync_url(server), CLIENTS) as opened:
            clients = [Client(socket) for socket in opened]
            for position, client in enumerate(clients):
                await client.watch(token, *last_messages(f"t{position}"))
            each = (server.memory() - before) / CLIENTS
            what = f"memory per idle subscriber, {each / 1024:.1f} KiB, of 30"
            report(what, each, MEMORY_GOAL, 1)
            loaded, unloaded = [], []
            for number in range(ROUNDS * 3):
                position = number * 7 % CLIENTS
                loaded.append(await own_write(clients[position], f"t{position}"))
                unloaded.append(await own_write(alone, "t0"))
    ours, floor = statistics.median(loaded), statistics.median(unloaded)
    figures = f"({milliseconds(ours)} : {milliseconds(floor)})"
    report(f"own write with {CLIENTS:,} clients {figures}", ours, floor, 3)


async def measure_tail(server: Server) -> None:
    """The newest messages of a long thread and of a short one, in turns."""
    token = server.key.service_token(3600)
    async with sockets(sync_url(server), 2) as opened:
        long, short = (Client(socket) for socket in opened)
        await long.watch(token, *last_messages(LONG_THREAD))
        await short.watch(token, *last_messages("short"))
        spent, floor = [], []
        for _ in range(ROUNDS * 3):
            spent.append(await own_write(long, LONG_THREAD))
            floor.append(await own_write(short, "short"))
    ours, least = statistics.median(spent), statistics.median(floor)
    figures = f"({milliseconds(ours)} : {milliseconds(least)})"
    report(f"tail of {LONG:,} messages against a short thread {figures}", ours, least, 1.5)


async def measure_broadcast(server: Server, bare: Bare) -> None:
    """A write that all watch, against the same bytes from a server that does nothing else."""
    token = server.key.service_token(3600)
    async with sockets(sync_url(server), CLIENTS) as ours, sockets(bare.url, CLIENTS) as plain:
        clients = [Client(socket) for socket in ours]
        for client in clients:
            await client.watch(token, *last_messages("all"))
        others = [Client(socket) for socket in plain]
        spent, floor, size = [], [], 0
        for _ in range(ROUNDS):
            write = clients[0].mutate("messages:save", saved("all"))
            seconds, size = await to_all(clients, write, '"QueryUpdated"')
            spent.append(seconds)
            seconds, _ = await to_all(others, others[0].socket.send("x" * size), "x")
            floor.append(seconds)
    last, least = statistics.median(spent), statistics.median(floor)
    figures = f"({milliseconds(last)} : {milliseconds(least)})"
    report(f"a write to all, {size:,} bytes each {figures}", last, least, 3)


def measure_calls(server: Server, storage: ConvexStorage) -> None:
    """One client over HTTP against the same file in process, in turns."""
    with ConvexStorage(server.url, key=server.key.to_text()) as remote:
        wire, inside, wire_read, inside_read = take_turns(
            ROUNDS * 10,
            lambda: remote.save_message(message("t1")),
            lambda: storage.save_message(message("t1")),
            lambda: remote.get_messages(LONG_THREAD, last=40),
            lambda: storage.get_messages(LONG_THREAD, last=40),
        )
    figures = f"({milliseconds(wire)} : {milliseconds(inside)})"
    report(f"one save over HTTP against in process {figures}", wire, inside, 3)
    figures = f"({milliseconds(wire_read)} : {milliseconds(inside_read)})"
    report(f"the last 40 over HTTP against in process {figures}", wire_read, inside_read, 5)


async def measure_writers(server: Server, path: Path) -> None:
    """64 writers together, over sockets and in process: messages a second."""

    async def timed_gather(works: list[Awaitable[object]]) -> float:
        start = time.perf_counter()
        await asyncio.gather(*works)
        return len(works) / (time.perf_counter() - start)

    async def in_process(storage: AsyncConvexStorage, count: int) -> None:
        for _ in range(count):
            await storage.save_message(message("t2"))

    async def over_the_wire(client: Client, count: int) -> None:
        for _ in range(count):
            await client.mutate("messages:save", saved("t2"))
            await client.until('"MutationResponse"')

    token, each, rates = server.key.service_token(3600), 10, []
    async with AsyncConvexStorage(path) as storage, sockets(sync_url(server), WRITERS) as opened:
        clients = [Client(socket) for socket in opened]
        for client in clients:
            await client.watch(token, "system:version", {})
        for _ in range(5):
            wire = await timed_gather([over_the_wire(client, each) for client in clients])
            inside = await timed_gather([in_process(storage, each) for _ in clients])
            rates.append((wire * each, inside * each))
    wire, inside = (statistics.median(rate) for rate in zip(*rates))
    figures = f"({wire:,.0f} : {inside:,.0f} a second)"
    report(f"{WRITERS} clients over sockets {figures}", wire, inside, 1 / 3, at_least=True)


def milliseconds(seconds: float) -> str:
    """Seconds as text in milliseconds."""
    return f"{seconds * 1e3:,.1f} ms"


def main() -> None:
    """Measure and print."""
    path = store_of(LONG)
    with tempfile.TemporaryDirectory() as folder, ConvexStorage(path) as storage:
        for name in (*(f"t{number}" for number in range(CLIENTS)), "all", "short"):
            storage.save_thread({"id": name, "resourceId": "r"})
        small = Path(folder) / "small.db"
        with ConvexStorage(small) as other:
            other.save_thread({"id": "t0", "resourceId": "r"})
        server, quiet, bare = Server(path), Server(small), Bare()
        try:
            asyncio.run(measure_sockets(server, quiet))
            asyncio.run(measure_tail(server))
            asyncio.run(measure_broadcast(server, bare))
            measure_calls(server, storage)
            asyncio.run(measure_writers(server, path))
        finally:
            for each in (server, quiet, bare):
                each.close()
            remove(path)
            path.with_name(f"{path.name}.keys").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
