"""How a typed model and its document on the wire are one thing.

A model declares its fields once, with the kind of each; from that come its constructor, its lazily
decoded attributes, and the wire form: camelCase names, times as milliseconds since the epoch,
payloads as JSON text, unknown fields kept as JSON text in `extra`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from mastra_convex.errors import ConvexStorageError, InvalidArgumentError
from mastra_convex.values.names import camel_case
from mastra_convex.values.payload import encode_payload, open_payload

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_options: Any) -> Callable[[Any], Any]:
        """For type checkers: the constructor follows from the fields."""
        return lambda cls: cls


Wire = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)
# What both a datetime and ECMAScript's Date can say: the years 1 to 9999.
_FIRST = datetime.min.replace(tzinfo=timezone.utc)
_LAST = datetime.max.replace(tzinfo=timezone.utc)
_MIN_MILLISECONDS = (_FIRST - _EPOCH) / _MILLISECOND
_MAX_MILLISECONDS = (_LAST - _EPOCH) // _MILLISECOND
_REQUIRED: Any = object()
R = TypeVar("R", bound="Record")


class Field:
    """One field of a model: its names, and how its values travel. The base passes them as is."""

    types: tuple[type, ...] = ()
    # Of them those that travel as they are.
    plain: tuple[type, ...] = ()
    expected = ""
    # Whether None is a value of the field, and not the lack of one.
    takes_none = False

    def __init__(self, default: Any = _REQUIRED) -> None:
        self.default = default
        self.name = ""
        self.wire_name = ""

    def __set_name__(self, owner: type[Record], name: str) -> None:
        self.name = name
        self.wire_name = camel_case(name)

    def __get__(self, record: Record | None, owner: type[Record]) -> Any:
        if record is None:
            return self
        raw = record.wire.get(self.wire_name)
        value = self.default if raw is None and self.default is not _REQUIRED else self.decode(raw)
        # Found before this descriptor the next time: each field is decoded at most once.
        record.__dict__[self.name] = value
        return value

    def decode(self, raw: Any) -> Any:
        """The attribute's value for what the wire has."""
        return raw

    def encode(self, value: Any, label: str) -> Any:
        """What the wire has for a value; `label` begins the text of an error."""
        if type(value) not in self.types and (
            not isinstance(value, self.types) or isinstance(value, bool)
        ):
            raise InvalidArgumentError(
                f"{label}: {self.wire_name} must be {self.expected}, not "
                f"{type(value).__name__} {value!r:.60}",
                path=self.wire_name,
            )
        return value


class _Text(Field):
    types: tuple[type, ...] = (str,)
    plain = types
    expected = "text"


class _Number(Field):
    types = plain = (int, float)
    expected = "a number"


class _Flag(Field):
    types = plain = (bool,)
    expected = "True or False"


class _Count(Field):
    types = plain = (int,)
    expected = "a whole number"

    def decode(self, raw: Any) -> Any:
        return None if raw is None else int(raw)


class _Payload(Field):
    def decode(self, raw: Any) -> Any:
        return None if raw is None else open_payload(raw)

    def encode(self, value: Any, label: str) -> Any:
        return encode_payload(value, label, self.wire_name)


class _NullablePayload(_Payload):
    takes_none = True


class _Map(_Payload):
    def encode(self, value: Any, label: str) -> Any:
        if not isinstance(value, Mapping):
            kind = type(value).__name__
            raise InvalidArgumentError(
                f"{label}: {self.wire_name} must be a map, not {kind} {value!r:.60}",
                path=self.wire_name,
            )
        return super().encode(value, label)


class _OpaqueText(_Text):
    plain = ()

    def decode(self, raw: Any) -> Any:
        return None if raw is None else open_payload(raw)

    def encode(self, value: Any, label: str) -> Any:
        return encode_payload(super().encode(value, label), label, self.wire_name)


class _Instant(Field):
    def decode(self, raw: Any) -> Any:
        if raw is None:
            return None
        try:
            return _EPOCH + raw * _MILLISECOND
        except OverflowError:
            # Other clients can store a time that no datetime can say: it is the nearest one.
            return _FIRST if raw < 0 else _LAST

    def encode(self, value: Any, label: str) -> Any:
        kind = type(value)
        if (kind is float or kind is int) and _MIN_MILLISECONDS <= value <= _MAX_MILLISECONDS:
            return float(value)
        return to_milliseconds(value, f"{label}: {self.wire_name}")


class _Records(Field):
    """Records inside a record."""

    def __init__(self, kind: type[Record], default: Any = _REQUIRED) -> None:
        super().__init__(default)
        self.kind = kind

    def decode(self, raw: Any) -> Any:
        return [self.kind.of(each) for each in raw or ()]

    def encode(self, value: Any, label: str) -> Any:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
            raise InvalidArgumentError(
                f"{label}: {self.wire_name} must be a list, not {value!r:.60}", path=self.wire_name
            )
        return [self.kind.encode(each) for each in value]


def text(default: Any = _REQUIRED) -> Any:
    """A field of text."""
    return _Text(default)


def number(default: Any = _REQUIRED) -> Any:
    """A field of a number."""
    return _Number(default)


def flag(default: Any = _REQUIRED) -> Any:
    """A field that is True or False."""
    return _Flag(default)


def records(kind: type[Record], default: Any = _REQUIRED) -> Any:
    """A field of a list of records."""
    return _Records(kind, default)


def count(default: Any = _REQUIRED) -> Any:
    """A field of a whole number."""
    return _Count(default)


def payload(default: Any = _REQUIRED, *, nullable: bool = False) -> Any:
    """A field of any JSON value, kept exactly; with `nullable`, None is one of them."""
    return _NullablePayload(default) if nullable else _Payload(default)


def json_map(default: Any = _REQUIRED) -> Any:
    """A field of a map of any JSON values, kept exactly."""
    return _Map(default)


def opaque_text(default: Any = _REQUIRED) -> Any:
    """A field of text that is kept exactly, lone surrogates and all: a payload."""
    return _OpaqueText(default)


def instant(default: Any = _REQUIRED) -> Any:
    """A field of a moment: an aware datetime; milliseconds and ISO 8601 text are taken too."""
    return _Instant(default)


def to_milliseconds(value: Any, name: str) -> float:
    """Milliseconds since the epoch for an aware datetime, a number of them, or ISO 8601 text.

    Raises `InvalidArgumentError`, naming `name`, for anything else and for naive datetimes.
    """
    moment = value
    if isinstance(value, str):
        try:
            # Python 3.10 reads neither Z nor fractions of other lengths than 3 and 6.
            iso = re.sub(r"\.(\d+)", lambda m: f".{m[1]:0<6.6}", value.replace("Z", "+00:00"))
            moment = datetime.fromisoformat(iso)
        except ValueError:
            moment = None
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise InvalidArgumentError(
                f"{name} is a time without a zone ({value}); use datetime.now(timezone.utc) or "
                "milliseconds since the epoch",
                path=name,
            )
        moment = (moment - _EPOCH) / _MILLISECOND
    if type(moment) not in {int, float} or not math.isfinite(moment):
        raise InvalidArgumentError(
            f"{name} must be an aware datetime, milliseconds since the epoch, or ISO 8601 text, "
            f"not {value!r:.60}",
            path=name,
        )
    if not _MIN_MILLISECONDS <= moment <= _MAX_MILLISECONDS:
        raise InvalidArgumentError(
            f"{name} is outside the years 1 to 9999: {value!r}; give milliseconds since the epoch",
            path=name,
        )
    return float(moment)


def _shown(raw: Any) -> Any:
    return int(raw) if type(raw) is float and raw.is_integer() else raw


@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(text, number, count, flag, payload, json_map, opaque_text, instant, records),
)
class Record:
    """A model: frozen, with typed attributes over a document. Build it with keywords.

    `wire` is the document. Two records are equal when they are of one class and say the same.
    """

    noun: ClassVar[str] = "record"
    # The field that tells which record an error is about.
    key: ClassVar[str] = "id"
    # The field that a saved record does not have, whatever the caller says.
    given_by_store: ClassVar[str] = ""
    fields: ClassVar[tuple[Field, ...]] = ()
    _by_name: ClassVar[dict[str, Field]] = {}
    _required: ClassVar[tuple[str, ...]] = ()
    _key_names: ClassVar[tuple[str, ...]] = ()
    wire: Wire

    def __init_subclass__(cls) -> None:
        # Its own first, then what it has in common with others.
        members = [f for owner in cls.__mro__ for f in vars(owner).values()]
        cls.fields = tuple(f for f in members if isinstance(f, Field))
        cls._required = tuple(f.wire_name for f in cls.fields if f.default is _REQUIRED)
        cls._key_names = tuple(
            name for f in cls.fields if f.wire_name == cls.key for name in (f.wire_name, f.name)
        )
        cls._by_name = {f.name: f for f in cls.fields} | {f.wire_name: f for f in cls.fields}

    def __init__(self, **fields: Any) -> None:
        known = {f.name for f in self.fields}
        for name in fields:
            if name not in known:
                raise TypeError(f"{type(self).__name__} has no field {name!r}")
        self.__dict__["wire"] = self.encode(fields)

    @classmethod
    def of(cls, wire: Wire) -> Self:
        """The record over a document from a backend, which is trusted to be one."""
        record = cls.__new__(cls)
        record.__dict__["wire"] = wire
        return record

    @classmethod
    def encode(cls, value: Record | Mapping[str, Any]) -> Wire:
        """The document of a model, or of a mapping with Mastra's camelCase (or Python's) names.

        None counts as not given. Raises `InvalidArgumentError`, naming record and field, for a
        wrong type or a missing field, `InvalidPayloadError` for what JSON cannot say.
        """
        if isinstance(value, cls):
            wire = value.wire
        elif isinstance(value, Mapping):
            given = cls.adapt(value)
            try:
                wire = cls._encoded(given, "")
            except ConvexStorageError:
                # Once more, for its text: to name a record takes as long as encoding a field of it.
                wire = cls._encoded(given, cls.label(given))
        else:
            raise InvalidArgumentError(
                f"{type(value).__name__} is no {cls.noun}; give {cls.__name__} or a mapping"
            )
        if cls.given_by_store in wire:
            wire = {name: item for name, item in wire.items() if name != cls.given_by_store}
        return wire

    @classmethod
    def _encoded(cls, given: Mapping[str, Any], label: str) -> Wire:
        wire: Wire = {}
        extra: Wire = {}
        by_name = cls._by_name
        for name, item in given.items():
            field = by_name.get(name)
            if field is None:
                extra[name] = item
            elif item is not None or field.takes_none:
                wire_name = field.wire_name
                if wire_name in wire:
                    raise InvalidArgumentError(f"{label}: {wire_name} is given twice")
                wire[wire_name] = item if type(item) in field.plain else field.encode(item, label)
        if not all(map(wire.get, cls._required)):
            for wire_name in cls._required:
                if wire.get(wire_name) in (None, ""):
                    raise InvalidArgumentError(
                        f"{label}: {wire_name} is missing or empty; give it", path=wire_name
                    )
        if extra:
            wire["extra"] = encode_payload(extra, label)
        return wire

    @classmethod
    def label(cls, given: Mapping[str, Any]) -> str:
        """What errors call the record of a mapping."""
        for name in cls._key_names:
            if name in given:
                return f"{cls.noun} {given[name]!r:.80}"
        return cls.noun

    @classmethod
    def encode_field(cls, name: str, value: Any, label: str) -> Any:
        """What the wire has for the value of one field; `label` begins the text of an error."""
        return cls._by_name[name].encode(value, label)

    @classmethod
    def adapt(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Bring Mastra's other shapes of this record into the model's own."""
        return given

    @classmethod
    def json_text(cls, wire: Wire) -> str:
        """A document as JSON text, in the form of `to_dict`; its payloads are not decoded."""
        members = []
        for field in cls.fields:
            raw = wire.get(field.wire_name)
            if raw is not None:
                if isinstance(field, _Records):
                    raw = f"[{','.join(map(field.kind.json_text, raw))}]"
                elif not isinstance(field, (_Payload, _OpaqueText)):
                    raw = encode_payload(_shown(raw))
                members.append(f'"{field.wire_name}":{raw}')
        extra = wire.get("extra", "").strip()[1:-1].strip()
        return "{" + ",".join([*members, extra] if extra else members) + "}"

    @cached_property
    def extra(self) -> dict[str, Any]:
        """Fields that the model does not know, as they were saved."""
        text = self.wire.get("extra")
        found = open_payload(text) if text else {}
        return found if isinstance(found, dict) else {"extra": found}

    def to_dict(self) -> dict[str, Any]:
        """The record in Mastra's form: camelCase, times in milliseconds, payloads decoded."""
        shown = {}
        for field in self.fields:
            raw = self.wire.get(field.wire_name)
            if raw is not None:
                if isinstance(field, (_Payload, _OpaqueText)):
                    raw = open_payload(raw)
                elif isinstance(field, _Records):
                    raw = [each.to_dict() for each in field.decode(raw)]
                else:
                    raw = _shown(raw)
                shown[field.wire_name] = raw
        return {**shown, **self.extra}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or not isinstance(other, Record):
            return NotImplemented
        # The texts of equal payloads may differ, in the order of keys.
        return self.wire == other.wire or self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; save a changed copy instead")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; save a changed copy instead")

    def __repr__(self) -> str:
        names = [f.name for f in self.fields if self.wire.get(f.wire_name) is not None]
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({shown})"
