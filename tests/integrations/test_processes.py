from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mastra_convex.integrations.processes import process_name, runs


def test_a_process_runs_until_it_has_ended() -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = process_name(other.pid)
    assert runs(name)
    assert runs(process_name())
    other.communicate(b"\n")
    assert not runs(name)


def test_a_number_that_is_used_again_is_another_process() -> None:
    pid, start, boot = process_name().split(":")
    assert not runs(f"{pid}:{int(start) + 1}:{boot}")
    assert not runs(f"{pid}:{start}:another")


@pytest.mark.parametrize("name", ["", "x", "-1", "²", "9" * 30])
def test_what_names_no_process_does_not_run(name: str) -> None:
    assert not runs(name)


def test_without_proc_the_number_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_args: object, **_options: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert process_name() == str(os.getpid())
    assert runs(process_name())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not runs(str(ended.pid))


def test_where_to_look_is_to_kill_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(*_args: object) -> None:
        raise AssertionError("os.kill ends a process on Windows, whatever the signal")

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(os, "name", "nt")
    assert runs("4242")
