"""The storages that the contract suite runs on: every home of the records, with both faces."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from mastra_convex import ConvexStorage
from tests.contract.faces import FACES, LoopThread

Home = Callable[[Path], AbstractContextManager[str]]
OpenStorage = Callable[[], ConvexStorage]


@contextmanager
def memory(_folder: Path) -> Iterator[str]:
    yield ":memory:"


@contextmanager
def file(folder: Path) -> Iterator[str]:
    yield str(folder / "store.db")


# Where records live: each gives the target of a fresh, empty store. Another backend is one line.
HOMES: dict[str, Home] = {
    "memory": memory,
    "file": file,
}
# Those where a second storage on the same target sees the same records.
SHARED_HOMES = [name for name in HOMES if name != "memory"]


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """The event loop of all async storages."""
    loop = LoopThread()
    yield loop
    loop.close()


@contextmanager
def opener(home: str, face: str, folder: Path, loop: LoopThread) -> Iterator[OpenStorage]:
    """Opens storages on one target; they are closed at the end."""
    opened: list[ConvexStorage] = []
    with HOMES[home](folder) as target:

        def open_storage() -> ConvexStorage:
            opened.append(FACES[face](target, loop))
            return opened[-1]

        yield open_storage
        for storage in opened:
            storage.close()


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    """The name of a face."""
    return str(request.param)


@pytest.fixture(params=HOMES)
def storage(
    request: pytest.FixtureRequest, face: str, tmp_path: Path, loop_thread: LoopThread
) -> Iterator[ConvexStorage]:
    """A fresh storage, of every home and with both faces."""
    with opener(request.param, face, tmp_path, loop_thread) as open_storage:
        yield open_storage()


@pytest.fixture(params=SHARED_HOMES)
def open_shared(
    request: pytest.FixtureRequest, face: str, tmp_path: Path, loop_thread: LoopThread
) -> Iterator[OpenStorage]:
    """Opens storages on the same records, as often as it is called."""
    with opener(request.param, face, tmp_path, loop_thread) as open_storage:
        yield open_storage


@pytest.fixture
def file_target(tmp_path: Path) -> str:
    """A file for a test that opens it in other processes."""
    return str(tmp_path / "store.db")
