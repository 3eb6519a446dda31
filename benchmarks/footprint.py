"""What `import mastra_convex` takes: time and memory, in fresh interpreters."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

ROUNDS = 9


def _run(code: str) -> tuple[float, float]:
    """Seconds and resident MB at the most of an interpreter that runs `code`."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{code!r} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    empty, full = [], []
    for _ in range(ROUNDS):
        empty.append(_run("pass"))
        full.append(_run("import mastra_convex"))
    seconds = statistics.median(s for s, _ in full) - statistics.median(s for s, _ in empty)
    memory = statistics.median(m for _, m in full)
    print(f"  import mastra_convex: {seconds * 1e3:.0f} ms of 150 ms; {memory:.0f} MB resident")


if __name__ == "__main__":
    main()
