"""`mastra-convex import` of 200 agent conversations against parsing the file and inserting rows.

The floor is given the rows, as an import has left them: it neither converts nor checks anything.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _common import Floor, remove, report, timed

from mastra_convex.cli.main import main as command_line

ROUNDS = 15
BATCH = 500
TABLES = ("threads", "messages", "evals", "workflowRuns", "counters")
_NAME = "tau-bench-airline-gpt-4o.json"
_OPTIONS = [
    *("--messages", "traj", "--metadata", "info", "--score", "reward"),
    *("--id", "airline-{task_id}-{trial}", "--resource", "{info[task][user_id]}"),
    *("--agent", "gpt-4o-airline", "--workflow", "tau-airline"),
]
_RESIDENT_GOAL = 60.0


def _source(folder: Path) -> Path:
    """The recorded conversations, or as many of the same shape."""
    shared = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    recorded = Path(os.environ.get("MASTRA_CONVEX_DATA", shared)) / _NAME
    if recorded.exists():
        return recorded
    made = folder / _NAME
    made.write_text(json.dumps([_conversation(n) for n in range(200)]))
    return made


def _conversation(number: int) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You book flights. " * 300}]
    for turn in range(6):
        call = f"call_{number}_{turn}"
        function = {"name": "find_flight", "arguments": json.dumps({"day": turn, "to": "SEA"})}
        tool_call = {"id": call, "type": "function", "function": function}
        found = json.dumps({"flights": [{"number": f"HAT{n}", "seats": n} for n in range(20)]})
        messages += [
            {"role": "user", "content": "Is there a flight to Seattle? " * 4},
            {"role": "assistant", "content": None, "tool_calls": [tool_call]},
            {"role": "tool", "tool_call_id": call, "name": "find_flight", "content": found},
            {"role": "assistant", "content": "There are twenty of them. " * 8},
        ]
    task = {"user_id": f"user_{number % 50}", "actions": [{"name": "book"}] * 5}
    return {
        "task_id": number // 4,
        "trial": number % 4,
        "reward": float(number % 2),
        "info": {"task": task},
        "traj": messages,
    }


def _import(source: Path, database: Path) -> float:
    remove(database)
    arguments = ["import", str(source), "--db", str(database), *_OPTIONS]
    with contextlib.redirect_stdout(io.StringIO()):
        return timed(lambda: command_line.main(arguments, standalone_mode=False))


def _rows(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    connection = sqlite3.connect(database)
    rows = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    connection.close()
    return rows


def _parse_and_insert(source: Path, rows: dict[str, list[tuple[Any, ...]]]) -> float:
    floor = Floor()

    def work() -> None:
        with source.open(encoding="utf-8") as file:
            json.load(file)
        for table, all_rows in rows.items():
            marks = ", ".join("?" * len(all_rows[0]))
            for start in range(0, len(all_rows), BATCH):
                floor.connection.execute("BEGIN IMMEDIATE")
                floor.connection.executemany(
                    f"INSERT INTO {table} VALUES ({marks})", all_rows[start : start + BATCH]
                )
                floor.connection.execute("COMMIT")

    seconds = timed(work)
    floor.close()
    return seconds


_AND_TELL = """
import sys
from mastra_convex.cli.main import main
main(sys.argv[1:], standalone_mode=False)
# Not ru_maxrss: that of a child begins with what its parent held when it was forked.
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def _resident_megabytes(source: Path, database: Path) -> float:
    """The most that the command holds, in a process of its own (Linux only)."""
    remove(database)
    command = [sys.executable, "-c", _AND_TELL, "import", str(source), "--db", str(database)]
    done = subprocess.run([*command, *_OPTIONS], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, database = _source(folder), folder / "import.db"
        _import(source, database)
        rows = _rows(database)
        pairs = [
            (_import(source, database), _parse_and_insert(source, rows)) for _ in range(ROUNDS)
        ]
        ours, floor = (statistics.median(side) for side in zip(*pairs))
        figures = f"({ours * 1e3:.0f} ms : {floor * 1e3:.0f} ms)"
        report(f"import of {len(rows['messages']):,} messages {figures}", ours, floor, 4)
        resident = _resident_megabytes(source, database)
        report(
            f"resident at the most, {resident:.0f} MB, of {_RESIDENT_GOAL:.0f}",
            resident,
            _RESIDENT_GOAL,
            1,
        )


if __name__ == "__main__":
    main()
