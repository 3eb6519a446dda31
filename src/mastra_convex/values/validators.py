"""Validators with Convex's names: they check a value and describe themselves.

`v.object({"id": v.string(), "title": v.optional(v.string())})` is Convex's, and `describe()` gives
the JSON that a registered Convex function exports, so that the two sides can be compared.
Values are Python's: str, float and int for numbers, bool, None, list, dict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mastra_convex.errors import InvalidArgumentError

# Convex numbers are float64: a larger integer would lose digits without a word.
_EXACT = 2**53


class _Mismatch(Exception):
    """A value does not fit; the path is collected on the way up, so that success costs nothing."""

    def __init__(self, expected: str, value: Any) -> None:
        super().__init__(expected)
        self.expected = expected
        self.value = value
        self.path: list[str] = []

    def below(self, step: str) -> _Mismatch:
        self.path.append(step)
        return self


class Validator:
    """Checks one value. `optional` says that an object's field may be left out."""

    optional = False

    def check(self, value: Any) -> None:
        """Raise `_Mismatch` unless `value` fits."""
        raise NotImplementedError  # pragma: no cover

    def describe(self) -> dict[str, Any]:
        """The form in which Convex exports a validator."""
        raise NotImplementedError  # pragma: no cover

    def validate(self, value: Any, name: str) -> None:
        """Raise `InvalidArgumentError`, naming the place below `name`, unless `value` fits."""
        try:
            self.check(value)
        except _Mismatch as mismatch:
            path = name + "".join(reversed(mismatch.path))
            found = "" if mismatch.value is _ABSENT else f", not {_brief(mismatch.value)}"
            raise InvalidArgumentError(
                f"{path} must be {mismatch.expected}{found}", path=path
            ) from None


_ABSENT = object()


def _brief(value: Any) -> str:
    kind = type(value).__name__
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # more digits, or deeper, than Python will write
        return kind
    return f"{kind} {text if len(text) <= 60 else text[:57] + '...'}"


class _Simple(Validator):
    def __init__(self, kind: str, types: tuple[type, ...], expected: str) -> None:
        self.kind, self.types, self.expected = kind, types, expected

    def check(self, value: Any) -> None:
        if type(value) not in self.types:
            raise _Mismatch(self.expected, value)

    def describe(self) -> dict[str, Any]:
        return {"type": self.kind}


class _String(_Simple):
    def check(self, value: Any) -> None:
        if not isinstance(value, str):
            raise _Mismatch(self.expected, value)
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise _Mismatch("text without lone surrogates", value) from None


class _Number(_Simple):
    def check(self, value: Any) -> None:
        if type(value) is float:
            if value == value:  # noqa: PLR0124 - NaN, which SQLite would store as missing
                return
        elif type(value) is int and -_EXACT <= value <= _EXACT:
            return
        raise _Mismatch(self.expected, value)


class _Any(Validator):
    def check(self, value: Any) -> None:
        pass

    def describe(self) -> dict[str, Any]:
        return {"type": "any"}


class _Literal(Validator):
    def __init__(self, value: str | float | bool) -> None:
        self.value = value

    def check(self, value: Any) -> None:
        # 1 and true are equal to Python; text is text, of whatever kind.
        same = type(value) is type(self.value) or isinstance(value, str)
        if not same or value != self.value:
            raise _Mismatch(repr(self.value), value)

    def describe(self) -> dict[str, Any]:
        return {"type": "literal", "value": self.value}


class _Array(Validator):
    def __init__(self, element: Validator) -> None:
        self.element = element

    def check(self, value: Any) -> None:
        if type(value) is not list:
            raise _Mismatch("an array", value)
        check = self.element.check
        position = 0
        try:
            for item in value:
                check(item)
                position += 1
        except _Mismatch as mismatch:
            raise mismatch.below(f"[{position}]") from None

    def describe(self) -> dict[str, Any]:
        return {"type": "array", "value": self.element.describe()}


class _Object(Validator):
    def __init__(self, fields: Mapping[str, Validator]) -> None:
        self.fields = dict(fields)
        self._checks = {name: field.check for name, field in self.fields.items()}
        self._texts = frozenset(
            name for name, field in self.fields.items() if field.describe() == {"type": "string"}
        )
        self._required = tuple(name for name, field in self.fields.items() if not field.optional)

    def check(self, value: Any) -> None:
        if type(value) is not dict:
            raise _Mismatch("an object", value)
        checks, texts, name = self._checks, self._texts, ""
        try:
            for name, item in value.items():
                # Most fields are text; looking at it here spares a call for each.
                if not (name in texts and type(item) is str and item.isascii()):
                    checks[name](item)
        except KeyError:
            raise _Mismatch("left out: there is no such field", _ABSENT).below(f".{name}") from None
        except _Mismatch as mismatch:
            raise mismatch.below(f".{name}") from None
        for name in self._required:
            if name not in value:
                raise _Mismatch("given: it is missing", _ABSENT).below(f".{name}")

    def describe(self) -> dict[str, Any]:
        return {
            "type": "object",
            "value": {
                name: {"fieldType": field.describe(), "optional": field.optional}
                for name, field in self.fields.items()
            },
        }


class _Union(Validator):
    def __init__(self, members: tuple[Validator, ...]) -> None:
        self.members = members

    def check(self, value: Any) -> None:
        deepest: _Mismatch | None = None
        for member in self.members:
            try:
                return member.check(value)
            except _Mismatch as mismatch:
                if deepest is None or len(mismatch.path) > len(deepest.path):
                    deepest = mismatch
        if deepest is not None and deepest.path:
            raise deepest
        expected = [m.value for m in self.members if isinstance(m, _Literal)]
        if len(expected) == len(self.members):
            raise _Mismatch("one of " + ", ".join(map(repr, expected)), value)
        raise _Mismatch("one of " + ", ".join(m.describe()["type"] for m in self.members), value)

    def describe(self) -> dict[str, Any]:
        return {"type": "union", "value": [member.describe() for member in self.members]}


class _Optional(Validator):
    optional = True

    def __init__(self, inner: Validator) -> None:
        self.inner = inner
        self.check = inner.check  # type: ignore[method-assign]

    def describe(self) -> dict[str, Any]:
        return self.inner.describe()


class v:
    """The validator builders, under Convex's names."""

    @staticmethod
    def string() -> Validator:
        """Text; lone surrogates are refused, as Convex refuses them."""
        return _String("string", (str,), "text")

    @staticmethod
    def number() -> Validator:
        """A float, or an integer within 2^53; NaN is refused, because SQLite cannot keep it."""
        return _Number("number", (float, int), "a number (not NaN, integers within 2^53)")

    @staticmethod
    def boolean() -> Validator:
        """True or False."""
        return _Simple("boolean", (bool,), "true or false")

    @staticmethod
    def null() -> Validator:
        """None."""
        return _Simple("null", (type(None),), "null")

    @staticmethod
    def any() -> Validator:
        """Anything."""
        return _Any()

    @staticmethod
    def literal(value: str | float | bool) -> Validator:
        """Exactly this value."""
        return _Literal(value)

    @staticmethod
    def array(element: Validator) -> Validator:
        """A list of such elements."""
        return _Array(element)

    @staticmethod
    def object(fields: Mapping[str, Validator]) -> Validator:
        """A dict with these fields and no others."""
        return _Object(fields)

    @staticmethod
    def union(*members: Validator) -> Validator:
        """Any one of the members."""
        return _Union(members)

    @staticmethod
    def optional(inner: Validator) -> Validator:
        """A field that may be left out."""
        return _Optional(inner)
