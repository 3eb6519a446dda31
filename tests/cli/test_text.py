import json
import sys
import time
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_convex.cli import text as shown
from mastra_convex.cli.text import (
    columns,
    counted,
    fail,
    machine_json,
    moment,
    one_line,
    pad,
    readable_json,
    shorten,
    size,
    terminal_width,
    visible,
    wrap,
)
from mastra_convex.values.payload import open_payload

EVERYTHING = "".join(map(chr, range(sys.maxunicode + 1)))
# All text that Python can hold, lone surrogates and controls included.
any_text = st.text(st.characters(codec=None))
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=10,
)


def is_safe(character: str) -> bool:
    """By Unicode's own properties, not by the list that the code has."""
    if character in "\n\t":
        return True
    if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
        return False
    directing = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return unicodedata.bidirectional(character) not in directing


def test_nothing_that_acts_on_a_terminal_stays() -> None:
    assert {c for c in visible(EVERYTHING) if not is_safe(c)} == set()
    assert {c for c in one_line(EVERYTHING) if not is_safe(c) or c in "\n\t"} == set()
    visible(EVERYTHING).encode()


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("over\rwritten\b\x7f\0", "over\\x0dwritten\\x08\\x7f\\x00"),
        ("a\u202eb\u2066c\u200fd", "a\\u202eb\\u2066c\\u200fd"),
        ("half \ud83d", "half \\ud83d"),
        ("hidden\U000e0041tag\ufeff", "hidden\\U000e0041tag\\ufeff"),
        ("line\u2028line", "line\\u2028line"),
    ],
)
def test_escapes_are_visible(text: str, safe: str) -> None:
    assert visible(text) == safe


@pytest.mark.parametrize(
    "text",
    [
        "plain text",
        "line\n\tindented",
        "C:\\temp \\x1b",
        "naïve Straße 東京 नमस्ते مرحبا שלום",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert visible(text) == text


def test_a_line_break_of_windows_is_a_line_break() -> None:
    assert visible("a\r\nb") == "a\nb"
    assert one_line("a\r\nb\tc") == "a\\x0ab\\x09c"


@settings(deadline=None)
@given(any_text, st.integers(3, 60))
def test_shortened_text_fits(text: str, width: int) -> None:
    line = shorten(text, width)
    assert columns(line) <= width
    assert all(is_safe(c) and c not in "\n\t" for c in line)


def test_shortened_text_tells_that_it_was_cut() -> None:
    assert shorten("  one\n two ", 20) == "one two"
    assert shorten("one two three", 10) == "one two..."
    assert shorten("東京都庁舎", 8) == "東京..."
    assert shorten("x" * 10_000_000, 8) == "xxxxx..."
    assert shorten("x" + " " * 10_000_000, 8) == "x..."


@settings(deadline=None)
@given(any_text, st.integers(2, 60))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = list(wrap(visible(text), width))
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(visible(text).split())


def test_lines_break_at_spaces() -> None:
    assert list(wrap("one two three\n\n  four five", 9)) == [
        "one two",
        "three",
        "",
        "  four",
        "five",
    ]
    assert list(wrap("abcdefghij", 4)) == ["abcd", "efgh", "ij"]
    assert list(wrap("東京 大阪", 5)) == ["東京", "大阪"]
    assert list(wrap("", 5)) == [""]


@pytest.mark.parametrize("text", ["x" * 2_000_000, "word " * 400_000, "語" * 300_000])
def test_wrapping_a_long_line_takes_no_longer_than_reading_it(text: str) -> None:
    begin = time.perf_counter()
    assert sum(1 for _ in wrap(text, 80)) > 5000
    assert time.perf_counter() - begin < 5  # A quadratic algorithm takes minutes.


def test_columns_are_those_of_a_terminal() -> None:
    assert columns("abc") == 3
    assert columns("東京") == 4
    assert columns("e\u0301") == 1
    assert pad("東", 4) == "東  "


@settings(deadline=None)
@given(json_values)
def test_json_for_programs_is_exact_and_safe(value: Any) -> None:
    text = machine_json(value)
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == value


def test_json_for_people_is_readable() -> None:
    assert readable_json({"city": "Zürich"}) == '{"city": "Zürich"}'
    assert readable_json("as it is") == "as it is"


def test_what_could_be_read_can_be_shown() -> None:
    limit = sys.getrecursionlimit()
    for depth in range(limit - 100, limit):
        text = "[" * depth + "]" * depth
        value = open_payload(text)
        if value != text:
            assert readable_json(value) == text
            assert machine_json({"a": {"b": value}}) == f'{{"a": {{"b": {text}}}}}'


def test_moments_never_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert moment(0, "%Y") in {"1969", "1970"}  # by the zone of this machine
    assert moment(1714557600000).startswith("2024-0")
    assert moment(None) == ""
    assert moment(8.64e15) == "8640000000000000 ms"
    assert moment(-1e300).endswith(" ms")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (7_300_000, "7.3 MB"),
        (2 * 10**13, "20000.0 GB"),
    ],
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text


def test_one_is_one_and_more_are_more() -> None:
    assert [counted(n, "thread") for n in (0, 1, 2000)] == [
        "0 threads",
        "1 thread",
        "2,000 threads",
    ]


def test_the_width_has_a_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "3")
    assert terminal_width() == 20
    monkeypatch.setenv("COLUMNS", "132")
    assert terminal_width() == 132


def test_failing_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        fail("no \x1b[2J\nline", "SOME_CODE")
    assert stopped.value.code == 1
    with pytest.raises(SystemExit):
        fail("plain")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error [SOME_CODE]: no \\x1b[2J\\x0aline\nerror: plain\n"


def test_the_list_of_unsafe_characters_has_no_letters() -> None:
    unsafe = set(shown._UNSAFE.findall(EVERYTHING))
    assert {unicodedata.category(c) for c in unsafe} <= {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
