"""What a subscription is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """A value, or the error that reading it raised."""

    value: Any = None
    error: Exception | None = None
