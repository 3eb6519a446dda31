"""Streaming of records: every layout, every chunk size, every way a file can be broken."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import random
import time
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mastra_convex.importers.reading import ImportSourceError, Record, read_records

Layout = Callable[[list[Any]], str]

LAYOUTS: dict[str, Layout] = {
    "array": json.dumps,
    "array, indented": lambda records: json.dumps(records, indent=2, ensure_ascii=False),
    "array, compact": lambda records: json.dumps(records, separators=(",", ":")),
    "lines": lambda records: "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records),
    "lines, windows": lambda records: "\r\n".join(map(json.dumps, records)),
    "lines, blank ones": lambda records: "\n\n" + " \n\n".join(map(json.dumps, records)) + "\n\n\n",
    "lines, marks": lambda records: "\n".join("\ufeff" + json.dumps(one) for one in records),
    "indented objects": lambda records: "\n".join(json.dumps(one, indent=1) for one in records),
    "nothing between": lambda records: "".join(map(json.dumps, records)),
}

ODD_RECORDS: list[dict[str, Any]] = [
    {"id": 2**70, "n": -1.5e-7, "empty": {}, "list": [[], [1, 2.0, True, None]]},
    {
        "text": "caf\u00e9 \u65e5\u672c \U0001f600",
        "\u00fc": "",
        "esc": 'a "b" \\ \n \u0000 {[,]}',
    },
    {},
    {"nested": {"deeper": [{"deepest": "x" * 300}]}},
    {"": ""},
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
records_of_any_kind = st.lists(st.dictionaries(st.text(max_size=5), json_values, max_size=4))


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "source.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def values(records: Iterable[Record]) -> list[Any]:
    return [record.value for record in records]


def outcome(path: Path, chunk_size: int) -> tuple[list[Record], str]:
    """The records that were given out, and the text of the error that ended it, if one did."""
    found = []
    try:
        for record in read_records(path, chunk_size=chunk_size):
            found.append(record)
    except ImportSourceError as error:
        return found, str(error)
    return found, ""


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_with_every_small_chunk(tmp_path: Path, layout: Layout) -> None:
    text = layout(ODD_RECORDS)
    path = write(tmp_path, text)
    whole = list(read_records(path))
    assert values(whole) == ODD_RECORDS
    assert [record.index for record in whole] == list(range(len(ODD_RECORDS)))
    for chunk_size in (*range(1, 70), 257, len(text) - 1, len(text)):
        assert list(read_records(path, chunk_size=chunk_size)) == whole


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_bytes_read_ends_with_the_record(tmp_path: Path, layout: Layout) -> None:
    path = write(tmp_path, layout(ODD_RECORDS))
    raw = path.read_bytes()
    start = 0
    for record in read_records(path, chunk_size=13):
        piece = raw[start : record.bytes_read].decode().lstrip("\ufeff\r\n ,[")
        assert json.loads(piece) == record.value
        start = record.bytes_read
    assert raw[start:].decode().strip() in ("", "]")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    "body", [b'{"a": 1}', b' \r\n{"a":\n1}\r\n', b'[{"a": 1}]', b'\n[ {"a":1} ]\n']
)
def test_a_single_record_with_or_without_byte_order_mark(
    tmp_path: Path, mark: bytes, body: bytes
) -> None:
    path = write(tmp_path, mark + body)
    for chunk_size in (1, 2, 100):
        assert values(read_records(path, chunk_size=chunk_size)) == [{"a": 1}]


def test_an_empty_array_has_no_records(tmp_path: Path) -> None:
    assert list(read_records(write(tmp_path, " [ ] \n"), chunk_size=1)) == []


def test_exact_numbers_and_surrogates(tmp_path: Path) -> None:
    path = write(tmp_path, b'[{"n": 123456789012345678901234567890, "f": 1.0, "s": "\\ud800"}]')
    (record,) = read_records(path, chunk_size=3)
    assert record.value == {"n": 123456789012345678901234567890, "f": 1.0, "s": "\ud800"}
    assert isinstance(record.value["n"], int)
    assert isinstance(record.value["f"], float)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=records_of_any_kind,
    layout=st.sampled_from(list(LAYOUTS.values())),
    chunk=st.integers(1, 400),
)
@example(records=[{"a": 1.5e300}] * 3, layout=LAYOUTS["array, compact"], chunk=9)
def test_any_records_come_back(
    tmp_path: Path, records: list[Any], layout: Layout, chunk: int
) -> None:
    text = layout(records)
    path = write(tmp_path, text)
    if text.strip():
        assert values(read_records(path, chunk_size=chunk)) == records
    else:
        with pytest.raises(ImportSourceError, match="empty"):
            list(read_records(path, chunk_size=chunk))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_file_cut_anywhere_gives_what_is_whole_and_says_that_it_is_cut(
    tmp_path: Path, layout: Layout
) -> None:
    raw = layout(ODD_RECORDS).encode()
    ends = [record.bytes_read for record in read_records(write(tmp_path, raw))]
    for cut in range(len(raw)):
        path = write(tmp_path, raw[:cut])
        found, error = outcome(path, 64)
        assert found == outcome(path, 1)[0]
        assert values(found) == ODD_RECORDS[: sum(end <= cut for end in ends)]
        between = raw[max((end for end in ends if end <= cut), default=0) : cut]
        if raw.startswith(b"[") and between.strip() != b"]":
            assert error
        elif not raw.startswith(b"["):
            assert bool(error) == (
                bool(between.decode(errors="replace").strip("\ufeff \r\n")) or not found
            )


def test_a_byte_changed_anywhere_never_ends_in_another_error(tmp_path: Path) -> None:
    raw = LAYOUTS["array, indented"](ODD_RECORDS).encode()
    chance = random.Random(5)
    failures = 0
    for at in range(len(raw)):
        broken = bytearray(raw)
        broken[at] = chance.choice(b'\x00\xff\x80\n"{}[],:x1')
        path = write(tmp_path, bytes(broken))
        results = [outcome(path, chunk_size) for chunk_size in (1, 50, 10**6)]
        assert results[0] == results[1] == results[2]
        failures += bool(results[0][1])
    assert failures > len(raw) / 4


CUT = "The file was cut off"
BROKEN: dict[str, tuple[str | bytes, str, str, int | None, int, int]] = {
    # content; problem, remedy; record, line, byte
    "empty": ("", "is empty", "at least one", 1, 1, 0),
    "blank": ("\ufeff \n\n", "is empty", "at least one", 1, 3, 6),
    "not JSON": ("hello", "expected, not 'h'", "JSON array", 1, 1, 0),
    "a number": ("17", "expected, not '1'", "JSON array", 1, 1, 0),
    "cut in a record": ('{"a": 1}\n{"b": [1, 2', "ends inside the record", CUT, 2, 2, 9),
    "cut in text": ('[{"a": 1},\n{"b": "xyz', "ends inside the record", CUT, 2, 2, 11),
    "cut in a number": ('{"a": -', "ends inside the record", CUT, 1, 1, 0),
    "cut in a word": ('{"a": tru', "ends inside the record", CUT, 1, 1, 0),
    "cut in an escape": ('{"a": "\\ud83d\\ud', "ends inside the record", CUT, 1, 1, 0),
    "cut between": ('[{"a": 1}, ', "ends after 1 record", CUT, 2, 1, 11),
    "cut before ]": ('[{"a": 1}', "ends after 1 record", CUT, 2, 1, 9),
    "cut at once": ("[", "ends after 0 records", CUT, 1, 1, 1),
    "cut in a letter": ('[{"a": "\u00fc'.encode()[:-1], "inside a character", CUT, 1, 1, 8),
    "number in array": ('[{"a": 1}, 7]', "a number stands", "JSON object", 2, 1, 11),
    "list in array": ('[{"a": 1},\n [1]]', "a list stands", "JSON object", 2, 2, 12),
    "text on a line": ('{"a": 1}\n"x"\n', "text stands", "JSON object", 2, 2, 9),
    "null in array": ("[null]", "null stands", "JSON object", 1, 1, 1),
    "letter in array": ("[x]", "'x' stands", "JSON object", 1, 1, 1),
    "comma at the end": ('[{"a": 1},\n]', "comma stands before", "Remove", 2, 2, 11),
    "semicolon": ('[{"a": 1; "b": 2}, {}]', "is not JSON", "Correct", 1, 1, 8),
    "bad end": ('[{"a": 1]', "is not JSON", "Correct", 1, 1, 8),
    "no comma": ('[{"a": 1} {"b": 2}]', "or ']' was expected, not '{'", "Correct", 2, 1, 10),
    "commas between lines": ('{"a": 1},\n{"b": 2}', "outside an array", "[ ]", 2, 1, 8),
    "bad word": ('\n\n{"a": nul, "b": "long enough to be far"}', "is not JSON", "Correct", 1, 3, 8),
    "bad word, wide": ('{"\u00fc": nul, "b": "long enough, too"}', "not JSON", "Correct", 1, 1, 7),
    "line in text": ('{"a": "x\ny", "b": "long enough to be far"}', "control", "Correct", 1, 1, 8),
    "after the array": ('[{"a": 1}]\n[]', "follows the end", "one array", 2, 2, 11),
    "not UTF-8": (b'{"a": 1}\n{"b": "\xe4"}', "byte 0xe4 is not UTF-8", "as UTF-8", 2, 2, 16),
    "mark of UTF-16, late": (b'{"a": 1}\n\xff\xfe', "byte 0xff is not", "as UTF-8", 2, 2, 9),
    "no mark of UTF-16": (b'\xfd{"a": 1}', "byte 0xfd is not", "as UTF-8", 1, 1, 0),
    "NaN": ('{"a": 1}\n{"b": NaN}', "NaN in the record", "null", 2, 2, 9),
    "infinity": ('{"b": [-Infinity]}', "-Infinity in the record", "null", 1, 1, 0),
    "deep": ('{"a": ' + "[" * 200_000, "too deeply", "Flatten", 1, 1, 0),
    "long number": ('{"a": ' + "1" * 5000 + "}", "too long", "as text", 1, 1, 0),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_told_with_place_and_remedy(tmp_path: Path, case: str) -> None:
    content, problem, remedy, record, line, offset = BROKEN[case]
    path = write(tmp_path, content)
    for chunk_size in (1, 7, 1 << 20):
        with pytest.raises(ImportSourceError) as caught:
            list(read_records(path, chunk_size=chunk_size))
        error = caught.value
        assert problem in error.problem
        assert remedy in error.remedy
        assert (error.record, error.line, error.offset) == (record, line, offset)
        assert str(error).startswith(f"{path}: record {record}, line {line}, byte {offset}: ")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[{"a": 1}]'.encode("utf-16"), "UTF-16"),
        (gzip.compress(b'[{"a": 1}]', mtime=0), "gzip"),
    ],
)
def test_files_of_another_kind_are_recognised(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(ImportSourceError, match=problem):
        list(read_records(write(tmp_path, content)))


def test_records_before_damage_are_given_out(tmp_path: Path) -> None:
    raw = b'{"n": 0}\n{"n": 1}\n{"n": 2}\xff'
    for chunk_size in (1, 10, 1000):
        found, error = outcome(write(tmp_path, raw), chunk_size)
        assert [record.value["n"] for record in found] == [0, 1, 2]
        assert "0xff" in error


def test_an_unreadable_path_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(read_records(tmp_path / "missing.json"))
    with pytest.raises(IsADirectoryError):
        next(read_records(tmp_path))


def test_the_chunk_size_is_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="chunk_size"):
        next(read_records(write(tmp_path, "[]"), chunk_size=0))


def test_leaving_early_closes_the_file(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    path = write(tmp_path, LAYOUTS["lines"](ODD_RECORDS))
    records = read_records(path, chunk_size=1)
    next(records)
    records.close()  # type: ignore[attr-defined]
    if descriptors.exists():
        assert str(path) not in [os.path.realpath(one) for one in descriptors.iterdir()]
    assert list(records) == []


def test_one_large_record_in_small_chunks_takes_time_in_proportion(tmp_path: Path) -> None:
    # Parsed anew for each chunk of 512 bytes, this would take minutes instead of a second.
    record = {"messages": [{"role": "user", "content": f"text \u00fc {n}"} for n in range(120_000)]}
    for layout in ("array", "lines"):
        path = write(tmp_path, LAYOUTS[layout]([record, {"last": True}]))
        start = time.perf_counter()
        assert values(read_records(path, chunk_size=512)) == [record, {"last": True}]
        assert time.perf_counter() - start < 20


def test_many_small_records_in_one_wide_chunk_take_time_in_proportion(tmp_path: Path) -> None:
    # Counting the bytes from the chunk's beginning for each record would take minutes.
    path = write(tmp_path, '{"a": "\u00fc"}\n' * 200_000)
    start = time.perf_counter()
    assert sum(1 for _ in read_records(path, chunk_size=1 << 24)) == 200_000
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("layout", ["array", "lines"])
def test_memory_is_bounded_by_the_record(tmp_path: Path, layout: str) -> None:
    path = write(tmp_path, LAYOUTS[layout]([{"n": n, "text": "x" * 1000} for n in range(12_000)]))
    size = path.stat().st_size
    assert size > 12_000_000
    tracemalloc.start()
    try:
        last = 0
        for record in read_records(path, chunk_size=1 << 16):
            last = record.bytes_read
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size - 3 < last <= size
    assert peak < 1_000_000


def test_an_early_mistake_does_not_read_the_file_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path, '[{"a": oops, ' + '"b": [1, 2, 3], ' * 500_000)
    tracemalloc.start()
    try:
        with pytest.raises(ImportSourceError, match="byte 7: the record is not JSON"):
            list(read_records(path, chunk_size=1 << 16))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_the_text_of_an_error_follows_the_path() -> None:
    error = ImportSourceError("it is odd", "Make it even", record=3, message=4)
    assert str(error) == "record 3, message 4: it is odd. Make it even."
    error.path = "runs.jsonl"
    assert str(error) == "runs.jsonl: record 3, message 4: it is odd. Make it even."
    assert str(ImportSourceError("it is odd", "Make it even")) == "it is odd. Make it even."
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def real_file() -> Path | None:
    """The recorded conversations beside the repository, where there are some."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("MASTRA_CONVEX_DATA", beside))
    path = folder / "tau-bench-airline-gpt-4o.json"
    return path if path.exists() else None


def test_recorded_conversations(tmp_path: Path) -> None:
    path = real_file()
    if path is None:
        conversations = [
            {"id": n, "messages": [{"role": "user", "content": "x" * n}]} for n in range(300)
        ]
        path = write(tmp_path, LAYOUTS["array, indented"](conversations))
    expected = json.loads(path.read_bytes())
    assert values(read_records(path)) == expected
    for chunk_size in (1000, 65_537):
        assert values(read_records(path, chunk_size=chunk_size)) == expected
