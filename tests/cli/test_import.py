import gc
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mastra_convex import AsyncConvexStorage, ConvexStorage, LimitExceededError
from mastra_convex.cli import import_
from mastra_convex.cli.main import main
from mastra_convex.importers.openai_chat import to_openai
from tests.cli.processes import (
    COMMAND,
    MAPPING,
    PATIENCE,
    conversations,
    environment,
    run,
    start,
    wait_until,
    write_source,
)

SUMMARY = """\
Imported 20 conversations with 260 messages: 120 assistant, 60 user, 60 tool, 20 system
Results of tools are kept with their calls, in the assistant's messages.
store.db now holds 20 threads, 200 messages, 20 evals, 20 workflow runs
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONVEX_URL", raising=False)


def take_in(source: Path, *arguments: str) -> Result:
    """Import into store.db, in this process."""
    return CliRunner().invoke(main, ["import", str(source), "--db", "store.db", *arguments])


def totals(path: str | Path) -> dict[str, int]:
    with ConvexStorage(path) as storage:
        return {table.table: table.records for table in storage.get_statistics()}


def everything(path: str | Path) -> list[Any]:
    """All that an import saves, but for when it did."""
    with ConvexStorage(path) as storage:
        threads = storage.list_threads(per_page=False).threads
        return [
            sorted((thread.id, thread.title, thread.metadata) for thread in threads),
            {
                thread.id: [m.to_dict() for m in storage.get_messages(thread.id)]
                for thread in threads
            },
            sorted(str(found.to_dict()) for found in storage.list_evals(per_page=False).evals),
            sorted((run.id, run.state) for run in storage.list_workflow_runs(per_page=False).runs),
        ]


def as_array(records: list[Any]) -> str:
    return json.dumps(records, indent=1)


def as_lines(records: list[Any]) -> str:
    return "\n".join(map(json.dumps, records))


@pytest.mark.parametrize("written", [as_array, as_lines])
def test_a_file_is_taken_in(tmp_path: Path, written: Callable[[list[Any]], str]) -> None:
    records = conversations(20)
    source = tmp_path / "source"
    source.write_text(written(records), encoding="utf-8")
    result = take_in(source, *MAPPING)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == SUMMARY
    with ConvexStorage("store.db") as storage:
        for record in records:
            thread = storage.get_thread_by_id(f"task-{record['task']}")
            assert thread is not None
            assert thread.resource_id == record["info"]["user"]
            messages = [message.to_dict() for message in storage.get_messages(thread.id)]
            assert to_openai(messages) == record["traj"]
            (evaluation,) = storage.list_evals(thread_id=thread.id).evals
            assert evaluation.data == {"score": record["reward"]}
            saved = storage.get_workflow_run_by_id(thread.id, "help")
            assert saved is not None
            assert saved.state["metadata"] == record["info"]


def test_one_object_is_a_file_of_one_conversation(tmp_path: Path) -> None:
    source = tmp_path / "source.json"
    source.write_text('{"messages": [{"role": "user", "content": "Hello"}]}')
    assert take_in(source).stdout == (
        "Imported 1 conversation with 1 message: 1 user\n"
        "store.db now holds 1 thread, 1 message, 0 evals, 0 workflow runs\n"
    )


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    source = write_source(tmp_path / "source.json", conversations(20))
    assert take_in(source, *MAPPING).stdout == SUMMARY
    first = everything("store.db")
    assert take_in(source, *MAPPING).stdout == SUMMARY
    assert everything("store.db") == first


def test_a_long_conversation_takes_several_transactions(tmp_path: Path) -> None:
    (record,) = conversations(1, turns=700)
    result = take_in(write_source(tmp_path / "source.json", [record]), *MAPPING)
    assert (result.exit_code, result.stderr) == (0, "")
    with ConvexStorage("store.db") as storage:
        messages = storage.get_messages("task-0")
    assert [message.seq for message in messages] == list(range(1, 2102))
    assert to_openai([message.to_dict() for message in messages]) == record["traj"]


def test_few_bytes_are_in_flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_, "_BYTES_IN_FLIGHT", 1)
    source = write_source(tmp_path / "source.json", conversations(20))
    assert take_in(source, *MAPPING).stdout == SUMMARY


@pytest.mark.parametrize("threads", [1, 60, 140])
def test_killed_and_run_again_it_is_as_if_it_had_run_once(tmp_path: Path, threads: int) -> None:
    source = write_source(tmp_path / "source.json", conversations(400))
    with start("import", source, "--db", "store.db", *MAPPING) as process:
        wait_until(Path("store.db-wal").exists, "the database")
        with ConvexStorage("store.db") as storage:
            wait_until(
                lambda: storage.list_threads(per_page=1).total >= threads,  # type: ignore[operator]
                "the first threads",
            )
        process.kill()
        assert process.wait(PATIENCE) == -signal.SIGKILL
    assert threads <= totals("store.db")["threads"] < 400
    assert take_in(source, *MAPPING).exit_code == 0
    again = everything("store.db")
    os.replace("store.db", "killed.db")
    assert take_in(source, *MAPPING).exit_code == 0
    assert again == everything("store.db")
    assert totals("killed.db") == totals("store.db")


def test_ctrl_c_ends_it_and_keeps_what_is_there(tmp_path: Path) -> None:
    source = write_source(tmp_path / "source.json", conversations(1500))
    with start("import", source, "--db", "store.db", *MAPPING) as process:
        wait_until(Path("store.db-wal").exists, "the database")
        with ConvexStorage("store.db") as storage:
            wait_until(lambda: bool(storage.list_threads(per_page=1).threads), "a thread")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert err.startswith("stopped; what was imported stays: ")
    assert len(err.splitlines()) == 1
    held = totals("store.db")
    assert 0 < held["threads"] < 1500
    # Each conversation is whole.
    assert held["messages"] == 10 * held["threads"]
    assert held["evals"] == held["workflowRuns"] == held["threads"]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ({"traj": "none"}, "record 6: the field 'traj' is text"),
        ({"traj": [{"role": "user", "content": 1}]}, "record 6, message 1: content is 1"),
        ({"task": 2}, "record 6: the thread id 'task-2' is that of record 3 too"),
        ({"info": {}}, "record 6: the template '{info[user]}' cannot be used"),
    ],
)
def test_a_record_that_fails_is_named(tmp_path: Path, damage: Any, problem: str) -> None:
    records = conversations(10)
    records[5].update(damage)
    result = take_in(write_source(tmp_path / "source.json", records), *MAPPING)
    assert (result.exit_code, result.stdout) == (1, "")
    kept, error = result.stderr.splitlines()
    assert kept.startswith("stopped; what was imported stays: 5 conversations with 65 messages: ")
    assert error.startswith(f"error [IMPORT_SOURCE]: {tmp_path / 'source.json'}: {problem}")
    assert totals("store.db")["threads"] == 5


def test_a_record_that_cannot_be_saved_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = AsyncConvexStorage.save_messages

    async def refuse(storage: AsyncConvexStorage, messages: list[Any]) -> Any:
        if messages[0]["threadId"] in {"task-5", "task-7", "task-8"}:
            raise LimitExceededError("too large", limit=1)
        return await save(storage, messages)

    monkeypatch.setattr(AsyncConvexStorage, "save_messages", refuse)
    source = write_source(tmp_path / "source.json", conversations(10))
    result = take_in(source, *MAPPING)
    gc.collect()
    assert result.exit_code == 1
    kept, error = result.stderr.splitlines()
    assert kept.startswith("stopped; what was imported stays: 7 conversations ")
    found = re.fullmatch(rf"error \[LIMIT_EXCEEDED\]: {source}: record (\d): too large", error)
    assert found
    assert found[1] in {"6", "8", "9"}
    assert totals("store.db")["messages"] == 7 * 10


def test_a_template_that_is_wrong_is_an_error(tmp_path: Path) -> None:
    source = write_source(tmp_path / "source.json", conversations(1))
    result = take_in(source, "--messages", "traj", "--id", "{task")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error [IMPORT_SOURCE]: ")


def test_a_database_that_cannot_be_used_is_no_fault_of_a_record(tmp_path: Path) -> None:
    source = write_source(tmp_path / "source.json", conversations(1))
    result = CliRunner().invoke(main, ["import", str(source), "--db", "none/store.db", *MAPPING])
    assert result.exit_code == 1
    assert result.stderr.startswith("error [FILE_UNAVAILABLE]: ")
    assert "record" not in result.stderr


def test_a_missing_file_is_a_mistake_in_the_command_line() -> None:
    result = take_in(Path("none.json"))
    assert result.exit_code == 2
    assert "'none.json' does not exist" in result.stderr
    assert not Path("store.db").exists()


def test_the_database_is_that_of_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "source.json", conversations(1))
    for url in (None, "elsewhere.db"):
        if url:
            monkeypatch.setenv("CONVEX_URL", url)
        assert CliRunner().invoke(main, ["import", str(source), *MAPPING]).exit_code == 0
        with ConvexStorage() as storage:
            assert storage.get_thread_by_id("task-0")
    assert Path("mastra-convex.db").exists()


def test_on_a_terminal_there_is_a_bar(tmp_path: Path) -> None:
    source = write_source(tmp_path / "source.json", conversations(20))
    terminal, side = pty.openpty()
    with start("import", source, "--db", "store.db", *MAPPING, stderr=side) as process:
        os.close(side)
        assert process.stdout is not None
        assert process.stdout.read() == SUMMARY
    bar = b""
    try:
        while chunk := os.read(terminal, 4096):
            bar += chunk
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(terminal)
    assert b"Importing" in bar
    assert b"100%" in bar


def test_elsewhere_there_is_nothing_but_the_summary(tmp_path: Path) -> None:
    source = write_source(tmp_path / "source.json", conversations(20))
    done = run("import", source, "--db", "store.db", *MAPPING)
    assert (done.returncode, done.stdout, done.stderr) == (0, SUMMARY, "")


def peak_memory(source: Path) -> int:
    """The bytes that an import had in memory at its most."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    command = [*COMMAND, "import", str(source), "--db", "memory.db", "--messages", "traj"]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], env=environment(), capture_output=True, check=True
    )
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    small = write_source(tmp_path / "small.json", conversations(1))
    large = tmp_path / "large.jsonl"
    with large.open("w") as file:
        for number in range(600):
            message = {"role": "user", "content": f"{number} " * 15_000}
            file.write(json.dumps({"id": f"id-{number}", "traj": [message]}) + "\n")
    assert large.stat().st_size > 30_000_000
    assert peak_memory(large) - peak_memory(small) < 25_000_000
