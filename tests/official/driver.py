"""An official client in a process of its own, which does what it is told and says how it went."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.processes import PATIENCE

HERE = Path(__file__).parent
COMMANDS = {
    "http": ["node", HERE / "client.mjs", "http"],
    "socket": ["node", HERE / "client.mjs", "socket"],
    "python": [sys.executable, HERE / "client.py"],
}


class RefusedError(Exception):
    """What a client was told instead of a value."""

    def __init__(self, text: str, data: Any) -> None:
        super().__init__(text)
        self.data = data


class Program:
    """A program that takes commands and answers them, each a line of JSON with a number."""

    def __init__(self, *command: object) -> None:
        self.process = subprocess.Popen(
            [*map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "PYTHONWARNINGS": "default"},
        )
        self._number = 0
        self._answers: dict[int, Any] = {}
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def begin(self, what: str, **more: Any) -> int:
        """Give a command, without waiting for what comes of it; returns its number."""
        self._number += 1
        command = json.dumps({"n": self._number, "what": what, **more})
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._number

    def answer(self, number: int) -> Any:
        """What came of a command. Raises `RefusedError`."""
        while number not in self._answers:
            line = self._lines.get(timeout=PATIENCE)
            assert line, f"the program ended, with {self.process.wait()}"
            found = json.loads(line)
            self._answers[found["n"]] = found
        told = self._answers.pop(number)
        if "error" in told:
            raise RefusedError(told["error"], told["data"])
        return told["value"]

    def do(self, what: str, **more: Any) -> Any:
        """Give a command and wait for what comes of it."""
        return self.answer(self.begin(what, **more))

    def end(self) -> None:
        """End the program, whatever it is doing."""
        self.process.kill()
        self.process.communicate()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")


class Client(Program):
    """One of the official clients."""

    def __init__(self, kind: str, url: str, token: str | None) -> None:
        super().__init__(*COMMANDS[kind], url)
        if token is not None:
            self.do("login", token=token)

    def query(self, path: str, args: Any) -> Any:
        """The value of a query."""
        return self.do("query", path=path, args=args)

    def mutation(self, path: str, args: Any) -> Any:
        """The value of a mutation."""
        return self.do("mutation", path=path, args=args)

    def watch(self, name: str, path: str, args: Any) -> None:
        """Watch a query."""
        self.do("watch", name=name, path=path, args=args)

    def until(self, name: str, wanted: Callable[[Any], bool]) -> Any:
        """What a watched query tells as soon as it is such: {"value": ...} or {"error": ...}."""
        while not wanted(told := self.do("next", name=name)):
            pass
        return told


@contextmanager
def official(kind: str, url: str, token: str | None) -> Iterator[Client]:
    """A client that is ended whatever happens."""
    client = Client(kind, url, token)
    try:
        yield client
    finally:
        client.end()
