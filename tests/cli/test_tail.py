import json
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, Any

import pytest
from click.testing import CliRunner

from mastra_convex import ConvexStorage
from mastra_convex.cli.main import main
from tests.cli.processes import (
    MAPPING,
    PATIENCE,
    conversations,
    environment,
    run,
    start,
    wait_until,
    write_source,
)
from tests.cli.test_text import is_safe


class Tail:
    """A `tail` that runs, and the lines that it writes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: Queue[str] = Queue()
        self._reader = Thread(target=self._read, args=[process.stdout], daemon=True)
        if process.stdout is not None:
            self._reader.start()

    def _read(self, output: IO[str]) -> None:
        for line in output:
            self._lines.put(line)

    def line(self) -> str:
        """The next line."""
        return self._lines.get(timeout=PATIENCE)

    def rest(self) -> list[str]:
        """What else it has written, when it has ended."""
        self._reader.join(PATIENCE)
        return [self._lines.get() for _ in range(self._lines.qsize())]


@contextmanager
def tailing(path: Path, *arguments: str, **options: Any) -> Iterator[Tail]:
    """A `tail` that follows `path`, ended by Ctrl-C."""
    with start("tail", "--db", path, *arguments, **options) as process:
        try:
            yield Tail(process)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""


def begun(path: Path) -> None:
    """A database with one thread, by whose message a test sees that `tail` has begun."""
    with ConvexStorage(path) as storage:
        storage.save_thread({"id": "first", "resourceId": "r"})
        storage.save_message(
            {"id": "first-1", "threadId": "first", "role": "user", "content": "Begun"}
        )


def test_every_message_of_an_import_is_shown_once_and_in_order(tmp_path: Path) -> None:
    path, shown = tmp_path / "store.db", tmp_path / "shown.jsonl"
    source = write_source(tmp_path / "source.json", conversations(200))
    begun(path)
    with shown.open("w") as file, tailing(path, "--json", stdout=file):
        wait_until(lambda: "Begun" in shown.read_text(), "tail has begun")
        imported = run("import", source, "--db", path, *MAPPING)
        assert imported.returncode == 0, imported.stderr
        with ConvexStorage(path) as storage:
            total = {t.table: t.records for t in storage.get_statistics()}["messages"]
        wait_until(lambda: shown.read_text().count('{"message"') >= total, "all is shown")
    rows = [json.loads(line) for line in shown.read_text().splitlines()]
    threads = [row["thread"]["id"] for row in rows if "thread" in row]
    assert len(threads) == len(set(threads)) == 201
    found: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if "message" in row:
            found[row["message"]["threadId"]].append(row["message"]["seq"])
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in found.values())
    assert sum(map(len, found.values())) == total


def test_it_waits_for_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with tailing(path) as shown:
        wait_until(path.exists, "the file")
        begun(path)
        assert shown.line() == "first  r\n"
        assert shown.line()[8:] == "  user      Begun\n"


def test_a_line_comes_at_once_and_ctrl_c_is_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    begun(path)
    with tailing(path, "--json") as shown, ConvexStorage(path) as storage:
        assert [*json.loads(shown.line())] == ["thread"]
        assert json.loads(shown.line())["message"]["content"] == "Begun"
        delays = []
        for number in range(5):
            message = {"id": f"m{number}", "threadId": "first", "role": "user", "content": "x"}
            storage.save_message(message)
            saved = time.perf_counter()
            assert json.loads(shown.line())["message"]["id"] == f"m{number}"
            delays.append(time.perf_counter() - saved)
    assert min(delays) < 0.25, "only the look that happens anyway has found it"
    assert shown.rest() == []


def test_it_ends_when_nobody_reads_any_more(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    begun(path)
    with start("tail", "--db", path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        # Nothing is written meanwhile, so that no failing write can tell it.
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with two threads of eight messages each."""
    path = tmp_path / "store.db"
    with ConvexStorage(path) as storage:
        for name in ("one", "two"):
            storage.save_thread({"id": name, "resourceId": "r", "title": "A \x1b[1mtitle"})
            storage.save_messages(
                {
                    "id": f"{name}-{number}",
                    "threadId": name,
                    "role": "user",
                    "content": f"{name} {number} \x9b2J " + "x" * 40,
                }
                for number in range(8)
            )
    return path


NARROW = environment(COLUMNS="40")


def test_it_begins_with_the_last_messages(path: Path) -> None:
    with tailing(path, env=NARROW) as shown:
        lines = [shown.line() for _ in range(13)]
    assert shown.rest() == []
    assert lines[0] == lines[4].replace("two", "one") == "one  r  A \\x1b[1mtitle\n"
    assert [line[20:25] for line in lines[1:3]] == ["one 6", "one 7"]
    assert lines[3] == "\n"
    assert [line[20:25] for line in lines[5:]] == [f"two {n}" for n in range(8)]
    assert {len(line) for line in lines[5:]} == {41}
    assert all(is_safe(c) for line in lines for c in line)


def test_it_may_follow_one_thread_and_show_all(path: Path) -> None:
    arguments = ("--thread", "one", "--last", "1", "--full")
    with tailing(path, *arguments, env=NARROW) as shown, ConvexStorage(path) as storage:
        head, role, *body = [shown.line() for _ in range(5)]
        message = {"role": "user", "content": "new"}
        storage.save_message({"id": "two-9", "threadId": "two", **message})
        storage.save_message({"id": "one-9", "threadId": "one", **message, "createdAt": 0})
        assert shown.line().startswith("user  ")
        assert shown.line() == "  new\n"
    assert shown.rest() == []
    assert head.startswith("one  r  ")
    assert role.startswith("user  ")
    assert "".join(body).split() == ["one", "7", "\\x9b2J", "x" * 38, "xx"]


def test_it_may_wait_for_one_thread(path: Path) -> None:
    with tailing(path, "--thread", "three", "--json") as shown, ConvexStorage(path) as storage:
        storage.save_thread({"id": "three", "resourceId": "r"})
        storage.save_message({"id": "m", "threadId": "three", "role": "user", "content": "x"})
        assert json.loads(shown.line())["thread"]["id"] == "three"
        assert json.loads(shown.line())["message"]["id"] == "m"


def test_json_is_exact(path: Path) -> None:
    with tailing(path, "--json", "--last", "1") as shown:
        rows = [json.loads(shown.line()) for _ in range(2)]
    assert [[*row] for row in rows] == [["thread"], ["message"]]
    assert rows[1]["message"]["content"].startswith("two 7 \x9b2J")


def test_an_empty_thread_is_shown_too(path: Path) -> None:
    with tailing(path, "--last", "1") as shown, ConvexStorage(path) as storage:
        assert [shown.line()[:3], shown.line()[20:25]] == ["two", "two 7"]
        storage.save_thread({"id": "four", "resourceId": "r", "createdAt": 0})
        assert shown.line() == "\n"
        assert shown.line() == "four  r\n"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--thread", " "), 1, "error [INVALID_ARGUMENT]: "),
        (("--last", "501"), 2, "Usage: "),
        (("--db", "none/store.db"), 1, "error [FILE_UNAVAILABLE]: "),
    ],
)
def test_what_cannot_be_followed(
    path: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    result = CliRunner().invoke(main, ["tail", "--db", str(path), *arguments])
    assert (result.exit_code, result.stderr[: len(text)]) == (code, text)
