"""What a subscription is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """A value, or the error that reading it raised."""

    value: Any = None
    error: Exception | None = None
    _traceback: TracebackType | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        traceback = None if self.error is None else self.error.__traceback__
        object.__setattr__(self, "_traceback", traceback)

    def to_raise(self) -> Exception:
        """The error, as it was: raised many times, it would gather all the places it has been."""
        assert self.error is not None
        return self.error.with_traceback(self._traceback)
