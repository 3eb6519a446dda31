import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mastra_convex import ConvexStorage
from mastra_convex.cli.main import main
from mastra_convex.tokens import KEY_VARIABLE
from tests.cli.test_text import is_safe

HOSTILE = "\x1b[2J\x9b1m\u202eevil\rover\x00 \ud83d"
CALL = {"state": "result", "toolCallId": "c", "toolName": "find", "args": {"to": "Rome"}}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with a few threads; commands run beside it, 80 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("CONVEX_URL", raising=False)
    with ConvexStorage("store.db") as storage:
        for number in range(5):
            storage.save_thread(
                {
                    "id": f"thread-{number}",
                    "resourceId": "ada" if number % 2 else "a-resource-with-a-very-long-name",
                    "title": f"Trip number {number}" + " and so on" * 10,
                    "createdAt": 1714557600000 + number,
                }
            )
        storage.save_messages(messages("thread-0"))
        storage.save_eval(
            {
                "id": "e",
                "threadId": "thread-0",
                "agentName": "booker",
                "type": "test",
                "data": {"score": 0.5},
            }
        )
    return "store.db"


def messages(thread_id: str) -> Iterator[dict[str, Any]]:
    contents: list[tuple[str, Any]] = [
        ("user", "To Rome, please. " * 8),
        (
            "assistant",
            {"format": 2, "parts": [{"type": "tool-invocation", "toolInvocation": CALL}]},
        ),
        ("assistant", f"Booked {HOSTILE}"),
    ]
    contents[1][1]["parts"][0]["toolInvocation"] = {**CALL, "result": ["train"] * 100}
    for number, (role, content) in enumerate(contents):
        key = f"{thread_id}-{number}"
        yield {"id": key, "threadId": thread_id, "role": role, "content": content}


def test_what_is_no_json_is_shown_as_it_is(path: str) -> None:
    """As clients of Convex can store it: content is text to them."""
    with ConvexStorage(path) as storage:
        plain = {"id": "plain", "threadId": "thread-1", "role": "user", "content": "no JSON"}
        storage._backend.mutation("messages:save", {"messages": [plain]})
    assert "  no JSON\n" in shown("thread-1")
    (message,) = json.loads(shown("--json", "thread-1"))["messages"]
    assert message["content"] == "no JSON"


def show(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["show", "--db", "store.db", *arguments])


def shown(*arguments: str) -> str:
    result = show(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert all(is_safe(c) for c in result.stdout)
    return result.stdout


def test_the_list_is_newest_first_and_fits(path: str) -> None:
    lines = shown().splitlines()
    assert lines[0].split() == ["THREAD", "RESOURCE", "MESSAGES", "UPDATED", "TITLE"]
    assert [line.split()[0] for line in lines[1:6]] == [f"thread-{n}" for n in (4, 3, 2, 1, 0)]
    assert "  a-resource-with-a...  " in lines[1]
    assert lines[5].split()[2] == "3"
    assert max(map(len, lines[:6])) <= 80
    assert "1 to 5 of 5 threads." in lines[-1]


def test_the_list_has_pages_and_one_resource(path: str) -> None:
    page = shown("--per-page", "2", "--page", "1")
    assert [line.split()[0] for line in page.splitlines()[1:3]] == ["thread-2", "thread-1"]
    assert "3 to 4 of 5 threads. The next: --page 2." in page
    assert "1 to 2 of 2 threads." in shown("--resource", "ada")
    assert shown("--resource", "no\x1bbody") == "No threads of no\\x1bbody.\n"
    assert shown("--page", "9") == "No threads on page 9.\n"


def test_the_list_as_json(path: str) -> None:
    found = json.loads(shown("--json", "--per-page", "2"))
    assert [thread["id"] for thread in found["threads"]] == ["thread-4", "thread-3"]
    assert (found["total"], found["page"], found["perPage"], found["hasMore"]) == (5, 0, 2, True)


def test_a_conversation(path: str) -> None:
    text = shown("thread-0")
    lines = text.splitlines()
    assert lines[0].startswith("thread-0  Trip number 0 and so on")
    assert lines[1].startswith("resource a-resource-with-a-very-long-name, created 2024-")
    assert lines[1].endswith(", 3 messages")
    assert [line.split()[0] for line in lines if line and line[0] in "ua"] == [
        "user",
        "assistant",
        "assistant",
    ]
    assert '  call    find({"to": "Rome"})' in lines
    assert text.count('"train"') < 30
    assert "  Booked \\x1b[2J\\x9b1m\\u202eevil\\x0dover\\x00 \\ud83d" in lines
    assert lines[-1] == 'eval by test of booker: {"score": 0.5}'
    assert max(map(len, [lines[0], *lines[2:]])) <= 80


def test_a_conversation_in_full_or_its_end(path: str) -> None:
    assert "".join(shown("thread-0", "--full").split()).count('"train"') == 100
    end = shown("thread-0", "--last", "1")
    assert "Booked" in end
    assert "Rome" not in end
    assert ", the last 1 message\n" in end


def test_a_conversation_as_json_is_exact(path: str) -> None:
    found = json.loads(shown("thread-0", "--json"))
    assert found["thread"]["id"] == "thread-0"
    assert [message["seq"] for message in found["messages"]] == [1, 2, 3]
    assert found["messages"][2]["content"] == f"Booked {HOSTILE}"
    assert found["evals"][0]["data"] == {"score": 0.5}


def test_metadata_is_shown_and_harmless(path: str) -> None:
    with ConvexStorage(path) as storage:
        storage.update_thread("thread-1", metadata={"key\x1b[1m": "value " * 50})
    (line,) = (line for line in shown("thread-1").splitlines() if line.startswith("metadata"))
    assert line.startswith('metadata {"key\\u001b[1m": "value value')
    assert len(line) == 80
    assert shown("thread-1", "--full").count("value") == 50


def test_statistics(path: str) -> None:
    lines = shown("--stats").splitlines()
    assert lines[0].startswith("store.db: ")
    assert lines[0].endswith(", format 2")
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert rows["TABLE"] == ["RECORDS", "BYTES"]
    assert rows["threads"][0] == "5"
    assert rows["messages"][0] == "3"
    assert int(rows["messages"][1].replace(",", "")) > 1000


def test_statistics_as_json(path: str) -> None:
    found = json.loads(shown("--stats", "--json"))
    assert found["file"] == "store.db"
    assert found["formatVersion"] == 2
    assert found["fileBytes"] > 4096
    assert {table["table"]: table["records"] for table in found["tables"]}["evals"] == 1


def test_a_thread_that_is_not_there(path: str) -> None:
    result = show("thr\x1bead")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error [NOT_FOUND]: there is no thread 'thr\\x1bead'\n"


def test_a_missing_file_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    for arguments in ([], ["--stats"], ["thread"], ["--json"]):
        result = CliRunner().invoke(main, ["show", "--db", str(missing), *arguments])
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"error [FILE_UNAVAILABLE]: there is no file '{missing}'")
    assert not list(tmp_path.iterdir())


def test_an_empty_file_stays_empty(tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()
    result = CliRunner().invoke(main, ["show", "--db", str(empty)])
    assert (result.exit_code, empty.stat().st_size) == (1, 0)
    assert "nothing was ever stored" in result.stderr


def test_a_file_of_something_else_is_an_error(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_text("not a database, but text\n" * 100)
    result = CliRunner().invoke(main, ["show", "--db", str(other)])
    assert result.exit_code == 1
    assert result.stderr.startswith("error [FILE_CORRUPT]: ")


def test_the_file_may_come_from_the_environment(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEX_URL", path)
    assert "of 5 threads" in CliRunner().invoke(main, ["show"]).stdout
    # It may be an address, which takes a key.
    monkeypatch.setenv("CONVEX_URL", "https://a.test")
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    result = CliRunner().invoke(main, ["show"])
    assert (result.exit_code, result.stderr[:25]) == (1, "error [UNAUTHENTICATED]: ")


@pytest.mark.parametrize(
    "arguments",
    [("--stats", "thread-0"), ("--stats", "--resource", "ada"), ("thread-0", "--resource", "ada")],
)
def test_what_does_not_go_together_is_refused(path: str, arguments: tuple[str, ...]) -> None:
    assert show(*arguments).exit_code == 2
