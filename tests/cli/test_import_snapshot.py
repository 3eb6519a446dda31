"""Snapshots of `@mastra/convex`, taken in by the command."""

import json
import re
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mastra_convex import AsyncConvexStorage, ConvexStorage, CorruptFileError
from mastra_convex.cli.main import main
from tests.cli.processes import run, start, wait_until
from tests.importers.snapshots import T0, everything, message, thread, write_snapshot

SUMMARY = (
    "Imported 4 threads, 20 messages, 1 resource, 1 workflow run, 1 score, 1 schedule, 1 schedule "
    "trigger, 1 background task, 1 channel installation, 1 channel config, 1 generation of "
    "observational memory\n"
    "Left, as there is nothing like it here: mastra_vectors\n"
    "Left, as they are not Mastra's: _components/shop/orders, _storage, users\n"
)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONVEX_URL", raising=False)


def take_in(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["import", str(path), "--db", "store.db", *arguments])


def contents(path: str | Path) -> dict[str, Any]:
    """All records of a store, in the order of its lists."""

    def told(records: Any) -> list[Any]:
        return [record.to_dict() for record in records]

    with ConvexStorage(path) as storage:
        threads = storage.list_threads(order_by={"direction": "ASC"}, per_page=False).threads
        memory = storage.get_observational_memory("t1", "r1")
        return {
            "threads": told(threads),
            "messages": {thread.id: told(storage.get_messages(thread.id)) for thread in threads},
            "resource": told(filter(None, [storage.get_resource_by_id("r0")])),
            "runs": told(storage.list_workflow_runs(per_page=False).runs),
            "scores": told(storage.list_scores_by_scorer_id("tone").scores),
            "schedules": told(storage.list_schedules()),
            "triggers": told(storage.list_triggers("d")),
            "tasks": told(storage.list_tasks().tasks),
            "installations": told(storage.list_installations("slack")),
            "config": told(filter(None, [storage.get_config("slack")])),
            "memory": told(filter(None, [memory])),
        }


def times_of(record: dict[str, Any]) -> tuple[float, float]:
    return record["createdAt"], record["updatedAt"]


def test_a_snapshot_is_taken_in(tmp_path: Path) -> None:
    tables = everything()
    result = take_in(write_snapshot(tmp_path / "snapshot.zip", tables))
    assert (result.exit_code, result.stderr, result.stdout) == (0, "", SUMMARY)
    found = contents("store.db")
    assert found["threads"] == [
        {
            "id": f"t{n}",
            "resourceId": f"r{n % 3}",
            "title": f"Talk {n}",
            "metadata": {"$n": n},
            "createdAt": T0 + 1000 * n,
            # Not when its messages were imported.
            "updatedAt": T0 + 1000 * n + 60_000,
        }
        for n in range(4)
    ]
    # In the order in which they were created, also where their times are equal.
    assert {of: [each["id"] for each in found["messages"][of]] for of in found["messages"]} == {
        f"t{of}": [f"m{n}" for n in range(of, 20, 4)] for of in range(4)
    }
    for row in tables["mastra_messages"]:
        (kept,) = [each for each in found["messages"][row["thread_id"]] if each["id"] == row["id"]]
        assert kept["content"] == json.loads(row["content"])
        assert kept["createdAt"] == T0 + 1000 * (int(row["id"][1:]) // 16)
        assert (kept["resourceId"], kept["type"]) == (row["resourceId"], "v2")
    (resource,), (workflow,), (score,) = found["resource"], found["runs"], found["scores"]
    assert (resource["workingMemory"], *times_of(resource)) == ("# Notes", T0, T0 + 5)
    assert workflow["state"] == {"status": "suspended", "context": {"$a": 1}}
    assert (workflow["stateType"], *times_of(workflow)) == ("suspended", T0, T0 + 7)
    assert (score["score"], score["input"], *times_of(score)) == (1, [1], T0, T0 + 9)
    assert times_of(found["schedules"][0]) == (T0, T0 + 11)
    assert found["triggers"][0]["actualFireAt"] == T0 + 1
    assert found["tasks"][0]["completedAt"] == T0 + 2
    assert times_of(found["installations"][0]) == (T0, T0 + 13)
    assert times_of(found["config"][0]) == (T0, T0 + 15)
    assert (found["memory"][0]["activeObservations"], *times_of(found["memory"][0])) == (
        *("* seen", T0),
        T0 + 17,
    )


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    source = write_snapshot(tmp_path / "snapshot.zip", everything())
    assert take_in(source).stdout == SUMMARY
    first = contents("store.db")
    assert take_in(source).stdout == SUMMARY
    assert contents("store.db") == first


def test_what_cannot_be_taken_is_named_and_all_else_is_taken(tmp_path: Path) -> None:
    tables = everything()
    tables["mastra_threads"].append(thread(9, createdAt="yesterday"))
    tables["mastra_threads"].append({"id": "\x1b[2J", "resourceId": 5})
    tables["mastra_messages"].append(message(90, 9))
    tables["mastra_schedules"].append({**tables["mastra_schedules"][0], "id": "e", "target": "{"})
    tables["mastra_schedule_triggers"].append(
        {**tables["mastra_schedule_triggers"][0], "id": "f", "schedule_id": "e"}
    )
    result = take_in(write_snapshot(tmp_path / "snapshot.zip", tables))
    assert (result.exit_code, result.stdout) == (1, SUMMARY)
    *rows, last = result.stderr.splitlines()
    assert last == (
        "error [IMPORT_SOURCE]: 5 rows could not be taken, as is said above; all else was"
    )
    said = [
        ("mastra_threads 't9', line ", "a time is ISO 8601 text"),
        ("mastra_threads '\\x1b[2J', line ", "resourceId"),
        ("mastra_messages 'm90', line ", "names thread 't9', which does not exist"),
        ("mastra_schedules 'e', line ", "payload"),
        ("mastra_schedule_triggers 'f', line ", "'e'"),
    ]
    assert len(rows) == len(said)
    for row, (where, why) in zip(rows, said):
        assert row.startswith(f"not taken: {where}")
        assert why in row
    assert len(contents("store.db")["threads"]) == 4


def test_what_is_there_already_is_not_overwritten_unseen(tmp_path: Path) -> None:
    source = write_snapshot(tmp_path / "snapshot.zip", everything())
    with ConvexStorage("store.db") as storage:
        task: dict[str, Any] = {"id": "k", "toolName": "other", "toolCallId": "c", "args": {}}
        task |= {"agentId": "a", "runId": "r", "status": "pending"}
        storage.create_task({**task, "retryCount": 0, "maxRetries": 0, "timeoutMs": 1})
    result = take_in(source)
    assert result.exit_code == 1
    assert "not taken: mastra_background_tasks 'k', line 1: create_task" in result.stderr
    with ConvexStorage("store.db") as storage:
        kept = storage.get_task("k")
        assert kept is not None
        assert kept.tool_name == "other"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A snapshot that takes a while, and what is in a store that has it."""
    folder = tmp_path_factory.mktemp("large")
    source = write_snapshot(folder / "snapshot.zip", everything(100, 30))
    assert run("import", source, "--db", folder / "whole.db").returncode == 0
    return source, contents(folder / "whole.db")


def test_killed_and_run_again(large: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    source, whole = large
    store = tmp_path / "store.db"
    process = start("import", source, "--db", store)
    wait_until(store.with_name("store.db-wal").exists, "the database")
    with ConvexStorage(store) as storage:
        wait_until(lambda: len(storage.get_messages("t0")) > 2, "some messages")
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert contents(store) != whole
    done = run("import", source, "--db", store)
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(store) == whole


def test_stopped_by_ctrl_c(large: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    source, _ = large
    process = start("import", source, "--db", "store.db")
    wait_until(Path("store.db-wal").exists, "the database")
    with ConvexStorage("store.db") as storage:
        wait_until(lambda: bool(storage.list_threads(per_page=1).threads), "a thread")
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (130, "")
    assert re.match(r"stopped; what was imported stays: [\d,]+ threads, [\d,]+ messages", stderr)
    assert len(stderr.splitlines()) == 1


def test_options_of_conversations_are_not_for_it(tmp_path: Path) -> None:
    source = write_snapshot(tmp_path / "snapshot.zip", {})
    result = take_in(source, "--messages", "traj")
    assert result.exit_code == 2
    assert "--messages is not for a snapshot" in result.stderr


def test_an_empty_snapshot(tmp_path: Path) -> None:
    result = take_in(write_snapshot(tmp_path / "snapshot.zip", {}))
    assert (result.exit_code, result.stdout) == (0, "Imported nothing\n")


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04"])
def test_a_file_that_is_no_snapshot(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "snapshot.zip"
    source.write_bytes(content)
    result = take_in(source)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error [IMPORT_SOURCE]: {source}: the file is not a ZIP")
    assert not Path("store.db").exists()


def test_a_damaged_line_stops_the_import(tmp_path: Path) -> None:
    source = write_snapshot(tmp_path / "snapshot.zip", everything())
    whole = dict(_entries(source))
    whole["mastra_scorers/documents.jsonl"] = b"{\n"
    with zipfile.ZipFile(source, "w") as archive:
        for name, data in whole.items():
            archive.writestr(name, data)
    result = take_in(source)
    assert result.exit_code == 1
    kept, error = result.stderr.splitlines()
    assert kept.startswith("stopped; what was imported stays: 4 threads, 20 messages, 1 resource")
    place = f"{source}: mastra_scorers/documents.jsonl: line 1"
    assert error.startswith(f"error [IMPORT_SOURCE]: {place}: a line is not JSON")


def test_what_is_wrong_with_the_database_is_not_said_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise CorruptFileError("the disk is full")

    monkeypatch.setattr(AsyncConvexStorage, "save_message", full)
    result = take_in(write_snapshot(tmp_path / "snapshot.zip", everything()))
    assert result.exit_code == 1
    assert "not taken" not in result.stderr
    assert "the disk is full" in result.stderr


def _entries(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            yield info.filename, archive.read(info)
