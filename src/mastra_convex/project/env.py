"""One variable in a .env file. Everything else in the file stays as it is, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# An assignment, with its value in quotes, over several lines perhaps, or plain to the end of the
# line; or any other line. As dotenv reads it.
_STATEMENT = re.compile(
    rb"""
    [ \t]* (?:export[ \t]+)? (?P<name>[\w.-]+) [ \t]* = [ \t]*
    (?:
        (?P<quote>["'`]) (?P<quoted> (?: \\. | (?!(?P=quote))[^\\] )* ) (?P=quote) [^\r\n]*
      | (?P<plain> [^\r\n]* )
    ) (?P<end> \r\n | \n | \r | \Z )
    | [^\r\n]* (?: \r\n | \n | \r | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)
_BOM = b"\xef\xbb\xbf"


class _Assignment(NamedTuple):
    start: int
    end: int
    value: bytes
    line_end: bytes


def get_variable(content: bytes, name: str) -> str | None:
    """The value of a variable in a .env file, or None; the last assignment counts."""
    values = [found.value for found in _assignments(content, name)]
    return values[-1].decode("utf-8", "replace") if values else None


def set_variable(content: bytes, name: str, value: str) -> bytes:
    """The content with the variable set: where it is, everywhere it is, or else at the end."""
    line = f"{name}={value}".encode()
    pieces, position = [], 0
    for found in _assignments(content, name):
        pieces += [content[position : found.start], line, found.line_end]
        position = found.end
    if pieces:
        return b"".join([*pieces, content[position:]])
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    open_line = content and content != _BOM and not content.endswith((b"\n", b"\r"))
    return content + (newline if open_line else b"") + line + newline


def _assignments(content: bytes, name: str) -> Iterator[_Assignment]:
    position = len(_BOM) if content.startswith(_BOM) else 0
    while position < len(content):
        found = _STATEMENT.match(content, position)
        assert found is not None  # Its last alternative is any line.
        if found["name"] == name.encode():
            if found["quote"]:
                value = found["quoted"]
            else:
                value = re.split(rb"(?:^|[ \t])#", found["plain"], maxsplit=1)[0].strip()
            yield _Assignment(found.start(), found.end(), value, found["end"])
        position = found.end()
