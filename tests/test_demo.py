"""The demonstration runs, shows what it should, and tells when something has failed."""

import os
import re
import subprocess
import sys
from pathlib import Path

from mastra_convex import ConvexStorage

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "examples" / "demo.py"


def run_demo(folder: Path, script: Path = DEMO) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_it_shows_every_kind_of_change_and_what_the_file_holds(tmp_path: Path) -> None:
    (tmp_path / "demo.db").write_text("of the last time")
    done = run_demo(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    changes = re.findall(r"^ *[\d.]+ s +([\d.]+) ms  (.{10}) (.*)$", done.stdout, re.MULTILINE)
    kinds = {kind.strip() for _, kind, _ in changes}
    assert kinds == {"thread", "user", "assistant", "...", "workflow", "eval"}
    texts = [text for _, _, text in changes]
    assert any(text.startswith("search_flights {") for text in texts)
    assert any(text.startswith("search_flights [") for text in texts)
    assert "helpfulness 0.94" in texts
    assert "completed: find done, book done" in texts
    assert "Working memory of ana: - prefers an aisle seat" in done.stdout
    assert "Imported 60 conversations with 300 messages" in done.stdout
    assert re.search(r"^threads +61 ", done.stdout, re.MULTILINE)
    assert "show trip-1 --db demo.db" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100 + len(str(tmp_path))
    # The database stays, whole, and nothing else.
    assert [path.name for path in tmp_path.iterdir()] == ["demo.db"]
    with ConvexStorage(tmp_path / "demo.db") as storage:
        assert len(storage.get_messages("trip-1")) == 6
        assert storage.list_threads(per_page=1).total == 61


def test_it_fails_when_the_agent_does(tmp_path: Path) -> None:
    script = tmp_path / "demo.py"
    script.write_text(DEMO.read_text(encoding="utf-8"), encoding="utf-8")
    agent = DEMO.with_name("demo_agent.py").read_text(encoding="utf-8")
    broken = agent.replace('self.run("running", {"find": "running"})', "sys.exit(3)")
    assert broken != agent
    (tmp_path / "demo_agent.py").write_text(broken, encoding="utf-8")
    done = run_demo(tmp_path, script)
    assert done.returncode == 1
    assert done.stderr == "\nThe demonstration failed: the agent ended with exit code 3\n"
