"""Snapshots of a Convex deployment, as `npx convex export` writes them: a ZIP of tables.

Each table is a file of JSON lines, in no order that matters. They are given out as their documents
were created: what does not fit into memory at once is sorted in pieces in temporary files, so that
memory is bounded, whatever the archive holds. Nothing is written to a path that an archive names.
"""

from __future__ import annotations

import heapq
import os
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Any, NoReturn

from mastra_convex.importers.reading import ImportSourceError
from mastra_convex.values.encoding import parse_json

# A document has at most 1 MiB on Convex, which JSON can make several times as long.
MAX_LINE = 16 * 1024 * 1024
# What is sorted at a time, and how many such pieces are open.
_PIECE_BYTES = 16 * 1024 * 1024
_PIECES = 200
# Tables compress well, but not so well: an archive that expands further is not of Convex.
_MAX_GROWTH = 200
_SMALL = 1024**3

_TABLE = re.compile(r"((?:_components/[^/]+/)*[A-Za-z_][A-Za-z0-9_]*)/documents\.jsonl")
_OUTSIDE = re.compile(r"/|[A-Za-z]:|(?:.*/)?\.\.(?:/|\Z)|.*[\\\0]", re.DOTALL)
_INDEX = "_tables"
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NOT_READABLE = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError),
)
_AGAIN = "Export or download it again"
Entry = tuple[float, int, bytes]


@dataclass(frozen=True, slots=True)
class Row:
    """A document of a table, as JSON has it: the line that it stands in, counted from 1."""

    value: dict[str, Any]
    line: int
    # Of its text.
    bytes: int


class Snapshot:
    """An open snapshot; a context manager. `tables` has the bytes of each table's text.

    A table inside a component has the component's path before its name. Raises ImportSourceError
    for a file that is no such archive, whole and sane, OSError for one that cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        with self._reading("the file is not a ZIP archive, or it was cut off"):
            self._archive = zipfile.ZipFile(path)
        try:
            self._entries = self._checked(os.stat(path).st_size)
            self.tables = {name: info.file_size for name, info in self._entries.items()}
            self._check_index()
        except BaseException:
            self._archive.close()
            raise
        del self.tables[_INDEX]

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def rows(self, table: str) -> Iterator[Row]:
        """The documents of a table in the order of their creation.

        Raises ImportSourceError for what is not a JSON object on a line, before the first row.
        """
        with ExitStack() as files:
            for _, number, line in _in_order(self._lines(table), files):
                yield Row(parse_json(line), number, len(line))

    def _checked(self, size: int) -> dict[str, zipfile.ZipInfo]:
        """The entry of each table. Raises ImportSourceError for what no export writes."""
        entries: dict[str, zipfile.ZipInfo] = {}
        total = 0
        for info in self._archive.infolist():
            name = info.filename
            if _OUTSIDE.match(name):
                self._fail(f"the archive has an entry {name!r:.80}, which leads out of it")
            total += info.file_size
            found = _TABLE.fullmatch(name)
            if found is None:
                continue
            if found[1] in entries:
                self._fail(f"the archive has two entries {name!r:.80}")
            if info.flag_bits & _ENCRYPTED:
                self._fail("the archive is encrypted", "Unpack it, and pack it without a password")
            if info.compress_type not in _METHODS:
                self._fail(f"{name!r:.80} is compressed as exports are not")
            entries[found[1]] = info
        if total > _SMALL and total > _MAX_GROWTH * size:
            self._fail(f"the archive would expand from {size} to {total} bytes")
        if _INDEX not in entries:
            self._fail(
                "the archive is no snapshot of a Convex deployment",
                "Give what `npx convex export --path snapshot.zip` writes",
            )
        return entries

    def _check_index(self) -> None:
        """Raise ImportSourceError if a table of the deployment is missing in the archive."""
        for _, number, line in self._lines(_INDEX):
            name = parse_json(line).get("name")
            if not isinstance(name, str) or name not in self.tables:
                self._fail(f"the archive lacks the table {name!r:.80}", _AGAIN, _INDEX, line=number)

    def _lines(self, table: str) -> Iterator[Entry]:
        """The lines of a table: when their documents were created, their numbers, their text."""
        damaged = f"{table} is damaged in the archive"
        with self._reading(damaged), self._archive.open(self._entries[table]) as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    self._fail(f"a line is longer than {MAX_LINE} bytes", "", table, number)
                if line := line.strip():
                    yield self._created(table, number, line), number, line

    def _created(self, table: str, number: int, line: bytes) -> float:
        try:
            row = parse_json(line)
        except ValueError as error:
            self._fail(f"a line is not JSON ({error})", "", table, number)
        if not isinstance(row, dict):
            self._fail("a line is not a JSON object", "", table, number)
        created = row.get("_creationTime")
        return float(created) if isinstance(created, (int, float)) else 0.0

    @contextmanager
    def _reading(self, problem: str) -> Iterator[None]:
        """Raise ImportSourceError for what the ZIP reader raises."""
        try:
            yield
        except ImportSourceError:
            raise
        except _NOT_READABLE as error:
            detail = f" ({error})" if str(error) else ""
            raise ImportSourceError(f"{problem}{detail}", _AGAIN, path=self.path) from error

    def _fail(
        self, problem: str, remedy: str = "", table: str | None = None, line: int | None = None
    ) -> NoReturn:
        path = self.path if table is None else f"{self.path}: {table}/documents.jsonl"
        raise ImportSourceError(problem, remedy or _AGAIN, path=path, line=line)


def _in_order(entries: Iterator[Entry], files: ExitStack) -> Iterator[Entry]:
    """The entries in their order; what is written meanwhile is in temporary `files`."""
    pieces: list[IO[bytes]] = []
    piece: list[Entry] = []
    size = 0

    def written(some: Iterator[Entry] | list[Entry]) -> IO[bytes]:
        file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        for created, number, line in some:
            file.write(b"%r %d %b\n" % (created, number, line))
        file.seek(0)
        return file

    def merged() -> Iterator[Entry]:
        return heapq.merge(*map(_read_back, pieces))

    for entry in entries:
        piece.append(entry)
        size += len(entry[2])
        if size >= _PIECE_BYTES:
            piece.sort()
            pieces.append(written(piece))
            piece, size = [], 0
            if len(pieces) == _PIECES:
                whole = written(merged())
                for file in pieces:
                    file.close()
                pieces = [whole]
    piece.sort()
    yield from heapq.merge(merged(), piece)


def _read_back(file: IO[bytes]) -> Iterator[Entry]:
    for text in file:
        created, number, line = text.split(b" ", 2)
        yield float(created), int(number), line[:-1]
