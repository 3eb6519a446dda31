"""Streaming reader for files of records: a JSON array, one JSON object, or JSON Lines.

In goes a path, out come the records one by one, each with the bytes consumed so far. Memory is
bounded by the largest record and one chunk, never by the file.
"""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from typing import Any, NoReturn

DEFAULT_CHUNK_SIZE = 256 * 1024

# A byte order mark is skipped wherever space may stand: files joined with `cat` have them inside.
_SPACE = re.compile("[ \t\r\n\ufeff]*")

# json names the end of the text, or the start of the token cut there, as the place of the error.
# The longest token it cannot recognise in part is a surrogate pair of escapes (12 characters).
_LONGEST_TOKEN = 16
_CUT_TOKEN = re.compile(r"\s*|[\w.+\\-]+")

_KINDS = {"[": "a list", '"': "text", "t": "true", "f": "false", "n": "null", "-": "a number"}
_KINDS.update(dict.fromkeys("0123456789", "a number"))

_CUT = "The file was cut off; write or download it again"


class ImportSourceError(ValueError):
    """A source that cannot be imported: what is wrong, where, and what to do about it.

    Records, messages and lines count from 1, `offset` is in bytes from 0. What is not known is
    None; who knows the file may set `path` later, the text follows.
    """

    def __init__(
        self,
        problem: str,
        remedy: str,
        *,
        path: str | None = None,
        record: int | None = None,
        message: int | None = None,
        line: int | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy
        self.path = path
        self.record = record
        self.message = message
        self.line = line
        self.offset = offset

    def __str__(self) -> str:
        places = {"record": self.record, "message": self.message, "line": self.line}
        places["byte"] = self.offset
        where = ", ".join(f"{name} {at}" for name, at in places.items() if at is not None)
        return ": ".join(filter(None, (self.path, where, f"{self.problem}. {self.remedy}.")))


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file: its content, its index from 0, the bytes of the file up to its end."""

    value: dict[str, Any]
    index: int
    bytes_read: int


def read_records(
    path: str | os.PathLike[str], *, chunk_size: int = DEFAULT_CHUNK_SIZE
) -> Iterator[Record]:
    """Yield the records of the file at `path`, in order.

    The file is a JSON array of objects, a single object, or objects one after the other (JSON
    Lines, but an object may also span lines). It is opened when the first record is asked for.
    A record is given out before what follows it is looked at. Raises ImportSourceError for a file
    that is none of these, OSError for one that cannot be opened.
    """
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, not {chunk_size}")
    with open(path, "rb", buffering=0) as file:
        source = _Source(file, os.fspath(path), chunk_size)
        first = source.peek()
        if not first:
            source.fail("the file is empty", "Give a file with at least one conversation")
        if first == "[":
            yield from _array(source)
        elif first == "{":
            yield from _sequence(source)
        elif first == "\x1f":
            source.fail("the file is compressed with gzip", "Unpack it first")
        else:
            source.fail(
                f"a JSON array or object was expected, not {first!r}",
                "Give a JSON array of conversations or one JSON object per line",
            )


def _array(source: _Source) -> Iterator[Record]:
    source.skip()
    if source.peek() != "]":
        yield source.record()
        while source.peek() == ",":
            source.skip()
            if source.peek() == "]":
                source.fail("a comma stands before the closing bracket", "Remove the comma")
            yield source.record()
    if (found := source.peek()) != "]":
        source.expect_more()
        source.fail(f"a comma or ']' was expected, not {found!r}", "Correct the file there")
    source.skip()
    if source.peek():
        source.fail(
            "text follows the end of the array", "Keep one array per file, or one object per line"
        )


def _sequence(source: _Source) -> Iterator[Record]:
    while found := source.peek():
        if found == ",":
            source.fail(
                "a comma stands between two records outside an array",
                "Remove the comma, or put [ ] around all",
            )
        yield source.record()


class _Source:
    """The text of a file from the next unread character on, as far as it has been needed."""

    def __init__(self, file: FileIO, path: str, chunk_size: int) -> None:
        self.file = file
        self.path = path
        self.chunk_size = chunk_size
        self.decode = json.JSONDecoder(parse_constant=self.refuse_constant).raw_decode
        self.text = ""
        self.position = 0  # the next character of `text`
        self.mark = 0  # the character of `text` that stands at byte `offset` of the file
        self.offset = 0
        self.line = 1  # the line in which `text` begins
        self.pending = b""  # the beginning of a character that was cut at a chunk's end
        self.damage: tuple[str, str] | None = None  # what is wrong behind the end of `text`
        self.count = 0

    def peek(self) -> str:
        """The next character that is not space, left unread, or "" at the end of the file."""
        while True:
            self.position = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]
            if self.position < len(self.text):
                return self.text[self.position]
            if not self.more():
                return ""

    def skip(self) -> None:
        """Leave the character behind that `peek` has shown."""
        self.position += 1

    def expect_more(self) -> None:
        """Raise the error for a file that ends where its array goes on."""
        if not self.peek():
            self.fail(f"the file ends after {self.count} records, inside its array", _CUT)

    def record(self) -> Record:
        """The object that comes next."""
        if (found := self.peek()) != "{":
            self.expect_more()
            self.fail(
                f"{_KINDS.get(found, repr(found))} stands where a record should",
                "Every record must be a JSON object",
            )
        value = self.parse()
        self.count += 1
        return Record(value, self.count - 1, self.advance())

    def parse(self) -> dict[str, Any]:
        """Read the object at the position, however many chunks it takes."""
        while True:
            try:
                value, self.position = self.decode(self.text, self.position)
                return value  # type: ignore[no-any-return]
            except json.JSONDecodeError as error:
                unterminated = error.msg.startswith("Unterminated string")
                at_end = unterminated or error.pos >= len(self.text) - _LONGEST_TOKEN
                place = error.pos - self.position
                if at_end and self.more():
                    continue
                place += self.position  # which `more` has moved
                if unterminated or (at_end and _CUT_TOKEN.fullmatch(self.text, place)):
                    self.fail("the file ends inside the record that begins here", _CUT)
                self.fail(f"the record is not JSON: {error.msg}", "Correct that place", place)
            except RecursionError:
                self.fail("the record is nested too deeply", "Flatten it")
            except ImportSourceError:
                raise
            except ValueError:  # what is left: an integer of more digits than Python converts
                self.fail("an integer in the record is too long", "Write it as text, in quotes")

    def more(self) -> bool:
        """Append the next chunk to the unread text; False at the end of the file."""
        if self.damage is not None:
            # The text now ends where the damage begins.
            self.fail(*self.damage, at=len(self.text))
        self.advance()
        self.line += self.text.count("\n", 0, self.position)
        rest = self.text[self.position :]
        # A record that does not fit is tried again with twice the text, not with a chunk more:
        # otherwise its time would grow with the square of its size.
        chunk = self.file.read(max(self.chunk_size, len(rest)))
        data = self.pending + chunk
        try:
            text, used = codecs.utf_8_decode(data, "strict", not chunk)
        except UnicodeDecodeError as error:
            # What is readable comes first, so that no record before the damage is withheld.
            text, used = data[: error.start].decode(), len(data)
            at_start = self.offset == 0 and not rest and not text
            self.damage = _damage(data[error.start :], at_start, cut=not chunk)
        self.pending = data[used:]
        self.text, self.position, self.mark = rest + text, 0, 0
        return bool(chunk) or self.damage is not None

    def advance(self) -> int:
        """Count the bytes up to the position, and give the position's offset in the file."""
        self.offset += self.size(self.position)
        self.mark = self.position
        return self.offset

    def size(self, end: int) -> int:
        """The bytes from the mark to the character `end`."""
        if self.text.isascii():
            return end - self.mark
        return len(self.text[self.mark : end].encode())

    def fail(self, problem: str, remedy: str, at: int | None = None) -> NoReturn:
        """Raise the error for the character `at`, or for the next one."""
        at = self.position if at is None else at
        raise ImportSourceError(
            problem,
            remedy,
            path=self.path,
            record=self.count + 1,
            line=self.line + self.text.count("\n", 0, at),
            offset=self.offset + self.size(at),
        )

    def refuse_constant(self, name: str) -> NoReturn:
        """Called by the decoder for NaN and the infinities, which Python writes and JSON lacks."""
        self.fail(f"{name} in the record is not JSON", "Write null or text instead")


def _damage(bad: bytes, at_start: bool, cut: bool) -> tuple[str, str]:
    """What is wrong with bytes that are not UTF-8, and what to do."""
    if at_start and bad.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "the file is UTF-16", "Save it as UTF-8"
    if cut:
        return "the file ends inside a character", _CUT
    return f"byte 0x{bad[0]:02x} is not UTF-8", "Save the file as UTF-8"
