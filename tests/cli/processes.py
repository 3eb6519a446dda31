"""The command as people run it: in a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-W", "error", "-m", "mastra_convex.cli.main"]
SRC = Path(__file__).resolve().parent.parent.parent / "src"
# Far more than anything here takes, on a machine that is busy.
PATIENCE = 60.0


def environment(**more: str) -> dict[str, str]:
    """The environment of this process, without what would change where the command stores."""
    kept = {name: value for name, value in os.environ.items() if name != "CONVEX_URL"}
    return {**kept, "PYTHONPATH": str(SRC), **more}


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    settings: dict[str, Any] = {
        "env": environment(),
        "capture_output": True,
        "encoding": "utf-8",
        "timeout": PATIENCE,
        **options,
    }
    return subprocess.run([*COMMAND, *map(str, arguments)], check=False, **settings)


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start the command, its output in pipes."""
    settings: dict[str, Any] = {
        "env": environment(),
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "encoding": "utf-8",
        **options,
    }
    return subprocess.Popen([*COMMAND, *map(str, arguments)], **settings)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds; fails when it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:.0f} seconds"
        time.sleep(0.005)


def conversations(count: int, turns: int = 3) -> list[dict[str, Any]]:
    """Records of a source: each has a system message, and `turns` of user, call, result, answer."""
    return [
        {
            "task": number,
            "info": {"user": f"user-{number % 5}"},
            "reward": number % 2,
            "traj": [
                {"role": "system", "content": "You help."},
                *(message for turn in range(turns) for message in _turn(number, turn)),
            ],
        }
        for number in range(count)
    ]


def _turn(number: int, turn: int) -> list[dict[str, Any]]:
    key = f"call-{number}-{turn}"
    function = {"name": "look", "arguments": json.dumps({"at": turn}, separators=(",", ":"))}
    call = {"id": key, "type": "function", "function": function}
    return [
        {"role": "user", "content": f"Question {turn} of {number}?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": key, "content": f"seen {turn}"},
        {"role": "assistant", "content": f"Answer {turn} of {number}."},
    ]


# What reads them.
MAPPING = (
    *("--messages", "traj", "--metadata", "info", "--score", "reward", "--id", "task-{task}"),
    *("--resource", "{info[user]}", "--agent", "helper", "--workflow", "help"),
)


def write_source(path: Path, records: list[dict[str, Any]]) -> Path:
    """Write records as a JSON array."""
    path.write_text(json.dumps(records), encoding="utf-8")
    return path
