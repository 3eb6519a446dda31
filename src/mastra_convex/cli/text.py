"""Showing text that others wrote: nothing of it may act on the terminal.

What is stored came from models, tools and users. It is escaped where it leaves for a terminal, and
nowhere else: JSON output is exact.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any, NoReturn

import click

# What a terminal acts on or hides: C0 and C1 controls (all escape sequences begin with one), marks
# that reverse or join text unseen, line separators, tags, and surrogates, which cannot be written.
# The zero width joiners stay: scripts and emoji need them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f]"
)
_LAYOUT = re.compile("[\t\n]")
_CUT = "..."
_NARROWEST = 20


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def visible(text: str) -> str:
    """The text with everything that could act on a terminal written as an escape such as \\x1b.

    Line breaks and tabs stay, CRLF is a line break.
    """
    return text if text.isprintable() else _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """As `visible`, with line breaks and tabs as escapes too."""
    return _LAYOUT.sub(_escape, visible(text))


def shorten(text: str, width: int) -> str:
    """The beginning of a text on one line of at most `width` columns, safe to show.

    White space is one space; "..." tells that something was cut.
    """
    # Far more than can be shown, so that a text of megabytes costs no more than a short one.
    beginning = text[: 16 * width]
    line = visible(" ".join(beginning.split()))
    if len(beginning) == len(text) and columns(line) <= width:
        return line
    return line[: _fit(line, 0, max(0, width - len(_CUT)))].rstrip() + _CUT


def wrap(text: str, width: int) -> Iterator[str]:
    """The lines of a safe text, broken at spaces so that they fit into `width` columns."""
    for line in text.split("\n"):
        yield from _broken(line.expandtabs(), max(width, 2))


def _broken(line: str, width: int) -> Iterator[str]:
    position = 0
    while True:
        end = _fit(line, position, width)
        if end >= len(line):
            yield line[position:]
            return
        cut = line.rfind(" ", position + 1, end + 1)
        yield line[position : end if cut < 0 else cut].rstrip()
        position = end if cut < 0 else cut
        while position < len(line) and line[position] == " ":
            position += 1


def columns(text: str) -> int:
    """How many columns of a terminal a line takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def pad(text: str, width: int) -> str:
    """The line, filled with spaces to `width` columns."""
    return text + " " * (width - columns(text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _fit(line: str, start: int, width: int) -> int:
    """Where the characters end that fit into `width` columns from `start` on."""
    if line.isascii():
        return min(len(line), start + width)
    taken = 0
    for position in range(start, len(line)):
        taken += _columns(line[position])
        if taken > width:
            return position
    return len(line)


def terminal_width() -> int:
    """The columns to write in: the terminal's, or COLUMNS, or 80."""
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def readable_json(value: Any) -> str:
    """JSON text for people, not yet safe to show."""
    return value if isinstance(value, str) else _json_text(value, ensure_ascii=False)


def machine_json(value: Any) -> str:
    """JSON text for programs: one line of ASCII, exact, and safe to show."""
    # JSON leaves DEL alone; it stands inside a string if it stands anywhere.
    return _json_text(value).replace("\x7f", "\\u007f")


def _json_text(value: Any, **options: Any) -> str:
    try:
        return json.dumps(value, **options)
    except RecursionError:
        # As deep as could just be read. A thread of its own has more of the stack left.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(json.dumps, value, **options).result()


def moment(milliseconds: float | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A stored time in the zone of this machine."""
    if milliseconds is None:
        return ""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).astimezone().strftime(form)
    except (OverflowError, OSError, ValueError):
        return f"{milliseconds:.16g} ms"  # A year that this platform's calendar does not know.


def size(count: int) -> str:
    """Bytes for people, in decimal units."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def counted(count: int, noun: str) -> str:
    """How many there are of something: `1 thread`, `2,000 threads`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def fail(message: str, code: str | None = None) -> NoReturn:
    """Say on stderr what is wrong, in one line, and end with exit code 1."""
    click.echo(f"error{f' [{code}]' if code else ''}: {one_line(message)}", err=True)
    sys.exit(1)
