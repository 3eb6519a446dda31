"""Fields of a source's record: by path, by template, and as times. Pure."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NoReturn

from mastra_convex.importers.reading import ImportSourceError

MISSING: Any = object()


def find_field(record: Mapping[str, Any], path: str | None) -> Any:
    """The field at a dotted path, or `MISSING`."""
    if path is None:
        return MISSING
    found: Any = record
    for key in _keys(record, path):
        if not isinstance(found, Mapping) or key not in found:
            return MISSING
        found = found[key]
    return found


def _keys(record: Mapping[str, Any], path: str) -> list[str]:
    return [path] if path in record else path.split(".")


def without_fields(record: Mapping[str, Any], paths: Sequence[str | None]) -> dict[str, Any]:
    """A copy of the record without the fields at `paths`; objects on the way are copied too."""
    rest = dict(record)
    for path in filter(None, paths):
        if find_field(rest, path) is MISSING:
            continue
        *parents, last = _keys(rest, path)
        level = rest
        for key in parents:
            level[key] = dict(level[key])
            level = level[key]
        del level[last]
    return rest


def kind_of(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else json.dumps(value)


# --- Times ---

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)


def milliseconds(value: Any) -> int | None:
    """Epoch milliseconds of a time given in seconds, milliseconds or ISO text (UTC unless it says
    otherwise); None for what is no time, which is no error: the field may mean something else.
    """
    if isinstance(value, str):
        text = value.strip()
        if not re.fullmatch(r"[0-9]{1,14}(\.[0-9]+)?", text):
            return _iso_milliseconds(text)
        value = float(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e14:
        return None
    # 1e11 is the year 5138 in seconds and 1973 in milliseconds.
    return round(value * 1000) if value < 1e11 else round(value)


def _iso_milliseconds(text: str) -> int | None:
    if not (found := _ISO.fullmatch(text)):
        return None
    date, minutes, seconds, fraction, zone = found.groups(default="")
    zone = "+00:00" if zone in ("", "Z", "z") else zone[:3] + ":" + (zone[3:].lstrip(":") or "00")
    time = f"{date}T{minutes or '00:00'}:{seconds or '00'}.{fraction[:6]:0<6}{zone}"
    try:
        at = (datetime.fromisoformat(time) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None
    return at if at > 0 else None


# --- Templates ---

_LOOKUP = re.compile(r"[^.\[\]]+(\[[^\[\]]+\])*")
_LOOKUP_REMEDY = "Look fields up as in {task_id} or {info[task][user_id]}"


@lru_cache
def compile_template(template: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The texts of a template, each with the keys of the value that follows it.

    The syntax is that of `str.format` with item lookups alone: a template comes from a command
    line, and attributes would let it look into the program. Raises ImportSourceError.
    """
    pieces: list[tuple[str, tuple[str, ...]]] = []
    try:
        fields = list(string.Formatter().parse(template))
    except ValueError as error:
        _refuse_template(template, str(error), "Write {{ and }} for braces that are text")
    for literal, name, spec, conversion in fields:
        if name is None:
            pieces.append((literal, ()))
            continue
        if not name or name.isdigit():
            _refuse_template(template, "it has a field without a name", _LOOKUP_REMEDY)
        if not _LOOKUP.fullmatch(name):
            _refuse_template(template, f"{name!r} is not a lookup of items", _LOOKUP_REMEDY)
        if spec or conversion:
            what = f"{name!r} has a conversion or a format"
            _refuse_template(template, what, "Leave out what follows ! or :")
        keys = re.findall(r"[^\[\]]+", name)
        pieces.append((literal, tuple(keys)))
    return tuple(pieces)


def render(template: str, record: Mapping[str, Any], number: int) -> str:
    """The template's text for one record; raises ImportSourceError for a field that it lacks."""
    text = ""
    for literal, keys in compile_template(template):
        text += literal
        if not keys:
            continue
        value: Any = record
        for key in keys:
            step: Any = int(key) if isinstance(value, list) and key.isdecimal() else key
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                what = f"it asks for {key!r}, which is not there"
                _refuse_template(template, what, _LOOKUP_REMEDY, number)
        if value is None or isinstance(value, (dict, list)):
            what = f"{key!r} is {kind_of(value)}"
            _refuse_template(template, what, "Choose a field with text or a number", number)
        text += value if isinstance(value, str) else json.dumps(value)
    return text


def _refuse_template(
    template: str, problem: str, remedy: str, number: int | None = None
) -> NoReturn:
    problem = f"the template {template!r} cannot be used: {problem}"
    raise ImportSourceError(problem, remedy, record=number)
