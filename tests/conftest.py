"""The storages that the contract suite runs on: every home of the records, with both faces."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mastra_convex import ConvexStorage
from mastra_convex.tokens import KEY_VARIABLE
from tests.contract.faces import FACES, LoopThread, Place
from tests.served import KEY, server

# A run in the background of a script begins with Ctrl-C ignored, and its programs would inherit
# that: those that tests interrupt would go on for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What waits longest for processes, kills and timers begins, so that none is left alone at the end.
SLOW = ("official", "differential", "test_commit_trouble.py", "test_scripts.py", "test_remote.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow files first."""
    items.sort(key=lambda item: not any(part in SLOW for part in item.path.parts))


Home = Callable[[Path], AbstractContextManager[str]]


@contextmanager
def memory(_folder: Path) -> Iterator[str]:
    yield ":memory:"


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        with ConvexStorage(path) as storage:
            storage.get_format_version()
        return path.read_bytes()


def _new_file(folder: Path) -> Path:
    """An empty store's file. It is a copy: making all tables takes longer than most tests do."""
    path = folder / "store.db"
    path.write_bytes(_empty())
    return path


@contextmanager
def file(folder: Path) -> Iterator[str]:
    yield str(_new_file(folder))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    # Storages of other processes prove with it, too, who they are.
    with pytest.MonkeyPatch.context() as patch, server().serving(_new_file(folder)) as url:
        patch.setenv(KEY_VARIABLE, KEY.to_text())
        yield url


# Where records live: each gives the target of a fresh, empty store. Another backend is one line.
HOMES: dict[str, Home] = {
    "memory": memory,
    "file": file,
    "served": served,
}
# Memory and a file differ in nothing that a face can see, so each has one of the faces.
PLACES = [("memory", "async"), ("file", "blocking"), *(("served", face) for face in FACES)]
# Those where a second storage on the same target sees the same records.
SHARED_HOMES = [name for name in HOMES if name != "memory"]


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """The event loop of all async storages."""
    loop = LoopThread()
    yield loop
    loop.close()


@contextmanager
def opened_place(home: str, face: str, folder: Path, loop: LoopThread) -> Iterator[Place]:
    """A place in a home, until its end."""
    with HOMES[home](folder) as target:
        place = Place(target, face, loop)
        yield place
        for storage in place.opened:
            storage.close()


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    """The name of a face."""
    return str(request.param)


@pytest.fixture(params=PLACES, ids="-".join)
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, loop_thread: LoopThread
) -> Iterator[ConvexStorage]:
    """A fresh storage, of every home and with both faces."""
    home, face = request.param
    with opened_place(home, face, tmp_path, loop_thread) as place:
        yield place.open()


@pytest.fixture(params=SHARED_HOMES)
def shared(
    request: pytest.FixtureRequest, face: str, tmp_path: Path, loop_thread: LoopThread
) -> Iterator[Place]:
    """A place where each storage that is opened sees the same records."""
    with opened_place(request.param, face, tmp_path, loop_thread) as place:
        yield place
