"""Which process this is, and whether another still runs."""

from __future__ import annotations

import os
from pathlib import Path

_START_FIELD = 19  # behind the name, which may hold spaces and brackets


def process_name(pid: int | None = None) -> str:
    """This process, or another of this machine: its number, and where that can be known its start.

    A number is used again, after a restart of the machine too; with the start it tells a process
    from all others. Without /proc it is the number alone.
    """
    pid = os.getpid() if pid is None else pid
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        start = fields.rpartition(")")[2].split()[_START_FIELD]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    except (OSError, IndexError):
        return str(pid)
    return f"{pid}:{start}:{boot}"


def runs(name: str) -> bool:
    """Whether the process of that name runs on this machine. Where that is not told: True.

    On Windows it is not: `os.kill` ends a process there, whatever the signal.
    """
    number = name.partition(":")[0]
    if not number.isascii() or not number.isdigit():
        return False
    pid = int(number)
    if ":" in name:
        return process_name(pid) == name
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
