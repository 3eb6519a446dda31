"""Record what the official clients say to the server, and what it answers.

    python -m tests.transcripts.record [PYTHON]

Each client runs through a proxy that writes everything down, tokens left out. PYTHON is one that
has the package `convex`; without it only the JavaScript client is recorded. The transcripts are
replayed by tests/protocol/test_transcripts.py.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.server.process import dev

HERE = Path(__file__).parent
_LARGEST = 64 * 1024 * 1024


class Proxy:
    """Stands between, writes down, and cuts a connection when it is told to."""

    def __init__(self, target: str) -> None:
        self.target = target.replace("http", "ws", 1)
        self.connections: list[dict[str, Any]] = []
        self.url = ""
        self._cut = False
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        threading.Thread(target=self._loop.run_until_complete, args=[self._run()]).start()
        self._ready.wait()

    async def _run(self) -> None:
        self._end = asyncio.Event()
        async with serve(self._handle, "127.0.0.1", 0, compression=None) as server:
            self.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            self._ready.set()
            await self._end.wait()

    async def _handle(self, client: ServerConnection) -> None:
        assert client.request is not None
        path = client.request.path
        name = client.request.headers.get("Convex-Client")
        record: dict[str, Any] = {"path": path, "client": name, "messages": []}
        self.connections.append(record)
        headers = {"Convex-Client": name} if name else {}
        async with connect(
            self.target + path, additional_headers=headers, compression=None, max_size=_LARGEST
        ) as server:
            pumps = [
                asyncio.create_task(self._pump(client, server, "client", record)),
                asyncio.create_task(self._pump(server, client, "server", record)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()

    async def _pump(
        self,
        source: ServerConnection | ClientConnection,
        target: ServerConnection | ClientConnection,
        name: str,
        record: dict[str, Any],
    ) -> None:
        try:
            async for text in source:
                message = json.loads(text)
                shown = message
                if message["type"] == "Authenticate" and "value" in message:
                    shown = {**message, "value": "left out"}
                record["messages"].append([name, shown])
                # The answer to this one is lost with the connection.
                if "cut me" in json.dumps(message) and message["type"] == "MutationResponse":
                    record["messages"].pop()
                    if not self._cut:
                        self._cut = True
                        return
                    record["messages"].append([name, shown])
                await target.send(text)
        except ConnectionClosed:
            pass

    def close(self) -> None:
        """Serve no longer."""
        self._loop.call_soon_threadsafe(self._end.set)


def record(name: str, run: Callable[[str, str], list[str]]) -> None:
    """Run a client and write its transcript."""
    with tempfile.TemporaryDirectory() as folder, dev(Path(folder) / "a.db") as server:
        proxy = Proxy(server.url)
        try:
            subprocess.run(run(proxy.url, server.key.service_token()), check=True, timeout=60)
        finally:
            proxy.close()
        text = json.dumps(proxy.connections, indent=1, ensure_ascii=False)
        (HERE / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def main() -> None:
    """Record all."""
    record("javascript", lambda url, token: ["node", str(HERE / "client.mjs"), url, token])
    if len(sys.argv) > 1:
        record("python", lambda url, token: [sys.argv[1], str(HERE / "client.py"), url, token])


if __name__ == "__main__":
    main()
