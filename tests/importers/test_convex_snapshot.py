"""Snapshots: what is read of them, in which order, and which archives are refused."""

import random
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.importers import convex_snapshot
from mastra_convex.importers.convex_snapshot import MAX_LINE, Snapshot
from mastra_convex.importers.reading import ImportSourceError
from tests.importers.snapshots import everything, write_snapshot

INDEX = ("_tables/documents.jsonl", '{"name":"a","id":10001}\n')
TABLE = ("a/documents.jsonl", '{"_id":"x","_creationTime":1.0}\n')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "snapshot.zip"


def archive(path: Path, *entries: tuple[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries:
            made.writestr(name, content)
    return path


def refusal(path: Path, table: str = "a") -> str:
    """What is said of a snapshot that cannot be read."""
    with pytest.raises(ImportSourceError) as caught, Snapshot(path) as snapshot:
        list(snapshot.rows(table))
    assert caught.value.path is not None
    assert caught.value.path.startswith(str(path))
    return str(caught.value).removeprefix(str(path)).removeprefix(": ")


def test_tables_and_their_rows(file: Path) -> None:
    tables = everything()
    with Snapshot(write_snapshot(file, tables)) as snapshot:
        assert snapshot.tables.keys() == tables.keys()
        for name, rows in tables.items():
            found = list(snapshot.rows(name))
            assert sorted(row.line for row in found) == [*range(1, len(rows) + 1)]
            values = [
                {key: value for key, value in row.value.items() if key[0] != "_"} for row in found
            ]
            assert values == rows
            assert snapshot.tables[name] == sum(row.bytes + 1 for row in found)


def test_what_is_sorted_in_pieces_is_in_the_same_order(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_snapshot(file, {"a": [{"n": n, "text": "ü" * (n % 7)} for n in range(500)]})
    monkeypatch.setattr(convex_snapshot, "_PIECE_BYTES", 1000)
    monkeypatch.setattr(convex_snapshot, "_PIECES", 5)
    with Snapshot(file) as snapshot:
        rows = list(snapshot.rows("a"))
    assert [row.value["n"] for row in rows] == [*range(500)]
    assert [row.value["text"] for row in rows] == ["ü" * (n % 7) for n in range(500)]


def test_memory_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(1)
    rows = [{"text": dice.randbytes(2000).hex()} for _ in range(2500)]
    write_snapshot(file, {"a": rows})
    monkeypatch.setattr(convex_snapshot, "_PIECE_BYTES", 200_000)
    tracemalloc.start()
    try:
        with Snapshot(file) as snapshot:
            assert sum(1 for _ in snapshot.rows("a")) == 2500
            assert snapshot.tables["a"] > 10_000_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("content", [b"", b"PK", b'{"messages": []}', b"PK\x03\x04" + bytes(90)])
def test_what_is_no_archive(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert "is not a ZIP archive, or it was cut off" in refusal(file)


def test_an_archive_of_something_else(file: Path) -> None:
    archive(file, ("word/document.xml", "<x/>"), TABLE)
    assert "is no snapshot of a Convex deployment. Give what `npx convex export" in refusal(file)


def test_an_archive_that_was_cut_off(file: Path) -> None:
    write_snapshot(file, everything(50, 10))
    whole = file.read_bytes()
    for size in (10, 1000, len(whole) // 2, len(whole) - 10, len(whole) - 1):
        file.write_bytes(whole[:size])
        assert "cut off" in refusal(file)


def test_an_archive_that_is_damaged_inside(file: Path) -> None:
    archive(file, INDEX, ("a/documents.jsonl", "".join(f'{{"n":{n}}}\n' for n in range(5000))))
    whole = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as made:
        info = made.getinfo("a/documents.jsonl")
        middle = info.header_offset + 50 + info.compress_size // 2
    whole[middle : middle + 20] = bytes(20)
    file.write_bytes(whole)
    assert "Export or download it again" in refusal(file)


@pytest.mark.parametrize(
    "name",
    ["../a/documents.jsonl", "/a/documents.jsonl", "a/../../b", "C:/x", "a\\b", "..", "a/.."],
)
def test_a_name_that_leads_out_of_the_archive(file: Path, name: str) -> None:
    archive(file, INDEX, TABLE, (name, "x"))
    assert "which leads out of it" in refusal(file)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_table_that_is_there_twice(file: Path) -> None:
    archive(file, INDEX, TABLE, TABLE)
    assert "two entries 'a/documents.jsonl'" in refusal(file)


def test_a_table_that_is_missing(file: Path) -> None:
    archive(file, INDEX)
    assert refusal(file).startswith("_tables/documents.jsonl: line 1: the archive lacks the table")
    for name in ("[]", "null", "5", '"' + "x" * 200 + '"'):
        archive(file, ("_tables/documents.jsonl", f'{{"name":{name}}}\n'), TABLE)
        assert "lacks the table" in refusal(file)


def test_an_archive_that_is_encrypted(file: Path) -> None:
    archive(file, INDEX, TABLE)
    whole = bytearray(file.read_bytes())
    at = 0
    while (at := whole.find(b"PK\x01\x02", at)) >= 0:
        whole[at + 8] |= 1
        at += 4
    file.write_bytes(whole)
    assert "the archive is encrypted" in refusal(file)


def test_a_compression_that_exports_do_not_have(file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as made:
        made.writestr(*INDEX)
    assert "compressed as exports are not" in refusal(file)


def test_an_archive_that_expands_without_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One line of zeros; and, where lines are short, an archive that is nothing but them.
    archive(file, INDEX, ("a/documents.jsonl", bytes(MAX_LINE + 5)))
    assert f"line 1: a line is longer than {MAX_LINE} bytes" in refusal(file)
    archive(file, INDEX, ("a/documents.jsonl", b"\n" * 2_000_000))
    monkeypatch.setattr(convex_snapshot, "_SMALL", 1_000_000)
    assert "the archive would expand from " in refusal(file)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "a line is not JSON"),
        ('{"a":1}{"b":2}', "a line is not JSON"),
        ('{"a":NaN}', "a line is not JSON"),
        ("[1]", "a line is not a JSON object"),
        ("null", "a line is not a JSON object"),
        ("[" * 100_000, "a line is not JSON"),
        (b"\xff", "a line is not JSON"),
        ('{"a":"\x00"}', "a line is not JSON"),
    ],
)
def test_a_line_that_is_no_document(file: Path, line: Any, said: str) -> None:
    text = line.encode() if isinstance(line, str) else line
    archive(file, INDEX, ("a/documents.jsonl", b'{"n":1}\n\n' + text + b"\n"))
    found = refusal(file)
    assert found.startswith("a/documents.jsonl: line 3: ")
    assert said in found
