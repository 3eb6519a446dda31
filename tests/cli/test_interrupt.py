import signal
import threading

import pytest

from mastra_convex.cli.interrupt import on_ctrl_c


def test_the_first_asks_and_the_second_interrupts() -> None:
    asked: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    with on_ctrl_c(lambda: asked.append("end")):
        signal.raise_signal(signal.SIGINT)
        assert asked == ["end"]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert asked == ["end"]
    assert signal.getsignal(signal.SIGINT) is before


def test_afterwards_it_is_as_before() -> None:
    asked: list[str] = []
    with on_ctrl_c(lambda: asked.append("end")):
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert asked == []


def test_in_another_thread_nothing_is_changed() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def run() -> None:
        with on_ctrl_c(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]
