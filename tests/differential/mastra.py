"""A store of Mastra's in a process of its own (mastra.mjs), and how a call of it reads here.

A call is what Mastra's method takes and gives, as JSON; dates are milliseconds since the epoch, and
where Mastra wants a Date, `Date(5)` stands for one.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
DRIVER = Path(__file__).with_name("mastra.mjs")


class Date(float):
    """A moment that Mastra is given as a Date."""


class Refused(Exception):
    """Mastra has thrown an error; the text is its own."""


class Mastra:
    """One store, which begins empty. Its clock stands where a call puts it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def call(self, domain: str, method: str, *args: Any, now: float) -> Any:
        """What the method gives at that time. Raises `Refused`."""
        line = {"domain": domain, "method": method, "args": to_mastra(list(args)), "now": now}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        outcome = json.loads(self._process.stdout.readline())
        if "error" in outcome:
            raise Refused(outcome["error"])
        return from_mastra(outcome["value"])

    def reset(self) -> None:
        """Begin with an empty store again."""
        self.call("memory", "reset", now=0)

    def use(self, url: str, admin_key: str) -> None:
        """Go on as a `ConvexStore` on that server."""
        given = {"deploymentUrl": url, "adminAuthToken": admin_key}
        self.call("memory", "reset", given, now=0)


@contextmanager
def started() -> Iterator[Mastra]:
    """Mastra's store, until the end of the block."""
    process = subprocess.Popen(
        ["node", str(DRIVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        yield Mastra(process)
        assert process.stdin is not None
        process.stdin.close()


def to_mastra(value: Any) -> Any:
    """A value as the driver takes it."""
    if isinstance(value, Date):
        return {"$date": int(value)}
    if isinstance(value, dict):
        return {name: to_mastra(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_mastra(item) for item in value]
    return value


def to_ours(value: Any) -> Any:
    """A value as our client takes it: a date is a plain number."""
    if isinstance(value, dict):
        return {name: to_ours(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_ours(item) for item in value]
    return float(value) if isinstance(value, Date) else value


def from_mastra(value: Any) -> Any:
    """A value that the driver gives."""
    if isinstance(value, dict):
        if value.keys() == {"$date"}:
            return value["$date"]
        return {name: from_mastra(item) for name, item in value.items()}
    if isinstance(value, list):
        return [from_mastra(item) for item in value]
    return value
