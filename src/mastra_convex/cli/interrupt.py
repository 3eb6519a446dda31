"""Ctrl-C as a request: the first one asks for an orderly end, a second one interrupts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_ctrl_c(ask: Callable[[], object]) -> Iterator[None]:
    """While inside, the first Ctrl-C calls `ask` in place of raising KeyboardInterrupt.

    So nothing is interrupted in the middle of what it does. `ask` runs between any two steps of the
    main thread and must only leave a note. Outside the main thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ask()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
