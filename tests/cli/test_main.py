import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import mastra_convex
from mastra_convex import ConflictError
from mastra_convex.cli.main import COMMANDS, main
from tests.cli.processes import COMMAND, environment, run, start


def failing(error: BaseException) -> click.Command:
    """A command that raises."""

    @click.command("show")
    def command() -> None:
        click.echo("begun")
        raise error

    return command


def result_of(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """Exit code, output and errors of a command that raises."""
    monkeypatch.setattr("mastra_convex.cli.show.command", failing(error))
    result = CliRunner().invoke(main, ["show"], prog_name="mastra-convex")
    return result.exit_code, result.stdout, result.stderr


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout
        assert CliRunner().invoke(main, [name, "-h"]).exit_code == 0


def test_every_command_has_the_name_it_is_listed_under() -> None:
    context = click.Context(main)
    names = {name: main.get_command(context, name) for name in main.list_commands(context)}
    assert {name: found.name for name, found in names.items() if found} == {n: n for n in COMMANDS}


def test_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.stdout == f"mastra-convex, version {mastra_convex.__version__}\n"


def test_an_unknown_command_is_a_mistake_in_the_command_line() -> None:
    result = CliRunner().invoke(main, ["shwo"])
    assert result.exit_code == 2
    assert "No such command 'shwo'" in result.stderr


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_what_is_not_needed_is_not_loaded(option: str) -> None:
    code = (
        "import json, sys\n"
        "from mastra_convex.cli.main import main\n"
        f"main([{option!r}], standalone_mode=False)\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, check=True
    )
    loaded = set(json.loads(done.stderr))
    parts = ("engine", "functions", "importers", "backends.embedded")
    heavy = [name for name in loaded for part in parts if name.startswith(f"mastra_convex.{part}")]
    assert not heavy
    assert "sqlite3" not in loaded


def test_an_error_of_the_storage_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ConflictError("thread 'a\x1b[2J'\nis taken")
    error.operation = "save_thread"
    line = "error [CONFLICT]: save_thread: thread 'a\\x1b[2J'\\x0ais taken\n"
    assert result_of(error, monkeypatch) == (1, "begun\n", line)


def test_an_error_of_the_system_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    error = OSError(28, "No space left on device", "x.db")
    line = "error: [Errno 28] No space left on device: 'x.db'\n"
    assert result_of(error, monkeypatch) == (1, "begun\n", line)


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = result_of(KeyboardInterrupt(), monkeypatch)
    assert (code, out, err) == (130, "begun\n", "")


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_convex.cli.show.command", failing(ZeroDivisionError("oops")))
    result = CliRunner().invoke(main, ["show"])
    assert isinstance(result.exception, ZeroDivisionError)


def filled(folder: Path) -> Path:
    """A database with text that not every terminal can write, and more than a pipe holds."""
    path = folder / "store.db"
    with mastra_convex.ConvexStorage(path) as storage:
        storage.save_thread({"id": "t", "resourceId": "r", "title": "東京 \U0001f5fc"})
        storage.save_messages(
            {
                "id": f"m-{n}",
                "threadId": "t",
                "role": "user",
                "content": "\ud83d ü \x1b]0;x\x07" + "x" * 9000,
            }
            for n in range(30)
        )
    return path


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_no_encoding_of_the_output_stops_a_command(tmp_path: Path, encoding: str) -> None:
    settings = environment(PYTHONIOENCODING=encoding, PYTHONUTF8="0", LC_ALL="C")
    done = run("show", "t", "--db", filled(tmp_path), env=settings, errors="surrogateescape")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "\\x1b]0;x\\x07xxx" in done.stdout


def test_a_closed_pipe_is_the_end_and_no_failure(tmp_path: Path) -> None:
    with start("show", "t", "--db", filled(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this platform has no /dev/full")
def test_a_full_disk_behind_the_output_is_an_error(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = run(
            "show", "t", "--db", filled(tmp_path), capture_output=False, stdout=full, stderr=-1
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: [Errno 28]")
    assert "Traceback" not in done.stderr


def test_no_output_at_all_is_fine(tmp_path: Path) -> None:
    path = filled(tmp_path)
    shell = '"$@" >&-'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", *COMMAND, "show", "t", "--db", str(path)],
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
