"""Files of ours."""

from __future__ import annotations

from pathlib import Path

from tests.engine.support import add, book, opened


def ours(path: Path, books: int = 1) -> Path:
    """A file of ours, closed."""
    with opened(path) as engine:
        add(engine, *(book(f"{number}", note="x" * 1000) for number in range(books)))
    return path
