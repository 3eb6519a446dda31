"""Changes by what is there: many writers at once, in one process and in several, lose nothing."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mastra_convex import ConflictError, ConvexStorage, Thread, _pauses
from tests.contract.faces import Place
from tests.contract.records import thread
from tests.contract.test_sharing import start

WRITERS = 50
PROCESSES = 5


def added(text: str | None, key: str) -> str:
    """Working memory, JSON text here, with one member more."""
    return json.dumps({**json.loads(text or "{}"), key: key})


def at_once(storage: ConvexStorage, write: Any) -> None:
    """Call `write` with 50 keys, all at the same time."""
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda n: write(storage, f"k{n}"), range(WRITERS)))


KEYS = {f"k{n}": f"k{n}" for n in range(WRITERS)}


def test_metadata_by_its_readers(storage: ConvexStorage) -> None:
    storage.save_thread(thread(metadata={"old": 1}))

    def write(storage: ConvexStorage, key: str) -> None:
        # Each looks at all that is there: what it has not seen, it would take away.
        storage.update_thread_metadata("t", lambda t: {**(t.metadata or {}), key: key})

    at_once(storage, write)
    found = storage.get_thread_by_id("t")
    assert found is not None
    assert found.metadata == {"old": 1, **KEYS}


def test_a_counter_in_metadata(storage: ConvexStorage) -> None:
    storage.save_thread(thread())

    def write(storage: ConvexStorage, _key: str) -> None:
        storage.update_thread_metadata("t", lambda t: {"n": (t.metadata or {}).get("n", 0) + 1})

    at_once(storage, write)
    found = storage.get_thread_by_id("t")
    assert found is not None
    assert found.metadata == {"n": WRITERS}


def test_working_memory(storage: ConvexStorage) -> None:
    def write(storage: ConvexStorage, key: str) -> None:
        storage.update_working_memory("r", lambda text: added(text, key))

    at_once(storage, write)
    found = storage.get_resource_by_id("r")
    assert found is not None
    assert json.loads(found.working_memory or "") == KEYS


def test_metadata_of_a_resource(storage: ConvexStorage) -> None:
    at_once(storage, lambda storage, key: storage.update_resource("r", metadata={key: key}))
    found = storage.get_resource_by_id("r")
    assert found is not None
    assert found.metadata == KEYS


PROGRAM = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from mastra_convex import ConvexStorage
storage = ConvexStorage(target)
print("ready", flush=True)
sys.stdin.readline()
def write(n):
    key = f"k{n}"
    storage.update_working_memory("r", lambda text: json.dumps({**json.loads(text), key: key}))
    storage.update_thread_metadata("t", lambda t: {**t.metadata, key: key})
with ThreadPoolExecutor(10) as pool:
    list(pool.map(write, range(first, first + 10)))
storage.close()
"""


def test_several_processes(tmp_path: Path) -> None:
    target = str(tmp_path / "store.db")
    storage = ConvexStorage(target)
    storage.save_thread(thread(metadata={}))
    storage.save_resource({"id": "r", "workingMemory": "{}"})
    programs = [start(f"first = {n * 10}\n{PROGRAM}", target, piped=True) for n in range(PROCESSES)]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    for program in programs:
        program.communicate(timeout=60)
        assert program.returncode == 0
    found, memory = storage.get_thread_by_id("t"), storage.get_resource_by_id("r")
    assert found is not None
    assert memory is not None
    assert found.metadata == json.loads(memory.working_memory or "") == KEYS
    storage.close()


def test_what_an_update_sees_and_leaves(storage: ConvexStorage) -> None:
    first = storage.save_thread(thread(title="T", metadata={"a": {"x": 1}, "b": 1}))
    changed = storage.update_thread_metadata("t", lambda t: {"a": t.title}, resource_id="r")
    assert changed is not None
    assert (changed.metadata, changed.title) == ({"a": "T", "b": 1}, "T")
    assert changed.updated_at > first.updated_at
    assert storage.update_thread_metadata("t", lambda t: None) == changed
    assert storage.get_thread_by_id("t") == changed

    def never(_: Thread) -> dict[str, Any]:
        raise AssertionError("there is no such thread")

    assert storage.update_thread_metadata("none", never) is None
    assert storage.update_thread_metadata("t", never, "somebody") is None
    # An error of the caller's own is the caller's, and nothing is written.
    with pytest.raises(ZeroDivisionError):
        storage.update_thread_metadata("t", lambda t: {"n": 1 // 0})
    assert storage.get_thread_by_id("t") == changed


def test_working_memory_that_is_not_there(storage: ConvexStorage) -> None:
    assert storage.update_working_memory("r", lambda text: None) is None
    assert storage.get_resource_by_id("r") is None
    made = storage.update_working_memory("r", lambda text: f"{text}!")
    assert made is not None
    assert (made.working_memory, made.metadata) == ("None!", {})
    again = storage.update_working_memory("r", lambda text: f"{text}?\ud800")
    assert again is not None
    assert again.working_memory == "None!?\ud800"
    assert storage.update_working_memory("r", lambda text: None) == again
    storage.save_resource({"id": "s", "metadata": {"a": 1}})
    kept = storage.update_working_memory("s", lambda text: "x")
    assert kept is not None
    assert (kept.working_memory, kept.metadata) == ("x", {"a": 1})


def test_what_changes_between_reading_and_writing(shared: Place) -> None:
    """An update is called again when it was too late: for metadata, and for another owner."""
    storage = shared.open()
    storage.save_thread(thread(metadata={"n": 0}))
    seen: list[Any] = []
    with ConvexStorage(shared.target) as other:

        def meddle(found: Thread) -> dict[str, Any]:
            seen.append((found.metadata or {})["n"])
            if len(seen) == 1:
                other.update_thread("t", metadata={"n": 5})
            return {"n": seen[-1] + 1}

        changed = storage.update_thread_metadata("t", meddle)
        assert changed is not None
        assert (changed.metadata, seen) == ({"n": 6}, [0, 5])

        def give_away(found: Thread) -> dict[str, Any]:
            other.update_thread_resource_id("t", "s")
            return {"n": 7}

        assert storage.update_thread_metadata("t", give_away, "r") is None

        def drop(found: Thread) -> dict[str, Any]:
            other.delete_thread("t")
            return {"n": 8}

        assert storage.update_thread_metadata("t", drop) is None


def test_patience_has_an_end(shared: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = shared.open()
    storage.save_thread(thread(metadata={"n": 0}))
    monkeypatch.setattr(_pauses, "PATIENCE_SECONDS", 0.05)
    with ConvexStorage(shared.target) as other:

        def meddle(found: Thread) -> dict[str, Any]:
            other.update_thread("t", metadata={"n": (found.metadata or {})["n"] + 1})
            return {"late": True}

        with pytest.raises(
            ConflictError, match="update_thread_metadata: metadata of 't' in threads"
        ):
            storage.update_thread_metadata("t", meddle)
    found = storage.get_thread_by_id("t")
    assert found is not None
    assert "late" not in (found.metadata or {})
