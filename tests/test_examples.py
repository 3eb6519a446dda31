"""The examples run, offline and without a warning, and print what they should."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples"

PRINTED = {
    "chat_history.py": """\
     user: Hello
assistant: Hi. Where to?
     user: I want to go to Rome
assistant: By train or by plane?
     user: By train, please
assistant: Noted, and I remember 4 messages.
kept: 6 messages
""",
    "traces_and_evals.py": """\
 2 + 3: 1, 100% so far
 7 * 6: 1, 100% so far
2 ** 3: 0, 67% so far
1 of 3 runs failed:
  run-task-3: tool {'tool': '**', 'args': ['2', '3']}
""",
    "async_agents.py": """\
20 conversations are done
200 messages in 20 threads
the last one of thread-7 has number 10
""",
}


def run(name: str, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / name), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_example_prints_what_it_should(name: str, tmp_path: Path) -> None:
    assert run(name, tmp_path) == PRINTED[name]
    assert not list(tmp_path.iterdir()), "the example has left something behind"


def test_the_chat_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = run("chat_history.py", tmp_path, "chat.db")
    assert first == PRINTED["chat_history.py"]
    assert run("chat_history.py", tmp_path, "chat.db") == first.replace("kept: 6", "kept: 12")


def test_every_example_is_run() -> None:
    # The demonstration has tests of its own.
    examples = {path.name for path in FOLDER.glob("*.py") if not path.name.startswith("demo")}
    assert examples == PRINTED.keys()
